// pgtend partition status: how each partitioned table stands.
#pragma once

#include <span>
#include <string>

#include "cli/command.h"
#include "facts/partitions.h"

namespace pgtend::cli {

// "the last partition ends in 185 days"; "" without a runway.
std::string runway_text(const facts::Layout& layout);
std::span<const Parameter> partition_status_parameters();
Result<int> run_partition_status(const Args& args, Output& output);

}  // namespace pgtend::cli
