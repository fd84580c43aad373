// pgtend partition index: an index of a partitioned table, made while it is used.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> partition_index_parameters();
Result<int> run_partition_index(const Args& args, Output& output);

}  // namespace pgtend::cli
