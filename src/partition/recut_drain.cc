// A DEFAULT partition is drained: which intervals its rows lie in, as far as no partition is there.
#include <limits>

#include "base/text.h"
#include "partition/calendar.h"
#include "partition/names.h"
#include "partition/online.h"
#include "partition/recut.h"
#include "partition/slices.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

class Drainer {
 public:
  Drainer(pg::Connection& conn, const DrainRequest& request, const facts::Partition& fallback,
          RecutPlan& plan)
      : conn_(conn),
        request_(request),
        fallback_(fallback),
        plan_(plan),
        axis_{.table = plan.layout.name,
              .type = plan.layout.type,
              .time_zone = plan.layout.time_zone} {}

  // Fills slices.
  Status look();

 private:
  struct Rows {
    std::optional<Moment> first = {};  // of those that may leave
    std::optional<Moment> last = {};
  };
  Result<std::string> chosen();
  Result<Rows> rows();
  Result<std::vector<Slice>> with_rows(const std::vector<Slice>& slices);
  Status leave_covered(const std::vector<Slice>& slices);

  pg::Connection& conn_;
  const DrainRequest& request_;
  const facts::Partition& fallback_;
  RecutPlan& plan_;
  Axis axis_;
  std::string where_;  // which rows may leave
};

// The condition, of times that bound_sql() makes of the zone's.
Result<std::string> Drainer::chosen() {
  const std::string key = pg::ident(plan_.layout.column);
  std::string out = cat(key, " IS NOT NULL AND isfinite(", key, ")");
  const auto add = [&](const std::string& local, std::string_view compare) -> Status {
    if (local.empty()) return ok();
    const pg::Rows bound =
        TRY_DURING(conn_.query(cat("select ", bound_sql("$2::timestamp", axis_.type, "$1"),
                                   "::text where $1::text is not null"),
                               {axis_.time_zone, local}),
                   cat("reading the time ", printable(local)));
    out += cat(" AND ", key, compare, pg::literal(bound[0].text(0)), "::", axis_.type);
    return ok();
  };
  TRY(add(request_.from, " >= "));
  TRY(add(request_.to, " < "));
  return out;
}

Result<Drainer::Rows> Drainer::rows() {
  const std::string key = pg::ident(plan_.layout.column);
  const pg::Rows found =
      TRY_DURING(conn_.query(cat("select min(", key, ")::text, max(", key, ")::text from ",
                                 fallback_.qualified(), " where ", where_)),
                 cat("reading ", fallback_.qualified()));
  Rows out;
  if (found[0].null(0)) return out;
  const auto moments =
      TRY(moments_of(conn_, axis_, {std::string(found[0].text(0)), std::string(found[0].text(1))}));
  out.first = moments[0];
  out.last = moments[1];
  return out;
}

// Those of `slices` that some row is in.
Result<std::vector<Slice>> Drainer::with_rows(const std::vector<Slice>& slices) {
  std::vector<std::string> bounds;
  for (const Slice& slice : slices) bounds.push_back(pg::literal(slice.from));
  const std::string key = pg::ident(plan_.layout.column);
  const pg::Rows found =
      TRY_DURING(conn_.query(cat("select distinct width_bucket(", key, ", array[",
                                 join(bounds, ", "), "]::", axis_.type, "[]) from ",
                                 fallback_.qualified(), " where ", where_, " order by 1")),
                 cat("reading ", fallback_.qualified()));
  std::vector<Slice> out;
  for (const pg::Row row : found) {
    const int64_t number = TRY(row.get<int64_t>(0));
    if (number < 1 || number > static_cast<int64_t>(slices.size())) continue;
    out.push_back(slices[static_cast<size_t>(number - 1)]);
  }
  return out;
}

// Of an interval that is covered in part, the parts that are not.
Status Drainer::leave_covered(const std::vector<Slice>& slices) {
  std::vector<std::string> bounds;
  const auto add = [&](const std::string& from, const std::string& to) {
    bounds.push_back(from.empty() ? "-infinity" : from);
    bounds.push_back(to.empty() ? "infinity" : to);
  };
  for (const Slice& slice : slices) add(slice.from, slice.to);
  for (const facts::Partition& part : plan_.layout.partitions) {
    if (!part.is_default) add(part.from.value_or(""), part.to.value_or(""));
  }
  const auto moments = TRY(moments_of(conn_, axis_, bounds));
  constexpr int64_t kEver = std::numeric_limits<int64_t>::max();
  std::vector<Stretch> all;
  for (size_t i = 0; i + 1 < moments.size(); i += 2) {
    all.push_back({.from_us = moments[i] ? moments[i]->epoch_us : -kEver,
                   .to_us = moments[i + 1] ? moments[i + 1]->epoch_us : kEver,
                   .from = bounds[i],
                   .to = bounds[i + 1]});
  }
  const std::vector<Stretch> covered(all.begin() + static_cast<long>(slices.size()), all.end());
  for (size_t i = 0; i < slices.size(); ++i) {
    for (const Stretch& piece : uncovered(all[i], covered)) {
      plan_.slices.push_back({slices[i].name, piece.from, piece.to});
    }
  }
  return ok();
}

Status Drainer::look() {
  where_ = TRY(chosen());
  const Rows found = TRY(rows());
  if (!found.first || !found.last) return ok();
  const Grid on = TRY(grid_wanted(conn_, axis_, plan_.layout, request_.every, request_.anchor));
  auto slices = slices_of(conn_, axis_, on, index_of(on, *found.first), index_of(on, *found.last));
  if (!slices && slices.error().code == ErrorCode::Limit) {
    return std::move(slices).error().hinting(
        "leave rows of far times where they are, with --from and --to");
  }
  if (!slices) return slices.error();
  const std::vector<Slice> wanted = TRY(with_rows(*slices));
  return leave_covered(wanted);
}

}  // namespace

Result<RecutPlan> plan_drain(pg::Connection& conn, const DrainRequest& request,
                             const Policy& policy) {
  TRY(nothing_begun(conn, request.table));
  RecutPlan plan{.layout = TRY(facts::load_layout(conn, request.table, request.time_zone))};
  TRY(time_ranges(plan.layout));
  for (const facts::Partition& part : plan.layout.partitions) {
    if (part.is_default) plan.sources.push_back(part);
  }
  if (plan.sources.empty()) {
    return Error{ErrorCode::Invalid, cat(plan.layout.qualified(), " has no DEFAULT partition")};
  }
  if (plan.sources[0].partitioned) {
    return Error{ErrorCode::Invalid,
                 cat("DEFAULT partition ", plan.sources[0].qualified(), " is divided itself")};
  }
  Drainer drainer(conn, request, plan.sources[0], plan);
  TRY(in_time_zone(conn, request.time_zone, [&] { return drainer.look(); }));
  if (plan.slices.empty()) {
    return Error{ErrorCode::Invalid, cat("DEFAULT partition ", plan.sources[0].qualified(),
                                         " has no rows for which a partition could be made")};
  }
  if (plan.slices.size() > static_cast<size_t>(request.create_max)) {
    return Error{ErrorCode::Limit,
                 cat(plan.slices.size(), " partitions are needed for the rows of ",
                     plan.sources[0].qualified(), ", more than ", request.create_max, " at once")}
        .hinting("take fewer with --from and --to, or wider ones with --every");
  }
  plan.rest = plan.sources[0].name;
  TRY(complete_recut(conn, policy, plan));
  return plan;
}

}  // namespace pgtend::partition
