// EXPLAIN (FORMAT JSON) and auto_explain's JSON, PostgreSQL 13 to 18, into a Plan.
#pragma once

#include <string_view>

#include "base/result.h"
#include "explain/tree.h"

namespace pgtend::explain {

// Bounds for hostile input.
struct ParseLimits {
  size_t bytes_max = size_t{64} << 20;
  size_t nodes_max = 200'000;
  size_t depth_max = 1500;  // plan levels
};

// The plan in `text`: one document `[{…}]` (EXPLAIN) or `{…}` (auto_explain). Unknown node types
// are nodes, unknown properties are kept. Errors: Invalid naming what is missing or mistyped,
// Limit. Thread: any. Cost: O(size).
Result<Plan> parse_json_plan(std::string_view text, const ParseLimits& limits = {});

}  // namespace pgtend::explain
