// D10 before it has happened: whether the plan for any value, which the server keeps for a prepared
// statement once it looks no costlier, is another one than that for the values at hand.
#pragma once

#include "base/result.h"
#include "explain/explain.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

// What the server does after five runs of a prepared statement (choose_custom_plan in plancache.c):
// it keeps the generic plan when it costs less than the custom ones with their planning.
// `relations` are those of the statement. Thread: any.
bool would_keep_generic(double generic_cost, double custom_cost, size_t relations);

// Adds a finding to `report`, whose plan of `info` was made for request.options.values, when the
// generic plan has another shape. With request.verify both are run in turns, if the statement may
// be run. The statement must be one that explain() has planned. Errors: those of the connection.
Status compare_generic(pg::Connection& conn, const sql::StatementInfo& info, const Request& request,
                       Report& report);

}  // namespace pgtend::explain
