// pgtend vacuum review, pgtend vacuum horizon.
#pragma once

#include <span>

#include "cli/command.h"

namespace pgtend::cli {

std::span<const Parameter> vacuum_review_parameters();
std::span<const Parameter> vacuum_horizon_parameters();
Result<int> run_vacuum_review(const Args& args, Output& output);
Result<int> run_vacuum_horizon(const Args& args, Output& output);

}  // namespace pgtend::cli
