// Findings for people and for scripts.
#pragma once

#include <vector>

#include "base/result.h"
#include "care/finding.h"
#include "cli/command.h"
#include "cli/output.h"

namespace pgtend::cli {

// Prints each finding with its numbers and its action's SQL; fills data()["findings"].
void print_findings(Output& output, const std::vector<care::Finding>& findings);

// 1 when a finding is at or above --fail-on (info, notice, warning, critical), else 0; 0 without
// the flag. Errors: Invalid for an unknown severity.
Result<int> exit_for(const Args& args, const std::vector<care::Finding>& findings);

}  // namespace pgtend::cli
