// Whether a statement may be planned and run, from all the code that it can reach.
#pragma once

#include <string>

#include "base/result.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

// Why even planning `info` is refused; "" if it may be planned. Planning executes functions that
// are declared IMMUTABLE or STABLE, the operators of conditions and the checks of types. A READ
// ONLY transaction keeps tables as they are; refused is code that acts beyond it, or that cannot be
// seen through. Errors: as reach().
Result<std::string> planning_refusal(pg::Connection& conn, const sql::StatementInfo& info);

// Why EXPLAIN ANALYZE of `info` is refused; "" if it may run. With `allow_volatile` functions that
// somebody declared VOLATILE are run when everything they call may run. Errors: as reach().
Result<std::string> analyze_refusal(pg::Connection& conn, const sql::StatementInfo& info,
                                    bool allow_volatile);

}  // namespace pgtend::explain
