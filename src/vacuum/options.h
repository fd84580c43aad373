// With which options a table's VACUUM or ANALYZE is run, and why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "facts/upkeep.h"

namespace pgtend::vacuum {

enum class Job : uint8_t { Vacuum, Analyze, VacuumAnalyze };
std::string_view name(Job job);  // "vacuum", "analyze", "vacuum-analyze"

// What a run may take from the server. MB are 10^6 bytes.
struct Means {
  int64_t io_mb_s = 100;  // read and written by all jobs together; 0 is without a limit
  int64_t jobs = 1;       // statements at the same time
  bool quiet = false;     // nobody is expected to be disturbed: other cores and truncation are free
  bool skip_locked = false;  // a table that is locked now is left for later
};

// One word of the statement, or one setting of its session, with the reason for it.
struct Option {
  std::string sql = {};  // "PARALLEL 2", "vacuum_cost_limit = 51"
  std::string why = {};
};

struct Choice {
  std::vector<Option> options = {};   // inside the parentheses
  std::vector<Option> settings = {};  // of the session, set before
  // ANALYZE of a partitioned table without its partitions on 14 to 17, which have no ONLY: while it
  // runs, another transaction of ours holds their locks, so that SKIP_LOCKED passes them by.
  bool parent_alone = false;
  std::vector<std::string> columns = {};  // ANALYZE of these alone; empty: of all
};

// The first version that has ANALYZE ONLY, and the first that tells when a partitioned table was
// analysed.
inline constexpr int kVersionAnalyzeOnly = 180000;
inline constexpr int kVersionParentTimes = 140000;

// Whether the job samples a partitioned table without doing its partitions.
bool leaves_partitions_alone(const facts::TableFacts& table, Job job, int version,
                             const Choice& choice);

// Pure. `table` is not looked at for what is not in it: `upkeep` must have been read for its oid.
//  - PARALLEL: in quiet times as many workers as indexes allow, else none.
//  - FREEZE: for tables that only grow (from 64 MB on), and from half the age on at which
//    autovacuum would do it at a time of its own choice.
//  - INDEX_CLEANUP off, TRUNCATE off: beyond 10^9 transactions of age freezing alone counts.
//  - TRUNCATE off: while standbys are connected, outside quiet times: they replay its lock.
//  - maintenance_work_mem up to 16: so that dead rows take one pass over the indexes (6 bytes
//  each),
//    at most 1 GB and a quarter of shared_buffers by all jobs.
//  - BUFFER_USAGE_LIMIT from 16 on: in quiet times without an I/O limit, 1/64 of shared_buffers by
//    all jobs, since the small default ring makes the WAL be flushed for each of its rounds.
//  - vacuum_cost_delay, vacuum_cost_limit: the I/O limit, as if every page had to be read; hits
//  cost
//    less and written pages more, so that the true rate is below it.
Choice choose(const facts::TableFacts& table, Job job, const facts::ServerSettings& settings,
              const facts::Upkeep& upkeep, const Means& means);

// [{"sql":…, "why":…}]
json::array to_json(const std::vector<Option>& options);

}  // namespace pgtend::vacuum
