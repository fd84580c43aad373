// pgtend partition recut: partitions are merged or divided while they are
// used. pgtend partition drain: rows of a DEFAULT partition get partitions of their own.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> partition_recut_parameters();
Result<int> run_partition_recut(const Args& args, Output& output);
std::span<const Parameter> partition_drain_parameters();
Result<int> run_partition_drain(const Args& args, Output& output);

}  // namespace pgtend::cli
