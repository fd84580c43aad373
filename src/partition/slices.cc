#include "partition/slices.h"

#include <ranges>

#include "base/text.h"
#include "partition/calendar.h"
#include "partition/names.h"

namespace pgtend::partition {
namespace {

constexpr int kNamesTried = 10;

constexpr size_t kRangesRead = 400;  // of the newest, to read the width from

bool zoned(const std::string& type) { return type.ends_with("with time zone"); }

// The columns of a Moment, of local time `l` and the moment `e` (equal where there is no zone).
constexpr std::string_view kMomentColumns =
    "(extract(year from l) * 12 + extract(month from l) - 1)::bigint, "
    "extract(day from date_trunc('month', l) + interval '1 month - 1 day')::int, "
    "extract(day from l)::int, "
    "(extract(epoch from l - date_trunc('day', l))::numeric * 1000000)::bigint, "
    "(extract(epoch from l)::numeric * 1000000)::bigint, "
    "(extract(epoch from e)::numeric * 1000000)::bigint";

Result<Moment> moment_from(const pg::Row& row, int at) {
  return Moment{.month = TRY(row.get<int64_t>(at)),
                .month_days = TRY(row.get<int32_t>(at + 1)),
                .day = TRY(row.get<int32_t>(at + 2)),
                .time_us = TRY(row.get<int64_t>(at + 3)),
                .local_us = TRY(row.get<int64_t>(at + 4)),
                .epoch_us = TRY(row.get<int64_t>(at + 5))};
}

// The local time at which partition n of `grid` begins; for seconds of zoned types the moment.
std::string begin_sql(const Axis& axis, const Grid& grid, std::string_view n) {
  const int64_t width = grid.width.count;
  switch (grid.width.unit) {
    case Unit::Months: {
      const std::string month = cat("(timestamp '2000-01-01' + ((", grid.month - int64_t{2000} * 12,
                                    ") + ", n, " * ", width, ") * interval '1 month')");
      return cat("(", month, " + (least(", grid.day, ", extract(day from ", month,
                 " + interval '1 month - 1 day')::int) - 1) * interval '1 day' + ", grid.time_us,
                 " * interval '1 microsecond')");
    }
    case Unit::Days:
      return cat("(timestamp '1970-01-01' + (", grid.anchor_us,
                 ")::bigint * interval '1 microsecond' + ", n, " * ", width,
                 " * interval '1 day')");
    case Unit::Seconds:
      return cat(
          "(", zoned(axis.type) ? "timestamptz '1970-01-01 00:00:00+00'" : "timestamp '1970-01-01'",
          " + (", grid.anchor_us, ")::bigint * interval '1 microsecond' + ", n, " * ", width,
          " * interval '1 second')");
  }
  std::abort();
}

// The bound of the key's type.
std::string typed_sql(const Axis& axis, const Grid& grid, std::string_view n) {
  const std::string begin = begin_sql(axis, grid, n);
  if (!zoned(axis.type)) return cat("(", begin, ")::", axis.type);
  return grid.width.unit == Unit::Seconds ? cat("(", begin, ")::", axis.type)
                                          : cat("(", begin, " at time zone $1::text)::", axis.type);
}

// What stands behind the table's name, of local time `l` and bound `b`.
std::string suffix_sql(const Axis& axis, const Grid& grid) {
  const bool months = grid.width.unit == Unit::Months;
  if (months && grid.day == 1 && grid.time_us == 0) {
    const bool years = grid.width.count % 12 == 0 && grid.month % 12 == 0;
    return years ? R"(to_char(l, '"_"YYYY'))" : R"(to_char(l, '"_"YYYY_MM'))";
  }
  const bool week = grid.width == Width{Unit::Days, 7};
  if (week) {
    return R"(case when extract(isodow from l) = 1 and l = date_trunc('day', l)
      then to_char(l, '"_"IYYY"w"IW') else to_char(l, '"_"YYYY_MM_DD') end)";
  }
  if (grid.width.unit != Unit::Seconds) return R"(to_char(l, '"_"YYYY_MM_DD'))";
  const bool seconds = grid.width.count % 60 != 0 || grid.anchor_us % 60'000'000 != 0;
  const std::string clock = cat("to_char(l, '\"_\"YYYY_MM_DD_HH24MI", seconds ? "SS" : "", "')");
  if (!zoned(axis.type)) return clock;
  return cat(clock, " || case when l at time zone $1::text <> b then 'a' else '' end");
}

}  // namespace

Result<std::vector<std::optional<Moment>>> moments_of(pg::Connection& conn, const Axis& axis,
                                                      const std::vector<std::string>& values) {
  json::array list;
  for (const std::string& value : values) list.emplace_back(value);
  const std::string local = local_sql("v", axis.type, "$1");
  const pg::Rows rows = TRY_DURING(
      conn.query(
          cat("select isfinite(v), ", kMomentColumns,
              " from (select n, v, case when "
              "isfinite(v) then ",
              local, " end as l, case when isfinite(v) then ",
              zoned(axis.type) ? "v" : "v::timestamp", " end as e from (select n, t::", axis.type,
              " as v from json_array_elements_text($2::json) with ordinality x(t, n) "
              "where $1::text is not null) y) z order by n"),
          {axis.time_zone, to_text(json::value(std::move(list)))}),
      "reading times");
  std::vector<std::optional<Moment>> out;
  for (const pg::Row row : rows) {
    out.emplace_back();
    if (TRY(row.get<bool>(0))) out.back() = TRY(moment_from(row, 1));
  }
  return out;
}

