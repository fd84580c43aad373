// pgtend vacuum run, pgtend analyze.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_run_parameters();
Result<int> run_vacuum(const Args& args, Output& output);
Result<int> run_analyze(const Args& args, Output& output);

}  // namespace pgtend::cli
