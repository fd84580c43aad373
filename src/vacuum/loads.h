// Which tables want ANALYZE right now, because many of their rows are new: decided from counters
// and from what a pooler tells of loads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "facts/changes.h"

namespace pgtend::vacuum {

struct LoadPolicy {
  double share_min = 0.03;  // of the table's rows
  int64_t rows_min = 1'000;
  // A table is analysed at most every so many times its last ANALYZE took, and never sooner than
  // `pause_min` after it: what ANALYZE costs is a small part of the time, whatever the load.
  int duty = 20;
  milliseconds pause_min{1'000};
};

// Thread: one at a time. Pure but for its memory; bounded by the number of tables.
class Loads {
 public:
  explicit Loads(LoadPolicy policy = {}) : policy_(policy) {}

  // The counters of all tables. A table that is not among them any more is forgotten. What changes
  // in a partition counts for its parents, too, since their own last ANALYZE.
  void look(const std::vector<facts::TableChanges>& tables, SteadyTime now);
  // A pooler saw a command that wrote so many rows; the counters may tell of it later, or already
  // have. Nothing for a table that no look has shown.
  void loaded(uint32_t oid, int64_t rows);
  // An ANALYZE has ended, well or not. Rows it has seen before the counters told of them are not
  // counted again when they do.
  void analysed(uint32_t oid, milliseconds took, bool well, SteadyTime now);
  // The tables to analyse, those with the largest changed share first.
  std::vector<facts::TableChanges> due(SteadyTime now) const;

 private:
  struct Known {
    facts::TableChanges table = {};
    int64_t told = 0;   // rows of loads since the last ANALYZE; the counters may have them as well
    int64_t below = 0;  // changes in partitions since the last ANALYZE of a partitioned table
    double rows_below = 0;
    int64_t late = 0;      // rows analysed that the counters will still bring
    int64_t old_news = 0;  // and have brought, among table.modified
    SteadyTime late_until{};
    bool looked = false;
    SteadyTime rest_until{};

    int64_t changed() const;
    double rows() const;
  };
  // How many of `changes` that a counter brings are new.
  static int64_t new_among(Known& known, int64_t changes, SteadyTime now);
  void add_below(uint32_t parent, int64_t changes, SteadyTime now);

  LoadPolicy policy_;
  std::map<uint32_t, Known> known_;
};

}  // namespace pgtend::vacuum
