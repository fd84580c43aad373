// Counting the distinct values of a column through its index, in bounded time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "facts/estimates.h"
#include "pg/connection.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {

// How many distinct values were found in one range of them.
struct RangeCount {
  double values = 0;
  bool whole = true;  // false: counting ended at a limit before the range did
};

// The ranges between the bounds of a column's histogram hold about equally many rows, and each
// value lies in one of them.
struct RangeCounts {
  std::vector<RangeCount> ends = {};   // below the first and above the last bound: always counted
  std::vector<RangeCount> inner = {};  // a random choice
  int64_t inner_all = 0;               // out of so many
  bool ended = false;                  // by time, before the choice was large enough
};

// What the counts say of the whole column: exact when all ranges are whole, else the mean of the
// choice times their number, with an interval of 95 % (Student's t, for a choice without putting
// back); from 8 inner ranges on, else only "at least". nullopt: nothing was counted.
std::optional<facts::CountedValues> total(const RangeCounts& counts);

struct CountSetup {
  seconds budget{30};  // for all columns together
  uint64_t seed = 0;   // of the choice of ranges
  const Clock* clock = nullptr;
};

struct CountReport {
  int64_t counted = 0;  // columns with a result
  int64_t left = 0;     // columns that time was not enough for
};

// Counts the columns of facts.context.estimates that begin a btree, largest tables first, each with
// its share of the time, and keeps the results there. Reads only: jumps through the index from each
// value to the next (some microseconds a value, more where VACUUM has not been), in a transaction
// of its own for each range. Of partitioned tables a value is looked for in the indexes of
// all partitions, where they belong to an index of the whole. Unique columns are left out. Errors:
// those of the connection when it is lost; a column that cannot be read counts as left.
Result<CountReport> count_values(pg::Connection& conn, Facts& facts, const CountSetup& setup);

}  // namespace pgtend::vacuum
