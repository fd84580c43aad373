#include "care/rounds.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "care/execution.h"
#include "care/locks.h"
#include "care/trail.h"

namespace pgtend::care {
namespace {

microseconds elapsed(const Clock& clock, SteadyTime start) {
  return std::chrono::duration_cast<microseconds>(clock.steady() - start);
}

std::string sums_text(const RoundSums& before, const RoundSums& after) {
  return cat("ok: ", after.rounds - before.rounds, " rounds committed, ",
             after.rolled_back - before.rolled_back, " rolled back, ", after.locked - before.locked,
             " without their lock, ", after.too_long - before.too_long,
             " over the wanted time; in all the "
             "longest took ",
             human(nanoseconds(after.longest)));
}

}  // namespace

void Rounds::use(Hooks hooks, Outcome& outcome, uint64_t seed) {
  hooks_ = std::move(hooks);
  outcome_ = &outcome;
  random_.seed(seed);
}

pg::Connection& Rounds::connection() { return exec_.connection(); }

Status Rounds::pause(microseconds duration) {
  return exec_.pause(std::chrono::ceil<milliseconds>(duration));
}

void Rounds::tell(const std::string& what) { exec_.tell(what); }

std::optional<pg::Rows> Rounds::look(const std::string& sql) {
  pg::Connection* conn = exec_.watcher();
  if (conn == nullptr) return std::nullopt;
  auto rows = conn->query(sql);
  return rows ? std::optional(std::move(rows).take()) : std::nullopt;
}

std::optional<microseconds> Rounds::probe(const std::string& sql, int64_t& number) {
  const SteadyTime start = setup_.clock->steady();
  const auto rows = look(sql);
  if (!rows || rows->empty()) return std::nullopt;
  const auto value = (*rows)[0].get<int64_t>(0);
  if (!value) return std::nullopt;
  number = *value;
  return elapsed(*setup_.clock, start);
}

Status Rounds::step(const Step& step, const std::string& creates, const std::string& table) {
  const auto at = std::ranges::find(action_.steps, step.sql, &Step::sql);
  const auto index = static_cast<size_t>(at - action_.steps.begin());
  exec_.at_step(std::min(index, action_.steps.size() - 1), action_.steps.size());
  return hooks_.lone(step, creates, table, *outcome_);
}

Status Rounds::series(const Step& shown, const std::function<Status()>& work) {
  const auto at = std::ranges::find(action_.steps, shown.sql, &Step::sql);
  const auto index = static_cast<size_t>(at - action_.steps.begin());
  exec_.at_step(std::min(index, action_.steps.size() - 1), action_.steps.size());
  const RoundSums before = sums_;
  const SteadyTime start = setup_.clock->steady();
  TRY(trail_.begin(shown));
  const Status status = work();
  const auto spent = std::chrono::duration_cast<milliseconds>(setup_.clock->steady() - start);
  if (!status) {
    TRY(trail_.failed(shown, status.error(), milliseconds(0), spent));
    return status;
  }
  outcome_->statements.push_back(
      {.sql = shown.sql, .lock = shown.lock, .tries = 1, .duration = spent});
  return trail_.done(shown, milliseconds(0), spent, sums_text(before, sums_));
}

Result<RoundEnd> Rounds::attempt(const Body& body) {
  pg::Connection& conn = exec_.connection();
  const SteadyTime start = setup_.clock->steady();
  TRY(conn.exec(cat("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = ",
                    setup_.policy.round_lock_timeout.count(),
                    "; SET LOCAL statement_timeout = ", setup_.policy.round_timeout.count(),
                    "; SET LOCAL idle_in_transaction_session_timeout = ",
                    setup_.policy.round_timeout.count(), "; SET LOCAL synchronous_commit = off")));
  auto end = body(conn);
  if (end && *end == RoundEnd::Commit) {
    TRY(conn.exec("COMMIT"));
    ++sums_.rounds;
  } else {
    // The first failure is what counts; a lost connection has rolled back by itself.
    const Status back = conn.exec("ROLLBACK");
    if (end && !back) return back.error();
    if (end) ++sums_.rolled_back;
  }
  const microseconds took = elapsed(*setup_.clock, start);
  sums_.busy += took;
  if (took > setup_.policy.round_wanted) ++sums_.too_long;
  sums_.longest = std::max(sums_.longest, took);
  return end;
}

Error Rounds::not_obtained(const Error& last) {
  std::string held;
  auto oid = exec_.connection().query("select to_regclass($1)::oid", {action_.object});
  auto number = oid ? oid->scalar() : Result<std::string>(Error{});
  auto value = number ? parse_int(*number) : Result<int64_t>(Error{});
  if (value) {
    const auto holders = facts::load_lock_holders(exec_.connection(), static_cast<uint32_t>(*value),
                                                  conflicting(LockMode::RowExclusive),
                                                  exec_.connection().backend_pid());
    if (holders && !holders->empty()) held = cat(": held by ", holders->front().describe());
  }
  return Error{ErrorCode::Conflict,
               cat("no lock on ", action_.object, " in ", setup_.policy.tries, " rounds",
                   held.empty() ? cat(": ", last.message) : held),
               last.sqlstate}
      .hinting("what was done so far stays; run it again later to go on");
}

Result<RoundEnd> Rounds::round(const Body& body) {
  std::uniform_real_distribution<double> jitter(0.5, 1.5);
  milliseconds wait = setup_.policy.back_off;
  for (int tries = 1;; ++tries) {
    if (exec_.cancelled()) return Error{ErrorCode::Cancelled, "cancelled"};
    auto end = attempt(body);
    if (end || !lock_failure(end.error())) return end;
    ++sums_.locked;
    if (tries >= setup_.policy.tries) return not_obtained(end.error());
    const milliseconds pause(
        static_cast<int64_t>(static_cast<double>(wait.count()) * jitter(random_)));
    exec_.tell(cat("waiting for a lock, trying again in ", human(pause)));
    TRY(exec_.pause(pause));
    wait = std::min(wait * 2, setup_.policy.back_off_max);
  }
}

}  // namespace pgtend::care
