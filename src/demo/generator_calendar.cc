#include "demo/generator_calendar.h"

#include <algorithm>

#include "base/text.h"

namespace pgtend::demo {

namespace {

// $1 the last quarter-hour or null, $2 days to go back, $3 time zone. All arithmetic in local time.
constexpr std::string_view kSpanSql = R"(
WITH last AS (
  SELECT coalesce($1::bigint, floor(extract(epoch FROM now()) / 900)::bigint) AS q
)
SELECT floor(extract(epoch FROM (to_timestamp(q * 900) AT TIME ZONE $3
                                 - make_interval(days => $2::int)) AT TIME ZONE $3) / 900)::bigint,
       q
FROM last)";

// $1 … $2 quarter-hours, $3 time zone: where the offset from UTC changes.
constexpr std::string_view kChangesSql = R"(
SELECT q, utc_offset
FROM (SELECT q, utc_offset, lag(utc_offset) OVER (ORDER BY q) AS earlier
      FROM (SELECT q, floor(extract(epoch FROM (to_timestamp(q * 900) AT TIME ZONE $3)
                                             - (to_timestamp(q * 900) AT TIME ZONE 'UTC')) / 900)::int
                   AS utc_offset
            FROM generate_series($1::bigint, $2::bigint) AS q) AS offsets) AS compared
WHERE earlier IS DISTINCT FROM utc_offset
ORDER BY q)";

WallTime wall(int64_t quarter) { return WallTime(seconds(quarter * kQuarterSeconds)); }

int64_t quarter_of(WallTime time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count() / kQuarterSeconds;
}

struct Span {
  int64_t before_first = 0;  // the quarter-hour before the first
  int64_t last = 0;
};

Result<Span> span_ending(pg::Connection& conn, std::optional<int64_t> last, int days,
                         const std::string& time_zone) {
  std::optional<std::string> end;
  if (last) end = cat(*last);
  const auto rows = TRY(conn.query(kSpanSql, {end, cat(days), time_zone}));
  if (rows.size() != 1) return Error{ErrorCode::Corrupt, "the server gave no range of days"};
  return Span{TRY(rows[0].get<int64_t>(0)), TRY(rows[0].get<int64_t>(1))};
}

Result<Calendar> with_changes(pg::Connection& conn, const Span& span,
                              const std::string& time_zone) {
  Calendar calendar;
  calendar.first = span.before_first + 1;
  calendar.slots = span.last - span.before_first;
  if (calendar.slots <= 0) {
    return Error{ErrorCode::Invalid,
                 cat("no quarter-hour lies in the range of days in ", time_zone)};
  }
  // A day more on the left: a night's charging session begins before the first reading.
  const auto rows = TRY(
      conn.query(kChangesSql, {cat(calendar.first - kQuartersPerDay), cat(span.last), time_zone}));
  calendar.changes.clear();
  for (const pg::Row row : rows) {
    calendar.changes.push_back({TRY(row.get<int64_t>(0)), TRY(row.get<int32_t>(1))});
  }
  if (calendar.changes.empty()) {
    return Error{ErrorCode::Corrupt, cat("the server gave no offsets for time zone ", time_zone)};
  }
  return calendar;
}

}  // namespace

int Calendar::offset_at(int64_t quarter) const {
  int offset = changes.front().offset;
  for (const ClockChange& change : changes) {
    if (change.quarter > quarter) break;
    offset = change.offset;
  }
  return offset;
}

WallTime Calendar::first_reading() const { return wall(first); }
WallTime Calendar::last_reading() const { return wall(first + slots - 1); }

Result<Calendar> load_calendar(pg::Connection& conn, std::optional<WallTime> end, int days,
                               const std::string& time_zone) {
  if (days < 1 || days > kDaysMax) {
    return Error{ErrorCode::Invalid, cat("days must be 1 to ", kDaysMax, ", not ", days)};
  }
  std::optional<int64_t> last;
  if (end) last = quarter_of(*end);
  const Span span = TRY_DURING(span_ending(conn, last, days, time_zone), "range of readings");
  return with_changes(conn, span, time_zone);
}

Result<Calendar> load_next_day(pg::Connection& conn, const Calendar& known, Extend where,
                               const std::string& time_zone) {
  if (where == Extend::Before) {
    const Span day = TRY(span_ending(conn, known.first - 1, 1, time_zone));
    return with_changes(conn, day, time_zone);
  }
  // One local day forward is -1 days back from the last reading.
  const int64_t last = known.first + known.slots - 1;
  const Span forward = TRY(span_ending(conn, last, -1, time_zone));
  return with_changes(conn, Span{last, forward.before_first}, time_zone);
}

}  // namespace pgtend::demo
