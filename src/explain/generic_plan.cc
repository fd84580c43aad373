#include "explain/generic_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/plan_shape.h"
#include "explain/verify.h"
#include "explain/words.h"

namespace pgtend::explain {
namespace {

constexpr int kRuns = 3;

care::Finding describe(const Plan& custom, const Plan& generic) {
  const double for_these = custom.root().estimate.total_cost;
  const double for_any = generic.root().estimate.total_cost;
  const auto relations = static_cast<size_t>(std::ranges::count_if(
      custom.nodes, [](const Node& node) { return !node.object.relation.empty(); }));
  const bool kept = would_keep_generic(for_any, for_these, relations);
  care::Finding out;
  out.id = "D10";
  out.severity = kept ? care::Severity::Notice : care::Severity::Info;
  out.what = "prepared, the statement may get another plan: the generic one, made for any value";
  const std::string change = plan_change(custom, generic);
  out.why = cat(change.empty() ? std::string("its nodes differ") : change, "; ",
                kept ? "it looks no costlier than the plan for these values, so the server keeps "
                       "it from the sixth run on"
                     : "it looks costlier than the plan for these values, so the server keeps to "
                       "plans for the values while they are like these");
  out.evidence = {{"cost for these values", cost_text(for_these)},
                  {"cost for any value", cost_text(for_any)}};
  out.statements = {"SET LOCAL plan_cache_mode = force_custom_plan"};
  out.prediction = "let this statement or role plan for the values it has";
  out.proof = care::Proof::PlannerVerified;  // the server has made both plans
  return out;
}

// Both plans run in turns decide which of them is better for these values.
Status measure_both(pg::Connection& conn, const sql::StatementInfo& info, const Request& request,
                    care::Finding& finding) {
  const auto both = measure_in_turns(conn, info.text, {.generic = true}, kRuns, request.options);
  if (!both) {
    if (both.error().code == ErrorCode::Unavailable) return both.error();
    finding.evidence.push_back({"trial", cat("not made: ", printable(both.error().message))});
    return ok();
  }
  const Comparison worse = compare(both->after, both->before);  // from generic to custom
  finding.measured = cat("from the generic plan to that for these values: ", worse.text);
  finding.evidence.push_back({"measured", finding.measured});
  finding.proof = care::Proof::RunVerified;
  if (worse.better && finding.severity == care::Severity::Notice) {
    finding.severity = care::Severity::Warning;
  } else if (!worse.better) {
    finding.severity = care::Severity::Info;
    finding.prediction = "nothing: the generic plan does as well for these values";
    finding.statements.clear();
  }
  return ok();
}

}  // namespace

bool would_keep_generic(double generic_cost, double custom_cost, size_t relations) {
  // 1000 * cpu_operator_cost for each relation and one more.
  const double planning = 1000.0 * 0.0025 * static_cast<double>(relations + 1);
  return generic_cost < custom_cost + planning;
}

Status compare_generic(pg::Connection& conn, const sql::StatementInfo& info, const Request& request,
                       Report& report) {
  ExplainOptions any = request.options;
  any.generic = true;
  const auto generic =
      in_read_only(conn, any, [&] { return explain_here(conn, info, false, any); });
  if (!generic) {
    // PREPARE may fail where the statement itself is planned; a lost connection ends all.
    if (generic.error().code == ErrorCode::Unavailable) return generic.error();
    report.warnings.push_back(
        cat("the generic plan is unknown: ", printable(generic.error().message)));
    return ok();
  }
  if (plan_shape(*generic) == plan_shape(report.plan)) return ok();
  care::Finding finding = describe(report.plan, *generic);
  if (request.verify) TRY(measure_both(conn, info, request, finding));
  report.findings.push_back(std::move(finding));
  report.places.push_back({0});
  return ok();
}

}  // namespace pgtend::explain
