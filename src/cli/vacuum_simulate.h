// pgtend vacuum simulate, record and generate.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_simulate_parameters();
std::span<const Parameter> vacuum_record_parameters();
Result<int> run_vacuum_simulate(const Args& args, Output& output);
Result<int> run_vacuum_record(const Args& args, Output& output);

}  // namespace pgtend::cli
