// Asking a server for a plan without harm: one statement, read-only, limited, rolled back.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "explain/tree.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

struct ExplainOptions {
  bool analyze = false;  // runs the statement; only for a SELECT that changes nothing
  bool buffers = true;   // with analyze
  bool timing = true;    // with analyze
  milliseconds statement_timeout = milliseconds(30'000);
  milliseconds lock_timeout = milliseconds(1'000);
  // Run SELECTs that call somebody's volatile functions too, unless their bodies call what acts
  // beyond the transaction.
  bool allow_volatile = false;
  // Of the parameters $1, $2 …, all or none. With them the plan is made for these values, and may
  // be run; without it is the generic one.
  pg::Params values = {};
  bool generic = false;  // the generic plan all the same
};

// Ok if the server may plan `info` (planning_refusal); to be asked before explain_here() about a
// statement that explain() has not planned. Errors: Invalid, those of the connection.
Status check_planning(pg::Connection& conn, const sql::StatementInfo& info);

// The plan of the statement `sql` (a leading EXPLAIN is taken off). Runs in a READ ONLY transaction
// of its own with time limits, always rolled back. A statement newer than the parser's grammar is
// planned, never run. `conn` must be outside a transaction and not behind transaction pooling.
// Errors: Invalid (several statements, a utility command, ANALYZE refused), and what the server
// answers.
Result<Plan> explain(pg::Connection& conn, std::string_view sql,
                     const ExplainOptions& options = {});

// BEGIN READ ONLY with the limits of `options`; end_read_only() rolls back.
Status begin_read_only(pg::Connection& conn, const ExplainOptions& options);
void end_read_only(pg::Connection& conn);

// Runs `body` in the same kind of transaction. Errors: those of BEGIN or of `body`.
template <class Body>
auto in_read_only(pg::Connection& conn, const ExplainOptions& options, Body body)
    -> decltype(body()) {
  TRY(begin_read_only(conn, options));
  auto out = body();
  end_read_only(conn);
  return out;
}

// Runs `body`, queries of ours, so that no operator on the session's search path can take the place
// of the server's. Errors: those of the connection or of `body`.
Result<std::string> prefer_catalog(pg::Connection& conn);
void restore_path(pg::Connection& conn, const std::string& path);
template <class Body>
auto with_catalog_first(pg::Connection& conn, Body body) -> decltype(body()) {
  const std::string path = TRY(prefer_catalog(conn));
  auto out = body();
  restore_path(conn, path);
  return out;
}

// "EXPLAIN (…) statement" and its answer as a plan, in whatever transaction `conn` is.
Result<Plan> explain_here(pg::Connection& conn, const sql::StatementInfo& info, bool analyze,
                          const ExplainOptions& options);

}  // namespace pgtend::explain
