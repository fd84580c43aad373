// pgtend partition recut: partitions are merged or divided while they are used.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> partition_recut_parameters();
Result<int> run_partition_recut(const Args& args, Output& output);

}  // namespace pgtend::cli
