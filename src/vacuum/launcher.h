// One replay with a known phase of the launcher: who starts workers when, and what they do. The
// part of simulate.h that steps through time.
#pragma once

#include <vector>

#include "vacuum/simulate.h"

namespace pgtend::vacuum {

// What one worker is at.
struct WorkerState {
  std::vector<size_t> list = {};  // tables that were due when it started, in its order
  size_t place = 0;               // the one it is at
  bool busy = false;              // with a table; else about to take the next
  bool analyze = false;           // the run at hand
  bool analyze_next = false;      // of the same table, when this run is a VACUUM
  Cause cause = Cause::DeadRows;
  RunWork work = {};
  double left = 0;     // share of the run that is still to be done
  double needs_s = 0;  // for the whole run at the present speed
};

class Launcher {
 public:
  // Borrows all of them. `phase`: seconds from the begin of the trace to the first visit.
  Launcher(const Trace& trace, const Workload& workload, const ReplaySetup& setup, double phase);
  // To the end of the trace.
  Replay run();

 private:
  double next_time() const;
  void step(double time);  // everything moves to `time`, where nothing happens on the way
  void integrate(double time);
  void finish_runs();
  void people();
  void probe();
  void visit();
  bool starved() const;
  void start_worker();
  void take_next(WorkerState& worker);
  void begin(WorkerState& worker, bool analyze);
  void finish(WorkerState& worker);
  void set_speeds();
  bool taken(size_t table) const;
  void record(const SimulatedRun& run);

  const Trace& trace_;
  const Workload& workload_;
  const ReplaySetup& setup_;
  std::vector<TableModel> tables_;
  std::vector<double> due_since_;  // negative: not due
  std::vector<size_t> events_done_;
  std::vector<WorkerState> workers_;
  double now_ = 0;
  double end_ = 0;
  double next_visit_ = 0;
  bool visit_waits_ = false;  // for a free worker
  size_t probes_done_ = 0;
  double cost_used_ = 0;
  Replay out_;
};

}  // namespace pgtend::vacuum
