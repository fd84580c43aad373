#include "explain/verify.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "explain/create_index.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kExtensionSql = R"(
SELECT n.nspname, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = 'hypopg')
  FROM (SELECT) one
  LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'hypopg'
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace)";

bool reads_index(const Plan& plan, std::string_view index) {
  return std::ranges::any_of(plan.nodes,
                             [&](const Node& node) { return node.object.index == index; });
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double execution_ms(const Plan& plan) {
  return plan.execution_ms.value_or(plan.root().actual ? plan.root().actual->total_ms.value_or(0)
                                                       : 0);
}

double root_blocks(const Plan& plan) {
  const std::optional<Blocks>& blocks = plan.root().blocks;
  return blocks ? blocks->shared() + blocks->temp : 0;
}

Measurement summary_of(std::vector<Plan> plans) {
  Measurement out;
  out.runs = static_cast<int>(plans.size());
  std::vector<double> times, blocks;
  for (const Plan& plan : plans) {
    times.push_back(execution_ms(plan));
    blocks.push_back(root_blocks(plan));
  }
  out.median_ms = median(times);
  out.blocks = median(blocks);
  out.fastest_ms = *std::ranges::min_element(times);
  out.slowest_ms = *std::ranges::max_element(times);
  const auto nearest = std::ranges::min_element(
      times, {}, [&](double time) { return std::abs(time - out.median_ms); });
  out.plan = std::move(plans[static_cast<size_t>(nearest - times.begin())]);
  return out;
}

Status check_runs(int runs) {
  if (runs >= 1 && runs <= 100) return ok();
  return Error{ErrorCode::Invalid, "1 to 100 runs can be measured"};
}

// The hypothetical index of this call, dropped at the end whatever happened.
Result<WhatIf> ask(pg::Connection& conn, const HypoPg& hypopg, const sql::StatementInfo& info,
                   const std::string& index_sql, const ExplainOptions& options) {
  const std::string schema = pg::ident(hypopg.schema);
  WhatIf out;
  const Plan before = TRY(explain_here(conn, info, false, options));
  out.cost_before = before.root().estimate.total_cost;
  const pg::Rows made = TRY_DURING(conn.query(cat("SELECT indexrelid::int8, indexname FROM ",
                                                  schema, ".hypopg_create_index($1)"),
                                              {index_sql}),
                                   "making a hypothetical index");
  if (made.size() != 1) return Error{ErrorCode::Invalid, "hypopg made no index"};
  const std::string id = cat(TRY(made[0].get<int64_t>(0)));
  const std::string name(made[0].text(1));
  auto plan = explain_here(conn, info, false, options);
  if (plan) {
    out.used = reads_index(*plan, name);
    out.cost_after = plan->root().estimate.total_cost;
    auto size = conn.query(cat("SELECT ", schema, ".hypopg_relation_size($1::oid)"), {id});
    if (size && size->size() == 1) out.size = {TRY((*size)[0].get<int64_t>(0))};
  }
  // Memory of the session, so a ROLLBACK alone would leave it.
  auto dropped = conn.query(cat("SELECT ", schema, ".hypopg_drop_index($1::oid)"), {id});
  if (!plan) return std::move(plan).error();
  if (!dropped) return std::move(dropped).error();
  return out;
}

}  // namespace

Result<HypoPg> find_hypopg(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(conn.query(kExtensionSql), "looking for HypoPG");
  HypoPg out;
  if (rows.size() != 1) return Error{ErrorCode::Corrupt, "one row was expected"};
  if (rows[0].null(0)) {
    out.why_not = rows[0].text(2) == "t"
                      ? "extension hypopg is not in this database: CREATE EXTENSION hypopg"
                      : "extension hypopg is not installed on the server";
  } else if (rows[0].text(1) != "t") {
    out.why_not = cat("no USAGE on schema ", pg::ident(rows[0].text(0)), ", where hypopg lives");
  } else {
    out.schema = rows[0].text(0);
  }
  return out;
}

std::string index_statement(const std::string& table, const Candidate& candidate) {
  return cat("CREATE INDEX ON ", table, " ", index_clause(candidate));
}

Result<WhatIf> what_if(pg::Connection& conn, const HypoPg& hypopg, const sql::StatementInfo& info,
                       const std::string& index_sql, const ExplainOptions& options) {
  if (hypopg.schema.empty()) return Error{ErrorCode::Invalid, hypopg.why_not};
  auto out = in_read_only(conn, {}, [&] { return ask(conn, hypopg, info, index_sql, options); });
  if (!out) {
    // An error inside the transaction has kept hypopg_drop_index from running.
    (void)static_cast<bool>(
        conn.query(cat("SELECT ", pg::ident(hypopg.schema), ".hypopg_reset()")));
  }
  return out;
}

Result<Measurement> measure(pg::Connection& conn, std::string_view sql, int runs,
                            ExplainOptions options) {
  TRY(check_runs(runs));
  options.analyze = true;
  TRY(explain(conn, sql, options));
  std::vector<Plan> plans;
  for (int i = 0; i < runs; ++i) plans.push_back(TRY(explain(conn, sql, options)));
  return summary_of(std::move(plans));
}

Result<InTurns> measure_in_turns(pg::Connection& conn, std::string_view sql, const OtherWay& other,
                                 int runs, ExplainOptions options) {
  TRY(check_runs(runs));
  options.analyze = true;
  TRY(explain(conn, sql, options));  // refuses what must not run, and warms up
  const sql::StatementInfo info = TRY(sql::classify(sql));
  ExplainOptions otherwise = options;
  otherwise.generic = other.generic;
  const auto changed = [&] {
    return in_read_only(conn, options, [&]() -> Result<Plan> {
      for (const std::string& setting : other.settings) TRY(conn.exec(setting));
      return explain_here(conn, info, true, otherwise);
    });
  };
  TRY(changed());
  std::vector<Plan> before, after;
  for (int i = 0; i < runs; ++i) {
    before.push_back(TRY(explain(conn, sql, options)));
    after.push_back(TRY(changed()));
  }
  return InTurns{summary_of(std::move(before)), summary_of(std::move(after))};
}

Comparison compare(const Measurement& before, const Measurement& after) {
  Comparison out;
  out.blocks_factor = std::max(before.blocks, 1.0) / std::max(after.blocks, 1.0);
  out.time_factor = std::max(before.median_ms, 0.001) / std::max(after.median_ms, 0.001);
  const bool same_blocks = out.blocks_factor > 0.95 && out.blocks_factor < 1.05;
  // With equal blocks only times that do not overlap count, and that the machine's mood does not
  // explain: what is applied is measured before and after, not in turns.
  constexpr double kFactorMin = 1.25;
  const bool faster = after.slowest_ms < before.fastest_ms && out.time_factor >= kFactorMin;
  out.better = same_blocks ? faster : out.blocks_factor > 1;
  const auto whole = [](double value) {
    return grouped(std::llround(std::clamp(value, 0.0, 9e18)));
  };
  const auto tenths = [](double ms) { return cat(std::round(ms * 10) / 10, " ms"); };
  out.text = cat("buffers ", whole(before.blocks), " -> ", whole(after.blocks), ", median time ",
                 tenths(before.median_ms), " -> ", tenths(after.median_ms), " (", after.runs,
                 after.runs == 1 ? " run)" : " runs)");
  return out;
}

}  // namespace pgtend::explain
