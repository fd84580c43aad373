#include "care/gate.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/text.h"
#include "base/units.h"
#include "care/execution.h"
#include "care/locks.h"
#include "care/preflight.h"
#include "care/rounds.h"
#include "care/trail.h"

namespace pgtend::care {
namespace {

std::string holders_text(const std::vector<facts::Session>& holders) {
  std::vector<std::string> parts;
  for (const facts::Session& holder : holders) {
    if (parts.size() == 3) {
      parts.push_back(cat(holders.size() - 3, " more"));
      break;
    }
    parts.push_back(holder.describe());
  }
  return join(parts, ", ");
}

// One row of named values; numbers become numbers.
// Sizes wait for an ACCESS EXCLUSIVE lock to end, so this may be cancelled and gives up.
Result<json::object> measure(Execution& execution, const GatePolicy& policy,
                             const std::string& sql) {
  json::object out;
  if (sql.empty()) return out;
  const pg::Rows rows =
      std::move(TRY_DURING(execution.run(sql, policy.lock_timeout_patient), "measuring").rows);
  if (rows.empty()) return out;
  for (int i = 0; i < rows.columns(); ++i) {
    if (rows[0].null(i)) {
      out[rows.column_name(i)] = nullptr;
      continue;
    }
    const std::string_view text = rows[0].text(i);
    if (const auto whole = parse_int(text)) {
      out[rows.column_name(i)] = *whole;
    } else if (const auto real = parse_double(text); real && std::isfinite(*real)) {
      out[rows.column_name(i)] = *real;
    } else {
      out[rows.column_name(i)] = text;
    }
  }
  return out;
}

// One real run of one action.
class Run {
 public:
  Run(const GateSetup& setup, const Action& action, Execution& execution, Trail& trail,
      std::mt19937_64& random)
      : setup_(setup),
        policy_(setup.policy),
        action_(action),
        exec_(execution),
        trail_(trail),
        random_(random) {}

  // Runs all steps, verifies, and undoes after a failure.
  Status all(uint32_t oid, Outcome& outcome);
  // The only step of the action, with tries, neither verified nor undone.
  Status lone(uint32_t oid, Outcome& outcome);
  // Runs `sql` also after a cancel.
  Status take_back(const std::string& sql);
  // Drops the invalid index an earlier, killed run has left under the action's name.
  Status drop_leftover();

 private:
  // Consecutive steps [first, last) that succeed or fail together.
  struct Group {
    size_t first = 0;
    size_t last = 0;
    bool transaction = false;
  };

  std::vector<Group> groups() const;
  Status steps(Outcome& outcome);
  Status with_tries(const Group& group, Outcome& outcome);
  Status attempt(const Group& group, Outcome& outcome);
  Status stay_away(const Group& group, Error gave_way, Outcome& outcome);
  Status statement(size_t index, Outcome& outcome);
  LockMode waits_for_in(const Group& group) const;  // the strongest of its steps
  Status quiet_around(const Group& group);
  bool was_skipped(const Outcome& outcome) const;
  Status verify(Outcome& outcome);
  Status look_who_holds(const Group& group);
  Status undo(Error failure, Outcome& outcome);
  Status undo_statements(const std::vector<std::string>& statements, bool transaction);
  Error not_obtained(int tries, SteadyTime start, const Error& last) const;
  milliseconds lock_timeout_of(LockMode mode) const {
    return disturbs(mode) ? policy_.lock_timeout : policy_.lock_timeout_patient;
  }

