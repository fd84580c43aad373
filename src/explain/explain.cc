#include "explain/explain.h"

#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/generic_plan.h"
#include "explain/rules.h"
#include "explain/trials.h"
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

// The rest of examining a plan that is in the report: facts, causes, the planner's opinion.
Status examine_here(pg::Connection& conn, std::string_view sql, const Request& request,
                    Report& report) {
  const Facts facts = TRY(with_catalog_first(conn, [&] { return load_facts(conn, report.plan); }));
  Diagnosis diagnosis = look(report, facts, request.policy);
  report.warnings.insert(report.warnings.end(), facts.warnings.begin(), facts.warnings.end());
  TRY(try_findings(conn, sql, report.plan, request, diagnosis));
  for (const RelationFacts& relation : facts.relations) {
    for (const facts::ColumnFacts& column : relation.columns) {
      if (column.stats || !relation.table || relation.table->rights.select) continue;
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
  const auto info = sql::classify(request.sql);
  Report report;
  Request filled = request;
  const bool parameters = info && info->parameters > 0;
  const bool sample = request.sample || request.options.analyze;
  if ((parameters && sample) || !request.options.values.empty()) {
    report.parameters = TRY(parameter_values(conn, request.sql, request.options.values, sample));
    filled.options.values = to_params(report.parameters);
  }
  report.plan = TRY(explain(conn, request.sql, filled.options));
  report.plan.query_text = info ? info->text : request.sql;
  TRY(examine_here(conn, request.sql, filled, report));
  if (parameters && !report.parameters.empty()) {
    TRY(compare_generic(conn, *info, filled, report));
  }
  if (info && info->asked_analyze && !request.options.analyze) {
    report.warnings.emplace_back(
        "the statement says EXPLAIN ANALYZE; it was planned only, --analyze runs it");
  }
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
