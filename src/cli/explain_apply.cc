#include "cli/explain_apply.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "cli/gate_session.h"
#include "explain/verify.h"

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
