#include "partition/upkeep.h"

#include <algorithm>
#include <limits>
#include <ranges>

#include "base/text.h"
#include "partition/calendar.h"
#include "partition/mould.h"
#include "partition/names.h"
#include "partition/retire.h"
#include "partition/slices.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// The looks at one table, within one read-only transaction.
class Survey {
 public:
  Survey(pg::Connection& conn, SetPlan& plan)
      : conn_(conn),
        plan_(plan),
        layout_(plan.layout),
        axis_{.table = layout_.name, .type = layout_.type, .time_zone = layout_.time_zone} {}

  // The clock, the bounds, what is too old.
  Status look(const std::string& now);
  // What is missing ahead.
  Result<std::vector<Slice>> missing();

 private:
  Result<int64_t> newest_index(const Grid& grid);
  Result<std::optional<std::string>> newest_row(const facts::Partition& part,
                                                const std::string& limit);
  int64_t first_index(const Grid& grid) const;
  Status find_old();
  Status clock(const std::string& now);

  pg::Connection& conn_;
  SetPlan& plan_;
  const facts::Layout& layout_;
  Axis axis_;
  Moment now_;
  std::vector<Stretch> covered_;  // of layout_.partitions without the default, in order
  std::vector<Moment> ends_;      // of covered_; of MAXVALUE nothing is to be read
};

// The clock as a value of the key's type: of types without a zone the local time of the policy's.
Status Survey::clock(const std::string& now) {
  const std::string moment = "coalesce(nullif($2, '')::timestamptz, now())";
  const bool zoned = axis_.type.ends_with("with time zone");
  const pg::Rows rows =
      TRY_DURING(conn_.query(cat("select (", moment, zoned ? "" : " at time zone $1::text",
                                 ")::", axis_.type, "::text where $1::text is not null"),
                             {axis_.time_zone, now}),
                 "reading the clock");
  plan_.now = TRY(rows.scalar());
  // A date is its midnight: `timestamp` keeps what the bounds of the grid are compared with.
  const auto moments = TRY(moments_of(conn_, axis_, {plan_.now}));
  if (!moments[0]) return Error{ErrorCode::Invalid, "the time is infinite"};
  now_ = *moments[0];
  return ok();
}

Status Survey::look(const std::string& now) {
  TRY(clock(now));
  std::vector<std::string> bounds;
  for (const facts::Partition& part : layout_.partitions) {
    if (part.is_default) continue;
    bounds.push_back(part.from.value_or(""));
    bounds.push_back(part.to.value_or(""));
  }
  std::vector<std::string> given;
  for (const std::string& bound : bounds) given.push_back(bound.empty() ? "infinity" : bound);
  const auto moments = TRY(moments_of(conn_, axis_, given));
  for (size_t i = 0; i + 1 < moments.size(); i += 2) {
    covered_.push_back({.from_us = moments[i] ? moments[i]->epoch_us : -kForever,
                        .to_us = moments[i + 1] ? moments[i + 1]->epoch_us : kForever,
                        .from = bounds[i],
                        .to = bounds[i + 1]});
    ends_.push_back(moments[i + 1].value_or(Moment{}));
  }
  return find_old();
}

// The largest key of `part` below `limit` (a bound) if an index tells; its lower bound if it has
// rows at all; nullopt if not.
Result<std::optional<std::string>> Survey::newest_row(const facts::Partition& part,
                                                      const std::string& limit) {
  const pg::Rows means = TRY(conn_.query(
      "select has_table_privilege($1::oid, 'SELECT'), exists (select from pg_index i join pg_class "
      "x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam join pg_attribute a on a.attrelid "
      "= i.indrelid and a.attnum = i.indkey[0] where i.indrelid = $1 and i.indisvalid and "
      "i.indpred is null and m.amname = 'btree' and a.attname = $2)",
      {cat(part.oid), layout_.column}));
  if (!TRY(means[0].get<bool>(0))) {
    plan_.warnings.push_back(
        cat("the role may not read ", part.qualified(), ": its rows do not count, only the clock"));
    return std::optional<std::string>();
  }
  const std::string below = within_sql(layout_, std::nullopt, limit);
  const bool indexed = TRY(means[0].get<bool>(1));
  const pg::Rows rows =
      TRY_DURING(conn_.query(indexed ? cat("select max(", pg::ident(layout_.column),
                                           ")::text from ", part.qualified(), " where ", below)
                                     : cat("select case when exists (select from ",
                                           part.qualified(), " where ", below, ") then ",
                                           pg::literal(part.from.value_or("")), " end")),
                 cat("reading the newest row of ", part.qualified()));
  if (rows[0].null(0) || rows[0].text(0).empty()) return std::optional<std::string>();
  return std::optional(std::string(rows[0].text(0)));
}

