// Carries out what upkeep has planned, each partition for itself, and tells it.
#include <algorithm>

#include "base/text.h"
#include "partition/archive.h"
#include "partition/retire.h"
#include "partition/upkeep.h"
#include "pg/connection.h"

namespace pgtend::partition {
namespace {

bool stopped(const std::optional<Error>& error) {
  return error && error->code == ErrorCode::Cancelled;
}

// One table's run.
class Keeper {
 public:
  Keeper(const UpkeepSetup& setup, SetReport& report)
      : setup_(setup), plan_(report.plan), report_(report) {}

  void births() {
    for (const Birth& birth : plan_.births) {
      Done done{.partition = pg_name(birth.slice.name), .what = "made"};
      if (!birth.refusal.empty()) {
        done.error = Error{ErrorCode::Invalid, birth.refusal};
      } else {
        take(care::Gate(setup_.gate).run(birth.action), done);
      }
      tell(done, cat(birth.slice.from, " to ", birth.slice.to));
      report_.births.push_back(std::move(done));
      if (stopped(report_.births.back().error)) return;
    }
  }

  void departures() {
    for (const Departure& departure : plan_.departures) {
      Done done{.partition = departure.part.qualified()};
      if (departure.refusal.empty()) {
        leave(departure, done);
      } else {
        done.what = "kept";
        done.error = Error{ErrorCode::Invalid, departure.refusal};
      }
      tell(done, departure.part.to ? cat("until ", *departure.part.to) : "");
      report_.departures.push_back(std::move(done));
      if (stopped(report_.departures.back().error)) return;
    }
  }

 private:
  std::string pg_name(const std::string& name) const {
    facts::Partition part{.schema = plan_.layout.schema, .name = name};
    return part.qualified();
  }

  static void take(Result<care::Outcome> outcome, Done& done) {
    if (!outcome) {
      done.error = std::move(outcome).error();
      return;
    }
    care::Outcome ran = std::move(outcome).take();
    if (done.outcome.action_id.empty()) {
      done.outcome = std::move(ran);
      return;
    }
    for (care::StatementReport& statement : ran.statements) {
      done.outcome.statements.push_back(std::move(statement));
    }
    for (std::string& warning : ran.warnings) done.outcome.warnings.push_back(std::move(warning));
    done.outcome.applied = done.outcome.applied || ran.applied;
  }

  void leave(const Departure& departure, Done& done) {
    done.what = departure.too_old ? "detached" : "its DETACH was finished";
    if (!departure.detach.steps.empty()) {
      take(run_detach(setup_, departure), done);
      if (done.error) {
        done.what = "not detached";
        return;
      }
    }
    if (departure.after.steps.empty()) return;
    if (plan_.policy.retire == Retire::Archive && setup_.gate.policy.apply) {
      Archived archived;
      take(archive_and_drop(setup_.gate, plan_, departure, archived), done);
      if (!archived.file.empty()) {
        done.notes.push_back(
            cat("archived in ", archived.file, ", ", archived.digest.rows, " rows"));
        done.notes.push_back(
            cat("to bring it back: psql -v ON_ERROR_STOP=1 -f ", archived.restore));
      }
      done.what = done.error ? "detached, not dropped" : "archived and dropped";
      return;
    }
    take(care::Gate(setup_.gate).run(departure.after), done);
    const bool move = plan_.policy.retire == Retire::Move;
    const std::string_view good = move                                     ? "detached and moved"
                                  : plan_.policy.retire == Retire::Archive ? "archived and dropped"
                                                                           : "dropped";
    done.what = done.error ? "detached, the rest failed" : std::string(good);
  }

  void tell(const Done& done, const std::string& about) const {
    if (!setup_.on_event) return;
    const std::string_view would = setup_.gate.policy.apply ? "" : "would be ";
    std::string line =
        cat(done.partition, " (", about, "): ", done.error ? "" : std::string(would), done.what);
    if (done.error) {
      line += cat(": ", done.error->message);
      if (!done.error->hint.empty()) line += cat(" (", done.error->hint, ")");
    }
    setup_.on_event(line);
    for (const std::string& note : done.notes) setup_.on_event(cat("  ", note));
  }

  const UpkeepSetup& setup_;
  const SetPlan& plan_;
  SetReport& report_;
};

Result<SetPlan> planned(const UpkeepSetup& setup, const UpkeepPolicy& policy) {
  pg::Connection conn = TRY(pg::Connection::open(setup.gate.options));
  TRY(conn.guard({.statement = seconds(600), .lock = seconds(5)}));
  return plan_upkeep(conn, policy, setup.now);
}

bool cancelled_run(const UpkeepSetup& setup) {
  return setup.gate.cancel != nullptr && setup.gate.cancel->load();
}

json::object to_json(const Done& done) {
  json::array notes;
  for (const std::string& note : done.notes) notes.emplace_back(note);
  json::object out{{"partition", done.partition},
                   {"what", done.what},
                   {"outcome", care::to_json(done.outcome)},
                   {"notes", std::move(notes)}};
  if (done.error) out["error"] = done.error->message;
  return out;
}

}  // namespace

bool SetReport::failed() const {
  const auto wrong = [](const Done& done) { return done.error.has_value(); };
  return error || !plan.refusal.empty() || std::ranges::any_of(births, wrong) ||
         std::ranges::any_of(departures, wrong);
}

Result<std::vector<SetReport>> run_upkeep(const UpkeepSetup& setup,
                                          const std::vector<UpkeepPolicy>& policies) {
  std::vector<SetReport> out;
  for (const UpkeepPolicy& policy : policies) {
    if (cancelled_run(setup)) return Error{ErrorCode::Cancelled, "cancelled"};
    SetReport& report = out.emplace_back();
    report.plan.policy = policy;
    auto plan = planned(setup, policy);
    if (!plan) {
      report.error = std::move(plan).error();
      if (setup.on_event) setup.on_event(cat(policy.table, ": ", report.error->message));
      continue;
    }
    report.plan = std::move(plan).take();
    if (setup.on_event && !report.plan.refusal.empty()) {
      setup.on_event(cat(report.plan.layout.qualified(), ": ", report.plan.refusal));
    }
    Keeper keeper(setup, report);
    keeper.births();
    if (cancelled_run(setup)) return Error{ErrorCode::Cancelled, "cancelled"};
    keeper.departures();
  }
  if (cancelled_run(setup)) return Error{ErrorCode::Cancelled, "cancelled"};
  return out;
}

json::object to_json(const SetReport& report) {
  const SetPlan& plan = report.plan;
  json::array births;
  for (const Done& done : report.births) births.emplace_back(to_json(done));
  json::array departures;
  for (const Done& done : report.departures) departures.emplace_back(to_json(done));
  json::array warnings;
  for (const std::string& warning : plan.warnings) warnings.emplace_back(warning);
  json::object out{{"policy", to_json(plan.policy)},
                   {"interval", plan.width},
                   {"now", plan.now},
                   {"newest_row", plan.newest},
                   {"keep_from", plan.keep_from},
                   {"made", std::move(births)},
                   {"retired", std::move(departures)},
                   {"warnings", std::move(warnings)},
                   {"failed", report.failed()}};
  if (!plan.layout.name.empty()) out["table"] = plan.layout.qualified();
  if (!plan.refusal.empty()) out["refusal"] = plan.refusal;
  if (report.error) out["error"] = report.error->message;
  return out;
}

}  // namespace pgtend::partition
