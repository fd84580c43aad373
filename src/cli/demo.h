// pgtend demo.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> demo_parameters();
Result<int> run_demo(const Args& args, Output& output);

}  // namespace pgtend::cli
