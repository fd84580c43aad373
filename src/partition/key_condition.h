// What a condition on the key lets the server leave out, and when. Read from the parse tree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "partition/key_value.h"

namespace pgtend::partition {

// How the key is called where the conditions stand.
struct KeyName {
  std::string qualifier = {};  // alias of the table (or of the sub-select that gives it)
  std::string column = {};
  std::string type = {};
  bool nullable = false;
};

struct Outcome {
  Known known = Known::Never;
  std::string why = {};
  // The condition asks for nearly everything (<>), so that nothing can be left out.
  bool everything = false;
};

// Evaluates conditions against one key. Borrows all of it. Thread: any.
class KeyConditions {
 public:
  KeyConditions(const KeyName& key, const ValueContext& values) : key_(key), values_(values) {}

  // What `condition` alone allows; nullopt when it says nothing of the key. `negated` below NOT.
  // Cost: O(size).
  std::optional<Outcome> of(const json::value& condition, bool negated = false) const;
  // The best of `conjuncts`; equalities carry over (key = o.x AND o.x = '…').
  std::optional<Outcome> best(const std::vector<const json::value*>& conjuncts) const;

  // Whether `node` is the bare key, casts to its own type left aside.
  bool bare(const json::value& node) const;
  // Whether the key stands anywhere in `node`.
  bool mentions(const json::value& node) const;
  ValueType type() const { return value_type(key_.type); }

 private:
  std::optional<Outcome> joined(const json::object& terms, bool all, bool negated) const;
  std::optional<Outcome> comparison(const json::object& expression, bool negated) const;
  std::optional<Outcome> compared(std::string op, const json::value& other, bool negated) const;
  std::optional<Outcome> row(const json::object& expression, std::string_view op,
                             bool negated) const;
  std::optional<Outcome> list(const json::object& expression, bool negated) const;
  std::optional<Outcome> array(const json::object& expression, bool negated) const;
  std::optional<Outcome> between(const json::object& expression, bool negated) const;
  std::optional<Outcome> null_test(const json::object& test, bool negated) const;
  std::optional<Outcome> exists(const json::value* select) const;
  std::optional<Outcome> sub_link(const json::object& link, bool negated) const;
  std::optional<Outcome> through(const json::value& join,
                                 const std::vector<const json::value*>& conjuncts) const;
  Outcome wrapped(const json::value& node) const;
  Outcome of_values(const json::array& values) const;

  const KeyName& key_;
  const ValueContext& values_;
};

// "=", "<", … with the operands exchanged; "" for what is none of the five.
std::string turned(std::string_view op);

}  // namespace pgtend::partition
