// The tour's steps about one query: cause, index, statistics.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "demo/tour_state.h"
#include "explain/explain.h"
#include "explain/rows.h"
#include "pg/quote.h"
#include "vacuum/vacuum.h"

namespace pgtend::demo {

namespace {
std::string milliseconds_text(double ms) {
  return human(nanoseconds(static_cast<int64_t>(ms * 1e6)));
}

std::string measured(const explain::Measurement& m) {
  return fmt::format("{} median of {} runs, {} buffers", milliseconds_text(m.median_ms), m.runs,
                     grouped(static_cast<int64_t>(m.blocks)));
}

json::object numbers(const explain::Measurement& m) {
  return {{"runs", m.runs},
          {"median_ms", m.median_ms},
          {"fastest_ms", m.fastest_ms},
          {"slowest_ms", m.slowest_ms},
          {"buffers", m.blocks}};
}

void say_finding(TourState& state, const care::Finding& finding) {
  state.say(cat("[", finding.id, "] ", finding.what));
  state.say(cat("  ", finding.why));
  if (!finding.actions.empty()) {
    state.say(cat("  proposed: ", finding.actions.front().steps.front().sql));
  }
  if (!finding.prediction.empty()) {
    state.say(cat("  predicted: ", finding.prediction, " (", care::name(finding.proof), ")"));
  }
}

Result<explain::Report> examine_day_query(TourState& state) {
  explain::Request request;
  request.sql = std::string(kDayQuery);
  request.options.analyze = true;
  return explain::examine(*state.conn, request);
}

// The customers' readings of the imported day: bounds as text, quoted.
Result<std::string> imported_day_query(TourState& state, const Calendar& day) {
  const auto seconds_of = [](WallTime time) {
    return cat(std::chrono::duration_cast<seconds>(time.time_since_epoch()).count());
  };
  const pg::Rows rows =
      TRY(state.conn->query("SELECT to_timestamp($1::float8)::text, to_timestamp($2::float8)::text",
                            {seconds_of(day.first_reading()), seconds_of(day.last_reading())}));
  return cat(
      "SELECT c.first_name, m.msn, d.kwh_reading FROM m_customerinfo c "
      "JOIN m_meterinfo m ON c.customer_id = m.customer_id "
      "JOIN t_dlpdata d ON m.meter_id = d.meter_id WHERE d.reading_timestamp >= ",
      pg::literal(rows[0].text(0)), " AND d.reading_timestamp <= ", pg::literal(rows[0].text(1)));
}

// Estimated and actual rows of the scan of t_dlpdata in a plan that ran.
struct ScanRows {
  double estimated = 0;
  double actual = 0;
  std::string join = {};  // the topmost join
};

bool is_join(const explain::Node& node) {
  return node.type == "Nested Loop" || node.type.ends_with(" Join");
}

ScanRows rows_of_readings(const explain::Measurement& m) {
  ScanRows rows;
  for (size_t id = 0; id < m.plan.nodes.size(); ++id) {
    const explain::Node& node = m.plan.nodes[id];
    if (rows.join.empty() && is_join(node)) rows.join = node.type;
    if (node.object.relation != "t_dlpdata") continue;
    const explain::RowCount count = explain::count_rows(m.plan, static_cast<int>(id));
    rows.estimated = std::max(rows.estimated, count.estimate);
    rows.actual = std::max(rows.actual, count.actual);
  }
  return rows;
}

void say_estimate(TourState& state, const std::string& when, const explain::Measurement& m) {
  const ScanRows rows = rows_of_readings(m);
  const double low = std::max(1.0, std::min(rows.estimated, rows.actual));
  const double ratio = std::max(rows.estimated, rows.actual) / low;
  state.say(fmt::format("{} {} rows expected, {} came (off by {:.1f} x), {}, {}", when,
                        grouped(static_cast<int64_t>(rows.estimated)),
                        grouped(static_cast<int64_t>(rows.actual)), ratio, rows.join, measured(m)));
  json::object entry = numbers(m);
  entry["rows_estimated"] = rows.estimated;
  entry["rows_actual"] = rows.actual;
  entry["join"] = rows.join;
  state.data()[when.starts_with("before") ? "before" : "after"] = std::move(entry);
}
}  // namespace

Status explain_day_query(TourState& state) {
  state.day_before = TRY(explain::measure(*state.conn, kDayQuery, state.options.runs));
  state.say(cat("day query on the plain table: ", measured(*state.day_before)));
  const explain::Report report = TRY(examine_day_query(state));
  for (const care::Finding& finding : report.findings) say_finding(state, finding);
  if (report.findings.empty()) {
    return Error{ErrorCode::Internal, "no cause was found although the table has no time index"};
  }
  state.data()["measured"] = numbers(*state.day_before);
  state.data()["report"] = explain::to_json(report);
  return ok();
}

Status create_index(TourState& state) {
  const explain::Report report = TRY(examine_day_query(state));
  const auto found = std::ranges::find_if(
      report.findings, [](const care::Finding& f) { return !f.actions.empty(); });
  if (found == report.findings.end()) return Error{ErrorCode::Internal, "no index was proposed"};
  const care::Action& action = found->actions.front();
  const care::Outcome outcome = TRY(state.apply(action));
  for (const care::StatementReport& statement : outcome.statements) {
    state.say(cat(statement.sql, ": ", human(statement.duration), ", ", care::name(statement.lock),
                  " (", care::effect(statement.lock), ")"));
  }
  state.day_indexed = TRY(explain::measure(*state.conn, kDayQuery, state.options.runs));
  const explain::Comparison comparison = explain::compare(*state.day_before, *state.day_indexed);
  state.say(cat("day query now: ", measured(*state.day_indexed)));
  state.say(cat(comparison.better ? "it helped: " : "it did not help: ", comparison.text));
  state.data()["outcome"] = care::to_json(outcome);
  state.data()["measured"] = numbers(*state.day_indexed);
  state.data()["better"] = comparison.better;
  return ok();
}

Status import_one_day(TourState& state) {
  const Generated day = TRY(one_more_day(
      state.owner, state.generation, state.generated.calendar, Extend::Before,
      [&state](const Progress& progress) { state.voice.progress(progress_line(progress, 100)); }));
  state.say(cat(grouped(day.totals.readings), " late readings of an earlier day came as one COPY"));
  const std::string query = TRY(imported_day_query(state, day.calendar));
  say_estimate(state,
               "before ANALYZE:", TRY(explain::measure(*state.conn, query, state.options.runs)));
  const vacuum::Facts facts = TRY(vacuum::load(*state.conn, {.table = "t_dlpdata"}));
  const auto findings = vacuum::review(facts);
  const auto stale = std::ranges::find_if(findings, [](const care::Finding& finding) {
    return !finding.actions.empty() && finding.actions.front().kind == "analyze";
  });
  if (stale == findings.end()) {
    return Error{ErrorCode::Internal, "the stale statistics were not found"};
  }
  say_finding(state, *stale);
  const care::Outcome outcome = TRY(state.apply(stale->actions.front()));
  say_estimate(state,
               "after ANALYZE:", TRY(explain::measure(*state.conn, query, state.options.runs)));
  state.data()["rows"] = day.totals.readings;
  state.data()["finding"] = care::to_json(*stale);
  state.data()["outcome"] = care::to_json(outcome);
  return ok();
}

}  // namespace pgtend::demo
