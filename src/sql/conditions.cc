#include "sql/conditions.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "sql/columns.h"
#include "sql/expression.h"
#include "sql/parse.h"

namespace pgtend::sql {
namespace {

constexpr std::string_view kHashedMark = "hashed ";

std::string_view word_in(const json::object& body, std::string_view name) {
  const json::value* value = member(body, name);
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

const json::array* list_in(const json::object& body, std::string_view name) {
  const json::value* value = member(body, name);
  return value && value->is_array() ? &value->get_array() : nullptr;
}

// The text of a string constant, casts around it taken off; "" for anything else.
std::string_view constant_text(const json::value& node) {
  const json::value* inner = &node;
  while (const json::object* cast = body_of(*inner, "TypeCast")) {
    inner = member(*cast, "arg");
    if (!inner) return {};
  }
  const json::object* constant = body_of(*inner, "A_Const");
  const json::value* text = constant ? member(*constant, "sval") : nullptr;
  const json::object* body = text ? text->if_object() : nullptr;
  return body ? word_in(*body, "sval") : std::string_view();
}

// How many elements the array literal "{a,"b,c"}" has.
size_t elements_in(std::string_view literal) {
  if (literal.size() <= 2 || literal.front() != '{') return 0;
  size_t count = 1;
  bool quoted = false;
  for (size_t i = 1; i + 1 < literal.size(); ++i) {
    if (literal[i] == '\\') {
      ++i;
    } else if (literal[i] == '"') {
      quoted = !quoted;
    } else if (literal[i] == ',' && !quoted) {
      ++count;
    }
  }
  return count;
}

std::string last_name(const json::object& body, std::string_view list) {
  const json::array* names = list_in(body, list);
  return names && !names->empty() ? std::string(string_value(names->back())) : std::string();
}

// "x" and "a" of a ColumnRef "a.x".
struct ColumnOf {
  std::string qualifier;
  std::string column;
  bool operator==(const ColumnOf&) const = default;
};

std::vector<ColumnOf> columns_in(const json::value& tree) {
  std::vector<ColumnOf> out;
  const auto add = [&](const json::object& reference) {
    const json::array* fields = list_in(reference, "fields");
    if (!fields || fields->empty()) return;
    const size_t count = fields->size();
    ColumnOf column{count > 1 ? std::string(string_value((*fields)[count - 2])) : "",
                    std::string(string_value(fields->back()))};
    out.push_back(std::move(column));
  };
  if (const json::object* alone = body_of(tree, "ColumnRef")) {
    add(*alone);
    return out;
  }
  for_each_member(tree, [&](std::string_view name, const json::value& value) {
    if (name == "ColumnRef" && value.is_object()) add(value.get_object());
  });
  return out;
}

bool is_call(const json::value& node, std::string_view function) {
  const json::object* call = body_of(node, "FuncCall");
  const json::array* names = call ? list_in(*call, "funcname") : nullptr;
  return names && names->size() == 2 && string_value((*names)[0]) == kSubPlanSchema &&
         string_value((*names)[1]) == function;
}

std::string_view sub_plan_mark(const json::value& node) {
  const json::array* args = list_in(*body_of(node, "FuncCall"), "args");
  return args && !args->empty() ? constant_text(args->front()) : std::string_view();
}

// PostgreSQL up to 13 prints both forms of one EXISTS: "(alternatives: SubPlan 1 or hashed …)".
bool is_one_exists(const json::array& terms) {
  return terms.size() == 2 &&
         std::ranges::all_of(
             terms, [](const json::value& term) { return is_call(term, kSubPlanFunction); }) &&
         sub_plan_mark(terms[0]).starts_with(kHashedMark) !=
             sub_plan_mark(terms[1]).starts_with(kHashedMark);
}

// Where the walk stands.
struct Place {
  const json::value* node;
  bool negated = false;
  bool alternative = false;
  bool condition = true;
  bool conjunct = true;
  bool tested = false;  // inside ANY (x = …), whose operator is the test's own
};

// Whether an index could serve `term`: one of its conditions compares a bare column with a value.
bool is_seekable(const json::value& term) {
  return std::ranges::any_of(predicates(term), [](const Predicate& predicate) {
    return predicate.operators != OperatorClass::Other && predicate.other != OtherSide::PerRow &&
           predicate.wrapping == Wrapping::None && !predicate.column.empty();
  });
}

bool share_a_column(const json::array& terms) {
  if (terms.empty()) return true;
  for (const ColumnOf& column : columns_in(terms.front())) {
    if (std::ranges::all_of(terms, [&](const json::value& term) {
          const auto columns = columns_in(term);
          return std::ranges::find(columns, column) != columns.end();
        })) {
      return true;
    }
  }
  return false;
}

void note_comparison(const json::object& expression, const Place& place, ConditionShape& out) {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right) return;
  out.elements_max = std::max(out.elements_max, elements_in(constant_text(*right)));
  if (!place.conjunct || last_name(expression, "name") != "=") return;
  const auto a = columns_in(*left), b = columns_in(*right);
  out.equates_relations |= !a.empty() && !b.empty() && a.front().qualifier != b.front().qualifier;
}

void step(const Place& place, std::vector<Place>& stack, ConditionShape& out) {
  const json::value& node = *place.node;
  if (const json::object* both = body_of(node, "BoolExpr")) {
    const json::array* terms = list_in(*both, "args");
    if (!terms) return;
    const std::string_view op = word_in(*both, "boolop");
    const bool is_or = op == "OR_EXPR" && !is_one_exists(*terms);
    if (is_or && place.conjunct) {
      out.has_or = true;
      out.or_of_columns |= std::ranges::all_of(*terms, is_seekable) && !share_a_column(*terms);
    }
    for (const json::value& term : *terms) {
      stack.push_back({&term, place.negated != (op == "NOT_EXPR"), place.alternative || is_or,
                       place.condition, place.conjunct && op == "AND_EXPR"});
    }
    return;
  }
  if (is_call(node, kSubPlanFunction)) {
    std::string_view name = sub_plan_mark(node);
    const bool hashed = name.starts_with(kHashedMark);
    if (hashed) name.remove_prefix(kHashedMark.size());
    out.sub_plans.push_back(
        {std::string(name), hashed, place.negated, place.alternative, place.condition});
    return;
  }
  const bool test = is_call(node, "test");
  if (const json::object* expression = body_of(node, "A_Expr")) {
    note_comparison(*expression, place, out);
  }
  if (const json::object* call = body_of(node, "FuncCall")) {
    out.sorts_in_aggregate |=
        member(*call, "agg_distinct") != nullptr || member(*call, "agg_order") != nullptr;
  }
  Place below = place;
  below.conjunct = false;
  below.tested = place.tested || test;
  below.condition = place.condition && (below.tested || !body_of(node, "A_Expr"));
  const auto push = [&](const json::value& value) {
    if (value.is_object() || value.is_array()) {
      below.node = &value;
      stack.push_back(below);
    }
  };
  if (const json::array* list = node.if_array()) {
    for (const json::value& value : *list) push(value);
  } else if (const json::object* object = node.if_object()) {
    for (const auto& entry : *object) push(entry.value());
  }
}

}  // namespace

ConditionShape shape_of(const json::value& expression) {
  ConditionShape out;
  std::vector<Place> stack{{&expression}};
  while (!stack.empty()) {
    const Place place = stack.back();
    stack.pop_back();
    step(place, stack, out);
  }
  for (const ColumnOf& column : columns_in(expression)) {
    if (!column.qualifier.empty() &&
        std::ranges::find(out.qualifiers, column.qualifier) == out.qualifiers.end()) {
      out.qualifiers.push_back(column.qualifier);
    }
  }
  return out;
}

}  // namespace pgtend::sql
