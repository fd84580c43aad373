// pgtend explain --apply: carries a finding's proposal out and proves it: measured before, built
// through the gate, measured again, taken back when it did not help.
#pragma once

#include "base/result.h"
#include "cli/command.h"
#include "cli/explain_show.h"
#include "cli/output.h"
#include "explain/explain.h"
#include "pg/connection.h"

namespace pgtend::cli {

// Explains request.sql by running it, and applies the first action of finding --finding N (the
// first one with an action without it). The finding of the report then tells what was measured;
// `conn` is used for the measurements, the gate opens its own. Errors: Invalid when the statement
// may not be run (so nothing could be measured) or nothing is proposed, those of the gate.
Result<Reports> apply_and_measure(pg::Connection& conn, const explain::Request& request,
                                  const Args& args, Output& output);

}  // namespace pgtend::cli
