// What autovacuum does with a trace of writes: launcher, workers, triggers, cost and horizon by the
// rules of a server version. Deterministic: no clock, no chance.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vacuum/simulate_table.h"
#include "vacuum/trace.h"
#include "vacuum/workload.h"

namespace pgtend::vacuum {

enum class Cause : uint8_t { DeadRows, Inserts, Changes, Age, Person };
std::string_view name(Cause cause);  // "dead rows", "inserts", "changes", "age", "by hand"

using RunKey = std::pair<size_t, bool>;  // table in the trace, whether ANALYZE

// One VACUUM or ANALYZE of autovacuum's (or a person's) in the replay. Times are seconds since the
// trace began; `earliest` and `latest` span what the launcher's unknown phase makes of it.
struct SimulatedRun {
  size_t table = 0;  // in the trace
  bool analyze = false;
  Cause cause = Cause::DeadRows;
  double started = 0;
  double ended = 0;
  double earliest = 0;
  double latest = 0;
  RunWork work = {};
  double rows_kept = 0;  // dead, but somebody might still see them
};

// Of one table over the whole trace. Rows and seconds.
struct TableOutcome {
  double dead_peak = 0;
  double dead_average = 0;
  double above_limit_s = 0;  // due, but not yet vacuumed
  double waiting_s_max = 0;  // longest time that it was due before a worker took it
  int64_t vacuums = 0;
  int64_t analyzes = 0;
  int64_t forced = 0;   // of the vacuums: by age
  int64_t useless = 0;  // of the vacuums: for dead rows of which none could be removed
  double xid_age_end = 0;
  double pages_end = 0;
};

struct Replay {
  std::vector<SimulatedRun> runs = {};  // by time of end
  std::vector<TableOutcome> tables = {};
  double duration_s = 0;
  double worker_s = 0;     // all workers' time at work
  double all_busy_s = 0;   // no worker was free
  double starved_s = 0;    // another database near wraparound had all workers
  int64_t queue_max = 0;   // tables that were due at once
  double cost_share = 0;   // of the cost budget, over the whole time
  double xid_rate = 0;     // transactions a second
  double xid_age_end = 0;  // of the database: its oldest table
  std::vector<std::vector<double>> dead_at = {};  // by table, then as `Setup::probes`
};

struct ReplaySetup {
  ModelSettings model = {};
  // The launcher's phase is not in any view: the replay is made for several and the median told.
  int phases = 9;
  // Times at which the dead rows of every table are kept in `dead_at`; ascending.
  std::vector<double> probes = {};
};

// Replays the writes of `trace` under `setup.model` (the trace's own settings: model_of(trace)).
// Cost: linear in tables * duration / naptime; at most kStepsMax table visits over all phases,
// Errors: Limit beyond that.
inline constexpr double kStepsMax = 2e8;
Result<Replay> replay(const Trace& trace, const Workload& workload, const ReplaySetup& setup);

ModelSettings model_of(const Trace& trace);

}  // namespace pgtend::vacuum
