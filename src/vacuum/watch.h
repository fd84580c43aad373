// Maintenance that goes on: statistics follow bulk loads at once, the rest is done when it is due.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vacuum/loads.h"
#include "vacuum/run_tables.h"

namespace pgtend::vacuum {

// A command that a pooler saw, its table as the client wrote it.
struct NamedLoad {
  std::string table = {};
  int64_t rows = 0;
};

struct WatchSetup {
  TablesSetup tables = {};  // without gate.policy.apply what would be run is told, once a minute
  // The loads of this database since the last call; asked each `tick` by one thread. Empty: only
  // the counters tell, which may be ten seconds late.
  std::function<std::vector<NamedLoad>()> loads = {};
  LoadPolicy policy = {};
  milliseconds tick{100};       // between two questions for loads
  milliseconds look{1'000};     // between two readings of the counters
  milliseconds review{60'000};  // between two worklists,
  milliseconds hurry{5'000};    // unless a table has many dead rows; also between its VACUUMs
};

struct WatchReport {
  int64_t analyzed = 0;    // after loads
  int64_t worked_off = 0;  // tasks of worklists
  int64_t failed = 0;
  int64_t odd_samples = 0;  // columns that an ANALYZE, ours or autovacuum's, drew oddly
  int64_t restored = 0;     // of them, those whose statistics were put back
  // Tables that autovacuum left undone when they were last looked at, at most 10.
  std::vector<care::Finding> neglected = {};
  std::string stopped = {};  // why it ended
};

// Until it is cancelled or closed: (1) analyses each table of which many rows are new, as soon as
// those who loaded them have committed, its partitioned parents as well, without an I/O limit,
// since a sample is small and comes at most each twentieth part of the time; (2) beside that, by a
// thread of its own, works off worklist() each `review`, and when the dead rows of a table exceed
// Policy::dead_share_max, with the limits of run_tables(); VACUUM of one table takes at most a
// twentieth of the time, too, but for urgent ones. A server that is away is waited for. What
// autovacuum does is followed as well: tables that it does not come to, and why, are told
// (Attendance), and odd samples of its ANALYZE are handled as those of ours (look_again()). Errors:
// those of the first connection.
Result<WatchReport> watch(const WatchSetup& setup);

json::object to_json(const WatchReport& report);

}  // namespace pgtend::vacuum
