#include "partition/key_condition.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/text.h"
#include "sql/columns.h"
#include "sql/parse.h"

namespace pgtend::partition {
namespace {

using sql::body_of;
using sql::member;
using sql::member_text;

Outcome outcome_of(const Value& value) { return {.known = value.known, .why = value.why}; }
Outcome never(std::string why) { return {.known = Known::Never, .why = std::move(why)}; }

bool comparable(std::string_view op) { return !turned(op).empty(); }

// NOT (a op b) is a (result) b; "" if it is no comparison.
std::string_view negator(std::string_view op) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPairs = {
      {{"=", "<>"}, {"<>", "="}, {"<", ">="}, {"<=", ">"}, {">", "<="}, {">=", "<"}}};
  const auto it =
      std::ranges::find(kPairs, op, &std::pair<std::string_view, std::string_view>::first);
  return it == kPairs.end() ? std::string_view() : it->second;
}

const json::array* row_items(const json::value& node) {
  const json::object* row = body_of(node, "RowExpr");
  return row ? items_of(*row, "args") : nullptr;
}

// Whether the planner folds the condition to false: `$1 IS NULL` when the values are known.
bool folds_to_false(const json::value& node, bool custom) {
  const json::object* test = body_of(node, "NullTest");
  const json::value* arg = test ? member(*test, "arg") : nullptr;
  while (arg && body_of(*arg, "TypeCast")) arg = member(*body_of(*arg, "TypeCast"), "arg");
  return custom && arg && body_of(*arg, "ParamRef") &&
         member_text(*test, "nulltesttype") == "IS_NULL";
}

// The other column of "a.x = b.y" when one side is `of`; nullptr else.
const json::value* equated(const json::value& condition,
                           const std::function<bool(const json::value&)>& of) {
  const json::object* expression = body_of(condition, "A_Expr");
  if (!expression || member_text(*expression, "kind") != "AEXPR_OP") return nullptr;
  if (last_name(*expression, "name") != "=") return nullptr;
  const json::value* left = member(*expression, "lexpr");
  const json::value* right = member(*expression, "rexpr");
  if (!left || !right) return nullptr;
  if (of(*left)) return right;
  return of(*right) ? left : nullptr;
}

}  // namespace

std::string turned(std::string_view op) {
  if (op == "=") return "=";
  if (op == "<") return ">";
  if (op == ">") return "<";
  if (op == "<=") return ">=";
  return op == ">=" ? "<=" : "";
}

bool KeyConditions::bare(const json::value& node) const {
  const json::value* inner = &node;
  while (const json::object* cast = body_of(*inner, "TypeCast")) {
    const json::value* type = member(*cast, "typeName");
    const json::value* arg = member(*cast, "arg");
    if (!type || !type->is_object() || !arg) return false;
    // timestamptz(0) rounds.
    if (member(type->get_object(), "typmods")) return false;
    const ValueType to = value_type(last_name(type->get_object(), "names"));
    if (to == ValueType::Other || to != this->type()) return false;
    inner = arg;
  }
  const json::object* reference = body_of(*inner, "ColumnRef");
  if (!reference) return false;
  const NamedColumn name = named_column(*reference);
  return name.column == key_.column &&
         (name.qualifier == key_.qualifier ||
          (name.qualifier.empty() &&
           (!values_.side || values_.side("", name.column) == Side::Own)));
}

bool KeyConditions::mentions(const json::value& node) const {
  if (bare(node)) return true;
  bool found = false;
  sql::for_each_member(node, [&](std::string_view name, const json::value& value) {
    if (name == "ColumnRef" && value.is_object()) {
      found |= bare(json::object{{"ColumnRef", value}});
    }
  });
  return found;
}

Outcome KeyConditions::wrapped(const json::value& node) const {
  const std::vector<sql::Predicate> predicate = sql::predicates(node);
  const std::string by = predicate.empty() ? "" : predicate.front().wrapped_by;
  if (by.empty()) return never(cat(key_.column, " stands inside an expression"));
  return never(cat(key_.column, " stands inside ", by,
                   ": the server compares bounds with the bare column only"));
}

std::optional<Outcome> KeyConditions::joined(const json::object& terms, bool all,
                                             bool negated) const {
  const json::array* args = items_of(terms, "args");
  std::optional<Outcome> out;
  if (!args) return out;
  for (const json::value& arg : *args) {
    if (!all && !negated && folds_to_false(arg, values_.custom)) continue;
    const std::optional<Outcome> part = of(arg, negated);
    if (all) {
      if (part && (!out || part->known < out->known)) out = part;
      continue;
    }
    if (!part) {
      return mentions(terms) ? std::optional(never("an arm of the OR says nothing of the key"))
                             : std::nullopt;
    }
    if (!out || part->known > out->known) out = part;
  }
  return out;
}

Outcome KeyConditions::of_values(const json::array& values) const {
  Outcome out{.known = Known::AtPlan};
  for (const json::value& value : values) {
    Outcome part = outcome_of(compared_with(type(), value_of(value, values_)));
    if (part.known > out.known) out = std::move(part);
  }
  return out;
}

