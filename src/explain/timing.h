// Where the time of a plan went: the self time of every node, with its error bar.
//
// EXPLAIN prints means per loop, inclusive of children and sub-plans, summed over processes. Here
// every node's inclusive time is brought to wall time (below a Gather: divided by the participants
// that really ran), and what others did is taken off exactly once: children, SubPlans (inside their
// host), InitPlans (by the one node that ran them), CTEs (split over their scans). Hence the
// invariant, checked on every plan: the self times add up to the root's time within the error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "explain/tree.h"

namespace pgtend::explain {

// Milliseconds with an error bar of ± eps.
struct Span {
  double mid = 0;
  double eps = 0;

  // The bounds, never below 0: time cannot be negative.
  double low() const { return mid - eps > 0 ? mid - eps : 0; }
  double high() const { return mid + eps > 0 ? mid + eps : 0; }
};

struct NodeTime {
  Span process;  // inclusive, summed over leader and workers
  Span wall;     // inclusive, as the user waits for it
  Span self;     // wall time of the node alone
  // A Gather's own process time when its leader's share of the work is known (VERBOSE plans): it
  // counts waiting for workers only while the leader was idle.
  std::optional<Span> gather_process_self;
  double self_blocks = 0;  // shared blocks hit and read by the node alone
};

// A InitPlan or CTE and the node its time was taken off from.
struct Charge {
  int subplan = kNone;
  int payer = kNone;  // kNone: not known
  double ms = 0;
};

struct Timing {
  std::vector<NodeTime> nodes;  // as Plan::nodes
  std::vector<Charge> charges;
  double outside_ms = 0;  // run after the root was done (unread data-modifying CTEs)
  // InitPlans whose payer is not known: this time is inside some node and counted twice.
  double unattributed_ms = 0;
  // Sum of all self times (cut at 0), and what it must be; equal within `tolerance_ms`.
  double self_sum_ms = 0;
  double expected_sum_ms = 0;
  double tolerance_ms = 0;
  // The statement's time: Execution Time, else the root's (auto_explain).
  double total_ms = 0;
  // Of the whole statement: what is neither nodes, triggers nor serialisation.
  std::optional<double> gap_ms;

  bool adds_up() const;
};

// Self times of `plan`. Without timing all times are 0 and only blocks are attributed. Thread: any.
// Cost: O(nodes × depth) at worst.
Timing measure_time(const Plan& plan);

}  // namespace pgtend::explain
