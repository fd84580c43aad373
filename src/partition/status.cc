#include "partition/status.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

constexpr int64_t kDefaultCounted = 1'000'000;
constexpr size_t kTablesMax = 10'000;
constexpr size_t kSignsALine = 100;

Result<std::vector<std::string>> partitioned_tables(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = "
                 "c.relnamespace where c.relkind = 'p' and not c.relispartition order by 1, 2 "
                 "limit $1",
                 {cat(kTablesMax)}),
      "listing partitioned tables");
  std::vector<std::string> out;
  for (const pg::Row row : rows) out.push_back(pg::qualified(row.text(0), row.text(1)));
  return out;
}

Status count_default(pg::Connection& conn, SetStatus& out) {
  for (const facts::Partition& part : out.layout.partitions) {
    if (!part.is_default) continue;
    const pg::Rows may =
        TRY(conn.query("select has_table_privilege($1::oid, 'SELECT')", {cat(part.oid)}));
    if (!TRY(may[0].get<bool>(0))) return ok();
    const pg::Rows rows =
        TRY_DURING(conn.query(cat("select count(*) from (select from ", part.qualified(), " limit ",
                                  kDefaultCounted + 1, ") x")),
                   cat("counting ", part.qualified()));
    const int64_t count = TRY(rows[0].get<int64_t>(0));
    out.default_more = count > kDefaultCounted;
    out.default_rows = static_cast<double>(std::min(count, kDefaultCounted));
  }
  return ok();
}

void complain(SetStatus& out) {
  const auto say = [&](std::string what) { out.complaints.push_back(std::move(what)); };
  for (const facts::Gap& gap : out.layout.gaps) {
    say(cat("no partition for ", gap.from, " to ", gap.to));
  }
  for (const facts::Partition& part : out.layout.partitions) {
    if (part.detach_pending) {
      say(cat("the DETACH of ", part.qualified(), " was interrupted: partition maintain ends it"));
    }
  }
  if (out.default_rows.value_or(0) > 0) {
    say(cat(out.default_more ? "more than " : "", grouped(std::llround(*out.default_rows)),
            " rows are in the DEFAULT partition, where new partitions cannot take them"));
  }
  if (!out.plan) return;
  const SetPlan& plan = *out.plan;
  if (!plan.refusal.empty()) say(plan.refusal);
  const auto missing = plan.births.size();
  if (missing > 0 && out.has_policy) {
    say(cat(missing, missing == 1 ? " partition is" : " partitions are",
            " missing ahead: partition maintain makes them"));
  } else if (missing > 0) {
    say("there is no partition for the present");
  }
  const auto old =
      std::ranges::count_if(plan.departures, [](const Departure& gone) { return gone.too_old; });
  if (old > 0) {
    say(cat(old, old == 1 ? " partition is" : " partitions are",
            " older than the policy keeps: partition maintain retires them"));
  }
}

Status look_at(pg::Connection& conn, const UpkeepPolicy& policy, const std::string& now,
               SetStatus& out) {
  out.layout = TRY(facts::load_layout(conn, out.table, policy.time_zone));
  if (!out.layout.partitioned) {
    return Error{ErrorCode::Invalid, cat(out.layout.qualified(), " is not partitioned")};
  }
  TRY(count_default(conn, out));
  auto plan = plan_upkeep(conn, policy, now);
  if (plan) {
    out.plan = std::move(plan).take();
  } else if (out.has_policy || plan.error().code != ErrorCode::Invalid) {
    return std::move(plan).error();  // else it is divided by something that has no calendar
  }
  complain(out);
  return ok();
}

// Where a partition stands in the picture: its line, and its place there if the calendar gives one.
struct Place {
  std::string line = {};
  size_t at = 0;
};

// "2025-03-15 06:00:00+01" begins with what a person would call the line.
std::optional<Place> place_of(const std::string& from, std::string_view line_of) {
  const auto number = [&](size_t at) -> size_t {
    const auto value = parse_int(from.size() >= at + 2 ? from.substr(at, 2) : "");
    return value ? static_cast<size_t>(*value) : 0;
  };
  if (line_of == "year") return Place{from.substr(0, 4), number(5) - 1};
  if (line_of == "month") return Place{from.substr(0, 7), number(8) - 1};
  return std::nullopt;
}

