// One more partition of a table that has some, made so that readers and writers go on.
#include "base/text.h"
#include "partition/calendar.h"
#include "partition/partition.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

constexpr int kVersionCompression = 140000;

json::array bounds_of(const facts::Layout& layout) {
  json::array bounds;
  for (const facts::Partition& part : layout.partitions) {
    json::object bound;
    if (part.from) bound["lo"] = *part.from;
    if (part.to) bound["hi"] = *part.to;
    bounds.emplace_back(std::move(bound));
  }
  return bounds;
}

std::string ranges_sql(const std::string& type) {
  return cat("(select lo::", type, " as lo, hi::", type,
             " as hi from json_to_recordset($2::json) as x(lo text, hi text)) r");
}

// Whether some partition takes `value`.
Result<bool> has_place(pg::Connection& conn, const facts::Layout& layout,
                       const std::string& value) {
  const pg::Rows rows =
      TRY_DURING(conn.query(cat("select coalesce(bool_or((lo is null or lo <= $1::", layout.type,
                                ") and (hi is null or hi > $1::", layout.type, ")), false) from ",
                                ranges_sql(layout.type)),
                            {value, to_text(json::value(bounds_of(layout)))}),
                 "looking for the value's partition");
  return rows[0].get<bool>(0);
}

// The one interval that all bounded partitions have. Years of months count as years.
Result<Interval> interval_of(pg::Connection& conn, const facts::Layout& layout) {
  const std::string low = local_sql("lo", layout.type, "$1");
  const std::string high = local_sql("hi", layout.type, "$1");
  for (const Interval interval : {Interval::Day, Interval::Week, Interval::Month, Interval::Year}) {
    const std::string unit = pg::literal(name(interval));
    const pg::Rows rows = TRY_DURING(
        conn.query(
            cat("select coalesce(bool_and(date_trunc(", unit, ", ", low, ") = ", low, " and ", low,
                " + ('1 ' || ", unit, ")::interval = ", high, "), false) from ",
                ranges_sql(layout.type), " where lo is not null and hi is not null"),
            {layout.time_zone, to_text(json::value(bounds_of(layout)))}),
        "reading the width of partitions");
    if (TRY(rows[0].get<bool>(0))) return interval;
  }
  return Error{ErrorCode::Invalid,
               cat("the partitions of ", layout.qualified(),
                   " are not all one day, week, month or year wide in ", layout.time_zone)};
}

// Whether the slice would overlap a partition that is not of whole intervals (MINVALUE …).
Result<bool> overlaps(pg::Connection& conn, const facts::Layout& layout, const Slice& slice) {
  const pg::Rows rows =
      TRY(conn.query(cat("select coalesce(bool_or((lo is null or lo < $3::", layout.type,
                         ") and (hi is null or hi > $1::", layout.type, ")), false) from ",
                         ranges_sql(layout.type)),
                     {slice.from, to_text(json::value(bounds_of(layout))), slice.to}));
  return rows[0].get<bool>(0);
}

Status refuse_unfit(const facts::Layout& layout) {
  const bool time = layout.type == "date" || layout.type.starts_with("timestamp");
  if (!layout.partitioned || layout.strategy != "range" || !time) {
    return Error{ErrorCode::Invalid, cat(layout.qualified(),
                                         " is not partitioned by ranges of one "
                                         "date or timestamp column")};
  }
  if (layout.has_default()) {
    return Error{ErrorCode::Invalid,
                 cat(layout.qualified(),
                     " has a DEFAULT partition, which every new partition would "
                     "lock and scan")}
        .hinting("move its rows into partitions and detach it first");
  }
  return ok();
}

care::Action attach(const facts::Layout& layout, const Slice& slice, int version) {
  const std::string parent = layout.qualified();
  const std::string leaf = pg::qualified(layout.schema, slice.name);
  std::string like = cat("LIKE ", parent,
                         " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED"
                         " INCLUDING STORAGE");
  if (version >= kVersionCompression) like += " INCLUDING COMPRESSION";
  care::Action out{.kind = "partition", .object = parent};
  out.steps = {
      {.sql = cat("CREATE TABLE ", leaf, " (", like, ")"), .lock = care::LockMode::AccessShare},
      {.sql = cat("ALTER TABLE ", parent, " ATTACH PARTITION ", leaf, " FOR VALUES FROM (",
                  pg::literal(slice.from), ") TO (", pg::literal(slice.to), ")"),
       .lock = care::LockMode::ShareUpdateExclusive}};
  out.verify_sql =
      cat("select exists (select from pg_inherits where inhrelid = to_regclass(", pg::literal(leaf),
          ") and inhparent = to_regclass(", pg::literal(parent), "))");
  out.undo = {cat("DROP TABLE IF EXISTS ", leaf)};
  return out;
}

}  // namespace

Result<std::optional<care::Action>> ensure_partition(pg::Connection& conn, const std::string& table,
                                                     const std::string& value,
                                                     const std::string& time_zone) {
  const facts::Layout layout = TRY(facts::load_layout(conn, table, time_zone));
  TRY(refuse_unfit(layout));
  std::optional<care::Action> action;
  const auto look = [&]() -> Status {
    if (TRY(has_place(conn, layout, value))) return ok();
    const Interval interval = TRY(interval_of(conn, layout));
    const pg::Rows local = TRY(
        conn.query(cat("select ", local_sql(cat("$2::", layout.type), layout.type, "$1"), "::text"),
                   {time_zone, value}));
    const std::string moment = TRY(local.scalar());
    const std::vector<Slice> slices = TRY(divide(conn, {.table = layout.name,
                                                        .type = layout.type,
                                                        .time_zone = time_zone,
                                                        .interval = interval,
                                                        .span = {.from = moment, .to = moment}}));
    CHECK(slices.size() == 1);
    if (TRY(overlaps(conn, layout, slices[0]))) {
      return Error{ErrorCode::Invalid, cat("a partition from ", slices[0].from, " to ",
                                           slices[0].to, " would overlap another one")};
    }
    action = attach(layout, slices[0], conn.server_version());
    return ok();
  };
  TRY(in_time_zone(conn, time_zone, look));
  return action;
}

}  // namespace pgtend::partition
