// What the key of a partitioned table is compared with: of which type, and from when on its value
// is known, which decides when the server can leave partitions out. Read from the parse tree.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace pgtend::partition {

// Types as far as comparing times needs them. Unknown: a bare literal or parameter, which takes the
// type of what it is compared with.
enum class ValueType : uint8_t { Unknown, Date, Timestamp, Timestamptz, Interval, Number, Other };
// "timestamp with time zone", "timestamp(3) without time zone", "timestamptz", "date" …
ValueType value_type(std::string_view type);

// From when on a value is known, earliest first.
enum class Known : uint8_t {
  AtPlan,   // literals, and immutable functions of such
  AtStart,  // parameters, stable functions: once an execution
  Running,  // a sub-select, a row of the query around: when the executor comes to it
  Joined,   // the row of another table of the same FROM: if the planner takes a nested loop
  Never,    // differs from row to row, or volatile
};

struct Value {
  ValueType type = ValueType::Unknown;
  Known known = Known::AtPlan;
  bool plain = true;       // literals and functions of the server only: may be evaluated alone
  bool parameter = false;  // holds $n
  bool clock = false;      // follows the clock
  std::string why = {};    // of what decides `known`: "now() is read when …"
};

// Whose column a name means, seen from the conditions on the key.
enum class Side : uint8_t { Own, Sibling, Outer };

struct ValueContext {
  // Values of $n are known to the planner (a custom plan).
  bool custom = false;
  // Volatility ('i', 's', 'v') of functions that are not the server's; those that are not here are
  // taken as volatile.
  const std::map<std::string, char>* functions = nullptr;
  std::function<Side(std::string_view qualifier, std::string_view column)> side = {};
};

// What `node`, an expression, is. Thread: any. Cost: O(size).
Value value_of(const json::value& node, const ValueContext& context);

// `value` compared with a key of type `key`: operators across types may depend on the session's
// time zone, so they are known at start-up only.
Value compared_with(ValueType key, Value value);

// The last part of a list of names, in lower case as the parser gives it; "" if there is none.
std::string last_name(const json::object& body, std::string_view list);
// Qualifier ("" if none) and name of a ColumnRef; {"", ""} for `*`.
struct NamedColumn {
  std::string qualifier = {};
  std::string column = {};
};
NamedColumn named_column(const json::object& reference);
// The items of member `name` when it is an array, or a node List; nullptr else.
const json::array* items_of(const json::object& body, std::string_view name);
// Whether the sub-select names columns of tables that it does not read itself.
bool correlated(const json::value& subselect);

}  // namespace pgtend::partition
