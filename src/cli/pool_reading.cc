#include "cli/pool_reading.h"

#include <algorithm>

#include "base/text.h"

namespace pgtend::cli {

namespace {
constexpr std::string_view kConsole = "pgbouncer";

// The cells of one row by the name of their column.
class Cells {
 public:
  Cells(const Table& table, const std::vector<std::string>& row) : table_(table), row_(row) {}

  bool has(std::string_view column) const { return find(column) != nullptr; }
  Result<std::string> text(std::string_view column) const {
    const std::string* cell = find(column);
    if (cell == nullptr) return missing(column);
    return printable(*cell);
  }
  Result<int64_t> number(std::string_view column) const {
    const std::string* cell = find(column);
    if (cell == nullptr) return missing(column);
    const auto value = parse_int(*cell);
    if (value && *value >= 0) return *value;
    return Error{ErrorCode::Corrupt,
                 cat("column ", column, " is \"", printable(*cell), "\", not a count")};
  }
  // 0 where a pooler has no such column.
  Result<int64_t> number_if_any(std::string_view column) const {
    return has(column) ? number(column) : Result<int64_t>(0);
  }

 private:
  const std::string* find(std::string_view column) const {
    const auto at = std::ranges::find(table_.headings, column) - table_.headings.begin();
    return static_cast<size_t>(at) < row_.size() ? &row_[static_cast<size_t>(at)] : nullptr;
  }
  static Error missing(std::string_view column) {
    return Error{ErrorCode::Corrupt, cat("column ", column, " is missing")};
  }

  const Table& table_;
  const std::vector<std::string>& row_;
};

Status take_version(const Table& table, PoolReading& reading) {
  for (const auto& row : table.rows) reading.version = TRY(Cells(table, row).text("version"));
  return ok();
}

// Rows are active, paused and suspended with yes or no; the most unusual one that holds counts.
Status take_state(const Table& table, PoolReading& reading) {
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    if (TRY(cells.text("value")) == "yes") reading.state = TRY(cells.text("key"));
  }
  return ok();
}

Status take_totals(const Table& table, PoolReading& reading) {
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    DatabaseTotals totals{.database = TRY(cells.text("database"))};
    if (totals.database == kConsole) continue;
    for (const PoolCounter& counter : kPoolCounters) {
      totals.*counter.member = TRY(cells.number(counter.column));
    }
    reading.totals.push_back(std::move(totals));
  }
  return ok();
}

Status take_pools(const Table& table, PoolReading& reading) {
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    PoolNow pool{.database = TRY(cells.text("database")), .user = TRY(cells.text("user"))};
    if (pool.database == kConsole) continue;
    pool.clients_active = TRY(cells.number("cl_active"));
    pool.clients_waiting = TRY(cells.number("cl_waiting"));
    pool.servers_active = TRY(cells.number("sv_active"));
    pool.servers_idle = TRY(cells.number("sv_idle")) + TRY(cells.number("sv_used")) +
                        TRY(cells.number("sv_tested"));
    pool.wait_max_us =
        TRY(cells.number("maxwait")) * 1'000'000 + TRY(cells.number_if_any("maxwait_us"));
    reading.pools.push_back(std::move(pool));
  }
  return ok();
}

Status take_times(const Table& table, PoolReading& reading) {
  auto& all = reading.times.emplace();
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    TimesTotals times{.database = TRY(cells.text("database")),
                      .user = TRY(cells.text("user")),
                      .kind = TRY(cells.text("kind"))};
    const std::string buckets = TRY(cells.text("buckets"));
    for (const std::string_view bucket : split(buckets, ' ')) {
      if (bucket.empty()) continue;
      const size_t colon = std::min(bucket.find(':'), bucket.size() - 1);
      const auto low = parse_int(bucket.substr(0, colon));
      const auto count = parse_int(bucket.substr(colon + 1));
      if (!low || !count || *count < 0) {
        return Error{ErrorCode::Corrupt, cat("a bucket of the histogram is \"", bucket, "\"")};
      }
      times.buckets[*low] += *count;
    }
    all.push_back(std::move(times));
  }
  return ok();
}

Status take_shapes(const Table& table, PoolReading& reading) {
  auto& all = reading.shapes.emplace();
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    all.push_back({.database = TRY(cells.text("database")),
                   .user = TRY(cells.text("user")),
                   .shape = TRY(cells.text("shape")),
                   .text = TRY(cells.text("query")),
                   .calls = TRY(cells.number("calls")),
                   .errors = TRY(cells.number("errors")),
                   .rows = TRY(cells.number("rows")),
                   .time_us = TRY(cells.number("total_time")),
                   .p95_us = TRY(cells.number("p95_time"))});
  }
  return ok();
}

Status take_events(const Table& table, PoolReading& reading) {
  auto& all = reading.events.emplace();
  for (const auto& row : table.rows) {
    const Cells cells(table, row);
    all.push_back({.time = TRY(cells.text("time")),
                   .kind = TRY(cells.text("kind")),
                   .database = TRY(cells.text("database")),
                   .user = TRY(cells.text("user")),
                   .command = TRY(cells.text("command")),
                   .target = TRY(cells.text("target")),
                   .rows = TRY(cells.number("rows"))});
  }
  std::ranges::stable_sort(all, {}, &PoolEvent::time);
  return ok();
}

constexpr PoolShow kShows[] = {
    {"version", true, take_version}, {"stats_totals", true, take_totals},
    {"queries", false, take_shapes}, {"histograms", false, take_times},
    {"pools", true, take_pools},     {"state", false, take_state},
    {"events", false, take_events},
};
}  // namespace

std::span<const PoolShow> pool_shows() { return kShows; }

}  // namespace pgtend::cli