  const GateSetup& setup_;
  const GatePolicy& policy_;
  const Action& action_;
  Execution& exec_;
  Trail& trail_;
  std::mt19937_64& random_;
  uint32_t oid_ = 0;
  bool changed_ = false;  // something is in the database that undo must remove
  std::vector<facts::Session> blockers_;
};

std::vector<Run::Group> Run::groups() const {
  std::vector<Group> out;
  for (size_t i = 0; i < action_.steps.size(); ++i) {
    const bool transaction = action_.steps[i].in_transaction;
    if (!out.empty() && transaction && out.back().transaction) {
      out.back().last = i + 1;
    } else {
      out.push_back({i, i + 1, transaction});
    }
  }
  return out;
}

Status Run::statement(size_t index, Outcome& outcome) {
  const Step& step = action_.steps[index];
  StatementReport& report = outcome.statements[index];
  ++report.tries;
  TRY(trail_.begin(step));
  const SteadyTime start = setup_.clock->steady();
  auto ran = exec_.run(step, lock_timeout_of(step.lock));
  for (pg::Notice& notice : exec_.connection().take_notices()) {
    if (notice.severity == "WARNING") outcome.warnings.push_back(printable(notice.message));
    outcome.notices.push_back(std::move(notice));
  }
  if (ran && step.check) {
    auto value = ran->rows.scalar();
    if (!value || *value != "t") {
      ran = Error{ErrorCode::Internal,
                  cat("check failed: ", step.failure.empty() ? step.sql : step.failure)};
    }
  }
  if (!ran) {
    const auto spent = std::chrono::duration_cast<milliseconds>(setup_.clock->steady() - start);
    const bool waited = lock_failure(ran.error());
    if (waited) report.lock_wait += spent;
    if (!exec_.gave_way().empty()) {
      ++report.yields;
      report.away += spent;
    }
    if (!exec_.blockers().empty()) blockers_ = exec_.blockers();
    TRY(trail_.failed(step, ran.error(), waited ? spent : milliseconds(0), spent));
    return std::move(ran).error();
  }
  report.lock_wait += ran->lock_wait;
  report.duration = ran->duration;
  report.rows = ran->rows.affected();
  return trail_.done(step, ran->lock_wait, ran->duration);
}

LockMode Run::waits_for_in(const Group& group) const {
  LockMode mode = LockMode::None;
  for (size_t i = group.first; i < group.last; ++i) {
    mode = std::max(mode, waits_for(action_, action_.steps[i]));
  }
  return mode;
}

// Before a statement whose waiting would hold up others, or that leaves something behind when it
// gives up, waits until those who are in the way now have ended. Writers that come later are short.
Status Run::quiet_around(const Group& group) {
  const LockMode mode = waits_for_in(group);
  if (oid_ == 0 || !disturbs(mode)) return ok();
  const milliseconds patience =
      group.transaction ? policy_.lock_timeout : policy_.lock_timeout_patient;
  const SteadyTime start = setup_.clock->steady();
  std::optional<std::set<int>> here;  // seen at every look, for those whose age we may not see
  while (true) {
    const auto holders = TRY(facts::load_lock_holders(exec_.connection(), oid_, conflicting(mode),
                                                      exec_.connection().backend_pid()));
    const std::chrono::duration<double> waited = setup_.clock->steady() - start;
    const bool in_the_way = std::ranges::any_of(holders, [&](const facts::Session& holder) {
      return !holder.open_s || *holder.open_s >= waited.count();
    });
    if (!in_the_way) return ok();
    blockers_ = holders;
    if (waited >= patience) {
      return Error{ErrorCode::Conflict, cat(action_.object, " is locked"), "55P03"};
    }
    exec_.tell(cat("waiting for ", holders_text(holders)));
    TRY(exec_.pause(milliseconds(20)));
  }
}

Status Run::attempt(const Group& group, Outcome& outcome) {
  blockers_.clear();
  TRY(quiet_around(group));
  if (!group.transaction) {
    Status status = statement(group.first, outcome);
    // A refused statement (class 42: syntax, rights, duplicate name …) has changed nothing.
    const bool refused = !status && status.error().sqlstate.starts_with("42");
    changed_ = changed_ || status || (action_.creates.empty() && !refused);
    return status;
  }
  LockMode strongest = LockMode::None;
  for (size_t i = group.first; i < group.last; ++i) {
    strongest = std::max(strongest, action_.steps[i].lock);
  }
  pg::Connection& conn = exec_.connection();
  TRY(conn.exec(cat("BEGIN; SET LOCAL lock_timeout = ", lock_timeout_of(strongest).count())));
  Status status = ok();
  for (size_t i = group.first; i < group.last && status; ++i) {
    exec_.at_step(i, action_.steps.size());
    status = statement(i, outcome);
  }
  const Step commit{.sql = "COMMIT"};
  if (status) {
    status = trail_.begin(commit);
    if (status) {
      auto committed = exec_.run(commit.sql, policy_.lock_timeout);
      if (committed) {
        changed_ = true;
        return trail_.done(commit, milliseconds(0), committed->duration);
      }
      status = std::move(committed).error();
      (void)trail_.failed(commit, status.error(), milliseconds(0), milliseconds(0));
    }
  }
  // The first failure is what counts; a lost connection has rolled back by itself.
  (void)conn.exec("ROLLBACK");
  TRY(trail_.rolled_back());
  return status;
}

// For a wait so short that it was over before anybody looked.
Status Run::look_who_holds(const Group& group) {
  if (oid_ == 0) return ok();
  blockers_ =
      TRY(facts::load_lock_holders(exec_.connection(), oid_, conflicting(waits_for_in(group))));
  return ok();
}

Error Run::not_obtained(int tries, SteadyTime start, const Error& last) const {
  const auto spent = setup_.clock->steady() - start;
  std::string message =
      cat("no lock on ", action_.object, " in ", tries, tries == 1 ? " try over " : " tries over ",
          human(std::chrono::duration_cast<nanoseconds>(spent)));
  std::string hint = "try again later";
  if (!blockers_.empty()) {
    message += cat(": held by ", holders_text(blockers_));
    if (blockers_[0].pid != 0) {
      hint += cat(", or end it: SELECT pg_terminate_backend(", blockers_[0].pid, ")");
    }
  } else {
    message += cat(": ", last.message);
  }
  return Error{ErrorCode::Conflict, message, last.sqlstate}.hinting(hint);
}

// After a statement has given way: whoever it was for has the lock within this pause, and the next
// try queues behind them.
Status Run::stay_away(const Group& group, Error gave_way, Outcome& outcome) {
  StatementReport& report = outcome.statements[group.first];
  if (report.yields >= policy_.yields_max) {
    gave_way.message = cat(action_.kind, " of ", action_.object, " has given way ", report.yields,
                           " times, the last time to ", exec_.gave_way());
    return std::move(gave_way).hinting("run it when less is changed about the table");
  }
  const SteadyTime start = setup_.clock->steady();
  exec_.tell(cat("gave way to ", exec_.gave_way()));
  TRY(exec_.pause(policy_.yield_pause));
  report.away += std::chrono::duration_cast<milliseconds>(setup_.clock->steady() - start);
  return ok();
}

Status Run::with_tries(const Group& group, Outcome& outcome) {
  const SteadyTime start = setup_.clock->steady();
  std::uniform_real_distribution<double> jitter(0.5, 1.5);
  milliseconds wait = policy_.back_off;
  for (int tries = 1;; ++tries) {
    Status status = attempt(group, outcome);
    if (status) return status;
    if (!exec_.gave_way().empty()) {
      TRY(stay_away(group, std::move(status).error(), outcome));
      tries = 0;
      continue;
    }
    const bool again = lock_failure(status.error());
    // After a refusal (class 42) an index of that name is somebody else's.
    if (!action_.creates.empty() && !group.transaction &&
        !status.error().sqlstate.starts_with("42")) {
      Status dropped = drop_leftover();
      if (!dropped) {
        Error error = std::move(status).error();
        error.message += cat("; ", dropped.error().message);
        return error;
      }
    }
    if (!again) return status;
    if (tries >= policy_.tries) {
      if (blockers_.empty()) TRY(look_who_holds(group));
      return not_obtained(tries, start, status.error());
    }
    const milliseconds pause(
        static_cast<int64_t>(static_cast<double>(wait.count()) * jitter(random_)));
    exec_.tell(cat("trying again in ", human(pause)));
    TRY(exec_.pause(pause));
    wait = std::min(wait * 2, policy_.back_off_max);
  }
}

Status Run::steps(Outcome& outcome) {
  for (const Group& group : groups()) {
    exec_.at_step(group.first, action_.steps.size());
    TRY(with_tries(group, outcome));
  }
  return verify(outcome);
}

// Whether the server has told that it left the table out for its lock. Where locks are held beside
// a step, others are meant to be left out.
bool Run::was_skipped(const Outcome& outcome) const {
  const bool meant =
      std::ranges::any_of(action_.steps, [](const Step& step) { return !step.beside.empty(); });
  return !meant && std::ranges::any_of(outcome.notices, [](const pg::Notice& notice) {
    return notice.severity == "WARNING" && notice.sqlstate == "55P03";
  });
}

// verify_sql may become true late: up to version 14 the counters travel by way of a collector.
Status Run::verify(Outcome& outcome) {
  if (action_.verify_sql.empty()) return ok();
  exec_.tell("verifying");
  const SteadyTime start = setup_.clock->steady();
  while (true) {
    const pg::Rows rows = TRY_DURING(exec_.connection().query(action_.verify_sql), "verifying");
    const std::string value = TRY_DURING(rows.scalar(), "verifying");
    if (value == "t") return ok();
    if (was_skipped(outcome)) break;  // waiting for it would be in vain
    if (setup_.clock->steady() - start >= policy_.verify_timeout) break;
    TRY(exec_.pause(milliseconds(100)));
  }
  for (const pg::Notice& notice : outcome.notices) {
    if (notice.severity != "WARNING") continue;
    const ErrorCode code = notice.sqlstate == "55P03" ? ErrorCode::Conflict : ErrorCode::Denied;
    return Error{code,
                 cat("the server did not ", action_.kind, " ", action_.object, ": ",
                     printable(notice.message)),
                 notice.sqlstate}
        .hinting("the statement itself reports success in this case; only its warning tells");
  }
  return Error{ErrorCode::Internal,
               cat(action_.kind, " of ", action_.object, " ran, but has not taken effect")};
}

Status Run::drop_leftover() {
  exec_.begin_undo();
  TRY(exec_.revive());
  const Leftover state = TRY(leftover_of(exec_.connection(), action_.creates));
  Status status = ok();
  if (state == Leftover::Invalid) {
    exec_.tell(cat("dropping the unfinished ", action_.creates));
    status = undo_statements({cat("DROP INDEX CONCURRENTLY IF EXISTS ", action_.creates)}, false);
  }
  exec_.end_undo();
  return status;
}

Status Run::undo_statements(const std::vector<std::string>& statements, bool transaction) {
  Status status = ok();
  for (int tries = 1; tries <= policy_.tries; ++tries) {
    status = ok();
    if (transaction) {
      TRY(exec_.connection().exec(
          cat("BEGIN; SET LOCAL lock_timeout = ", policy_.lock_timeout.count())));
    }
    for (const std::string& sql : statements) {
      auto ran = exec_.run(sql, policy_.lock_timeout_patient);
      TRY(trail_.undone(sql, ran ? "ok" : ran.error().message));
      if (!ran) {
        status = std::move(ran).error();
        break;
      }
    }
    if (transaction) TRY(exec_.connection().exec(status ? "COMMIT" : "ROLLBACK"));
    if (status || !lock_failure(status.error())) break;
    TRY(exec_.pause(policy_.back_off));
  }
  if (status) return status;
  return std::move(status).error().during(
      cat("undoing failed, run by hand: ", join(statements, "; ")));
}

Status Run::undo(Error failure, Outcome& outcome) {
  exec_.begin_undo();
  if (changed_ && !action_.undo.empty()) {
    exec_.tell("undoing");
    Status undone = exec_.revive();
    if (undone) undone = undo_statements(action_.undo, action_.undo_in_transaction);
    if (!undone) {
      failure.message += cat("; ", undone.error().message);
    } else {
      outcome.warnings.push_back("the action was undone");
    }
  }
  return failure;
}

Status Run::all(uint32_t oid, Outcome& outcome) {
  oid_ = oid;
  Status status = steps(outcome);
  if (!status) return undo(std::move(status).error(), outcome);
  outcome.applied = true;
  return ok();
}

Status Run::lone(uint32_t oid, Outcome& outcome) {
  oid_ = oid;
  if (!action_.creates.empty()) {
    auto busy = TRY(being_built(exec_.connection(), action_.creates));
    if (busy) return std::move(*busy);
    TRY(drop_leftover());
  }
  return with_tries({0, 1, action_.steps[0].in_transaction}, outcome);
}

Status Run::take_back(const std::string& sql) {
  exec_.begin_undo();
  Status status = exec_.revive();
  if (status) status = undo_statements({sql}, false);
  exec_.end_undo();
  return status;
}

// Lets `work` do the action: what it runs alone is a run of its own, in the same records.
struct Worker {
  const GateSetup& setup;
  const Action& action;
  Execution& execution;
  Trail& trail;
  std::mt19937_64& random;

