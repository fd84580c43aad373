// pgtend vacuum watch.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_watch_parameters();
Result<int> run_vacuum_watch(const Args& args, Output& output);

}  // namespace pgtend::cli
