#include "sql/columns.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "sql/expression.h"
#include "sql/parse.h"

namespace pgtend::sql {
namespace {

struct KnownFunction {
  std::string_view name;
  Volatility volatility;
  bool clock;  // its value moves with time
};

constexpr KnownFunction kFunctions[] = {
    {"now", Volatility::Stable, true},
    {"transaction_timestamp", Volatility::Stable, true},
    {"statement_timestamp", Volatility::Stable, true},
    {"current_date", Volatility::Stable, true},
    {"current_time", Volatility::Stable, true},
    {"current_timestamp", Volatility::Stable, true},
    {"localtime", Volatility::Stable, true},
    {"localtimestamp", Volatility::Stable, true},
    {"clock_timestamp", Volatility::Volatile, true},
    {"timeofday", Volatility::Volatile, true},
    {"random", Volatility::Volatile, false},
    {"gen_random_uuid", Volatility::Volatile, false},
    {"nextval", Volatility::Volatile, false},
    {"currval", Volatility::Volatile, false},
    {"pg_sleep", Volatility::Volatile, false},
    {"current_user", Volatility::Stable, false},
    {"current_setting", Volatility::Stable, false},
    {"date_trunc", Volatility::Stable, false},
    {"date_part", Volatility::Stable, false},
    {"extract", Volatility::Stable, false},
    {"timezone", Volatility::Stable, false},
    {"age", Volatility::Stable, false},
    {"to_timestamp", Volatility::Stable, false},
    {"to_date", Volatility::Stable, false},
    {"to_char", Volatility::Stable, false},
    {"make_interval", Volatility::Immutable, false},
    {"make_date", Volatility::Immutable, false},
    {"make_timestamptz", Volatility::Stable, false},
    {"lower", Volatility::Immutable, false},
    {"upper", Volatility::Immutable, false},
    {"abs", Volatility::Immutable, false},
    {"round", Volatility::Immutable, false},
    {"floor", Volatility::Immutable, false},
    {"length", Volatility::Immutable, false},
    {"btrim", Volatility::Immutable, false},
};

const KnownFunction* known(std::string_view function) {
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (function.starts_with(kCatalog)) function.remove_prefix(kCatalog.size());
  const auto* it = std::ranges::find(kFunctions, function, &KnownFunction::name);
  return it == std::end(kFunctions) ? nullptr : it;
}

std::string dotted(const json::value* names) {
  std::vector<std::string> parts;
  if (names && names->is_array()) {
    for (const json::value& part : names->get_array()) parts.emplace_back(string_value(part));
  }
  return join(parts, ".");
}

std::string_view text_member(const json::object& body, std::string_view name) {
  const json::value* value = member(body, name);
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// "SVFOP_CURRENT_TIMESTAMP_N" as "current_timestamp".
std::string value_function(const json::object& body) {
  std::string_view op = text_member(body, "op");
  constexpr std::string_view kPrefix = "SVFOP_";
  if (op.starts_with(kPrefix)) op.remove_prefix(kPrefix.size());
  if (op.ends_with("_N")) op.remove_suffix(2);
  return lower(op);
}

struct ColumnName {
  std::string qualifier;
  std::string column;
};

// The name a ColumnRef stands for; nullopt for "t.*".
std::optional<ColumnName> column_name(const json::object& reference) {
  const json::value* fields = member(reference, "fields");
  if (!fields || !fields->is_array() || fields->get_array().empty()) return {};
  const json::array& list = fields->get_array();
  const json::object* last = list.back().if_object();
  if (!last || !member(*last, "String")) return {};
  ColumnName out{{}, std::string(string_value(list.back()))};
  if (list.size() > 1) out.qualifier = string_value(list[list.size() - 2]);
  return out;
}

// What an operand is made of.
struct Contents {
  std::vector<ColumnName> columns;
  std::vector<std::string> functions;
  bool parameter = false;
  bool per_row = false;  // whole rows, sub-plans, nested selects
};

Contents contents(const json::value& operand) {
  Contents out;
  for_each_member(operand, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (!body) return;
    if (name == "ColumnRef") {
      auto column = column_name(*body);
      if (column) {
        out.columns.push_back(std::move(*column));
      } else {
        out.per_row = true;
      }
    } else if (name == "FuncCall") {
      std::string function = dotted(member(*body, "funcname"));
      if (function.starts_with(cat(kSubPlanSchema, "."))) out.per_row = true;
      out.functions.push_back(std::move(function));
    } else if (name == "SQLValueFunction") {
      out.functions.push_back(value_function(*body));
    } else if (name == "ParamRef") {
      out.parameter = true;
    } else if (name == "SubLink") {
      out.per_row = true;
    }
  });
  return out;
}

struct Wrapper {
  Wrapping wrapping = Wrapping::None;
  std::string name = {};
};

// What stands around the only column of `operand`, seen from outside.
Wrapper wrapper(const json::value& operand) {
  if (body_of(operand, "ColumnRef")) return {};
  if (const json::object* cast = body_of(operand, "TypeCast")) {
    const json::value* arg = member(*cast, "arg");
    if (arg && !body_of(*arg, "ColumnRef")) return wrapper(*arg);
    const json::value* type = member(*cast, "typeName");
    const json::object* body = type ? type->if_object() : nullptr;
    return {Wrapping::Cast, body ? dotted(member(*body, "names")) : ""};
  }
  if (const json::object* call = body_of(operand, "FuncCall")) {
    return {Wrapping::Function, dotted(member(*call, "funcname"))};
  }
  if (const json::object* expression = body_of(operand, "A_Expr")) {
    return {Wrapping::Operator, dotted(member(*expression, "name"))};
  }
  return {Wrapping::Expression, "an expression"};
}

OtherSide other_side(const Contents& side) {
  if (side.per_row || !side.columns.empty()) return OtherSide::PerRow;
  if (!side.functions.empty()) return OtherSide::Call;
  return side.parameter ? OtherSide::Parameter : OtherSide::Constant;
}

// `op` with its operands exchanged; "" if that is another operator.
std::string_view commuted(std::string_view op) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kPairs = {
      {{"=", "="}, {"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}}};
  const auto* it =
      std::ranges::find(kPairs, op, &std::pair<std::string_view, std::string_view>::first);
  return it == kPairs.end() ? std::string_view{} : it->second;
}

OperatorClass class_of(std::string_view kind, std::string_view op) {
  const bool plain = kind == "AEXPR_OP";
  if (op == "=" && (plain || kind == "AEXPR_OP_ANY" || kind == "AEXPR_IN")) {
    return OperatorClass::Equality;
  }
  const bool range = op == "<" || op == "<=" || op == ">" || op == ">=";
  return plain && range ? OperatorClass::Range : OperatorClass::Other;
}

Predicate compared(const json::object& expression) {
  Predicate out;
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  out.op = dotted(member(expression, "name"));
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (out.op.starts_with(kCatalog)) out.op.erase(0, kCatalog.size());
  if (!left || !right) return out;
  Contents column_side = contents(*left);
  Contents value_side = contents(*right);
  if (column_side.columns.empty() && !value_side.columns.empty()) {
    std::swap(left, right);
    std::swap(column_side, value_side);
    out.op = commuted(out.op);
  }
  out.operators = class_of(text_member(expression, "kind"), out.op);
  out.other = other_side(value_side);
  out.functions = value_side.functions;
  out.relative_to_now = std::ranges::any_of(out.functions, [](const std::string& function) {
    const KnownFunction* entry = known(function);
    return entry && entry->clock;
  });
  if (column_side.columns.size() != 1 || column_side.per_row) return out;
  out.qualifier = column_side.columns[0].qualifier;
  out.column = column_side.columns[0].column;
  Wrapper around = wrapper(*left);
  out.wrapping = around.wrapping;
  out.wrapped_by = std::move(around.name);
  return out;
}

Predicate to_predicate(const json::value& node) {
  if (const json::object* expression = body_of(node, "A_Expr")) return compared(*expression);
  Predicate out;
  const Contents inside = contents(node);
  if (inside.columns.size() == 1 && !inside.per_row) {
    out.qualifier = inside.columns[0].qualifier;
    out.column = inside.columns[0].column;
    out.wrapping = body_of(node, "ColumnRef") ? Wrapping::None : Wrapping::Expression;
  }
  return out;
}

void add_once(std::vector<std::string>& list, std::string name) {
  if (!name.empty() && std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
}

}  // namespace

std::string_view name(Volatility volatility) {
  switch (volatility) {
    case Volatility::Immutable:
      return "immutable";
    case Volatility::Stable:
      return "stable";
    case Volatility::Volatile:
      return "volatile";
    case Volatility::Unknown:
      return "unknown";
  }
  return "unknown";
}

std::vector<Predicate> predicates(const json::value& expression) {
  std::vector<Predicate> out;
  std::vector<const json::value*> stack{&expression};
  while (!stack.empty()) {
    const json::value* node = stack.back();
    stack.pop_back();
    const json::object* both = body_of(*node, "BoolExpr");
    const json::value* args = both ? member(*both, "args") : nullptr;
    if (both && text_member(*both, "boolop") == "AND_EXPR" && args && args->is_array()) {
      const json::array& list = args->get_array();
      for (auto it = list.end(); it != list.begin();) stack.push_back(&*--it);
    } else {
      out.push_back(to_predicate(*node));
    }
  }
  return out;
}

std::vector<std::string> called_functions(const json::value& tree) {
  std::vector<std::string> out;
  for_each_member(tree, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (name == "FuncCall" && body) add_once(out, dotted(member(*body, "funcname")));
  });
  return out;
}

std::vector<std::string> used_operators(const json::value& tree) {
  std::vector<std::string> out;
  for_each_member(tree, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (name != "A_Expr" || !body) return;
    const std::string op = dotted(member(*body, "name"));
    add_once(out, op.substr(op.rfind('.') == std::string::npos ? 0 : op.rfind('.') + 1));
  });
  return out;
}

Volatility builtin_volatility(std::string_view function) {
  const KnownFunction* entry = known(function);
  return entry ? entry->volatility : Volatility::Unknown;
}

}  // namespace pgtend::sql
