// Finds a layout for a table that has none: which column, how wide, from when to when.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "facts/partitions.h"
#include "partition/calendar.h"
#include "partition/names.h"
#include "partition/propose.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

bool time_type(const Column& column) {
  return column.type == "date" || column.type.starts_with("timestamp");
}

Result<const Column*> key_column(const Definition& table, const std::string& wanted) {
  if (!wanted.empty()) {
    const Column* column = table.column(wanted);
    if (column == nullptr) {
      return Error{ErrorCode::Invalid,
                   cat(table.qualified(), " has no column ", printable(wanted))};
    }
    if (!time_type(*column)) {
      return Error{ErrorCode::Invalid, cat("column ", pg::ident(wanted), " is of type ",
                                           column->type, ", not a date or timestamp")}
          .hinting("of whole numbers say how many a partition takes: --every 1000000");
    }
    return column;
  }
  std::vector<const Column*> candidates;
  std::vector<std::string> names;
  for (const Column& column : table.columns) {
    if (!time_type(column) || !column.not_null || column.generated) continue;
    candidates.push_back(&column);
    names.push_back(pg::ident(column.name));
  }
  if (candidates.size() == 1) return candidates[0];
  return Error{ErrorCode::Invalid,
               candidates.empty()
                   ? cat(table.qualified(), " has no date or timestamp column that is NOT NULL")
                   : cat(table.qualified(), " has several time columns: ", join(names, ", "))}
      .hinting("name the column to divide by");
}

struct Extent {
  bool empty = true;
  std::string from = {};  // of the column's type
  std::string to = {};
  std::string local_from = {};  // in the zone
  std::string local_to = {};
  double days = 0;
};

// The smallest and the largest key; the later of the largest and the present ends the span.
Result<Extent> extent_of(pg::Connection& conn, const Definition& table, const Column& column,
                         const Request& request) {
  const std::string from_table = cat(" from only ", table.qualified(), ")");
  const std::string key = pg::ident(column.name);
  const std::string low = local_sql("lo", column.type, "$1");
  const std::string high = local_sql("hi", column.type, "$1");
  const pg::Rows rows = TRY_DURING(
      conn.query(
          cat("select lo::text, hi::text, coalesce(isfinite(lo) and isfinite(hi), true), ",
              "case when isfinite(lo) then ", low, "::text end, case when isfinite(hi) then ", high,
              "::text end, case when isfinite(lo) and isfinite(hi) then extract(epoch ", "from ",
              high, " - ", low, ")::float8 / 86400 end, case when isfinite(hi) ", "then (", high,
              " < now() at time zone $1::text) end from (select (select min(", key, ")", from_table,
              " as lo, (select max(", key, ")", from_table, " as hi) x"),
          {request.time_zone}),
      cat("reading the range of ", key));
  const pg::Row row = rows[0];
  if (!TRY(row.get<bool>(2))) {
    return Error{ErrorCode::Invalid, cat(key, " holds infinite times, which no partition can hold")}
        .hinting(
            cat("find them: SELECT * FROM ", table.qualified(), " WHERE NOT isfinite(", key, ")"));
  }
  Extent extent{.empty = row.null(0)};
  if (extent.empty) return extent;
  extent.from = row.text(0);
  extent.to = row.text(1);
  extent.local_from = row.text(3);
  if (!TRY(row.get<bool>(6))) extent.local_to = row.text(4);  // else the present
  extent.days = TRY(row.get<double>(5));
  return extent;
}

// The earlier of two local times, by the server's order. "" is the present.
Result<std::string> earlier(pg::Connection& conn, const std::string& a, const std::string& b,
                            const std::string& time_zone) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select least(coalesce(nullif($1, '')::timestamp, now() at time zone $3::text), "
                 "nullif($2, '')::timestamp)::text",
                 {a, b, time_zone}),
      "reading the start");
  return rows.scalar();
}

// The bounds of a partition, "" where it has none: as texts of its key, and as local times.
struct SeatBounds {
  std::string from = {};
  std::string to = {};
  std::string local_from = {};
  std::string local_to = {};
};

Result<SeatBounds> bounds_of(pg::Connection& conn, const Definition& table, const std::string& type,
                             const std::string& time_zone) {
  const facts::RangeBound range = TRY(facts::parse_range_bound(table.seat.bound));
  const std::string from = cat("nullif($2, '')::", type);
  const std::string to = cat("nullif($3, '')::", type);
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select ", from, "::text, ", to, "::text, ", local_sql(from, type, "$1"),
                     "::text, ", local_sql(to, type, "$1"), "::text"),
                 {time_zone, range.from.value_or(""), range.to.value_or("")}),
      "reading the bounds");
  const pg::Row row = rows[0];
  return SeatBounds{.from = std::string(row.text(0)),
                    .to = std::string(row.text(1)),
                    .local_from = std::string(row.text(2)),
                    .local_to = std::string(row.text(3))};
}

