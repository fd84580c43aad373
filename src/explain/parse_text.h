// EXPLAIN's TEXT into a Plan with the properties that JSON would have: PostgreSQL 13 to 19, also
// with options left out (COSTS OFF), with names of nodes and lines that are not known, and cut off.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "explain/plan_builder.h"
#include "explain/text_extent.h"

namespace pgtend::explain {

// The plan in `text`: its lines as the server sends them, perhaps indented as a whole, perhaps with
// auto_explain's "Query Text: " in front. What TEXT leaves out is absent or zero. Errors: Invalid
// if the first line is no node or a second plan follows, Limit. Thread: any. Cost: O(size).
Result<Plan> parse_text_plan(std::string_view text, const ParseLimits& limits = {});
Result<Plan> parse_text_plan(TextPlan source, const ParseLimits& limits = {});

// The plans that stand in `text` one after the other, each without the blank lines around it.
std::vector<std::string_view> split_text_plans(std::string_view text);

}  // namespace pgtend::explain
