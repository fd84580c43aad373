#include "cli/explain_apply.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "cli/gate_session.h"
#include "explain/verify.h"
#include "explain/workload.h"
#include "sql/classify.h"

namespace pgtend::cli {

namespace {

constexpr int64_t kRunsDefault = 5;
constexpr int64_t kRunsMax = 100;
constexpr int64_t kFindingsMax = 10'000;

// The place of the finding to be carried out.
Result<size_t> chosen(const explain::Report& report, const Args& args) {
  const std::vector<care::Finding>& findings = report.findings;
  if (args.has("--finding")) {
    const auto number = TRY(args.number("--finding", 1, 1, kFindingsMax));
    const auto index = static_cast<size_t>(number - 1);
    if (index < findings.size() && !findings[index].actions.empty()) return index;
    return Error{ErrorCode::Invalid,
                 index < findings.size()
                     ? cat("finding ", number, " (", findings[index].id, ") proposes no change")
                     : cat("there is no finding ", number, ", there are ", findings.size())}
        .hinting("leave --apply out to see the findings with what they propose");
  }
  const auto first = std::ranges::find_if(
      findings, [](const care::Finding& finding) { return !finding.actions.empty(); });
  if (first != findings.end()) return static_cast<size_t>(first - findings.begin());
  return Error{ErrorCode::NotFound, "nothing to apply: no finding proposes a change"}.hinting(
      "leave --apply out to see what was found");
}

// What takes `action` back, as an action of its own.
care::Action undo_of(const care::Action& action) {
  care::Action out{.kind = cat("undo-", action.kind), .object = action.object};
  for (const std::string& sql : action.undo) {
    const bool concurrently = sql.find(" CONCURRENTLY ") != std::string::npos;
    out.steps.push_back({.sql = sql,
                         .lock = concurrently ? care::LockMode::ShareUpdateExclusive
                                              : care::LockMode::AccessExclusive,
                         .in_transaction = action.undo_in_transaction});
  }
  return out;
}

json::object to_json(const explain::Measurement& measured) {
  return {{"runs", measured.runs},
          {"median_ms", measured.median_ms},
          {"fastest_ms", measured.fastest_ms},
          {"slowest_ms", measured.slowest_ms},
          {"blocks", measured.blocks}};
}

json::object to_json(const explain::Workload& others) {
  json::array statements;
  for (const explain::KnownStatement& each : others.statements) {
    if (!each.changed() && !each.worse()) continue;
    statements.push_back(json::object{{"id", each.id},
                                      {"query", each.text},
                                      {"cost_before", each.cost_before},
                                      {"cost_after", each.cost_after},
                                      {"plan_changed", each.changed()}});
  }
  return {{"planned", others.statements.size()},
          {"unplanned", others.unplanned},
          {"why_not", others.why_not.empty() ? json::value(nullptr) : json::value(others.why_not)},
          {"changed", std::move(statements)}};
}

// What an index that stays means for others, as lines and as evidence of the finding.
void tell_others(const explain::Workload& others, care::Finding& finding, Output& output) {
  const std::string effect = explain::effect_text(others);
  const std::string writes = explain::write_text(others.writes);
  finding.evidence.push_back({"other statements", effect});
  output.line(printable(effect));
  for (const explain::KnownStatement& each : others.statements) {
    if (each.worse()) output.line(cat("  dearer: ", printable(each.text)));
  }
  if (writes.empty()) return;
  finding.evidence.push_back({"writes", writes});
  output.line(cat("writes: ", writes));
}

}  // namespace

Result<Reports> apply_and_measure(pg::Connection& conn, const explain::Request& request,
                                  const Args& args, Output& output) {
  const int runs = static_cast<int>(TRY(args.number("--runs", kRunsDefault, 1, kRunsMax)));
  explain::Request analyzed = request;
  analyzed.options.analyze = true;
  Reports reports;
  reports.push_back(TRY(explain::examine(conn, analyzed)));
  explain::Report& report = reports.front();
  analyzed.options.values = explain::to_params(report.parameters);
  const size_t index = TRY(chosen(report, args));
  care::Finding& finding = report.findings[index];
  const care::Action action = finding.actions.front();

  const auto session = TRY(GateSession::open(args, output));
  care::Gate gate(session->setup());
  const explain::Measurement before =
      TRY(explain::measure(conn, request.sql, runs, analyzed.options));
  // Costs by other statistics are no costs to compare with: for an index alone.
  std::optional<explain::Workload> others;
  if (action.kind == "create-index") {
    const auto own = TRY(sql::classify(request.sql));
    others = TRY(explain::plan_workload(conn, action.object, own, request.options));
  }
  const care::Outcome outcome = TRY(gate.run(action));
  auto after = explain::measure(conn, request.sql, runs, analyzed.options);
  const explain::Comparison comparison =
      after ? explain::compare(before, *after) : explain::Comparison{};
  const bool interrupted = args.stop.stop_requested();  // the gate would do nothing any more
  const bool keep = args.has("--keep") || comparison.better || outcome.already || interrupted;

  output.line(cat("finding ", index + 1, " (", finding.id, "):"));
  print_outcome(output, outcome);
  json::object measured{{"before", to_json(before)}, {"better", comparison.better}, {"kept", keep}};
  if (after) {
    measured["after"] = to_json(*after);
    finding.measured = comparison.text;
    if (comparison.better) finding.proof = care::Proof::RunVerified;
    output.line(cat("measured: ", comparison.text, comparison.better ? "" : ": it did not help"));
    if (!finding.prediction.empty()) output.line(cat("predicted: ", printable(finding.prediction)));
  }
  if (others && after && keep) {
    if (const Status again = explain::plan_again(conn, *others, action.object, request.options);
        !again) {
      others->why_not = cat("not planned again: ", again.error().message);
    }
    if (comparison.better && others->proves()) finding.proof = care::Proof::WorkloadVerified;
    measured["others"] = to_json(*others);
    tell_others(*others, finding, output);
  }
  if (!keep) {
    const care::Outcome undone = TRY_DURING(gate.run(undo_of(action)), "taking it back");
    measured["undone"] = care::to_json(undone);
    output.line("taken back; --keep would have left it:");
    for (const care::StatementReport& statement : undone.statements) {
      output.line(cat("  ", printable(statement.sql, true)));
    }
  }
  output.data()["measured"] = std::move(measured);
  if (!after) {
    Error error = std::move(after).error().during("measuring again");
    if (!interrupted) return error;
    return std::move(error).hinting(
        cat("the change is still there; to undo: ", join(outcome.undo, "; ")));
  }
  return reports;
}

}  // namespace pgtend::cli
