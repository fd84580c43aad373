// Replays side by side, as vacuum simulate and vacuum tune show them, and the files they are made
// of.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "vacuum/simulate_report.h"

namespace pgtend::cli {

// "1 h 20 min", "never" beyond all bounds, "unknown" without.
std::string time_text(double seconds);
std::string time_text(const std::optional<double>& seconds);

// One column a variant.
void print_variants(Output& output, const std::vector<vacuum::Variant>& variants);

// A recorded trace, or one generated from a description. Errors: NotFound, those of read_trace(),
// read_load() and generate(), with the name of the file.
Result<vacuum::Trace> load_trace(const std::string& path);

}  // namespace pgtend::cli
