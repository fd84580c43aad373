// Whether a statement may be planned and run, from all the code that it can reach.
#pragma once

#include <string>
#include <vector>

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

// What running a writing statement sets off, and why it is refused.
struct WriteEffects {
  std::string refusal = {};                // "" if it may run in a transaction that is rolled back
  std::vector<std::string> triggers = {};  // "x on s.t", of all tables it may write to
  bool sequences = false;                  // nextval is called: no rollback brings numbers back
};

// The same for a statement that writes or locks rows, run in a transaction that is rolled back. Its
// triggers, defaults, checks and the tables that foreign keys write to count as what it calls; of
// what outlives a rollback only sequences may be touched. Errors: as reach().
Result<WriteEffects> write_effects(pg::Connection& conn, const sql::StatementInfo& info);

}  // namespace pgtend::explain
