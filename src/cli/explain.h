// pgtend explain.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> explain_parameters();
Result<int> run_explain(const Args& args, Output& output);

}  // namespace pgtend::cli
