// How well a replay foretold what the server did while the trace was recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vacuum/simulate.h"

namespace pgtend::vacuum {

// A run of autovacuum that the server made, the replay, or both. Seconds since the trace began.
struct Matched {
  size_t table = 0;
  bool analyze = false;
  std::optional<double> measured = {};
  std::optional<double> simulated = {};  // the median of all phases of the launcher
  double earliest = 0;                   // and their span
  double latest = 0;

  // How far the measured time is from the median, and from the span; 0 unless both happened.
  double off_s() const;
  double off_span_s() const;
};

// Dead rows of one table that had some, as counted by the server and by the replay.
struct DeadCompared {
  size_t table = 0;
  double measured_average = 0;
  double simulated_average = 0;
  double measured_peak = 0;
  double simulated_peak = 0;
};

struct Comparison {
  std::vector<Matched> runs = {};
  std::vector<DeadCompared> dead = {};
  int64_t unseen = 0;  // runs that ended between two samples together with a later one of the table

  // Of the matched ones, seconds.
  double worst_s() const;
  double median_s() const;
  int64_t missed() const;  // the server's alone
  int64_t extra() const;   // the replay's alone
};

// The times at which the trace saw the server's counters, for ReplaySetup::probes.
std::vector<double> probe_times(const Trace& trace);

// Compares a replay that had probe_times(); nullopt for a trace without outcomes. Runs are matched
// in order where they are less than `apart_s` apart.
std::optional<Comparison> compare(const Trace& trace, const Replay& replay, double apart_s);

}  // namespace pgtend::vacuum
