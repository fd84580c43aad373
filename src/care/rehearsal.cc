#include "care/rehearsal.h"

#include <random>
#include <utility>

#include "base/text.h"
#include "care/execution.h"
#include "care/trail.h"

namespace pgtend::care {
namespace {

// Why this session may not write; "" if it may.
Result<std::string> read_only_reason(pg::Connection& conn) {
  const pg::Rows rows =
      TRY(conn.query("SELECT pg_catalog.pg_is_in_recovery(), "
                     "pg_catalog.current_setting('default_transaction_read_only')"));
  if (rows.empty()) return std::string();
  if (rows[0].text(0) == "t") return std::string("the server is a standby: it only reads");
  if (rows[0].text(1) == "on") {
    return std::string("the session may only read (default_transaction_read_only is on)");
  }
  return std::string();
}

Error refused(std::string why) {
  return Error{ErrorCode::Denied, std::move(why)}.hinting(
      "connect to the primary with a role that may write, or leave --analyze-writes out");
}

Status begin(Execution& execution, const Rehearsal& rehearsal) {
  pg::Connection& conn = execution.connection();
  TRY(
      conn.exec(cat("BEGIN READ WRITE; SET LOCAL standard_conforming_strings = on; "
                    "SET LOCAL lock_timeout = ",
                    rehearsal.lock_timeout.count(),
                    "; SET LOCAL statement_timeout = ", rehearsal.statement_timeout.count())));
  for (const std::string& sql : rehearsal.before) TRY(conn.query(sql));
  return ok();
}

}  // namespace

Result<Rehearsed> rehearse(const GateSetup& setup, const Rehearsal& rehearsal) {
  std::mt19937_64 random(setup.policy.seed != 0 ? setup.policy.seed : std::random_device{}());
  Rehearsed out{.action_id = new_action_id(random)};
  Execution execution = TRY(Execution::open(setup, cat("pgtend/", out.action_id)));
  pg::Connection& conn = execution.connection();
  const Step step{.sql = rehearsal.sql, .lock = rehearsal.lock};
  const Action action{.kind = rehearsal.kind, .object = rehearsal.object, .steps = {step}};
  Trail trail = TRY(Trail::start(setup.audit, conn, action, out.action_id));
  std::string why = TRY(read_only_reason(conn));
  if (why.empty() && setup.policy.apply && setup.audit == nullptr) why = "there is no audit trail";
  if (!setup.policy.apply) {
    TRY(trail.dry_run(why));
    if (!why.empty()) return refused(std::move(why));
    return out;
  }
  if (!why.empty()) {
    Error error = refused(std::move(why));
    TRY(trail.refused(error));
    return error;
  }
  TRY(trail.begin(step));
  auto ran = [&]() -> Result<Ran> {
    TRY(begin(execution, rehearsal));
    execution.at_step(0, 1);
    Ran done = TRY(execution.run(rehearsal.sql, rehearsal.lock_timeout));
    if (rehearsal.look) TRY(rehearsal.look(conn));
    return done;
  }();
  // A lost connection has rolled back by itself.
  const Status back = conn.exec("ROLLBACK");
  if (!ran) {
    TRY(trail.failed(step, ran.error(), milliseconds(0), milliseconds(0)));
    TRY(trail.rolled_back());
    return std::move(ran).error();
  }
  TRY(trail.done(step, ran->lock_wait, ran->duration));
  TRY(trail.rolled_back());
  if (!back) return back.error();
  out.ran = true;
  out.lock_wait = ran->lock_wait;
  out.duration = ran->duration;
  for (const pg::Row row : ran->rows) out.values.emplace_back(row.text(0));
  return out;
}

}  // namespace pgtend::care
