// All maintenance that runs in the cluster now, with what it has done so far. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "facts/progress.h"
#include "pg/connection.h"

namespace pgtend::facts {

// What pg_stat_progress_vacuum tells, in pages, and how much of the indexes there is to do.
struct VacuumWork {
  int64_t heap_total = 0;
  int64_t heap_scanned = 0;   // skipped pages included
  int64_t heap_vacuumed = 0;  // place in the table up to which the last pass has come
  int64_t passes = 0;         // over the indexes, that are done
  int64_t dead = 0;           // row places collected since the last pass
  double dead_full = 0;       // share of the memory for them that is used; 1 begins a pass
  int64_t index_pages = 0;    // of all indexes; 0 when they are of another database
  int64_t indexes_total = 0;  // of the running pass; 0 up to 16, which do not tell
  int64_t indexes_done = 0;
};

struct Running {
  int pid = 0;
  std::string command = {};  // "VACUUM", "ANALYZE", "CREATE INDEX"
  std::string database = {};
  std::string table = {};  // as text of the connected database, else "oid 16384"
  std::string phase = {};
  bool automatic = false;  // autovacuum's
  bool forced = false;     // autovacuum's to prevent wraparound: nobody's wait ends it
  std::string user = {};
  std::string application = {};
  std::string waits_for = {};  // "Lock relation", "Timeout VacuumDelay"; "" when it works
  std::optional<double> runs_s = {};
  Progress progress = {};               // of the phase
  std::optional<VacuumWork> work = {};  // of VACUUM, when the role may see it
};

struct RunningMaintenance {
  std::vector<Running> running = {};  // longest first
  int64_t workers = 0;                // of autovacuum, at work
  int64_t workers_max = 0;
};

// Understands 13 to 18. Without pg_read_all_stats the work of others is not seen: their phase is
// empty. Errors: those of the connection.
Result<RunningMaintenance> load_running(pg::Connection& conn);

json::object to_json(const Running& running);

}  // namespace pgtend::facts
