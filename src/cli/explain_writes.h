// pgtend explain --analyze-writes: what running a writing statement would cost, and with --apply
// the run in a transaction that is rolled back.
#pragma once

#include "cli/explain_show.h"

namespace pgtend::cli {

// The report on the plan, which was run if --apply is given; prints what the run costs or has cost,
// and keeps it as `data.writes`. Errors: Invalid for what does not write or must not be run, those
// of explain::explain() and care::rehearse().
Result<Reports> run_writes(pg::Connection& conn, const explain::Request& request, const Args& args,
                           Output& output);

}  // namespace pgtend::cli