// What the lines are: as wide partitions as fit a calendar, "" if none.
std::string line_kind(const facts::Layout& layout) {
  bool months = true;
  bool days = true;
  std::string before;
  for (const facts::Partition& part : layout.partitions) {
    if (!part.from || part.is_default) continue;
    const std::string& from = *part.from;
    if (from.size() < 10 || from[4] != '-' || from[7] != '-') return "";
    months = months && from.substr(0, 7) != before.substr(0, 7);
    days = days && from.substr(0, 10) != before.substr(0, 10);
    before = from;
  }
  return months ? "year" : days ? "month" : "";
}

}  // namespace

Picture picture_of(const facts::Layout& layout, const std::vector<std::string>& marks) {
  CHECK(marks.size() >= 2);
  int64_t biggest = 1;
  for (const facts::Partition& part : layout.partitions) {
    biggest = std::max(biggest, part.bytes.count);
  }
  const std::string kind = line_kind(layout);
  Picture out;
  size_t drawn = 0;
  for (const facts::Partition& part : layout.partitions) {
    if (part.is_default || !part.from) continue;
    const double share = static_cast<double>(part.bytes.count) / static_cast<double>(biggest);
    const auto steps = static_cast<double>(marks.size() - 1);
    const auto level = static_cast<size_t>(std::clamp(std::ceil(share * steps), 0.0, steps));
    const auto place = place_of(*part.from, kind);
    const std::string line = place ? place->line : "";
    const bool full = !place && drawn % kSignsALine == 0;
    if (out.lines.empty() || full || (place && out.lines.back().first != line)) {
      out.lines.push_back({place ? line : part.from->substr(0, 16), {}});
    }
    std::vector<std::string>& signs = out.lines.back().second;
    if (place && place->at < kSignsALine && signs.size() < place->at) signs.resize(place->at, " ");
    signs.push_back(marks[level]);
    ++drawn;
  }
  return out;
}

Result<std::vector<SetStatus>> load_status(pg::Connection& conn,
                                           const std::vector<UpkeepPolicy>& policies,
                                           const std::string& table, const std::string& now) {
  std::vector<SetStatus> out;
  const auto add = [&](const std::string& name, const UpkeepPolicy* policy) -> Status {
    SetStatus status{.table = name, .has_policy = policy != nullptr};
    UpkeepPolicy only_look{.table = name, .ahead = 0};
    const Status looked = look_at(conn, policy != nullptr ? *policy : only_look, now, status);
    if (!looked && looked.error().code == ErrorCode::Unavailable) return looked;
    if (!looked) {
      status.error = looked.error().message;
      status.complaints.push_back(status.error);
    }
    out.push_back(std::move(status));
    return ok();
  };
  for (const UpkeepPolicy& policy : policies) {
    if (table.empty() || policy.table == table) TRY(add(policy.table, &policy));
  }
  if (!table.empty()) {
    if (out.empty()) TRY(add(table, nullptr));
    return out;
  }
  const size_t configured = out.size();
  for (const std::string& name : TRY(partitioned_tables(conn))) {
    const auto seen = [&](const SetStatus& one) {
      return one.layout.name.empty() ? one.table == name : one.layout.qualified() == name;
    };
    const auto first = out.begin();
    if (std::any_of(first, first + static_cast<std::ptrdiff_t>(configured), seen)) continue;
    TRY(add(name, nullptr));
  }
  return out;
}

json::object to_json(const SetStatus& status) {
  json::array complaints;
  for (const std::string& complaint : status.complaints) complaints.emplace_back(complaint);
  json::object out{{"table", status.table},
                   {"has_policy", status.has_policy},
                   {"complaints", std::move(complaints)}};
  if (!status.layout.name.empty()) out["layout"] = facts::to_json(status.layout);
  if (status.default_rows) out["default_rows"] = *status.default_rows;
  if (status.plan) {
    out["interval"] = status.plan->width;
    out["newest_row"] = status.plan->newest;
    out["missing"] = status.plan->births.size();
    out["too_old"] = std::ranges::count_if(status.plan->departures,
                                           [](const Departure& gone) { return gone.too_old; });
  }
  if (!status.error.empty()) out["error"] = status.error;
  return out;
}

}  // namespace pgtend::partition
