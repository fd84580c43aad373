// The tour's steps about one query: cause, index, statistics.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "demo/tour_state.h"
#include "explain/explain.h"
#include "explain/report_json.h"
#include "explain/rows.h"
#include "pg/quote.h"
#include "vacuum/vacuum.h"

namespace pgtend::demo {

namespace {
constexpr milliseconds kPatience{5'000};  // for a query whose plan may be a very bad one

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

bool is_join(const explain::Node& node) {
  return node.type == "Nested Loop" || node.type.ends_with(" Join");
}

// What the planner expects of the scan of t_dlpdata, and the topmost join it chose for that.
struct Expectation {
  double rows = 0;
  std::string join = {};
};

Expectation expectation_of(const explain::Plan& plan) {
  Expectation expectation;
  for (size_t id = 0; id < plan.nodes.size(); ++id) {
    const explain::Node& node = plan.nodes[id];
    if (expectation.join.empty() && is_join(node)) expectation.join = node.type;
    if (node.object.relation != "t_dlpdata") continue;
    expectation.rows =
        std::max(expectation.rows, explain::count_rows(plan, static_cast<int>(id)).estimate);
  }
  return expectation;
}

// Plans the query, runs it once for at most kPatience, and says both; `rows` is the truth.
Status say_estimate(TourState& state, const std::string& when, const std::string& query,
                    int64_t rows) {
  const Expectation expected = expectation_of(TRY(explain::explain(*state.conn, query)));
  explain::ExplainOptions options;
  options.analyze = true;
  options.statement_timeout = kPatience;
  const auto ran = explain::explain(*state.conn, query, options);
  if (!ran && ran.error().code != ErrorCode::Timeout) return ran.error();
  const std::optional<double> ms = ran ? ran->execution_ms : std::nullopt;
  const auto truth = static_cast<double>(rows);
  const double ratio =
      std::max(expected.rows, truth) / std::max(1.0, std::min(expected.rows, truth));
  const std::string off =
      ratio < 100 ? fmt::format("{:.1f}", ratio) : grouped(static_cast<int64_t>(ratio));
  state.say(fmt::format(
      "{} ANALYZE: {} rows expected of {} (off by {} x), {}, {}", when,
      grouped(static_cast<int64_t>(expected.rows)), grouped(rows), off, expected.join,
      ms ? milliseconds_text(*ms) : cat("stopped after ", human(nanoseconds(kPatience)))));
  state.data()[when] = {{"rows_estimated", expected.rows},
                        {"rows_actual", rows},
                        {"join", expected.join},
                        {"execution_ms", ms ? json::value(*ms) : json::value(nullptr)},
                        {"stopped_after_ms", kPatience.count()}};
  return ok();
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
  JsonWriter written;
  explain::write_json(written, report);
  state.data()["report"] = TRY(parse_json(written.take()));
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
  TRY(say_estimate(state, "before", query, day.totals.readings));
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
  TRY(say_estimate(state, "after", query, day.totals.readings));
  state.data()["rows"] = day.totals.readings;
  state.data()["finding"] = care::to_json(*stale);
  state.data()["outcome"] = care::to_json(outcome);
  return ok();
}

}  // namespace pgtend::demo
