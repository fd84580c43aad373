// EXPLAIN (FORMAT JSON) and auto_explain's JSON, PostgreSQL 13 to 18, into a Plan. A tokenizer of
// our own, because Boost.JSON calls itself for each level of a text.
#pragma once

#include <string_view>

#include "base/result.h"
#include "explain/plan_builder.h"
#include "explain/tree.h"

namespace pgtend::explain {

// The plans in the JSON value that `text` begins with. A value that the end of `text` cuts off
// gives what was read of it, with a warning in the plan. The error: Invalid with the byte offset,
// or naming what is missing or mistyped in a plan; Limit. Thread: any. Cost: O(used).
PlansRead read_json_plans(std::string_view text, const ParseLimits& limits);

// The plan in `text`: one document `[{…}]` (EXPLAIN) or `{…}` (auto_explain). Unknown node types
// are nodes, unknown properties are kept. Errors: as read_json_plans(), and Invalid for no or
// several plans. Thread: any. Cost: O(size).
Result<Plan> parse_json_plan(std::string_view text, const ParseLimits& limits = {});

}  // namespace pgtend::explain
