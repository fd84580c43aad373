#include "explain/explain.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/rules.h"
#include "explain/verify.h"
#include "sql/classify.h"

namespace pgtend::explain {
namespace {

std::string rounded(double value) { return cat(std::round(value * 100) / 100); }

// The invariant of the timing model, said aloud when a plan breaks it.
void check_times(const Report& report, std::vector<std::string>& warnings) {
  if (!report.plan.timed()) return;
  const Timing& timing = report.timing;
  if (!timing.adds_up()) {
    warnings.push_back(cat("self times add up to ", rounded(timing.self_sum_ms), " ms where ",
                           rounded(timing.expected_sum_ms), " ms were measured (± ",
                           rounded(timing.tolerance_ms), " ms): read single self times with care"));
  }
  if (timing.unattributed_ms > timing.tolerance_ms) {
    warnings.push_back(cat(rounded(timing.unattributed_ms),
                           " ms of an InitPlan are inside a node that the plan does not tell"));
  }
}

Diagnosis look(Report& report, const Facts& facts, const Policy& policy) {
  report.warnings = report.plan.warnings;
  report.timing = measure_time(report.plan);
  check_times(report, report.warnings);
  if (!report.plan.analyzed()) {
    report.warnings.emplace_back("estimate only: the statement was not run (no ANALYZE)");
  }
  return diagnose({report.plan, report.timing, facts, policy});
}

void hand_over(Diagnosis& diagnosis, Report& report) {
  for (Diagnosis::Entry& entry : diagnosis.entries) {
    report.findings.push_back(std::move(entry.finding));
    report.places.push_back(std::move(entry.nodes));
  }
  for (std::string& warning : diagnosis.warnings) report.warnings.push_back(std::move(warning));
}

void note_planner(care::Finding& finding, const Candidate& candidate, const WhatIf& answer) {
  finding.evidence.push_back(
      {cat(candidate.method, " index, planner"),
       cat(answer.used ? "used" : "not used", ", cost ", rounded(answer.cost_before), " -> ",
           rounded(answer.cost_after))});
}

// What the planner said to a candidate; nullopt when it could not be asked.
Result<std::optional<WhatIf>> ask_about(pg::Connection& conn, const HypoPg& hypopg,
                                        const sql::StatementInfo& info, const Candidate& candidate,
                                        Diagnosis::Entry& entry) {
  auto answer = what_if(conn, hypopg, info, entry.target, candidate);
  if (answer) {
    note_planner(entry.finding, candidate, *answer);
    return std::optional<WhatIf>(*answer);
  }
  if (answer.error().code == ErrorCode::Unavailable) return std::move(answer).error();
  entry.finding.evidence.push_back(
      {cat(candidate.method, " index, planner"),
       cat("could not be asked: ", printable(answer.error().message))});
  return std::optional<WhatIf>{};
}

// Asks the planner about every candidate of `entry`. The first it would use becomes the proposal;
// advice that the planner would not follow at all is none.
Status try_candidates(pg::Connection& conn, const HypoPg& hypopg, const sql::StatementInfo& info,
                      Diagnosis::Entry& entry) {
  care::Finding& finding = entry.finding;
  if (finding.actions.size() != entry.candidates.size()) return ok();
  size_t unused = 0;
  std::optional<size_t> best;
  std::string proof;
  for (size_t i = 0; i < entry.candidates.size(); ++i) {
    const Candidate& candidate = entry.candidates[i];
    const std::optional<WhatIf> answer = TRY(ask_about(conn, hypopg, info, candidate, entry));
    if (answer && !answer->used) ++unused;
    if (!answer || !answer->proves() || best) continue;
    best = i;
    proof = cat("; the planner would use the ", candidate.method, " index, cost ",
                rounded(answer->cost_before), " -> ", rounded(answer->cost_after));
  }
  if (unused == entry.candidates.size()) {
    finding.actions.clear();
    finding.severity = care::Severity::Info;
    finding.prediction =
        "no index is proposed: the planner was asked with each of them and would use none";
  } else if (best) {
    finding.proof = care::Proof::PlannerVerified;
    finding.prediction = entry.predictions[*best] + proof;
    const auto chosen = finding.actions.begin() + static_cast<std::ptrdiff_t>(*best);
    std::rotate(finding.actions.begin(), chosen, chosen + 1);
  } else {
    finding.prediction += "; the planner could not confirm it";
  }
  return ok();
}

Status ask_planner(pg::Connection& conn, std::string_view sql, Diagnosis& diagnosis) {
  const bool any = std::ranges::any_of(
      diagnosis.entries, [](const Diagnosis::Entry& entry) { return !entry.candidates.empty(); });
  if (!any) return ok();
  const HypoPg hypopg = TRY(find_hypopg(conn));
  if (hypopg.schema.empty()) {
    diagnosis.warnings.push_back(
        cat("predictions are not checked by the planner: ", hypopg.why_not));
    return ok();
  }
  const auto info = sql::classify(sql);
  if (!info) return ok();  // newer syntax: explain() has planned it, it stays a heuristic
  for (Diagnosis::Entry& entry : diagnosis.entries) {
    if (!entry.candidates.empty()) TRY(try_candidates(conn, hypopg, *info, entry));
  }
  return ok();
}

// The rest of examining a plan that is in the report: facts, causes, the planner's opinion.
Status examine_here(pg::Connection& conn, std::string_view sql, const Request& request,
                    Report& report) {
  const Facts facts = TRY(load_facts(conn, report.plan));
  Diagnosis diagnosis = look(report, facts, request.policy);
  if (request.ask_planner && !sql.empty()) TRY(ask_planner(conn, sql, diagnosis));
  for (const RelationFacts& relation : facts.relations) {
    for (const facts::ColumnFacts& column : relation.columns) {
      if (column.stats || relation.table->rights.select) continue;
      report.missing.push_back(
          {cat("column statistics of ", relation.table->qualified(), ".", column.name),
           column.stats_why_not});
    }
  }
  hand_over(diagnosis, report);
  return ok();
}

Report report_on(ReadPlan read) {
  Report report;
  report.format = read.format;
  report.line = read.line;
  report.plan = std::move(read.plan);
  return report;
}

}  // namespace

Result<Report> examine(pg::Connection& conn, const Request& request) {
  if (request.sql.empty()) return Error{ErrorCode::Invalid, "a statement is needed"};
  ExplainOptions options = request.options;
  const auto info = sql::classify(request.sql);
  if (info && info->asked_analyze) options.analyze = true;
  Report report;
  report.plan = TRY(explain(conn, request.sql, options));
  TRY(examine_here(conn, request.sql, request, report));
  return report;
}

Result<Report> examine_plan(pg::Connection& conn, ReadPlan read, const Request& request) {
  Report report = report_on(std::move(read));
  const std::string sql = report.plan.query_text;
  TRY(examine_here(conn, sql, request, report));
  return report;
}

Report examine_offline(ReadPlan read, const Facts& facts, const Policy& policy) {
  Report report = report_on(std::move(read));
  Diagnosis diagnosis = look(report, facts, policy);
  hand_over(diagnosis, report);
  return report;
}

}  // namespace pgtend::explain
