// Which tables want ANALYZE right now, because many of their rows are new: decided from counters
// and from what a pooler tells of loads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "facts/changes.h"

namespace pgtend::vacuum {

struct LoadPolicy {
  double share_min = 0.03;  // of the table's rows
  // Of new rows, in tables with a column that rises: beyond the end of a histogram the planner
  // expects 0.01 of a bucket (scalarineqsel; a bucket is 1 % of the rows at the default target), so
  // that from this share on its estimate for the newest rows is ten times too low.
  double new_share_min = 0.001;
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
  // The tables to analyse, those with the largest changed share first. `rises` is asked of those
  // that only new rows make due: whether the table has a column that rises.
  using Rises = std::function<bool(uint32_t)>;
  std::vector<facts::TableChanges> due(SteadyTime now, const Rises& rises) const;

 private:
  struct Known {
    facts::TableChanges table = {};
    int64_t told = 0;   // rows of loads since the last ANALYZE; the counters may have them as well
    int64_t below = 0;  // changes in partitions since the last ANALYZE of a partitioned table
    int64_t below_new = 0;    // and inserts among them
    int64_t inserted_at = 0;  // table.inserted at the last ANALYZE
    double rows_below = 0;
    int64_t late = 0;      // rows analysed that the counters will still bring
    int64_t old_news = 0;  // and have brought, among table.modified
    SteadyTime late_until{};
    bool looked = false;
    SteadyTime rest_until{};

    int64_t changed() const;
    int64_t fresh() const;  // of them, rows that were inserted
    double rows() const;
  };
  // How many of `changes` that a counter brings are new.
  static int64_t new_among(Known& known, int64_t changes, SteadyTime now);
  struct Step {
    int64_t changes = 0;
    int64_t inserts = 0;
  };
  void add_below(uint32_t parent, const Step& step, SteadyTime now);

  LoadPolicy policy_;
  std::map<uint32_t, Known> known_;
};

}  // namespace pgtend::vacuum
