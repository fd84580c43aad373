#include "partition/key_value.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"
#include "sql/parse.h"

namespace pgtend::partition {
namespace {

using sql::body_of;
using sql::member;
using sql::member_text;

// Functions of the server that stand beside time keys. `type` Unknown: that of the last argument.
struct TimeFunction {
  std::string_view name;
  ValueType type;
  char volatility;  // 't': stable with a time zone, else immutable
  bool clock;
};
constexpr std::array kTimeFunctions = {
    TimeFunction{"now", ValueType::Timestamptz, 's', true},
    TimeFunction{"transaction_timestamp", ValueType::Timestamptz, 's', true},
    TimeFunction{"statement_timestamp", ValueType::Timestamptz, 's', true},
    TimeFunction{"clock_timestamp", ValueType::Timestamptz, 'v', true},
    TimeFunction{"timeofday", ValueType::Other, 'v', true},
    TimeFunction{"random", ValueType::Number, 'v', false},
    TimeFunction{"date_trunc", ValueType::Unknown, 't', false},
    TimeFunction{"date_bin", ValueType::Unknown, 'i', false},
    TimeFunction{"make_timestamptz", ValueType::Timestamptz, 's', false},
    TimeFunction{"make_timestamp", ValueType::Timestamp, 'i', false},
    TimeFunction{"make_date", ValueType::Date, 'i', false},
    TimeFunction{"make_interval", ValueType::Interval, 'i', false},
    TimeFunction{"to_date", ValueType::Date, 's', false},
    TimeFunction{"age", ValueType::Interval, 's', false},
    TimeFunction{"extract", ValueType::Number, 't', false},
    TimeFunction{"date_part", ValueType::Number, 't', false},
    TimeFunction{"justify_days", ValueType::Interval, 'i', false},
    TimeFunction{"justify_hours", ValueType::Interval, 'i', false},
    TimeFunction{"justify_interval", ValueType::Interval, 'i', false},
    TimeFunction{"abs", ValueType::Number, 'i', false},
    TimeFunction{"floor", ValueType::Number, 'i', false},
    TimeFunction{"round", ValueType::Number, 'i', false},
};

bool zoned(ValueType type) { return type == ValueType::Timestamptz; }
bool is_time(ValueType type) {
  return type == ValueType::Date || type == ValueType::Timestamp || zoned(type);
}

// Takes in that `part` is needed as well.
void need(Value& whole, const Value& part) {
  if (part.known > whole.known) {
    whole.known = part.known;
    whole.why = part.why;
  }
  whole.plain &= part.plain;
  whole.parameter |= part.parameter;
  whole.clock |= part.clock;
}

void stable(Value& value, std::string why) {
  if (value.known >= Known::AtStart) return;
  value.known = Known::AtStart;
  value.why = std::move(why);
}

Value varies(std::string why) {
  return {.type = ValueType::Other, .known = Known::Never, .plain = false, .why = std::move(why)};
}

Value value_of_cast(const json::object& cast, const ValueContext& context) {
  const json::value* arg = member(cast, "arg");
  const json::value* type = member(cast, "typeName");
  if (!arg || !type || !type->is_object()) return varies("a cast");
  Value out = value_of(*arg, context);
  const std::string name = last_name(type->get_object(), "names");
  const ValueType to = value_type(name);
  // The parser reads a literal by the type's own input function: a constant.
  if (out.type != ValueType::Unknown && out.type != to) {
    const bool by_zone = (zoned(out.type) && is_time(to)) || (is_time(out.type) && zoned(to));
    if (by_zone || out.type == ValueType::Other) {
      stable(out, cat("the cast to ", name, " depends on the session's time zone"));
    }
  }
  if (to == ValueType::Other && sql::member(type->get_object(), "names")) {
    // A type that is not the server's has an input function of its own.
    const json::array* names = items_of(type->get_object(), "names");
    out.plain &= names && names->size() == 2 && sql::string_value(names->front()) == "pg_catalog";
  }
  out.type = to;
  return out;
}

Value value_of_clock(const json::object& body) {
  const std::string op = member_text(body, "op");
  Value out{.known = Known::AtStart, .clock = true};
  if (op.starts_with("SVFOP_CURRENT_DATE")) {
    out.type = ValueType::Date;
    out.why = "current_date is read when the execution starts";
  } else if (op.starts_with("SVFOP_CURRENT_TIMESTAMP")) {
    out.type = ValueType::Timestamptz;
    out.why = "current_timestamp is read when the execution starts";
  } else if (op.starts_with("SVFOP_LOCALTIMESTAMP")) {
    out.type = ValueType::Timestamp;
    out.why = "localtimestamp is read when the execution starts";
  } else {
    out.type = ValueType::Other;
    out.clock = false;
    out.why = "it is known when the execution starts";
  }
  return out;
}

bool servers_own(const json::object& call) {
  const json::array* names = items_of(call, "funcname");
  return names && (names->size() == 1 || sql::string_value(names->front()) == "pg_catalog");
}

// pg_catalog.timezone(zone, time), which AT TIME ZONE is.
void to_zone(Value& out, ValueType argument) {
  out.type = argument == ValueType::Timestamp || argument == ValueType::Date
                 ? ValueType::Timestamptz
                 : ValueType::Timestamp;
}

Value value_of_call(const json::object& call, const ValueContext& context) {
  Value out;
  ValueType last = ValueType::Unknown;
  const json::array* args = items_of(call, "args");
  if (args) {
    for (const json::value& arg : *args) {
      const Value part = value_of(arg, context);
      need(out, part);
      last = part.type;
    }
  }
  const std::string name = last_name(call, "funcname");
  if (context.functions && context.functions->contains(name)) {
    out.type = ValueType::Other;
    out.plain = false;
    const char volatility = context.functions->at(name);
    if (volatility == 'v') return varies(cat(name, "() is volatile: called for each row"));
    if (volatility == 's') stable(out, cat(name, "() is stable: called when the execution starts"));
    return out;
  }
  if (name == "timezone" && servers_own(call)) {
    to_zone(out, last);
    return out;
  }
  if (name == "to_timestamp") {
    out.type = ValueType::Timestamptz;
    if (args && args->size() == 2) stable(out, "to_timestamp() depends on the session's time zone");
    return out;
  }
  const auto known = std::ranges::find(kTimeFunctions, name, &TimeFunction::name);
  if (known == kTimeFunctions.end() || !servers_own(call)) {
    return varies(cat(name, "() may be volatile: called for each row"));
  }
  if (known->volatility == 'v') return varies(cat(name, "() is volatile: called for each row"));
  const bool by_zone = last != ValueType::Timestamp && last != ValueType::Interval;
  out.type = known->type;
  if (out.type == ValueType::Unknown) {
    // date_trunc(text, date) is date_trunc(text, timestamptz).
    out.type = by_zone ? ValueType::Timestamptz : last;
  }
  out.clock |= known->clock;
  if (known->volatility == 's' || (known->volatility == 't' && by_zone)) {
    stable(out, known->clock ? cat(name, "() is read when the execution starts")
                             : cat(name, "() depends on the session's time zone"));
  }
  return out;
}

Value value_of_operator(const json::object& expression, const ValueContext& context) {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  const std::string op = last_name(expression, "name");
  if (!right || member_text(expression, "kind") != "AEXPR_OP") return varies("an expression");
  Value out = value_of(*right, context);
  if (!left) return out;
  const Value a = value_of(*left, context);
  const Value b = out;
  need(out, a);
  if (op != "+" && op != "-" && op != "*" && op != "/") {
    out.type = ValueType::Other;
    stable(out, "its operator may depend on the session");
    out.plain = false;
    return out;
  }
  const ValueType time = is_time(a.type) ? a.type : b.type;
  const bool both = is_time(a.type) && is_time(b.type);
  if (both) {
    out.type = a.type == ValueType::Date && b.type == ValueType::Date ? ValueType::Number
                                                                      : ValueType::Interval;
    return out;
  }
  if (!is_time(time)) {
    const bool interval = a.type == ValueType::Interval || b.type == ValueType::Interval;
    out.type = interval ? ValueType::Interval : a.type;
    return out;
  }
  const ValueType other = is_time(a.type) ? b.type : a.type;
  out.type = time;
  if (time == ValueType::Date && other == ValueType::Interval) out.type = ValueType::Timestamp;
  if (zoned(time)) stable(out, "time plus interval depends on the session's time zone");
  return out;
}

Value value_of_parts(const json::array* parts, const ValueContext& context) {
  Value out;
  if (!parts) return varies("an expression");
  for (const json::value& part : *parts) {
    const Value value = value_of(part, context);
    if (out.type == ValueType::Unknown) out.type = value.type;
    need(out, value);
  }
  return out;
}

Value value_of_column(const json::object& reference, const ValueContext& context) {
  const NamedColumn name = named_column(reference);
  const std::string shown = cat(name.qualifier, name.qualifier.empty() ? "" : ".", name.column);
  Value out{.type = ValueType::Unknown, .plain = false};
  switch (context.side ? context.side(name.qualifier, name.column) : Side::Own) {
    case Side::Own:
      return varies(cat(shown, " differs from row to row"));
    case Side::Sibling:
      out.known = Known::Joined;
      out.why = cat(shown, " comes from the rows of another table");
      break;
    case Side::Outer:
      out.known = Known::Running;
      out.why = cat(shown, " comes from the row of the query around");
      break;
  }
  return out;
}

}  // namespace

ValueType value_type(std::string_view type) {
  const std::string name = lower(type);
  if (name == "date") return ValueType::Date;
  if (name.starts_with("timestamp")) {
    return name == "timestamptz" || name.ends_with("with time zone") ? ValueType::Timestamptz
                                                                     : ValueType::Timestamp;
  }
  if (name == "interval") return ValueType::Interval;
  for (const std::string_view number :
       {"int2", "int4", "int8", "integer", "bigint", "numeric", "float8", "float4"}) {
    if (name == number) return ValueType::Number;
  }
  return ValueType::Other;
}

const json::array* items_of(const json::object& body, std::string_view name) {
  const json::value* value = member(body, name);
  if (!value) return nullptr;
  if (value->is_array()) return &value->get_array();
  const json::object* list = body_of(*value, "List");
  const json::value* items = list ? member(*list, "items") : nullptr;
  return items && items->is_array() ? &items->get_array() : nullptr;
}

std::string last_name(const json::object& body, std::string_view list) {
  const json::array* names = items_of(body, list);
  return names && !names->empty() ? std::string(sql::string_value(names->back())) : std::string();
}

NamedColumn named_column(const json::object& reference) {
  const json::array* fields = items_of(reference, "fields");
  if (!fields || fields->empty()) return {};
  NamedColumn out{.column = std::string(sql::string_value(fields->back()))};
  if (fields->size() > 1) out.qualifier = sql::string_value((*fields)[fields->size() - 2]);
  return out;
}

bool correlated(const json::value& subselect) {
  std::set<std::string> own;
  std::set<std::string> used;
  sql::for_each_member(subselect, [&](std::string_view name, const json::value& value) {
    const json::object* body = value.if_object();
    if (!body) return;
    if (name == "ColumnRef") {
      const NamedColumn column = named_column(*body);
      if (!column.qualifier.empty()) used.insert(column.qualifier);
    } else if (name == "alias") {
      own.insert(member_text(*body, "aliasname"));
    } else if (name == "RangeVar" || name == "relation") {
      if (!member(*body, "alias")) own.insert(member_text(*body, "relname"));
    }
  });
  return !std::ranges::includes(own, used);
}

Value value_of(const json::value& node, const ValueContext& context) {
  if (const json::object* constant = body_of(node, "A_Const")) {
    const bool number = member(*constant, "ival") || member(*constant, "fval");
    return {.type = number ? ValueType::Number : ValueType::Unknown};
  }
  if (body_of(node, "ParamRef")) {
    Value out{.plain = false, .parameter = true};
    if (!context.custom) stable(out, "a parameter's value is given when the execution starts");
    return out;
  }
  if (const json::object* cast = body_of(node, "TypeCast")) return value_of_cast(*cast, context);
  if (const json::object* clock = body_of(node, "SQLValueFunction")) return value_of_clock(*clock);
  if (const json::object* call = body_of(node, "FuncCall")) return value_of_call(*call, context);
  if (const json::object* expression = body_of(node, "A_Expr")) {
    return value_of_operator(*expression, context);
  }
  if (const json::object* reference = body_of(node, "ColumnRef")) {
    return value_of_column(*reference, context);
  }
  for (const std::string_view type : {"CoalesceExpr", "MinMaxExpr"}) {
    if (const json::object* parts = body_of(node, type)) {
      return value_of_parts(items_of(*parts, "args"), context);
    }
  }
  if (const json::object* link = body_of(node, "SubLink")) {
    const json::value* select = member(*link, "subselect");
    if (member_text(*link, "subLinkType") != "EXPR_SUBLINK" || !select || correlated(*select)) {
      return varies("the sub-select is evaluated for each row");
    }
    return {.known = Known::Running,
            .plain = false,
            .why = "the sub-select gives its value while the query runs"};
  }
  return varies("an expression whose value is not known before the rows are read");
}

Value compared_with(ValueType key, Value value) {
  const bool times = is_time(value.type) && value.type != key;
  if (times && (zoned(key) || zoned(value.type))) {
    stable(value, "comparing with another type depends on the session's time zone");
  }
  return value;
}

}  // namespace pgtend::partition
