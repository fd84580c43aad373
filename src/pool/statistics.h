// Totals per database that survive their pools, and averages over the last period.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "pool/counters.h"

namespace pgtend::pool {

class Pools;

// Thread: one loop's.
class Statistics {
 public:
  struct Entry {
    Counters total;
    Counters average;  // per second; the times per transaction, query and assignment
  };

  // Takes a sample when `period` has passed since the last one.
  void sample(Pools& pools, SteadyTime now, microseconds period);
  // Totals of now, averages of the last whole period; by database.
  std::map<std::string, Entry> by_database(Pools& pools) const;
  // The console's own clients count under its database.
  Counters& console() { return console_; }

 private:
  std::map<std::string, Counters> totals(Pools& pools) const;

  std::map<std::string, Counters> before_;
  std::map<std::string, Counters> average_;
  Counters console_;
  SteadyTime sampled_at_{};
};

}  // namespace pgtend::pool
