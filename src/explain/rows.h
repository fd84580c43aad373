// How many rows a node handled and how far the planner was off.
#pragma once

#include <string_view>

#include "explain/tree.h"

namespace pgtend::explain {

// Rows over all loops and processes with the rounding of the version that printed them.
struct RowCount {
  double actual = 0;    // 0 without ANALYZE
  double error = 0;     // ± of `actual`
  double estimate = 0;  // comparable with `actual`
  double factor = 1;    // how far apart, both floored at 1; below 1 never
  bool over = false;    // the planner expected more
  // "" when `factor` means what it says; else why fewer or more rows are no mistake of the planner:
  // "may stop early", "never executed", "not counted" …
  std::string_view excuse = {};
};

// How many processes' shares make up a partial node's estimate: workers plus what remains of the
// leader (PostgreSQL's get_parallel_divisor).
double parallel_divisor(double workers, bool leader_participates);

// The counts of node `id`. Thread: any. Cost: O(depth).
RowCount count_rows(const Plan& plan, int id);

// The total of a mean-per-loop property ("Rows Removed by Filter") of node `id`, with its error.
// Zero with error 0 if the plan does not print it.
struct RemovedRows {
  double total = 0;
  double error = 0;
};
RemovedRows removed_rows(const Plan& plan, int id, std::string_view property);

}  // namespace pgtend::explain
