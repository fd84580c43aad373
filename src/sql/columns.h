// The conditions of an expression as typed facts: which column, which operator, against what.
// Read from the parse tree; no rule looks at text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

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
  Parameter,  // $n, an InitPlan's output, another relation's row: one value per execution
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
  std::string op = {};  // as if the column stood on the left; "IS NULL", "IS NOT NULL", "IS TRUE"
  Wrapping wrapping = Wrapping::None;
  std::string wrapped_by = {};  // name of the function, type or operator around the column
  OtherSide other = OtherSide::PerRow;
  std::vector<std::string> functions = {};  // of the other side, schema-qualified if written so
  bool relative_to_now = false;             // the other side follows the clock
  bool any = false;                         // = ANY (list)
  // Both sides as SQL: the column's without its qualifier ("lower(email)"), and the other.
  std::string expression = {};
  std::string value = {};
  std::optional<std::string> literal = {};  // the other side when it is one constant, unquoted
};

// The parts of `expression` that AND joins, in order; an expression that is no AND is one. They
// borrow it. Thread: any. Cost: O(size).
std::vector<const json::value*> conjuncts(const json::value& expression);

// Its conditions, one a conjunct, all columns alike and without the texts of their sides. Thread:
// any. Cost: O(size).
std::vector<Predicate> predicates(const json::value& expression);

// The conditions joined by AND in `text`, an expression as EXPLAIN prints it, in order; one that is
// no AND gives one. `about` is the alias of the relation whose conditions they are: columns of
// others are values to it; "" takes all columns alike. Errors: as parse_expression(). Thread: any.
// Cost: O(size).
Result<std::vector<Predicate>> conditions(std::string_view text, std::string_view about = {});

// A key of ORDER BY as EXPLAIN prints it ("t.ts DESC NULLS LAST").
struct SortKey {
  std::string qualifier = {};
  std::string column = {};  // "" when it is no plain column in its own collation and order
  bool descending = false;
  bool nulls_first = false;  // as written, or as the direction implies
};
// Errors: Invalid when it is not one key of PostgreSQL 15's grammar. Thread: any.
Result<SortKey> sort_key(std::string_view text);

// The columns that `text`, an expression as EXPLAIN prints it, reads, each once.
struct ColumnUse {
  std::string qualifier = {};
  std::string column = {};
  bool operator==(const ColumnUse&) const = default;
};
// Errors: as parse_expression(). Thread: any.
Result<std::vector<ColumnUse>> used_columns(std::string_view text);

// The names of all functions called in `tree`, schema-qualified if written so, each once.
std::vector<std::string> called_functions(const json::value& tree);

// The volatility of a built-in function that conditions often use; Unknown for others.
Volatility builtin_volatility(std::string_view function);

}  // namespace pgtend::sql
