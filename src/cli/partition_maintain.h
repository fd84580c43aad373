// pgtend partition maintain: partitions ahead are made, old ones retired.
#pragma once

#include <span>
#include <vector>

#include "cli/command.h"
#include "partition/upkeep_policy.h"

namespace pgtend::cli {

std::span<const Parameter> partition_maintain_parameters();
Result<int> run_partition_maintain(const Args& args, Output& output);

// The policies of --config, else of pgtend.toml in the working directory if there is one.
// Errors: as partition::load_policies().
Result<std::vector<partition::UpkeepPolicy>> configured_policies(const Args& args);

}  // namespace pgtend::cli
