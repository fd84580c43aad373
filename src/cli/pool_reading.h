// What one look at a pooler's console saw, as typed rows. Pure: whoever asks hands in the tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/output.h"

namespace pgtend::cli {

// What a database's clients did since the pooler started. Bytes are those of clients, times are
// sums in microseconds.
struct DatabaseTotals {
  std::string database = {};
  int64_t transactions = 0;
  int64_t queries = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t transaction_us = 0;
  int64_t query_us = 0;
  int64_t wait_us = 0;
};

// The counters of DatabaseTotals and the columns of SHOW STATS_TOTALS that hold them.
struct PoolCounter {
  std::string_view column;
  int64_t DatabaseTotals::*member;
};
inline constexpr PoolCounter kPoolCounters[] = {
    {"xact_count", &DatabaseTotals::transactions},  {"query_count", &DatabaseTotals::queries},
    {"bytes_received", &DatabaseTotals::bytes_in},  {"bytes_sent", &DatabaseTotals::bytes_out},
    {"xact_time", &DatabaseTotals::transaction_us}, {"query_time", &DatabaseTotals::query_us},
    {"wait_time", &DatabaseTotals::wait_us}};

// One pool at the moment of the look.
struct PoolNow {
  std::string database = {};
  std::string user = {};
  int64_t clients_active = 0;
  int64_t clients_waiting = 0;
  int64_t servers_active = 0;
  int64_t servers_idle = 0;  // idle, used or under test: without a client
  int64_t wait_max_us = 0;   // of the client that waits longest
};

// One shape of a query in one pool since it was first seen. `shape` is empty for the row of all
// calls whose shape has no row of its own.
struct ShapeTotals {
  std::string database = {};
  std::string user = {};
  std::string shape = {};
  std::string text = {};
  int64_t calls = 0;
  int64_t errors = 0;
  int64_t rows = 0;
  int64_t time_us = 0;
  int64_t p95_us = 0;
};

// How often each duration was seen in one pool since the pooler started, by the lowest one of a
// bucket in microseconds. `kind` is wait, query or transaction.
struct TimesTotals {
  std::string database = {};
  std::string user = {};
  std::string kind = {};
  std::map<int64_t, int64_t> buckets = {};
};

struct PoolEvent {
  std::string time = {};
  std::string kind = {};
  std::string database = {};
  std::string user = {};
  std::string command = {};
  std::string target = {};
  int64_t rows = 0;
};

// All of one look. Every text has gone through printable(): clients choose names and queries.
// What the pooler does not tell is nullopt.
struct PoolReading {
  SteadyTime at{};  // when the counters were answered
  WallTime wall{};
  uint64_t session = 0;  // of the connection it came by: counters of another one do not compare
  std::string version = {};
  std::string where = {};  // host and port
  std::string state = {};  // active, paused, suspended; "" when it is not told
  std::vector<DatabaseTotals> totals = {};
  std::vector<PoolNow> pools = {};
  std::optional<std::vector<ShapeTotals>> shapes = {};
  std::optional<std::vector<TimesTotals>> times = {};
  std::optional<std::vector<PoolEvent>> events = {};  // the latest last
};

// A word behind SHOW that a reading is made of. The console itself (database pgbouncer) is left out
// of counters and pools.
struct PoolShow {
  std::string_view what;
  bool required;  // else a pooler may not know it
  // Adds the table to `reading`. Errors: Corrupt, naming the column that is missing or no number.
  Status (*take)(const Table& table, PoolReading& reading);
};
// In the order in which to ask. Thread: any.
std::span<const PoolShow> pool_shows();

}  // namespace pgtend::cli