// Where the newest row lies that counts: in the partitions that follow without a gap on that of the
// present, and not too far ahead. One row of a far year makes no partitions.
Result<int64_t> Survey::newest_index(const Grid& grid) {
  const int64_t present = index_of(grid, now_);
  size_t chained = covered_.size();
  for (size_t i = 0; i < covered_.size(); ++i) {
    if (covered_[i].to_us <= now_.epoch_us) continue;
    const bool follows = i == 0 || covered_[i].from_us <= now_.epoch_us ||
                         covered_[i - 1].to_us == covered_[i].from_us;
    if (!follows) break;
    chained = i;
  }
  if (chained == covered_.size()) return present;
  if (chained + 1 < covered_.size()) {
    plan_.warnings.push_back(cat("partitions from ", covered_[chained + 1].from,
                                 " on lie behind a gap: their rows do not count"));
  }
  const auto far = slices_of(conn_, axis_, grid, present + plan_.policy.data_ahead,
                             present + plan_.policy.data_ahead);
  const std::string limit = far && far->size() == 1 ? (*far)[0].to : "infinity";
  for (size_t i = chained + 1; i-- > 0 && covered_[i].to_us > now_.epoch_us;) {
    const auto row = TRY(newest_row(layout_.partitions[i], limit));
    if (!row) continue;
    const auto moments = TRY(moments_of(conn_, axis_, {*row}));
    if (!moments[0]) continue;
    if (moments[0]->epoch_us > now_.epoch_us) plan_.newest = *row;
    return std::max(present, index_of(grid, *moments[0]));
  }
  return present;
}

// Also what lies between the last partition before the present and the present, if the table fell
// behind.
int64_t Survey::first_index(const Grid& grid) const {
  const int64_t present = index_of(grid, now_);
  std::optional<Moment> behind;
  for (size_t i = 0; i < covered_.size(); ++i) {
    if (covered_[i].from_us <= now_.epoch_us && now_.epoch_us < covered_[i].to_us) return present;
    if (covered_[i].to_us <= now_.epoch_us) behind = ends_[i];
  }
  return behind ? std::min(present, index_of(grid, *behind)) : present;
}

Result<std::vector<Slice>> Survey::missing() {
  const Grid found =
      TRY(grid_wanted(conn_, axis_, layout_, plan_.policy.every, plan_.policy.anchor));
  plan_.width = text(found.width);
  const bool endless = !covered_.empty() && covered_.back().to_us == kForever;
  if (endless) {
    plan_.warnings.push_back(
        cat("the last partition of ", layout_.qualified(),
            " has no end: nothing can be made ahead of it; give it an end first"));
    return std::vector<Slice>();
  }
  const int64_t last = TRY(newest_index(found)) + plan_.policy.ahead;
  const int64_t first = first_index(found);
  if (last - first >= kSlicesMax) {
    return Error{ErrorCode::Limit, cat(last - first + 1, " partitions of ", plan_.width,
                                       " are missing until the present")}
        .hinting("make the first ones by hand, or choose a wider interval");
  }
  const std::vector<Slice> wanted = TRY(slices_of(conn_, axis_, found, first, last));
  std::vector<std::string> bounds;
  for (const Slice& slice : wanted) {
    bounds.push_back(slice.from);
    bounds.push_back(slice.to);
  }
  const auto moments = TRY(moments_of(conn_, axis_, bounds));
  std::vector<Slice> out;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Stretch whole{.from_us = moments[2 * i]->epoch_us,
                        .to_us = moments[2 * i + 1]->epoch_us,
                        .from = wanted[i].from,
                        .to = wanted[i].to};
    for (const Stretch& piece : uncovered(whole, covered_)) {
      out.push_back({.name = wanted[i].name, .from = piece.from, .to = piece.to});
    }
  }
  return out;
}

