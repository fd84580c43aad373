// pgtend doctor.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> doctor_parameters();
Result<int> run_doctor(const Args& args, Output& output);

}  // namespace pgtend::cli
