// Trying what findings propose, without leaving it behind: the planner is asked with hypothetical
// indexes and settings, with consent also with statistics in a transaction that is rolled back, and
// the statement is run with and without settings.
#pragma once

#include <string_view>

#include "explain/explain.h"
#include "explain/rules.h"
#include "pg/connection.h"

namespace pgtend::explain {

// Raises the proof of the findings of `plan`, the plan of `sql` ("" when it is not known), or takes
// back what the server does not confirm. Errors: those of the connection.
Status try_findings(pg::Connection& conn, std::string_view sql, const Plan& plan,
                    const Request& request, Diagnosis& diagnosis);

}  // namespace pgtend::explain
