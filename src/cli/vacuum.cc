#include "cli/vacuum.h"

#include <fmt/core.h>

#include <initializer_list>

#include "base/text.h"
#include "base/units.h"
#include "cli/findings.h"
#include "cli/gate_session.h"
#include "cli/lookout.h"
#include "pg/connection.h"
#include "vacuum/count_values.h"
#include "vacuum/horizon.h"
#include "vacuum/rules_bloat.h"
#include "vacuum/runway.h"
#include "vacuum/triggers.h"
#include "vacuum/vacuum.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kReviewParameters[] = {
    {"[TABLE]", "", "one table (with its partitions); all when left out"},
    {"--all", "", "list every table, not only the 20 largest"},
    {"--distinct", "SECONDS", "count values through indexes so long, to find wrong n_distinct"},
    {"--fail-on", "SEVERITY", "exit 1 when a finding is info, notice, warning or critical"},
};
constexpr Parameter kHorizonParameters[] = {
    {"--all", "", "list every table that suffers, not only the 5 with most dead rows"},
};
constexpr size_t kTablesShown = 20;
constexpr size_t kSufferingShown = 5;

std::string ago(const std::optional<double>& manual, const std::optional<double>& automatic) {
  if (!manual && !automatic) return "never";
  const double age = std::min(manual.value_or(1e18), automatic.value_or(1e18));
  return cat(human(seconds(static_cast<int64_t>(age))), " ago");
}

// When autovacuum acts by itself: "due", "in 12 k rows", "never".
std::string next(bool due, std::initializer_list<std::optional<vacuum::Distance>> causes) {
  if (due) return "due";
  std::optional<int64_t> nearest;
  for (const auto& cause : causes) {
    if (cause) nearest = std::min(nearest.value_or(cause->left()), cause->left());
  }
  return nearest ? cat("in ", compact(static_cast<double>(*nearest)), " rows") : "never";
}

void print_tables(Output& output, const vacuum::Facts& known, bool all) {
  Table table{.headings = {"table", "rows", "dead", "changed", "heap", "indexes", "vacuum", "next",
                           "analyze", "next"},
              .align = {Align::Left, Align::Right, Align::Right, Align::Right, Align::Right,
                        Align::Right, Align::Right, Align::Right, Align::Right, Align::Right},
              .rows = {}};
  json::array list;
  for (const facts::TableFacts& facts : known.tables) {
    const vacuum::Forecast forecast = vacuum::forecast(facts, known.context.settings);
    json::object entry = facts::to_json(facts);
    entry["autovacuum"] = vacuum::to_json(forecast);
    list.push_back(std::move(entry));
    if (!all && table.rows.size() >= kTablesShown) continue;
    table.rows.push_back({facts.qualified(), compact(facts.rows()),
                          compact(static_cast<double>(facts.counters.rows_dead)),
                          compact(static_cast<double>(facts.counters.modified_since_analyze)),
                          human(facts.size.heap), human(facts.size.indexes),
                          ago(facts.age.vacuum, facts.age.autovacuum),
                          next(forecast.vacuum(), {forecast.dead, forecast.inserts}),
                          ago(facts.age.analyze, facts.age.autoanalyze),
                          next(forecast.analyze(), {forecast.changes})});
  }
  output.data()["tables"] = std::move(list);
  output.table(table);
  if (table.rows.size() < known.tables.size()) {
    output.note(cat(known.tables.size() - table.rows.size(), " more tables; --all lists them"));
  }
}

Status count_values(Output& output, pg::Connection& conn, vacuum::Facts& facts, seconds budget) {
  const vacuum::CountReport report =
      TRY(vacuum::count_values(conn, facts, {.budget = budget, .clock = &system_clock()}));
  json::array list;
  for (const facts::TableFacts& table : facts.tables) {
    const auto columns = facts.context.estimates.find(table.oid);
    if (columns == facts.context.estimates.end()) continue;
    for (const facts::ColumnEstimate& column : columns->second) {
      if (!column.counted) continue;
      json::object entry = facts::to_json(*column.counted);
      entry["table"] = table.qualified();
      entry["column"] = column.name;
      entry["believed"] = column.distinct();
      list.emplace_back(std::move(entry));
    }
  }
  output.data()["distinct"] = std::move(list);
  output.note(cat("distinct values of ", report.counted, " columns counted",
                  report.left > 0 ? cat(", of ", report.left, " not: more seconds may do") : ""));
  return ok();
}

void print_runway(Output& output, const vacuum::Facts& facts) {
  const auto report = vacuum::runway(*facts.runway, facts.context.settings);
  output.data()["runway"] = vacuum::to_json(report, facts.at);
  for (const vacuum::Track& track : report.tracks) {
    output.line(vacuum::to_text(track, facts.at));
  }
  output.line();
}
}  // namespace

std::span<const Parameter> vacuum_review_parameters() { return kReviewParameters; }

std::span<const Parameter> vacuum_horizon_parameters() { return kHorizonParameters; }

Result<int> run_vacuum_review(const Args& args, Output& output) {
  const FailOn limit = TRY(fail_on(args));  // a typing mistake should cost no work
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  vacuum::Facts facts = TRY(vacuum::load(conn, {.table = args.get("TABLE")}));
  const Status estimates = vacuum::load_estimates(conn, facts);
  if (!estimates && !conn.alive()) return estimates.error();
  if (!estimates) output.warn(cat("columns were not looked at: ", estimates.error().message));
  const int64_t budget = TRY(args.number("--distinct", 0, 1, 86'400));
  if (budget > 0) TRY(count_values(output, conn, facts, seconds(budget)));
  TRY(vacuum::add_bloat(conn, facts));
  for (const facts::MissingRight& missing : facts.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  print_tables(output, facts, args.has("--all"));
  output.line();
  if (facts.runway) print_runway(output, facts);
  const auto findings = vacuum::review(facts);
  if (findings.empty()) output.line("nothing needs VACUUM or ANALYZE now");
  print_findings(output, findings);
  return exit_for(limit, findings);
}

Result<int> run_vacuum_horizon(const Args& args, Output& output) {
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  auto audit = existing_audit();
  if (!audit) output.warn(cat("no audit trail: ", audit.error().message));
  const auto report = TRY(vacuum::load_horizon(conn, audit ? audit->get() : nullptr));
  for (const facts::MissingRight& missing : report.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  output.data() = vacuum::to_json(report);
  output.line(vacuum::to_text(report, args.has("--all") ? SIZE_MAX : kSufferingShown));
  return 0;
}

}  // namespace pgtend::cli
