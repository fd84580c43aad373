// What autovacuum's workers do now, and what is in their way. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "facts/activity.h"
#include "pg/connection.h"

namespace pgtend::facts {

struct AutovacuumWorker {
  int pid = 0;
  std::string database = {};
  uint32_t table = 0;                 // of our database, a TOAST table's own oid; 0 for none
  std::string work = {};              // "VACUUM ANALYZE public.t"; "" while it looks for work
  std::optional<double> runs_s = {};  // on this table

  bool vacuums() const { return work.starts_with("VACUUM"); }
  bool analyzes() const {
    return work.starts_with("ANALYZE") || work.starts_with("VACUUM ANALYZE");
  }
};

// A lock that autovacuum's own conflicts with: it passes such a table by, or ends for it.
struct LockInTheWay {
  uint32_t table = 0;
  bool granted = true;  // false: its session waits for it
  Session session = {};
};

struct AutovacuumNow {
  bool seen =
      true;  // false: our role does not see others' work, and nothing here is to be believed
  std::vector<AutovacuumWorker> workers = {};
  int64_t workers_max = 3;
  // Others than ours, older than autovacuum lets them become and older than ours: the launcher
  // sends all new workers to the oldest of them.
  std::vector<std::string> forced_databases = {};
  std::vector<LockInTheWay> locks = {};  // of our database, longest transaction first

  // Whether no worker is free.
  bool busy() const { return static_cast<int64_t>(workers.size()) >= workers_max; }
};

// Cheap: no table's size, no file. VACUUM and ANALYZE by hand are not in the way. Errors: those of
// the connection.
Result<AutovacuumNow> load_autovacuum(pg::Connection& conn);

// How often a table was vacuumed and analysed, by anybody, since its counters began.
struct Visits {
  int64_t vacuums = 0;
  int64_t analyzes = 0;
};
// Of all tables that have counters, by oid. Errors: those of the connection.
Result<std::map<uint32_t, Visits>> load_visits(pg::Connection& conn);

// As JSON and back, for --json and golden tests. Errors: Invalid naming the member.
json::object to_json(const AutovacuumNow& now);
Result<AutovacuumNow> autovacuum_from_json(const json::value& value);

}  // namespace pgtend::facts
