// How wide a partition should be: rows a partition against what many partitions cost the planner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::partition {

enum class Interval : uint8_t { Day, Week, Month, Year };
std::string_view name(Interval interval);  // "day" …
// Errors: Invalid, naming the four.
Result<Interval> interval_from(std::string_view word);

struct Policy {
  double rows_max = 100e6;        // more in one partition is too coarse
  int partitions_good = 300;      // above: planning of queries without the key is felt
  int partitions_max = 2'000;     // above: refused
  double horizon_days = 3 * 365;  // how much data is expected to be kept
};

struct Choice {
  Interval interval = Interval::Month;
  double rows_per_partition = 0;  // 0: unknown
  double partitions = 0;          // over the horizon
  std::string reason = {};
};

// `rows_per_day` 0 is unknown; `span_days` is what the data covers already. Prefers months; finer
// only if a partition would hold too many rows, never beyond the good number of partitions; years
// when months would be too many. Pure.
Choice choose(double rows_per_day, double span_days, const Policy& policy);

// About how long planning takes for a query that does not name the key, in milliseconds: measured
// on 15 with two indexes a partition, between the measured counts a straight line in logarithms.
double planning_ms_without_key(double partitions);

}  // namespace pgtend::partition
