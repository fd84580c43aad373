// Totals per database that survive their pools, and what happened in the last whole period.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "pool/counters.h"

namespace pgtend::pool {

class Pool;
class Pools;

// Thread: one loop's.
class Statistics {
 public:
  struct Sums {
    Counters total;
    Counters period;     // of the last whole period
    double seconds = 0;  // its length; 0 before the first has passed

    void add(const Sums& other);
    // Of the period: counts a second, times per transaction, query and assignment.
    Counters average() const;
  };

  // Takes a sample when `period` has passed since the last one; true if it did.
  bool sample(Pools& pools, SteadyTime now, microseconds period);
  std::map<std::string, Sums> by_database(Pools& pools) const;
  // `pool` is about to go: what it has counted stays with its database.
  void keep(Pool& pool);
  // What the log says of a period.
  static std::string line_of(const Counters& average);
  // The console's own clients count under its database.
  Counters& console() { return console_; }

 private:
  std::map<std::string, Counters> totals(Pools& pools) const;

  std::map<std::string, Counters> past_;  // of pools that are gone
  std::map<std::string, Counters> before_;
  std::map<std::string, Counters> period_;
  double period_seconds_ = 0;
  Counters console_;
  SteadyTime sampled_at_{};
};

}  // namespace pgtend::pool
