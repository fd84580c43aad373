// Asking a server for a plan without harm: one statement, read-only, limited, rolled back.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

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
  // Run SELECTs that call volatile functions too (never those on the deny list).
  bool allow_volatile = false;
};

// Why EXPLAIN ANALYZE of `info` is refused; "" if it may run. Asks the server for the volatility of
// the functions, operators and casts that the statement and its plan (views opened) use.
// Errors: those of the connection.
Result<std::string> analyze_refusal(pg::Connection& conn, const sql::StatementInfo& info,
                                    const Plan& plan, bool allow_volatile);

// The plan of the statement `sql` (a leading EXPLAIN is taken off). Runs in a READ ONLY transaction
// of its own with time limits, always rolled back. A statement newer than the parser's grammar is
// planned, never run. `conn` must be outside a transaction and not behind transaction pooling.
// Errors: Invalid (several statements, a utility command, ANALYZE refused, $n on servers before
// 16), and what the server answers.
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

// "EXPLAIN (…) statement" and its answer as a plan, in whatever transaction `conn` is.
Result<Plan> explain_here(pg::Connection& conn, const sql::StatementInfo& info, bool analyze,
                          const ExplainOptions& options);

}  // namespace pgtend::explain
