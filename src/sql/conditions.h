// What rules ask about an expression beside its predicates: how sub-plans, disjunctions, lists and
// aggregates stand in it. Read from the parse tree.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace pgtend::sql {

struct SubPlanUse {
  std::string name = {};  // "SubPlan 1"
  bool hashed = false;
  bool negated = false;      // below a NOT
  bool alternative = false;  // below an OR
  // It is the truth value itself (EXISTS, IN), not a value that is compared.
  bool condition = false;
};

struct ConditionShape {
  std::vector<SubPlanUse> sub_plans = {};
  // A conjunct that equates columns of two relations.
  bool equates_relations = false;
  // A conjunct that is an OR whose terms share no column, and an index could serve each.
  bool or_of_columns = false;
  bool has_or = false;                       // a conjunct is an OR
  size_t elements_max = 0;                   // of the longest constant list, "= ANY ('{…}')"
  bool sorts_in_aggregate = false;           // an aggregate with DISTINCT or ORDER BY inside
  std::vector<std::string> qualifiers = {};  // of all columns, each once
};

// The shape of `expression` (from parse_expression). Thread: any. Cost: O(size).
ConditionShape shape_of(const json::value& expression);

}  // namespace pgtend::sql