  Status operator()(const Work& work, uint32_t oid, Outcome& outcome) {
    outcome.statements.clear();
    Rounds rounds(setup, action, execution, trail);
    const auto lone = [&](const Step& step, const std::string& creates, const std::string& table,
                          Outcome& all) -> Status {
      const Action one{.kind = action.kind,
                       .object = table.empty() ? action.object : table,
                       .steps = {step},
                       .creates = creates};
      uint32_t whose = oid;
      if (!table.empty()) {
        const pg::Rows rows = TRY(execution.connection().query(
            "select coalesce(to_regclass($1)::oid::int8, 0)", {table}));
        whose = static_cast<uint32_t>(TRY(rows[0].get<int64_t>(0)));
      }
      Outcome part{.statements = {{.sql = step.sql, .lock = step.lock}}};
      Run run(setup, one, execution, trail, random);
      const Status status = run.lone(whose, part);
      std::ranges::move(part.statements, std::back_inserter(all.statements));
      std::ranges::move(part.notices, std::back_inserter(all.notices));
      std::ranges::move(part.warnings, std::back_inserter(all.warnings));
      return status;
    };
    const auto undo = [&](const std::string& sql) {
      return Run(setup, action, execution, trail, random).take_back(sql);
    };
    rounds.use({lone, undo}, outcome, random());
    TRY(work(rounds));
    outcome.applied = true;
    return ok();
  }
};

std::string refusal_text(const Preflight& preflight, const Action& action, bool audited) {
  if (preflight.refusal) {
    const Error& error = *preflight.refusal;
    return error.hint.empty() ? error.message : cat(error.message, " (", error.hint, ")");
  }
  if (preflight.leftover == Leftover::Valid) return cat(action.creates, " exists already");
  if (!audited) return "there is no audit trail to write to";
  return "";
}

Error refusal_error(const Preflight& preflight, const std::string& text) {
  if (preflight.refusal) return *preflight.refusal;
  if (preflight.leftover == Leftover::Valid) return Error{ErrorCode::Invalid, text, "42P07"};
  return Error{ErrorCode::Denied, text}.hinting("set PGTEND_STATE to a file of your own");
}

Result<bool> already_done(pg::Connection& conn, const Action& action) {
  if (action.verify_sql.empty()) return false;
  const pg::Rows rows = TRY_DURING(conn.query(action.verify_sql), "looking whether it is done");
  return !rows.empty() && rows[0].text(0) == "t";
}

}  // namespace

Gate::Gate(GateSetup setup) : setup_(std::move(setup)) { CHECK(setup_.clock != nullptr); }

Result<Outcome> Gate::run(const Action& action) { return run(action, Work()); }

Result<Outcome> Gate::run(const Action& action, const Work& work) {
  std::mt19937_64 random(setup_.policy.seed != 0 ? setup_.policy.seed : std::random_device{}());
  Outcome outcome{.action_id = new_action_id(random), .undo = action.undo};
  for (const Step& step : action.steps) {
    outcome.statements.push_back({.sql = step.sql, .beside = step.beside, .lock = step.lock});
  }
  Execution execution = TRY(Execution::open(setup_, cat("pgtend/", outcome.action_id)));
  pg::Connection& conn = execution.connection();
  Trail trail = TRY(Trail::start(setup_.audit, conn, action, outcome.action_id));
  const Preflight preflight = TRY(inspect(conn, action));
  outcome.refusal = refusal_text(preflight, action, setup_.audit != nullptr);
  outcome.holders = preflight.holders;
  if (!preflight.refusal) {
    outcome.already = TRY(already_done(conn, action));
    if (outcome.already) outcome.refusal.clear();
    outcome.before = TRY(measure(execution, setup_.policy, action.measure_sql));
  }
  if (!setup_.policy.apply) {
    TRY(trail.dry_run(outcome.refusal));
    return outcome;
  }
  if (!outcome.refusal.empty()) {
    Error error = refusal_error(preflight, outcome.refusal);
    TRY(trail.refused(error));
    return error;
  }
  if (outcome.already) return outcome;
  trail.set_before(outcome.before);
  Run run(setup_, action, execution, trail, random);
  if (preflight.leftover == Leftover::Invalid) TRY(run.drop_leftover());
  Status status =
      work ? Worker{setup_, action, execution, trail, random}(work, preflight.oid, outcome)
           : run.all(preflight.oid, outcome);
  if (!status) {
    TRY(trail.ended(status.error()));
    return std::move(status).error();
  }
  outcome.after = TRY(measure(execution, setup_.policy, action.measure_sql));
  if (setup_.on_done) setup_.on_done(outcome);
  TRY(trail.verified(outcome.after));
  return outcome;
}

std::string took_text(milliseconds duration) {
  return duration < milliseconds(1) ? "under 1 ms" : human(duration);
}

json::object to_json(const Outcome& outcome) {
  json::array statements;
  for (const StatementReport& report : outcome.statements) {
    json::array beside;
    for (const std::string& sql : report.beside) beside.emplace_back(sql);
    statements.emplace_back(json::object{{"sql", report.sql},
                                         {"beside", std::move(beside)},
                                         {"lock", name(report.lock)},
                                         {"effect", effect(report.lock)},
                                         {"tries", report.tries},
                                         {"lock_wait_ms", report.lock_wait.count()},
                                         {"duration_ms", report.duration.count()},
                                         {"rows", report.rows},
                                         {"yields", report.yields},
                                         {"away_ms", report.away.count()}});
  }
  json::array holders;
  for (const facts::Session& holder : outcome.holders) holders.emplace_back(to_json(holder));
  json::array warnings;
  for (const std::string& warning : outcome.warnings) warnings.emplace_back(warning);
  json::array undo;
  for (const std::string& sql : outcome.undo) undo.emplace_back(sql);
  return {{"action_id", outcome.action_id},  {"applied", outcome.applied},
          {"already", outcome.already},      {"statements", std::move(statements)},
          {"refusal", outcome.refusal},      {"holders", std::move(holders)},
          {"warnings", std::move(warnings)}, {"before", outcome.before},
          {"after", outcome.after},          {"undo", std::move(undo)}};
}

}  // namespace pgtend::care
