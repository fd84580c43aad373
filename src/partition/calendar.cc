#include "partition/calendar.h"

#include <cstdlib>

#include "base/text.h"
#include "partition/names.h"

namespace pgtend::partition {
namespace {

std::string_view suffix_format(Interval interval) {
  switch (interval) {
    case Interval::Day:
      return "\"_\"YYYY_MM_DD";
    case Interval::Week:
      return "\"_\"IYYY\"w\"IW";
    case Interval::Month:
      return "\"_\"YYYY_MM";
    case Interval::Year:
      return "\"_\"YYYY";
  }
  std::abort();
}

}  // namespace

std::string local_sql(const std::string& expression, const std::string& type,
                      const std::string& zone_param) {
  if (type.ends_with("with time zone")) {
    return cat("((", expression, ") at time zone ", zone_param, "::text)");
  }
  return cat("((", expression, ")::timestamp)");
}

std::string bound_sql(const std::string& local, const std::string& type,
                      const std::string& zone_param) {
  if (type.ends_with("with time zone")) {
    return cat("((", local, ") at time zone ", zone_param, "::text)::text");
  }
  return type == "date" ? cat("(", local, ")::date::text") : cat("(", local, ")::text");
}

Result<std::vector<Slice>> divide(pg::Connection& conn, const CalendarRequest& request) {
  const std::string begin = bound_sql("b", request.type, "$1");
  const std::string end = bound_sql("e", request.type, "$1");
  const std::string sql = cat(R"(
with span as (
  select date_trunc($2, coalesce(nullif($3, '')::timestamp, now() at time zone $1::text)) as a,
         date_trunc($2, coalesce(nullif($4, '')::timestamp, now() at time zone $1::text)) as z,
         ('1 ' || $2)::interval as step
)
select to_char(b, $5), )",
                              begin, ", ", end, R"(
from span, generate_series(0, $7::int) n,
     lateral (select a + n * step as b, a + (n + 1) * step as e) x
where b <= z + $6::int * step order by n)");
  const pg::Rows rows = TRY_DURING(
      conn.query(sql, {request.time_zone, std::string(name(request.interval)), request.span.from,
                       request.span.to, std::string(suffix_format(request.interval)),
                       cat(request.ahead), cat(request.slices_max)}),
      "dividing the calendar");
  if (rows.size() > request.slices_max) {
    return Error{ErrorCode::Limit, cat("a partition a ", name(request.interval),
                                       " would make more than ", request.slices_max)}
        .hinting("choose a wider interval, or look for rows with times far off");
  }
  std::vector<Slice> out;
  for (const pg::Row row : rows) {
    out.push_back({.name = name_with(request.table, row.text(0)),
                   .from = std::string(row.text(1)),
                   .to = std::string(row.text(2))});
  }
  return out;
}

Status in_time_zone(pg::Connection& conn, const std::string& time_zone,
                    const std::function<Status()>& body) {
  TRY(conn.exec("BEGIN TRANSACTION READ ONLY"));
  Status status = ok();
  auto set = conn.query(
      "select set_config('TimeZone', $1, true), set_config('DateStyle', 'ISO', true)", {time_zone});
  if (set) {
    status = body();
  } else {
    status = std::move(set).error();
  }
  const Status ended = conn.exec("ROLLBACK");
  if (!status) {
    Error error = std::move(status).error();
    if (error.sqlstate.starts_with("22")) error.code = ErrorCode::Invalid;
    return error;
  }
  return ended;
}

}  // namespace pgtend::partition
