// pgtend vacuum bloat.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_bloat_parameters();
Result<int> run_vacuum_bloat(const Args& args, Output& output);

}  // namespace pgtend::cli
