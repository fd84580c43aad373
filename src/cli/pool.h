// pgtend pool.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> pool_parameters();
Result<int> run_pool(const Args& args, Output& output);

}  // namespace pgtend::cli