std::optional<Outcome> KeyConditions::compared(std::string op, const json::value& other,
                                               bool negated) const {
  if (negated) op = negator(op);
  if (op == "<>") {
    return Outcome{.known = Known::Never,
                   .why = "<> excludes one value, hence no partition",
                   .everything = true};
  }
  if (!comparable(op)) return never("the operator is none that partitions are searched by");
  return outcome_of(compared_with(type(), value_of(other, values_)));
}

// (a, b) = (x, y) is a = x AND b = y; (a, b) > (x, y) is one condition of its own.
std::optional<Outcome> KeyConditions::row(const json::object& expression, std::string_view op,
                                          bool negated) const {
  const json::array* left = row_items(*member(expression, "lexpr"));
  const json::array* right = row_items(*member(expression, "rexpr"));
  if (!left || !right || left->size() != right->size()) return std::nullopt;
  std::optional<Outcome> out;
  bool mentioned = false;
  for (size_t i = 0; i < left->size(); ++i) {
    const bool here = bare((*left)[i]), there = bare((*right)[i]);
    mentioned |= here || there;
    if (op != "=" || negated || (!here && !there)) continue;
    const auto part = compared("=", here ? (*right)[i] : (*left)[i], false);
    if (part && (!out || part->known < out->known)) out = part;
  }
  if (!mentioned) return std::nullopt;
  return out ? out : never("a comparison of rows is no condition on the key alone");
}

std::optional<Outcome> KeyConditions::list(const json::object& expression, bool negated) const {
  const json::value* left = member(expression, "lexpr");
  const json::array* values = items_of(expression, "rexpr");
  if (!left || !values) return std::nullopt;
  const bool is_in = (last_name(expression, "name") == "=") != negated;
  if (const json::array* fields = row_items(*left)) {
    const auto at = std::ranges::find_if(*fields, [&](const json::value& f) { return bare(f); });
    if (at == fields->end()) return std::nullopt;
    if (!is_in) return never("NOT IN excludes single rows, hence no partition");
    json::array keys;
    for (const json::value& value : *values) {
      const json::array* parts = row_items(value);
      if (!parts || parts->size() != fields->size()) return never("a list of rows");
      keys.push_back((*parts)[static_cast<size_t>(at - fields->begin())]);
    }
    return of_values(keys);
  }
  if (!bare(*left)) return mentions(*left) ? std::optional(wrapped(*left)) : std::nullopt;
  if (!is_in) {
    return Outcome{.known = Known::Never,
                   .why = "NOT IN excludes single values, hence no partition",
                   .everything = true};
  }
  return of_values(*values);
}

// key = ANY (array)
std::optional<Outcome> KeyConditions::array(const json::object& expression, bool negated) const {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right) return std::nullopt;
  if (!bare(*left)) return mentions(*left) ? std::optional(wrapped(*left)) : std::nullopt;
  const std::string op = last_name(expression, "name");
  if (negated || op == "<>" || !comparable(op)) {
    return never("the operator excludes no partition");
  }
  const json::value* inner = right;
  while (const json::object* cast = body_of(*inner, "TypeCast")) inner = member(*cast, "arg");
  if (const json::object* elements = body_of(*inner, "A_ArrayExpr")) {
    const json::array* values = items_of(*elements, "elements");
    return values ? of_values(*values) : Outcome{.known = Known::AtPlan};
  }
  const Value value = value_of(*inner, values_);
  if (value.known == Known::AtPlan && (body_of(*inner, "A_Const") || value.parameter)) {
    return Outcome{.known = Known::AtPlan};
  }
  return never("an array that is not written out is not looked into");
}

std::optional<Outcome> KeyConditions::between(const json::object& expression, bool negated) const {
  const json::value* left = member(expression, "lexpr");
  const json::array* ends = items_of(expression, "rexpr");
  if (!left || !ends || ends->size() != 2) return std::nullopt;
  if (!bare(*left)) return mentions(*left) ? std::optional(wrapped(*left)) : std::nullopt;
  const std::string kind = member_text(expression, "kind");
  const bool outside = (kind.starts_with("AEXPR_NOT_")) != negated;
  Outcome low = outcome_of(compared_with(type(), value_of((*ends)[0], values_)));
  Outcome high = outcome_of(compared_with(type(), value_of((*ends)[1], values_)));
  const bool low_first = low.known <= high.known;
  return low_first != outside ? low : high;
}

std::optional<Outcome> KeyConditions::null_test(const json::object& test, bool negated) const {
  const json::value* arg = member(test, "arg");
  if (!arg || !mentions(*arg)) return std::nullopt;
  const bool is_null = (member_text(test, "nulltesttype") == "IS_NULL") != negated;
  if (bare(*arg) && is_null) return Outcome{.known = Known::AtPlan};
  if (bare(*arg)) return std::nullopt;  // holds for all rows of ranges
  return wrapped(*arg);
}

