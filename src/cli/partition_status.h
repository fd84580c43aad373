// pgtend partition status: how each partitioned table stands.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> partition_status_parameters();
Result<int> run_partition_status(const Args& args, Output& output);

}  // namespace pgtend::cli
