// pgtend vacuum tune.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_tune_parameters();
Result<int> run_vacuum_tune(const Args& args, Output& output);

}  // namespace pgtend::cli
