#include "sql/columns.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "sql/expression.h"
#include "sql/operands.h"
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
  std::vector<ColumnName> columns;  // of the relation that is asked about
  std::vector<std::string> functions;
  bool parameter = false;
  bool per_row = false;  // whole rows, sub-plans, nested selects
};

Contents contents(const json::value& operand, std::string_view about) {
  Contents out;
  for_each_member(operand, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (!body) return;
    if (name == "ColumnRef") {
      auto column = column_name(*body);
      const bool own =
          column && (about.empty() || column->qualifier.empty() || column->qualifier == about);
      if (own) {
        out.columns.push_back(std::move(*column));
      } else if (column) {
        out.parameter = true;
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

// The value of a constant, also behind a cast that EXPLAIN writes.
std::optional<std::string> literal_of(const json::value& side) {
  const json::value* node = &side;
  while (const json::object* cast = body_of(*node, "TypeCast")) {
    node = member(*cast, "arg");
    if (!node) return {};
  }
  const json::object* constant = body_of(*node, "A_Const");
  if (!constant || member(*constant, "isnull")) return {};
  for (const std::string_view kind : {"sval", "fval", "bsval"}) {
    const json::value* holder = member(*constant, kind);
    const json::object* body = holder ? holder->if_object() : nullptr;
    if (body) return std::string(text_member(*body, kind));
  }
  for (const std::string_view kind : {"ival", "boolval"}) {
    const json::value* holder = member(*constant, kind);
    const json::object* body = holder ? holder->if_object() : nullptr;
    if (!body) continue;
    const json::value* number = member(*body, kind);
    if (kind == "boolval") return number ? "true" : "false";
    return number ? to_text(*number) : "0";  // zero is left out
  }
  return {};
}

// The texts of both sides of `expression`; `turned` when its column stands on the right.
void cut_texts(const json::object& expression, const Operands& operands, bool turned,
               Predicate& out) {
  const json::value* location = member(expression, "location");
  if (!location || !location->is_int64() || location->get_int64() < 0) return;
  OperandTexts texts = operands.around(static_cast<size_t>(location->get_int64()), out.qualifier);
  out.expression = std::move(turned ? texts.right : texts.left);
  out.value = std::move(turned ? texts.left : texts.right);
}

Predicate compared(const json::object& expression, std::string_view about,
                   const Operands& operands) {
  Predicate out;
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  out.op = dotted(member(expression, "name"));
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (out.op.starts_with(kCatalog)) out.op.erase(0, kCatalog.size());
  if (!left || !right) return out;
  Contents column_side = contents(*left, about);
  Contents value_side = contents(*right, about);
  const bool turned = column_side.columns.empty() && !value_side.columns.empty();
  if (turned) {
    std::swap(left, right);
    std::swap(column_side, value_side);
    out.op = commuted(out.op);
  }
  const std::string_view kind = text_member(expression, "kind");
  out.operators = class_of(kind, out.op);
  out.any = kind == "AEXPR_OP_ANY" || kind == "AEXPR_IN";
  out.other = other_side(value_side);
  out.functions = value_side.functions;
  out.relative_to_now = std::ranges::any_of(out.functions, [](const std::string& function) {
    const KnownFunction* entry = known(function);
    return entry && entry->clock;
  });
  out.literal = literal_of(*right);
  if (column_side.columns.size() != 1 || column_side.per_row) return out;
  out.qualifier = column_side.columns[0].qualifier;
  out.column = column_side.columns[0].column;
  Wrapper around = wrapper(*left);
  out.wrapping = around.wrapping;
  out.wrapped_by = std::move(around.name);
  cut_texts(expression, operands, turned, out);
  return out;
}

// The test that needs no second operand, and what is tested.
struct UnaryTest {
  std::string_view op = {};
  const json::value* operand = nullptr;
};

UnaryTest unary_test(const json::value& node) {
  if (const json::object* test = body_of(node, "NullTest")) {
    return {text_member(*test, "nulltesttype") == "IS_NULL" ? "IS NULL" : "IS NOT NULL",
            member(*test, "arg")};
  }
  if (const json::object* test = body_of(node, "BooleanTest")) {
    const std::string_view kind = text_member(*test, "booltesttype");
    if (kind == "IS_TRUE") return {"IS TRUE", member(*test, "arg")};
    if (kind == "IS_NOT_TRUE") return {"IS NOT TRUE", member(*test, "arg")};
    return {};
  }
  if (const json::object* negation = body_of(node, "BoolExpr")) {
    const json::value* args = member(*negation, "args");
    if (text_member(*negation, "boolop") != "NOT_EXPR" || !args || !args->is_array()) return {};
    if (args->get_array().size() != 1) return {};
    return {"NOT", &args->get_array()[0]};
  }
  return {"IS TRUE", &node};
}

Predicate to_predicate(const json::value& node, std::string_view about, const Operands& operands) {
  if (const json::object* expression = body_of(node, "A_Expr")) {
    return compared(*expression, about, operands);
  }
  Predicate out;
  const Contents inside = contents(node, about);
  if (inside.columns.size() != 1 || inside.per_row) return out;
  out.qualifier = inside.columns[0].qualifier;
  out.column = inside.columns[0].column;
  const UnaryTest test = unary_test(node);
  const bool bare = test.operand && body_of(*test.operand, "ColumnRef");
  out.wrapping = bare ? Wrapping::None : Wrapping::Expression;
  if (bare) {
    out.op = test.op;
    out.other = OtherSide::Constant;
  }
  return out;
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

std::vector<const json::value*> conjuncts(const json::value& expression) {
  std::vector<const json::value*> out;
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
      out.push_back(node);
    }
  }
  return out;
}

std::vector<Predicate> predicates(const json::value& expression) {
  std::vector<Predicate> out;
  const Operands no_texts({});
  for (const json::value* conjunct : conjuncts(expression)) {
    out.push_back(to_predicate(*conjunct, {}, no_texts));
  }
  return out;
}

Result<std::vector<Predicate>> conditions(std::string_view text, std::string_view about) {
  const LocatedExpression expression = TRY(parse_located(text));
  const Operands operands(expression.sql);
  std::vector<Predicate> out;
  for (const json::value* conjunct : conjuncts(expression.tree)) {
    out.push_back(to_predicate(*conjunct, about, operands));
  }
  return out;
}

Result<SortKey> sort_key(std::string_view text) {
  const Error not_one{ErrorCode::Invalid, "not one sort key", {}, {}};
  const Tree tree = TRY(parse(cat("SELECT 1 ORDER BY ", text, "\n")));
  const json::object* statement =
      tree.statements().size() == 1 ? tree.statements()[0].if_object() : nullptr;
  const json::value* node = statement ? member(*statement, "stmt") : nullptr;
  const json::object* select = node ? body_of(*node, "SelectStmt") : nullptr;
  const json::value* list = select ? member(*select, "sortClause") : nullptr;
  if (select && (member(*select, "limitCount") || member(*select, "lockingClause"))) return not_one;
  if (!list || !list->is_array() || list->get_array().size() != 1) return not_one;
  const json::object* key = body_of(list->get_array()[0], "SortBy");
  const json::value* value = key ? member(*key, "node") : nullptr;
  if (!value) return not_one;
  SortKey out;
  out.descending = text_member(*key, "sortby_dir") == "SORTBY_DESC";
  const std::string_view nulls = text_member(*key, "sortby_nulls");
  out.nulls_first =
      nulls == "SORTBY_NULLS_FIRST" || (nulls != "SORTBY_NULLS_LAST" && out.descending);
  const json::object* reference = body_of(*value, "ColumnRef");
  if (!reference || text_member(*key, "sortby_dir") == "SORTBY_USING") return out;
  if (const auto column = column_name(*reference)) {
    out.qualifier = column->qualifier;
    out.column = column->column;
  }
  return out;
}

Result<std::vector<ColumnUse>> used_columns(std::string_view text) {
  const json::value tree = TRY(parse_expression(text));
  std::set<std::pair<std::string, std::string>> once;
  for (ColumnName& column : contents(tree, {}).columns) {
    once.emplace(std::move(column.qualifier), std::move(column.column));
  }
  std::vector<ColumnUse> out;
  for (const auto& [qualifier, column] : once) out.push_back({qualifier, column});
  return out;
}

std::vector<std::string> called_functions(const json::value& tree) {
  std::vector<std::string> out;
  for_each_member(tree, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (name != "FuncCall" || !body) return;
    std::string function = dotted(member(*body, "funcname"));
    if (!function.empty() && std::ranges::find(out, function) == out.end()) {
      out.push_back(std::move(function));
    }
  });
  return out;
}

Volatility builtin_volatility(std::string_view function) {
  const KnownFunction* entry = known(function);
  return entry ? entry->volatility : Volatility::Unknown;
}

}  // namespace pgtend::sql