Result<Moment> moment_at(pg::Connection& conn, const Axis& axis, const std::string& local) {
  const std::string moment = zoned(axis.type) ? "l at time zone $1::text" : "l";
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select ", kMomentColumns, " from (select l, ", moment,
                     " as e from (select $2::text::timestamp as l) x where isfinite(l) and "
                     "$1::text is not null) y"),
                 {axis.time_zone, local}),
      cat("reading the time ", printable(local)));
  if (rows.empty()) {
    return Error{ErrorCode::Invalid, cat("the time ", printable(local), " is infinite")};
  }
  return moment_from(rows[0], 0);
}

Result<std::vector<Slice>> slices_of(pg::Connection& conn, const Axis& axis, const Grid& grid,
                                     int64_t first, int64_t last) {
  std::vector<Slice> out;
  if (first > last) return out;
  if (last - first >= kSlicesMax) {
    return Error{ErrorCode::Limit, cat(last - first + 1, " partitions of ", text(grid.width),
                                       " would be more than ", kSlicesMax)}
        .hinting("choose a wider interval");
  }
  const std::string local = local_sql("b", axis.type, "$1");
  const std::string sql =
      cat("select ", suffix_sql(axis, grid), ", b::text, e::text from (select b, e, ", local,
          " as l from (select ", typed_sql(axis, grid, "n"), " as b, ",
          typed_sql(axis, grid, "(n + 1)"),
          " as e from generate_series($2::bigint, $3::bigint) n where $1::text is not null) x) y "
          "where b < e order by y.b");
  const pg::Rows rows =
      TRY_DURING(conn.query(sql, {axis.time_zone, cat(first), cat(last)}), "dividing the calendar");
  for (const pg::Row row : rows) {
    out.push_back({.name = name_with(axis.table, row.text(0)),
                   .from = std::string(row.text(1)),
                   .to = std::string(row.text(2))});
  }
  return out;
}

Status time_ranges(const facts::Layout& layout) {
  const bool time = layout.type == "date" || layout.type.starts_with("timestamp");
  if (layout.partitioned && layout.strategy == "range" && time) return ok();
  return Error{
      ErrorCode::Invalid,
      cat(layout.qualified(), " is not partitioned by ranges of one date or timestamp column")};
}

Result<std::string> free_name(pg::Connection& conn, const std::string& schema,
                              const std::string& wanted, const std::vector<std::string>& used) {
  for (int i = 1; i <= kNamesTried; ++i) {
    const std::string name = i == 1 ? wanted : name_with(wanted, cat("_", i));
    if (std::ranges::find(used, name) != used.end()) continue;
    const pg::Rows rows = TRY_DURING(
        conn.query("select exists (select from pg_class c join pg_namespace n on n.oid = "
                   "c.relnamespace where n.nspname = $1 and c.relname = $2) or exists (select "
                   "from pg_type t join pg_namespace n on n.oid = t.typnamespace where "
                   "n.nspname = $1 and t.typname = $2)",
                   {schema, name}),
        "looking for a name");
    if (!TRY(rows[0].get<bool>(0))) return name;
  }
  return std::string();
}

Result<Grid> grid_through(pg::Connection& conn, const Axis& axis, const Width& width,
                          const std::string& anchor) {
  if (width.unit == Unit::Seconds && axis.type == "date") {
    return Error{ErrorCode::Invalid, cat(text(width), " is finer than a date can be")}.hinting(
        "choose whole days or more");
  }
  const std::string local = anchor.empty() ? std::string(usual_anchor(width)) : anchor;
  return grid_at(width, TRY(moment_at(conn, axis, local)));
}

Result<Grid> grid_of_partitions(pg::Connection& conn, const facts::Layout& layout) {
  std::vector<std::string> bounds;
  for (const facts::Partition& part : std::views::reverse(layout.partitions)) {
    if (!part.from || !part.to) continue;
    bounds.push_back(*part.from);
    bounds.push_back(*part.to);
    if (bounds.size() >= 2 * kRangesRead) break;
  }
  const Axis axis{.table = layout.name, .type = layout.type, .time_zone = layout.time_zone};
  const auto moments = TRY(moments_of(conn, axis, bounds));
  std::vector<MomentRange> ranges;
  for (size_t i = 0; i + 1 < moments.size(); i += 2) {
    if (moments[i] && moments[i + 1]) ranges.push_back({*moments[i], *moments[i + 1]});
  }
  const auto grid = infer_grid(ranges);
  if (grid) return *grid;
  return Error{ErrorCode::Invalid,
               ranges.empty()
                   ? cat(layout.qualified(), " has no partition to read the interval from")
                   : cat("the newest partitions of ", layout.qualified(),
                         " are not all of one width in ", layout.time_zone)}
      .hinting("name the interval (--every, or `every` in pgtend.toml), or the zone");
}

Result<Grid> grid_wanted(pg::Connection& conn, const Axis& axis, const facts::Layout& layout,
                         const std::optional<Width>& every, const std::string& anchor) {
  if (!every) return grid_of_partitions(conn, layout);
  if (anchor.empty()) {
    const auto found = grid_of_partitions(conn, layout);
    if (found && found->width == *every) return *found;
    if (!found && found.error().code != ErrorCode::Invalid) return found.error();
  }
  return grid_through(conn, axis, *every, anchor);
}

}  // namespace pgtend::partition
