// A plan without what it tells of its database: names, literals and numbers inside of expressions
// become pseudonyms, before any rule or rendering sees it, so that all that is printed of it can be
// shown to anybody. Costs, rows, times, blocks and everything of EXPLAIN's own words stay.
#pragma once

#include "base/result.h"
#include "explain/anonymous_sql.h"
#include "explain/tree.h"

namespace pgtend::explain {

// What is not known to be EXPLAIN's own (properties of extensions, settings, labels in TEXT) is a
// name or an expression. Errors: Internal when the plan cannot be built anew. Thread: as
// `pseudonyms`. Cost: O(size log size); parses every expression.
Result<Plan> anonymous_plan(const Plan& plan, Pseudonyms& pseudonyms);

}  // namespace pgtend::explain