// Bounds decide, never names.
Status Survey::find_old() {
  int64_t keep_us = -kForever;
  const auto& keep = plan_.policy.keep;
  if (keep) {
    const bool zoned = axis_.type.ends_with("with time zone");
    const std::string step = cat(" - interval ", pg::literal(text(*keep)));
    const std::string now = cat("$2::", axis_.type);
    // Of months and days by the calendar of the zone, of seconds as they pass.
    const bool local = zoned && keep->unit != Unit::Seconds;
    const std::string old =
        local ? cat("((", now, " at time zone $1::text)", step, ") at time zone $1::text")
              : cat(zoned ? now : cat("(", now, ")::timestamp"), step);
    const std::string type = zoned ? axis_.type : "timestamp";
    const pg::Rows rows = TRY_DURING(
        conn_.query(cat("select (", old, ")::", type, "::text where $1::text is not null"),
                    {axis_.time_zone, plan_.now}),
        "reckoning what is too old");
    plan_.keep_from = TRY(rows.scalar());
    const Axis wide{.table = axis_.table, .type = type, .time_zone = axis_.time_zone};
    const auto moments = TRY(moments_of(conn_, wide, {plan_.keep_from}));
    keep_us = moments[0]->epoch_us;
  }
  for (size_t i = 0; i < covered_.size(); ++i) {
    const facts::Partition& part = layout_.partitions[i];
    const bool old = covered_[i].to_us <= keep_us;
    if (old || part.detach_pending) plan_.departures.push_back({.part = part, .too_old = old});
  }
  return ok();
}

Status name_births(pg::Connection& conn, SetPlan& plan) {
  std::vector<std::string> used;
  for (Birth& birth : plan.births) {
    const std::string free = TRY(free_name(conn, plan.layout.schema, birth.slice.name, used));
    if (free.empty()) {
      birth.refusal = cat("relation ", pg::qualified(plan.layout.schema, birth.slice.name),
                          " exists already: rename it");
      continue;
    }
    birth.slice.name = free;
    used.push_back(free);
  }
  return ok();
}

// A DEFAULT partition that has rows of a new partition stands in its way.
Status refuse_strays(pg::Connection& conn, const Mould& mould, Birth& birth) {
  if (!mould.fallback || !birth.refusal.empty()) return ok();
  const pg::Rows rows =
      TRY_DURING(conn.query(strays_sql(mould.layout, *mould.fallback, birth.slice)),
                 cat("looking for rows of the new partition in ", mould.fallback->qualified()));
  if (!TRY(rows[0].get<bool>(0))) return ok();
  birth.refusal = cat("DEFAULT partition ", mould.fallback->qualified(), " has rows from ",
                      birth.slice.from, " to ", birth.slice.to, ": pgtend partition drain ",
                      mould.layout.qualified(), " makes partitions for them");
  return ok();
}

Status plan_births(pg::Connection& conn, SetPlan& plan, const std::vector<Slice>& slices) {
  if (slices.empty()) return ok();
  const auto most = static_cast<size_t>(plan.policy.create_max);
  if (slices.size() > most) {
    plan.refusal = cat(slices.size(), " partitions are missing, from ", slices.front().from, " to ",
                       slices.back().to, ", more than create_max = ", most,
                       " at once: raise it if that is right");
    return ok();
  }
  auto mould = load_mould(conn, plan.layout);
  if (!mould && mould.error().code != ErrorCode::Invalid) return mould.error();
  if (!mould) {
    plan.refusal = cat(mould.error().message, ": ", mould.error().hint);
    return ok();
  }
  for (const Slice& slice : slices) plan.births.push_back({.slice = slice});
  TRY(name_births(conn, plan));
  for (Birth& birth : plan.births) {
    TRY(refuse_strays(conn, *mould, birth));
    if (birth.refusal.empty()) birth.action = birth_of(*mould, birth.slice);
  }
  for (const std::string& warning : mould->warnings) plan.warnings.push_back(warning);
  return ok();
}

}  // namespace

Result<SetPlan> plan_upkeep(pg::Connection& conn, const UpkeepPolicy& policy,
                            const std::string& now) {
  TRY(check_policy(policy));
  SetPlan plan{.policy = policy,
               .layout = TRY(facts::load_layout(conn, policy.table, policy.time_zone))};
  TRY(time_ranges(plan.layout));
  std::vector<Slice> slices;
  Survey survey(conn, plan);
  const auto look = [&]() -> Status {
    TRY(survey.look(now));
    auto found = survey.missing();
    if (found) {
      slices = std::move(found).take();
    } else if (found.error().code == ErrorCode::Invalid || found.error().code == ErrorCode::Limit) {
      plan.refusal = cat(found.error().message, ": ", found.error().hint);
    } else {
      return std::move(found).error();
    }
    return ok();
  };
  TRY(in_time_zone(conn, policy.time_zone, look));
  TRY(plan_births(conn, plan, slices));
  TRY(plan_departures(conn, plan));
  return plan;
}

}  // namespace pgtend::partition
