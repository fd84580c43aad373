// The signal of rules A1 and A2: sequential scans that throw most of what they read away.
#pragma once

#include <string>
#include <vector>

#include "explain/relations.h"
#include "explain/timing.h"
#include "explain/tree.h"
#include "sql/columns.h"

namespace pgtend::explain {

// The thresholds of the rules. Shares are 0 to 1.
struct Policy {
  double removed_share_min = 0.9;
  double pages_min = 100;
  double saving_share_min = 0.05;  // of the statement's time
  double saving_ms_min = 1;
  double blocks_share_min = 0.1;  // instead of time when the plan has none
  double calls_per_day = 0;       // of the statement; 0 when unknown
};

// What a rule sees. Borrows everything.
struct Examination {
  const Plan& plan;
  const Timing& timing;
  const Facts& facts;
  const Policy& policy;
};

// All sequential scans of one cause: one table (with all its partitions) and one set of conditions.
struct WastefulScan {
  std::vector<int> nodes = {};  // in the plan
  std::vector<std::string> relations =
      {};                                // "schema.name" of each, distinct, as the plan names them
  const RelationFacts* facts = nullptr;  // of the first; nullptr when unknown
  std::vector<sql::Predicate> predicates = {};
  double kept = 0;     // rows, over all nodes
  double removed = 0;  // rows
  double pages = 0;    // read by the scans
  double self_ms = 0;
  double self_low_ms = 0;        // lower bound of self_ms
  double time_share = 0;         // of the statement's time, or cost or blocks
  bool pages_estimated = false;  // from rows and width: the plan has no buffers
  bool measured = false;         // by ANALYZE; else the planner's estimate
  bool timed = false;

  double kept_share() const { return kept + removed > 0 ? kept / (kept + removed) : 1; }
};

// The scans that are worth a finding. What could not be judged is added to `warnings`.
std::vector<WastefulScan> wasteful_scans(const Examination& examination,
                                         std::vector<std::string>& warnings);

}  // namespace pgtend::explain