// EXISTS (SELECT … WHERE o.x = t.key) is a join.
std::optional<Outcome> KeyConditions::exists(const json::value* select) const {
  const json::object* body = select ? body_of(*select, "SelectStmt") : nullptr;
  const json::value* where = body ? member(*body, "whereClause") : nullptr;
  if (!where || key_.qualifier.empty()) return std::nullopt;
  for (const json::value* conjunct : sql::conjuncts(*where)) {
    const auto named = [&](const json::value& node) {
      const json::object* reference = body_of(node, "ColumnRef");
      return reference && named_column(*reference).qualifier == key_.qualifier && bare(node);
    };
    const json::value* other = equated(*conjunct, named);
    if (other && body_of(*other, "ColumnRef")) {
      return Outcome{.known = Known::Joined, .why = "its values come from the rows of EXISTS"};
    }
  }
  return std::nullopt;
}

std::optional<Outcome> KeyConditions::sub_link(const json::object& link, bool negated) const {
  const json::value* test = member(link, "testexpr");
  const json::value* select = member(link, "subselect");
  if (!negated && member_text(link, "subLinkType") == "EXISTS_SUBLINK") return exists(select);
  if (!test || !mentions(*test)) return std::nullopt;
  const std::string op = last_name(link, "operName");
  const bool is_in = member_text(link, "subLinkType") == "ANY_SUBLINK" && (op.empty() || op == "=");
  if (!bare(*test) || !is_in || negated || !select || correlated(*select)) {
    return never("the list of the sub-select is looked into for each row");
  }
  return Outcome{.known = Known::Joined, .why = "its values come from the rows of the sub-select"};
}

std::optional<Outcome> KeyConditions::comparison(const json::object& expression,
                                                 bool negated) const {
  const std::string kind = member_text(expression, "kind");
  if (kind == "AEXPR_IN") return list(expression, negated);
  if (kind == "AEXPR_OP_ANY" || kind == "AEXPR_OP_ALL") return array(expression, negated);
  if (kind.find("BETWEEN") != std::string::npos) return between(expression, negated);
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right) return std::nullopt;
  if (kind == "AEXPR_NOT_DISTINCT" || kind == "AEXPR_DISTINCT") {
    if (!mentions(*left) && !mentions(*right)) return std::nullopt;
    return never("IS DISTINCT FROM is no operator that partitions are searched by");
  }
  const std::string op = last_name(expression, "name");
  if (row_items(*left) || row_items(*right)) return row(expression, op, negated);
  if (bare(*left)) return compared(op, *right, negated);
  if (bare(*right)) {
    const std::string other = turned(op);
    return compared(other.empty() ? op : other, *left, negated);
  }
  if (mentions(*left)) return wrapped(json::object{{"A_Expr", expression}});
  if (mentions(*right)) return wrapped(json::object{{"A_Expr", expression}});
  return std::nullopt;
}

std::optional<Outcome> KeyConditions::of(const json::value& condition, bool negated) const {
  if (const json::object* expression = body_of(condition, "A_Expr")) {
    return comparison(*expression, negated);
  }
  if (const json::object* terms = body_of(condition, "BoolExpr")) {
    const std::string op = member_text(*terms, "boolop");
    if (op == "NOT_EXPR") {
      const json::array* args = items_of(*terms, "args");
      return args && args->size() == 1 ? of(args->front(), !negated) : std::nullopt;
    }
    return joined(*terms, (op == "AND_EXPR") != negated, negated);
  }
  if (const json::object* test = body_of(condition, "NullTest")) return null_test(*test, negated);
  if (const json::object* link = body_of(condition, "SubLink")) return sub_link(*link, negated);
  return mentions(condition) ? std::optional(wrapped(condition)) : std::nullopt;
}

// What another column of an equality with the key is equated with, too.
std::optional<Outcome> KeyConditions::through(
    const json::value& join, const std::vector<const json::value*>& conjuncts) const {
  const json::value* other = equated(join, [&](const json::value& node) { return bare(node); });
  const json::object* reference = other ? body_of(*other, "ColumnRef") : nullptr;
  std::optional<Outcome> out;
  if (!reference) return out;
  const NamedColumn name = named_column(*reference);
  const auto same = [&](const json::value& node) {
    const json::object* column = body_of(node, "ColumnRef");
    if (!column) return false;
    const NamedColumn again = named_column(*column);
    return again.column == name.column && again.qualifier == name.qualifier;
  };
  for (const json::value* also : conjuncts) {
    const json::value* value = also == &join ? nullptr : equated(*also, same);
    if (!value || bare(*value)) continue;
    Outcome found = outcome_of(compared_with(type(), value_of(*value, values_)));
    if (!out || found.known < out->known) out = std::move(found);
  }
  return out;
}

std::optional<Outcome> KeyConditions::best(const std::vector<const json::value*>& conjuncts) const {
  std::optional<Outcome> out;
  for (const json::value* conjunct : conjuncts) {
    std::optional<Outcome> part = of(*conjunct);
    if (part && part->known == Known::Joined) {
      const auto other = through(*conjunct, conjuncts);
      if (other && other->known < part->known) part = other;
    }
    if (part && (!out || part->known < out->known)) out = part;
  }
  return out;
}

}  // namespace pgtend::partition
