// What happened at a pooler between two looks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/pool_reading.h"

namespace pgtend::cli {

// Durations seen in the interval; each errs by at most an eighth, downwards for the longest.
struct TimeSpread {
  int64_t count = 0;
  int64_t p50_us = 0;
  int64_t p95_us = 0;
  int64_t p99_us = 0;
};

// A pool now, and the durations of the interval where the pooler tells them.
struct PoolRow {
  PoolNow now = {};
  std::optional<TimeSpread> wait = {};
  std::optional<TimeSpread> query = {};
};

struct PoolRates {
  nanoseconds elapsed{0};   // between the looks; 0: nothing to compare with, no rate is known
  DatabaseTotals sum = {};  // of all databases in the interval
  std::vector<PoolRow> pools = {};  // clients that wait first, then the busiest
  // Of the interval, but for p95_us, which is since the shape was first seen. Only shapes with
  // calls; the calls of a pool that belong to none of them share a row without a shape.
  std::vector<ShapeTotals> shapes = {};
  // Databases whose counters went backwards: they are in no sum of this interval.
  std::vector<std::string> restarted = {};
};

// Never negative: counters of another session, or an interval of no length, are a first look, and
// what went backwards counts as nothing. `before` may be null. Thread: any.
PoolRates rates_between(const PoolReading* before, const PoolReading& after);

enum class ShapeSort : unsigned char { Time, Calls, Mean, Errors, Rows };

// How a person names the orders: a key of the view, a word of --sort.
struct ShapeSortName {
  ShapeSort sort;
  char key;
  std::string_view name;
};
inline constexpr ShapeSortName kShapeSorts[] = {{ShapeSort::Time, 't', "time"},
                                                {ShapeSort::Calls, 'c', "calls"},
                                                {ShapeSort::Mean, 'm', "mean"},
                                                {ShapeSort::Errors, 'e', "errors"},
                                                {ShapeSort::Rows, 'r', "rows"}};

// The largest first; equal ones by total time, then by text.
void sort_shapes(std::vector<ShapeTotals>& shapes, ShapeSort sort);

// `sum` of `count` things, each; nullopt for none.
std::optional<double> mean(int64_t sum, int64_t count);

}  // namespace pgtend::cli