// Cuts `slices` to the bounds; what lies before or after them all has a partition, too, where the
// table takes such rows.
Result<std::vector<Slice>> tiled(pg::Connection& conn, const std::vector<Slice>& slices,
                                 const SeatBounds& bounds, const std::string& name,
                                 const std::string& type) {
  json::array wanted;
  for (const Slice& slice : slices) {
    wanted.emplace_back(json::object{{"name", slice.name}, {"lo", slice.from}, {"hi", slice.to}});
  }
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select x.name, greatest(x.lo, b.lo)::text, least(x.hi, b.hi)::text from "
                     "json_to_recordset($1::json) x(name text, lo ",
                     type, ", hi ", type, "), (select nullif($2, '')::", type,
                     " as lo, nullif($3, '')::", type,
                     " as hi) b where coalesce(x.hi > b.lo, true) and coalesce(x.lo < b.hi, true) "
                     "order by x.lo"),
                 {to_text(json::value(wanted)), bounds.from, bounds.to}),
      "cutting to the bounds");
  std::vector<Slice> out;
  for (const pg::Row row : rows) {
    out.push_back({std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2))});
  }
  if (out.empty()) return out;
  if (bounds.from.empty()) {
    out.insert(out.begin(), {.name = name_with(name, "_before"), .to = out.front().from});
  }
  if (bounds.to.empty()) {
    out.push_back({.name = name_with(name, "_after"), .from = out.back().to});
  }
  return out;
}

Result<Proposal> propose_ranges(pg::Connection& conn, const Definition& table,
                                const Request& request, const Policy& policy) {
  if (request.ahead < 0 || request.ahead > policy.partitions_max) {
    return Error{ErrorCode::Invalid, cat("ahead must be 0 to ", policy.partitions_max)};
  }
  const Column* column = TRY(key_column(table, request.column));
  Proposal out{.schema = table.schema,
               .table = table.name,
               .column = column->name,
               .type = column->type,
               .time_zone = request.time_zone};
  const auto divided = [&]() -> Status {
    const Extent extent = TRY(extent_of(conn, table, *column, request));
    out.data_from = extent.from;
    out.data_to = extent.to;
    const double per_day = extent.empty ? 0 : table.rows / std::max(extent.days, 1.0);
    Choice choice = choose(per_day, extent.days, policy);
    if (request.interval) {
      choice.interval = *request.interval;
      choice.reason = "as asked";
    }
    out.interval = choice.interval;
    out.reason = choice.reason;
    CalendarRequest calendar{.table = table.name,
                             .type = column->type,
                             .time_zone = request.time_zone,
                             .interval = choice.interval,
                             .span = {.from = extent.local_from, .to = extent.local_to},
                             .ahead = request.ahead,
                             .slices_max = policy.partitions_max};
    if (!request.from.empty()) {
      calendar.span.from = TRY(earlier(conn, extent.local_from, request.from, request.time_zone));
    }
    if (table.seat.column != column->name || table.seat.bound == "DEFAULT") {
      out.slices = TRY(divide(conn, calendar));
      return ok();
    }
    const SeatBounds bounds = TRY(bounds_of(conn, table, column->type, request.time_zone));
    calendar.table = table.seat.parent_name;
    if (!bounds.local_from.empty()) calendar.span.from = bounds.local_from;
    if (!bounds.local_to.empty()) calendar.span.to = bounds.local_to;
    const std::vector<Slice> slices = TRY(divide(conn, calendar));
    out.slices = TRY(tiled(conn, slices, bounds, calendar.table, column->type));
    return ok();
  };
  TRY(in_time_zone(conn, request.time_zone, divided));
  return out;
}

}  // namespace

Result<Proposal> propose_for(pg::Connection& conn, const Definition& table, const Request& request,
                             const Policy& policy) {
  const auto propose_so = request.method == Method::Hash   ? propose_hash
                          : request.method == Method::List ? propose_list
                          : request.step > 0               ? propose_integers
                                                           : propose_ranges;
  Proposal out = TRY(propose_so(conn, table, request, policy));
  const auto count = static_cast<double>(out.slices.size());
  out.planning_ms = planning_ms_without_key(count);
  if (out.slices.size() > static_cast<size_t>(policy.partitions_good)) {
    out.warnings.push_back(cat(out.slices.size(), " partitions: a query that does not name ",
                               column_list(out.key()), " takes about ",
                               std::llround(out.planning_ms), " ms to plan"));
  }
  return out;
}

Result<Proposal> propose(pg::Connection& conn, const Request& request, const Policy& policy) {
  const Definition table = TRY(load_definition(conn, request.table));
  return propose_for(conn, table, request, policy);
}

}  // namespace pgtend::partition
