#include "explain/trials.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/rows.h"
#include "explain/run.h"
#include "explain/verify.h"
#include "explain/words.h"
#include "sql/classify.h"

namespace pgtend::explain {
namespace {

constexpr int kTrialRuns = 3;
constexpr double kTrialPagesMax = 131'072;  // 1 GB: ANALYZE of more is not tried by the way
constexpr double kRightFactorMax = 3;       // of an estimate that is right

void note_planner(care::Finding& finding, const Candidate& candidate, const WhatIf& answer) {
  finding.evidence.push_back(
      {cat(candidate.method, " index, planner"),
       cat(answer.used ? "used" : "not used", ", cost ", cost_text(answer.cost_before), " -> ",
           cost_text(answer.cost_after))});
}

// The statement that is tried.
struct Asked {
  const sql::StatementInfo& info;
  const ExplainOptions& options;
};

// What the planner said to a candidate; nullopt when it could not be asked.
Result<std::optional<WhatIf>> ask_about(pg::Connection& conn, const HypoPg& hypopg,
                                        const Asked& asked, const Candidate& candidate,
                                        Diagnosis::Entry& entry) {
  auto answer =
      what_if(conn, hypopg, asked.info, index_statement(entry.target, candidate), asked.options);
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
Status try_candidates(pg::Connection& conn, const HypoPg& hypopg, const Asked& statement,
                      Diagnosis::Entry& entry) {
  care::Finding& finding = entry.finding;
  if (finding.actions.size() != entry.candidates.size()) return ok();
  size_t asked = 0, unused = 0;
  std::optional<size_t> best;
  std::string proof;
  for (size_t i = 0; i < entry.candidates.size(); ++i) {
    const Candidate& candidate = entry.candidates[i];
    if (!candidate.hypothetical()) continue;
    ++asked;
    const std::optional<WhatIf> answer = TRY(ask_about(conn, hypopg, statement, candidate, entry));
    if (answer && !answer->used) ++unused;
    if (!answer || !answer->proves() || best) continue;
    best = i;
    proof = cat("; the planner would use the ", candidate.method, " index, cost ",
                cost_text(answer->cost_before), " -> ", cost_text(answer->cost_after));
  }
  if (asked < entry.candidates.size() && !best) return ok();  // HypoPG cannot tell of the rest
  if (unused == entry.candidates.size()) {
    finding.actions.clear();
    entry.candidates.clear();
    entry.refuted = true;
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

Status try_indexes(pg::Connection& conn, const Asked& asked, Diagnosis& diagnosis) {
  const bool any = std::ranges::any_of(
      diagnosis.entries, [](const Diagnosis::Entry& entry) { return !entry.candidates.empty(); });
  if (!any) return ok();
  const HypoPg hypopg = TRY(with_catalog_first(conn, [&] { return find_hypopg(conn); }));
  if (hypopg.schema.empty()) {
    diagnosis.warnings.push_back(
        cat("predictions are not checked by the planner: ", hypopg.why_not));
    return ok();
  }
  for (Diagnosis::Entry& entry : diagnosis.entries) {
    if (!entry.candidates.empty()) TRY(try_candidates(conn, hypopg, asked, entry));
  }
  return ok();
}

// A refusal of the server is part of the answer; a lost connection ends all.
Status note_failure(Diagnosis::Entry& entry, Error error) {
  if (error.code == ErrorCode::Unavailable) return error;
  entry.finding.evidence.push_back({"trial", cat("failed: ", printable(error.message))});
  return ok();
}

// Whether the planner reads the index that the finding says it should, with the settings.
Status try_settings(pg::Connection& conn, const Asked& asked, Diagnosis::Entry& entry) {
  const auto plan = in_read_only(conn, {}, [&]() -> Result<Plan> {
    for (const std::string& setting : entry.finding.statements) TRY(conn.exec(setting));
    return explain_here(conn, asked.info, false, asked.options);
  });
  if (!plan) return note_failure(entry, plan.error());
  const bool used = std::ranges::any_of(
      plan->nodes, [&](const Node& node) { return node.object.index == entry.trial.index; });
  entry.refuted = !used;
  if (used) {
    entry.finding.proof = care::Proof::PlannerVerified;
    entry.finding.prediction += cat("; asked with it, the planner uses the index");
  }
  return ok();
}

bool only_settings(const care::Finding& finding) {
  return !finding.statements.empty() &&
         std::ranges::all_of(finding.statements,
                             [](const std::string& sql) { return sql.starts_with("SET LOCAL "); });
}

// Runs the statement with and without the settings, in turns.
Status run_settings(pg::Connection& conn, const sql::StatementInfo& info, const Request& request,
                    Diagnosis::Entry& entry) {
  const auto both = measure_in_turns(conn, info.text, {.settings = entry.finding.statements},
                                     kTrialRuns, request.options);
  if (!both) return note_failure(entry, both.error());
  const Comparison comparison = compare(both->before, both->after);
  entry.finding.measured =
      cat("with ", join(entry.finding.statements, "; "), ": ", comparison.text);
  entry.finding.evidence.push_back({"measured", entry.finding.measured});
  if (comparison.better) {
    entry.finding.proof = care::Proof::RunVerified;
  } else {
    entry.finding.severity = care::Severity::Info;
    entry.finding.prediction += "; a trial brought nothing, so look for another cause";
  }
  return ok();
}

bool same_place(const Node& a, const Node& b) {
  if (a.object.relation != b.object.relation || a.object.alias != b.object.alias) return false;
  if (!a.object.relation.empty()) return b.type.ends_with("Scan");
  const Value* first = find_member(a.properties, "Group Key");
  const Value* second = find_member(b.properties, "Group Key");
  return a.type == b.type && (first == nullptr || (second != nullptr && *first == *second));
}

// The plan with the statistics of the trial; whatever happens, nothing stays.
Result<Plan> plan_with(pg::Connection& conn, const sql::StatementInfo& info,
                       const std::vector<std::string>& statements, const ExplainOptions& options) {
  auto plan = [&]() -> Result<Plan> {
    TRY(conn.exec(cat("BEGIN; SET LOCAL lock_timeout = ", options.lock_timeout.count(),
                      "; SET LOCAL statement_timeout = ", options.statement_timeout.count())));
    for (const std::string& sql : statements) TRY(conn.exec(sql));
    return explain_here(conn, info, false, options);
  }();
  end_read_only(conn);
  return plan;
}

// Statistics are made, the statement is planned, all is rolled back.
Status try_statistics(pg::Connection& conn, const sql::StatementInfo& info, const Plan& before,
                      const Request& request, Diagnosis::Entry& entry) {
  care::Finding& finding = entry.finding;
  if (entry.trial.pages > kTrialPagesMax) {
    finding.evidence.push_back({"trial", "not made: the table is larger than 1 GB"});
    return ok();
  }
  const auto after = plan_with(conn, info, entry.trial.sql, request.options);
  if (!after) return note_failure(entry, after.error());
  const Node& node = at(before, entry.trial.node);
  const RowCount rows = count_rows(before, entry.trial.node);
  const auto found = std::ranges::find_if(
      after->nodes, [&](const Node& candidate) { return same_place(node, candidate); });
  if (found == after->nodes.end() || node.estimate.rows <= 0) {
    finding.evidence.push_back({"trial", "the planner now plans in another way, without the node"});
    return ok();
  }
  // Comparable with what was met: over all loops and processes, as the estimate before.
  const double expected = found->estimate.rows * rows.estimate / node.estimate.rows;
  const double high = std::max({expected, rows.actual, 1.0});
  const double factor = high / std::max(std::min(expected, rows.actual), 1.0);
  finding.measured = cat("the planner then expects ", counted(expected), " rows, where ",
                         counted(rows.estimate), " were expected and ", counted(rows.actual),
                         " met; cost ", cost_text(before.root().estimate.total_cost), " -> ",
                         cost_text(after->root().estimate.total_cost));
  finding.evidence.push_back({"trial, rolled back", finding.measured});
  if (factor <= kRightFactorMax) {
    finding.proof = care::Proof::PlannerVerified;
  } else {
    finding.severity = care::Severity::Info;
    finding.prediction += "; a trial did not correct the estimate";
  }
  return ok();
}

// What only consent allows.
Status verify(pg::Connection& conn, const sql::StatementInfo& info, const Plan& plan,
              const Request& request, Diagnosis& diagnosis) {
  for (Diagnosis::Entry& entry : diagnosis.entries) {
    if (entry.refuted) continue;
    if (entry.trial.kind == TrialKind::Statistics) {
      TRY(try_statistics(conn, info, plan, request, entry));
    } else if (only_settings(entry.finding)) {
      TRY(run_settings(conn, info, request, entry));
    }
  }
  return ok();
}

// Whether a finding that the planner would not follow still tells something: that the table is read
// in full for few rows.
bool stands_alone(const Diagnosis::Entry& entry) {
  return entry.finding.id == "A1" || entry.finding.id == "A2" || entry.finding.id == "J2";
}

}  // namespace

Status try_findings(pg::Connection& conn, std::string_view sql, const Plan& plan,
                    const Request& request, Diagnosis& diagnosis) {
  if (sql.empty() || diagnosis.entries.empty()) return ok();
  const auto info = sql::classify(sql);
  if (!info) return ok();  // newer syntax: explain() has planned it, it stays a heuristic
  const Status may_plan = in_read_only(conn, {}, [&] { return check_planning(conn, *info); });
  if (!may_plan && may_plan.error().code == ErrorCode::Invalid) {
    diagnosis.warnings.push_back(
        cat("predictions are not checked by the planner: ", may_plan.error().message));
    return ok();
  }
  TRY(may_plan);
  if (request.ask_planner) {
    const Asked asked{*info, request.options};
    TRY(try_indexes(conn, asked, diagnosis));
    for (Diagnosis::Entry& entry : diagnosis.entries) {
      const bool index = entry.trial.kind == TrialKind::Settings && !entry.trial.index.empty();
      if (index) TRY(try_settings(conn, asked, entry));
    }
  }
  if (request.verify) TRY(verify(conn, *info, plan, request, diagnosis));
  std::erase_if(diagnosis.entries, [](const Diagnosis::Entry& entry) {
    return entry.refuted && !stands_alone(entry);
  });
  return ok();
}

}  // namespace pgtend::explain
