// Where the planner was wrong first, and what came of it. Pure.
#pragma once

#include <string>
#include <vector>

#include "explain/access.h"
#include "explain/rows.h"
#include "sql/columns.h"

namespace pgtend::explain {

// A node whose own estimate is wrong while those below it are right.
struct Misestimate {
  int node = kNone;
  RowCount rows = {};
  // The nested loop that repeats its inner side because of it; kNone if there is none.
  int loop = kNone;
  double loops = 0;
  // The highest node whose choice rests on the estimate: a join, sort or aggregate; else the node.
  int affected = kNone;
  double affected_ms = 0;  // wall time of that, lower bound
  double affected_share = 0;
  const RelationFacts* facts = nullptr;         // of the table a scan reads
  std::vector<sql::Predicate> predicates = {};  // of a scan: all of its conditions
};

// Those of a plan that was run with times, with what they may cost at least as much as the policy
// wants. One a relation (with its partitions). Thread: any.
std::vector<Misestimate> lowest_misestimates(const Examination& in);

}  // namespace pgtend::explain
