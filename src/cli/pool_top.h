// pgtend pool top.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> pool_top_parameters();
Result<int> run_pool_top(const Args& args, Output& output);

}  // namespace pgtend::cli
