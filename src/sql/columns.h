// The conditions of an expression as typed facts: which column, which operator, against what.
// Read from the parse tree; no rule looks at text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace pgtend::sql {

enum class OperatorClass : uint8_t {
  Equality,  // =, = ANY (array), IN
  Range,     // < <= > >=
  Other,     // anything a btree cannot seek with, OR, NOT, IS NULL …
};

// What stands around the column.
enum class Wrapping : uint8_t { None, Cast, Function, Operator, Expression };

// The side that is compared with.
enum class OtherSide : uint8_t {
  Constant,   // literals only
  Parameter,  // $n or an InitPlan's output: one value per execution
  Call,       // functions of constants and parameters: as good as their volatility
  PerRow,     // other columns or a sub-plan: differs from row to row
};

enum class Volatility : uint8_t { Immutable, Stable, Volatile, Unknown };
std::string_view name(Volatility volatility);

// One condition that must hold (a conjunct).
struct Predicate {
  std::string qualifier = {};  // alias in front of the column, "" if none
  std::string column = {};     // "" when the condition is not about exactly one column
  OperatorClass operators = OperatorClass::Other;
  std::string op = {};  // as if the column stood on the left
  Wrapping wrapping = Wrapping::None;
  std::string wrapped_by = {};  // name of the function, type or operator around the column
  OtherSide other = OtherSide::PerRow;
  std::vector<std::string> functions = {};  // of the other side, schema-qualified if written so
  bool relative_to_now = false;             // the other side follows the clock
};

// The conditions joined by AND in `expression` (from parse_expression), in order; an expression
// that is no AND gives one. Thread: any. Cost: O(size).
std::vector<Predicate> predicates(const json::value& expression);

// The names of all functions called in `tree`, schema-qualified if written so, each once.
std::vector<std::string> called_functions(const json::value& tree);
// The names of all operators used in `tree`, without schema, each once.
std::vector<std::string> used_operators(const json::value& tree);

// The volatility of a built-in function that conditions often use; Unknown for others.
Volatility builtin_volatility(std::string_view function);

}  // namespace pgtend::sql
