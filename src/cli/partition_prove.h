// pgtend partition prove, and the part of pgtend partition plan that proves pruning.
#pragma once

#include <span>

#include "base/result.h"
#include "cli/command.h"
#include "cli/output.h"
#include "partition/partition.h"

namespace pgtend::cli {

std::span<const Parameter> partition_prove_parameters();
// Exit code 1 when a statement of --queries cannot be told about.
Result<int> run_partition_prove(const Args& args, Output& output);

// Proves the statements of --queries, --pool or pg_stat_statements on the partitions that are
// proposed, and prints what comes of it. Without a counter of statements only says so.
Status show_pruning(const Args& args, Output& output, pg::Connection& conn,
                    const partition::Proposal& proposal);

}  // namespace pgtend::cli
