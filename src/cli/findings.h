// Findings for people and for scripts.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "care/finding.h"
#include "cli/command.h"
#include "cli/output.h"

namespace pgtend::cli {

// Prints each finding with its numbers and its action's SQL; fills data()["findings"].
void print_findings(Output& output, const std::vector<care::Finding>& findings);

// What --fail-on asks for; no severity without the flag.
struct FailOn {
  std::optional<care::Severity> severity = {};
};

// Reads --fail-on (info, notice, warning, critical); to be called before any work.
// Errors: Invalid for an unknown severity.
Result<FailOn> fail_on(const Args& args);

// 1 when a finding is at or above the limit, else 0.
int exit_for(const FailOn& limit, const std::vector<care::Finding>& findings);

}  // namespace pgtend::cli
