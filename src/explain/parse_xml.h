// EXPLAIN (FORMAT XML) and auto_explain's XML into a Plan. XML has lost what JSON knows: blanks and
// slashes of names are dashes, and every value is text; names and types are made as JSON has them.
#pragma once

#include <string_view>

#include "base/result.h"
#include "explain/plan_builder.h"
#include "explain/tree.h"

namespace pgtend::explain {

// Whether an XML plan may begin with `line`: "<explain", "<Plan>", "<?xml".
bool may_begin_xml_plan(std::string_view line);

// The <explain> element (or the <Query>, <Plan> of one) that `text` begins with. What the end of
// `text` cuts off gives a warning in the plan. No entities but XML's own are known, no other
// document is ever read. The error: Invalid with the line, or naming what is missing or mistyped in
// a plan; Limit. Thread: any. Cost: O(used).
PlansRead read_xml_plans(std::string_view text, const ParseLimits& limits);

// The one plan in `text`. Errors: as read_xml_plans(), and Invalid for no or several plans.
Result<Plan> parse_xml_plan(std::string_view text, const ParseLimits& limits = {});

}  // namespace pgtend::explain
