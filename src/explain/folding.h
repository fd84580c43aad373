// Which nodes of a large plan need not be shown one by one: partitions that did the same, and
// subtrees that took next to no time.
#pragma once

#include <vector>

#include "explain/explain.h"

namespace pgtend::explain {

struct Fold {
  bool hidden = false;
  // Of a node that is shown: siblings like it that are hidden, with what is below them …
  int alike = 0;
  double alike_ms = 0;  // … and their time in all; 0 without timing
  int below = 0;        // nodes hidden below it
};

// One entry a node. A node that a finding is about is always shown, and so is what is above it.
// A plan that fits a screen keeps its small nodes. Thread: any. Cost: O(nodes).
std::vector<Fold> fold_plan(const Report& report);

}  // namespace pgtend::explain
