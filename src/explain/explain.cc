#include "explain/explain.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/rows.h"
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

Result<Plan> plan_for(pg::Connection& conn, const Request& request) {
  if (!request.plan_json.empty()) return parse_json_plan(request.plan_json);
  ExplainOptions options = request.options;
  const auto info = sql::classify(request.sql);
  if (info && info->asked_analyze) options.analyze = true;
  return explain(conn, request.sql, options);
}

json::value number_or_null(std::optional<double> value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object to_json(const Span& span) {
  return {{"ms", span.mid}, {"low_ms", span.low()}, {"high_ms", span.high()}};
}

json::object node_json(const Report& report, int id) {
  const Node& node = report.plan.nodes[static_cast<size_t>(id)];
  const NodeTime& time = report.timing.nodes[static_cast<size_t>(id)];
  const RowCount rows = count_rows(report.plan, id);
  json::object out;
  out["id"] = id;
  out["parent"] = node.parent == kNone ? json::value(nullptr) : json::value(node.parent);
  out["type"] = node.type;
  out["schema"] = node.object.schema;
  out["relation"] = node.object.relation;
  out["alias"] = node.object.alias;
  out["index"] = node.object.index;
  out["never_executed"] = node.never_executed();
  if (report.plan.timed()) {
    out["self"] = to_json(time.self);
    out["total"] = to_json(time.wall);
  }
  json::object counted;
  counted["actual"] = node.actual ? json::value(rows.actual) : json::value(nullptr);
  counted["error"] = rows.error;
  counted["estimate"] = rows.estimate;
  counted["factor"] = rows.factor;
  counted["excuse"] = std::string(rows.excuse);
  out["rows"] = std::move(counted);
  out["blocks"] = node.blocks ? json::value(node.blocks->shared()) : json::value(nullptr);
  out["self_blocks"] = time.self_blocks;
  out["cost"] = node.estimate.total_cost;
  out["properties"] = node.properties;
  return out;
}

}  // namespace

Result<Report> examine(pg::Connection& conn, const Request& request) {
  if (request.sql.empty() == request.plan_json.empty()) {
    return Error{ErrorCode::Invalid, "either a statement or a plan is needed"};
  }
  Report report;
  report.plan = TRY(plan_for(conn, request));
  const Facts facts = TRY(load_facts(conn, report.plan));
  Diagnosis diagnosis = look(report, facts, request.policy);
  const std::string& sql = request.sql.empty() ? report.plan.query_text : request.sql;
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
  return report;
}

Result<Report> examine_offline(std::string_view plan_json, const Facts& facts,
                               const Policy& policy) {
  Report report;
  report.plan = TRY(parse_json_plan(plan_json));
  Diagnosis diagnosis = look(report, facts, policy);
  hand_over(diagnosis, report);
  return report;
}

json::object to_json(const Report& report) {
  json::object out;
  json::object statement;
  statement["execution_ms"] = number_or_null(report.plan.execution_ms);
  statement["planning_ms"] = number_or_null(report.plan.planning_ms);
  statement["total_ms"] =
      report.plan.timed() ? json::value(report.timing.total_ms) : json::value(nullptr);
  statement["gap_ms"] = number_or_null(report.timing.gap_ms);
  statement["self_times_add_up"] = report.timing.adds_up();
  statement["analyzed"] = report.plan.analyzed();
  out["statement"] = std::move(statement);
  json::array nodes;
  for (size_t i = 0; i < report.plan.nodes.size(); ++i) {
    nodes.push_back(node_json(report, static_cast<int>(i)));
  }
  out["nodes"] = std::move(nodes);
  json::array findings;
  for (size_t i = 0; i < report.findings.size(); ++i) {
    json::object finding = care::to_json(report.findings[i]);
    json::array places;
    for (const int node : report.places[i]) places.push_back(node);
    finding["nodes"] = std::move(places);
    findings.push_back(std::move(finding));
  }
  out["findings"] = std::move(findings);
  json::array warnings;
  for (const std::string& warning : report.warnings) warnings.emplace_back(warning);
  out["warnings"] = std::move(warnings);
  json::array missing;
  for (const facts::MissingRight& right : report.missing) missing.push_back(facts::to_json(right));
  out["missing_rights"] = std::move(missing);
  return out;
}

}  // namespace pgtend::explain
