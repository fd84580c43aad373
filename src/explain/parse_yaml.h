// EXPLAIN (FORMAT YAML) and auto_explain's YAML into a Plan. EXPLAIN writes a small part of YAML:
// block lists and objects by indentation, texts always in JSON's quotes, lists of grouping sets in
// brackets. Only that part is read, so that YAML's traps (`no` is false, `1:30` a number) are none.
#pragma once

#include <string_view>

#include "base/result.h"
#include "explain/plan_builder.h"
#include "explain/tree.h"

namespace pgtend::explain {

// Whether a YAML plan may begin with `line`: "- Plan:", "Plan:", "Query Text: \"…".
bool may_begin_yaml_plan(std::string_view line);

// The YAML document that `text` begins with. What the end of `text` cuts off in the middle of a
// line, or behind "Plans:", gives a warning in the plan. The error: Invalid with the line, or
// naming what is missing or mistyped in a plan; Limit. Thread: any. Cost: O(used).
PlansRead read_yaml_plans(std::string_view text, const ParseLimits& limits);

// The one plan in `text`. Errors: as read_yaml_plans(), and Invalid for no or several plans.
Result<Plan> parse_yaml_plan(std::string_view text, const ParseLimits& limits = {});

}  // namespace pgtend::explain
