// pgtend vacuum compact.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_compact_parameters();
Result<int> run_vacuum_compact(const Args& args, Output& output);

}  // namespace pgtend::cli
