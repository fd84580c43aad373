// Expressions as EXPLAIN prints them (Filter, Index Cond, Output …), parsed by PostgreSQL's
// grammar. They are SQL but for sub-plan references, which are replaced token by token before
// parsing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace pgtend::sql {

// What a sub-plan reference becomes: a call of schema kSubPlanSchema, function kSubPlanFunction,
// with its name ("hashed SubPlan 1") as the argument.
inline constexpr std::string_view kSubPlanSchema = "pgtend";
inline constexpr std::string_view kSubPlanFunction = "subplan";

// The parse tree of the boolean expression `text`. "(InitPlan 1).col1" becomes a parameter and
// "(hashed SubPlan 1)" a call of pgtend.subplan(…). Errors: Invalid when it is not exactly one
// expression of PostgreSQL 15's grammar. Thread: any.
Result<json::value> parse_expression(std::string_view text);

// The same with the SQL that was parsed: "location" members of the tree are bytes of it.
struct LocatedExpression {
  std::string sql = {};
  json::value tree = {};
};
Result<LocatedExpression> parse_located(std::string_view text);

// The InitPlan outputs that `text` refers to, as whole tokens, in the order met: "$3" for
// parameters (PostgreSQL <= 16), "InitPlan 1" (17, 18), "InitPlan expr_1" (19). Thread: any.
std::vector<std::string> init_plan_references(std::string_view text);

}  // namespace pgtend::sql
