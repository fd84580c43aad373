// One more partition of a table that has some, made so that readers and writers go on.
#include "base/text.h"
#include "partition/calendar.h"
#include "partition/mould.h"
#include "partition/partition.h"
#include "partition/slices.h"

namespace pgtend::partition {
namespace {

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

// Whether the slice would overlap a partition that is not of whole intervals (MINVALUE …).
Result<bool> overlaps(pg::Connection& conn, const facts::Layout& layout, const Slice& slice) {
  const pg::Rows rows =
      TRY(conn.query(cat("select coalesce(bool_or((lo is null or lo < $3::", layout.type,
                         ") and (hi is null or hi > $1::", layout.type, ")), false) from ",
                         ranges_sql(layout.type)),
                     {slice.from, to_text(json::value(bounds_of(layout))), slice.to}));
  return rows[0].get<bool>(0);
}

}  // namespace

Result<std::optional<care::Action>> ensure_partition(pg::Connection& conn, const std::string& table,
                                                     const std::string& value,
                                                     const std::string& time_zone) {
  const facts::Layout layout = TRY(facts::load_layout(conn, table, time_zone));
  TRY(time_ranges(layout));
  const Axis axis{.table = layout.name, .type = layout.type, .time_zone = time_zone};
  std::optional<Slice> slice;
  const auto look = [&]() -> Status {
    if (TRY(has_place(conn, layout, value))) return ok();
    const Grid grid = TRY(grid_of_partitions(conn, layout));
    const auto moments = TRY(moments_of(conn, axis, {value}));
    if (!moments[0]) return Error{ErrorCode::Invalid, "an infinite time has no partition"};
    const int64_t index = index_of(grid, *moments[0]);
    const std::vector<Slice> slices = TRY(slices_of(conn, axis, grid, index, index));
    CHECK(slices.size() == 1);
    if (TRY(overlaps(conn, layout, slices[0]))) {
      return Error{ErrorCode::Invalid, cat("a partition from ", slices[0].from, " to ",
                                           slices[0].to, " would overlap another one")};
    }
    slice = slices[0];
    return ok();
  };
  TRY(in_time_zone(conn, time_zone, look));
  if (!slice) return std::optional<care::Action>();
  return std::optional(birth_of(TRY(load_mould(conn, layout)), *slice));
}

}  // namespace pgtend::partition
