// pgtend vacuum progress.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_progress_parameters();
Result<int> run_vacuum_progress(const Args& args, Output& output);

}  // namespace pgtend::cli
