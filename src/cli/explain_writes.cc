#include "cli/explain_writes.h"

#include <optional>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "care/rehearsal.h"
#include "cli/gate_session.h"
#include "explain/parse_json.h"
#include "explain/refusal.h"
#include "explain/writes.h"
#include "pg/quote.h"

namespace pgtend::cli {

namespace {

struct Written {
  explain::WriteTarget target = {};
  explain::TargetFacts facts = {};
};

Result<std::vector<Written>> written_by(pg::Connection& conn, const explain::Plan& plan) {
  std::vector<Written> out;
  for (explain::WriteTarget& target : explain::write_targets(plan)) {
    auto facts =
        TRY(explain::with_catalog_first(conn, [&] { return explain::load_target(conn, target); }));
    out.push_back({std::move(target), std::move(facts)});
  }
  return out;
}

// What `--analyze-writes` may not run.
Result<sql::StatementInfo> writing_statement(const explain::Request& request) {
  const sql::StatementInfo info = TRY(sql::classify(request.sql));
  const bool writes =
      info.kind == sql::StatementKind::Modifying || info.kind == sql::StatementKind::Locking;
  if (writes) return info;
  const bool reads = info.kind == sql::StatementKind::Select;
  return Error{ErrorCode::Invalid,
               cat("--analyze-writes is for statements that write, this is ", name(info.kind))}
      .hinting(reads ? "run it with --analyze" : "ask for its plan without --analyze-writes");
}

Error not_run(const std::string& why) {
  return Error{ErrorCode::Invalid, cat("the statement is not run: ", why)}.hinting(
      "ask for the plan without --analyze-writes");
}

void tell(const std::vector<Written>& all, const explain::WriteEffects& effects, bool measured,
          const explain::Plan& plan, Output& output) {
  output.line(output.styled(Style::Bold, measured
                                             ? "what the run has cost, rolled back as it is:"
                                             : "what a run would cost, although rolled back:"));
  json::array targets;
  for (const Written& each : all) {
    for (const std::string& line : explain::cost_lines(each.target, each.facts, measured)) {
      output.line(cat("  ", wrapped(line, output.terminal().width - 2, 4)));
    }
    targets.push_back(explain::to_json(each.target, each.facts));
  }
  json::object out{{"ran", measured}, {"targets", std::move(targets)}};
  if (measured) {
    const auto bytes = explain::wal_bytes(plan);
    out["wal_bytes"] = bytes ? json::value(*bytes) : json::value(nullptr);
    if (bytes) {
      output.line(cat("  wrote ", human(Bytes{static_cast<int64_t>(*bytes)}), " of WAL"));
    }
    for (const Written& each : all) {
      const std::string vacuum = explain::vacuum_advice(each.target, each.facts);
      if (vacuum.empty()) continue;
      output.line(cat("  try: ", printable(vacuum), ";"));
      out["vacuum"] = vacuum;
    }
  } else {
    output.line(
        "  writes WAL for all of it, and whole pages first after each checkpoint; the blocks that "
        "it reads stand below");
    if (effects.sequences) {
      output.line("  takes numbers from sequences, which no rollback gives back");
    }
    json::array triggers;
    for (const std::string& trigger : effects.triggers) triggers.emplace_back(trigger);
    out["triggers_within_reach"] = std::move(triggers);
    out["refusal"] = effects.refusal.empty() ? json::value(nullptr) : json::value(effects.refusal);
  }
  output.data()["writes"] = std::move(out);
}

care::Rehearsal rehearsal_of(const std::vector<Written>& all, const explain::Request& request,
                             explain::WriteRun run) {
  care::Rehearsal out{.kind = "analyze-writes",
                      .before = std::move(run.before),
                      .sql = std::move(run.sql),
                      .statement_timeout = request.options.statement_timeout,
                      .lock_timeout = request.options.lock_timeout};
  if (!all.empty()) out.object = pg::qualified(all[0].target.schema, all[0].target.name);
  const bool locks_only = !all.empty() && all[0].target.operation == "Lock";
  if (locks_only) out.lock = care::LockMode::RowShare;
  return out;
}

}  // namespace

Result<Reports> run_writes(pg::Connection& conn, const explain::Request& request, const Args& args,
                           Output& output) {
  const sql::StatementInfo info = TRY(writing_statement(request));
  explain::Request planned = request;
  planned.options.analyze = false;
  planned.verify = false;
  planned.sample = request.sample || info.parameters > 0;
  Reports reports;
  reports.push_back(TRY(explain::examine(conn, planned)));
  explain::Report& report = reports.front();
  const explain::WriteEffects effects = TRY(explain::in_read_only(
      conn, planned.options, [&] { return explain::write_effects(conn, info); }));
  std::vector<Written> all = TRY(written_by(conn, report.plan));
  tell(all, effects, false, report.plan, output);
  if (!effects.refusal.empty()) return not_run(effects.refusal);

  const auto session = TRY(GateSession::open(args, output));
  const care::Rehearsal rehearsal =
      rehearsal_of(all, planned, explain::write_run(info, explain::to_params(report.parameters)));
  const care::Rehearsed rehearsed = TRY(care::rehearse(session->setup(), rehearsal));
  output.data()["action_id"] = rehearsed.action_id;
  if (!rehearsed.ran) {
    output.line(cat("would run, between BEGIN and ROLLBACK, with lock_timeout ",
                    human(rehearsal.lock_timeout), ":"));
    for (const std::string& sql : rehearsal.before) output.line(cat("  ", printable(sql, true)));
    output.line(cat("  ", printable(rehearsal.sql, true)));
    output.note("dry run: nothing was run; --apply runs it and rolls it back");
    return reports;
  }
  if (rehearsed.values.size() != 1) return Error{ErrorCode::Corrupt, "EXPLAIN gave no plan"};
  explain::ReadPlan read{.plan = TRY(explain::parse_json_plan(rehearsed.values[0]))};
  read.plan.query_text = info.text;
  std::vector<explain::ParameterValue> parameters = std::move(report.parameters);
  report = TRY(explain::examine_plan(conn, std::move(read), planned));
  report.parameters = std::move(parameters);
  all = TRY(written_by(conn, report.plan));
  tell(all, effects, true, report.plan, output);
  return reports;
}

}  // namespace pgtend::cli
