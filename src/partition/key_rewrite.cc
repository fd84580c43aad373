#include "partition/key_rewrite.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "partition/shape_walk.h"
#include "pg/quote.h"
#include "sql/expression.h"
#include "sql/parse.h"

namespace pgtend::partition {
namespace {

using sql::body_of;
using sql::member;
using sql::member_text;

// More than any clock was ever put back; local times come twice by so much.
constexpr std::string_view kSlack = " - interval '3 hours'";
constexpr std::string_view kSlackAfter = " + interval '3 hours'";
constexpr int kYearMax = 9998;
constexpr char kMark = '\x01';  // around the number of a bound

// Equal but for places in the text.
bool same_tree(const json::value& a, const json::value& b) {
  if (a.kind() != b.kind()) return false;
  if (const json::array* list = a.if_array()) {
    const json::array& other = b.get_array();
    if (list->size() != other.size()) return false;
    for (size_t i = 0; i < list->size(); ++i) {
      if (!same_tree((*list)[i], other[i])) return false;
    }
    return true;
  }
  const json::object* object = a.if_object();
  if (!object) return a == b;
  const json::object& other = b.get_object();
  const auto is_place = [](json::string_view name) { return name.ends_with("location"); };
  for (const auto& entry : *object) {
    if (is_place(entry.key())) continue;
    const json::value* there = other.if_contains(entry.key());
    if (!there || !same_tree(entry.value(), *there)) return false;
  }
  return std::ranges::all_of(other, [&](const auto& entry) {
    return is_place(entry.key()) || object->contains(entry.key());
  });
}

// What stands around the key in a condition.
enum class Around : uint8_t { Date, Trunc, Year, Epoch, Char, Local };
struct Wrapper {
  Around around = Around::Date;
  std::string zone = {};  // SQL of AT TIME ZONE's operand; "" is the session's
  std::string unit = {};  // of date_trunc
  std::string format = {};
  bool to_date = false;  // date_trunc(…)::date
};

struct Bounds {
  std::string from = {};
  std::string to = {};  // exclusive
};

std::string unit_interval(std::string_view unit) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kUnits = {
      {{"second", "1 second"},
       {"minute", "1 minute"},
       {"hour", "1 hour"},
       {"day", "1 day"},
       {"week", "7 days"},
       {"month", "1 month"},
       {"quarter", "3 months"},
       {"year", "1 year"},
       {"decade", "10 years"},
       {"century", "100 years"},
       {"millennium", "1000 years"}}};
  for (const auto& [name, interval] : kUnits) {
    if (equal_ignoring_case(name, unit)) return cat("interval '", interval, "'");
  }
  return {};
}

int days_in(int year, int month) {
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

std::string date_text(int year, int month, int day) {
  const auto padded = [](int number, size_t width) {
    std::string out = cat(number);
    return std::string(width > out.size() ? width - out.size() : 0, '0') + out;
  };
  return cat("'", padded(year, 4), "-", padded(month, 2), "-", padded(day, 2), "'");
}

// What to_char(…, format) has written as `text`: first day and the day behind the last.
std::optional<std::pair<std::string, std::string>> written(std::string_view format,
                                                           std::string_view text) {
  if (format.size() != text.size()) return {};
  std::string digits;
  std::string pattern;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (format[i] == '-' ? text[i] != '-' : !digit) return {};
    if (format[i] == '-') continue;
    digits += text[i];
    pattern += format[i];
  }
  if (pattern != "YYYY" && pattern != "YYYYMM" && pattern != "YYYYMMDD") return {};
  const int year = std::stoi(digits.substr(0, 4));
  const int month = digits.size() > 4 ? std::stoi(digits.substr(4, 2)) : 1;
  const int day = digits.size() > 6 ? std::stoi(digits.substr(6, 2)) : 1;
  if (year < 1 || year > kYearMax || month < 1 || month > 12) return {};
  if (day < 1 || day > days_in(year, month)) return {};
  const std::string from = date_text(year, month, day);
  if (digits.size() == 4) return std::pair(from, date_text(year + 1, 1, 1));
  if (digits.size() == 8 && day < days_in(year, month)) {
    return std::pair(from, date_text(year, month, day + 1));
  }
  return std::pair(from, month == 12 ? date_text(year + 1, 1, 1) : date_text(year, month + 1, 1));
}

// Makes the changes of one conjunct. Lives during one call.
class Writer {
 public:
  Writer(const KeyTable& table, const Spot& spot, std::string_view sql, const sql::Extents& extents)
      : table_(table), spot_(spot), key_(spot.key, spot.values), sql_(sql), extents_(extents) {}

  std::optional<Change> make();

 private:
  std::optional<std::string> text_of(const json::value& node) const;
  bool find_key();
  std::optional<Wrapper> wrapper_of(const json::value& node) const;
  std::optional<Wrapper> wrapper_of_call(const json::object& call) const;
  bool take_zone(const json::value& node, Wrapper& out) const;
  std::optional<Bounds> bounds_of(const Wrapper& wrapper, const json::value& value) const;
  std::optional<Bounds> trunc_bounds(const Wrapper& wrapper, const std::string& value) const;
  std::string at_zone(const std::string& local, const std::string& zone) const;
  bool comparison(const json::object& expression);
  bool wrapped(const Wrapper& wrapper, std::string op, const json::value& value);
  bool wrapped_list(const Wrapper& wrapper, const json::array& values);
  bool wrapped_between(const Wrapper& wrapper, const json::array& ends);
  bool local(const Wrapper& wrapper, const std::string& op, const json::value& value);
  bool keyset(const json::object& expression);
  bool computed(const json::object& expression);
  bool optional_filter(const json::object& terms);
  bool array_parameter(const json::object& expression);
  bool not_distinct(const json::object& expression);
  std::string bound(std::string expression);
  void examine(const json::value& value);
  bool zoned() const { return key_.type() == ValueType::Timestamptz; }

  const KeyTable& table_;
  const Spot& spot_;
  KeyConditions key_;
  std::string_view sql_;
  const sql::Extents& extents_;
  Change out_;
  std::string name_;  // of the key, as it is written here
};

std::optional<std::string> Writer::text_of(const json::value& node) const {
  const auto place = extents_.of(node);
  if (!place) return {};
  std::string text(sql_.substr(place->begin, place->end - place->begin));
  const auto again = sql::parse_expression(text);
  if (!again || !same_tree(*again, node)) return {};
  return text;
}

bool Writer::find_key() {
  bool found = false;
  sql::for_each_member(*spot_.conjunct, [&](std::string_view name, const json::value& value) {
    if (found || name != "ColumnRef" || !value.is_object()) return;
    if (!key_.bare(json::object{{"ColumnRef", value}})) return;
    const NamedColumn column = named_column(value.get_object());
    name_ = cat(column.qualifier.empty() ? "" : cat(pg::ident(column.qualifier), "."),
                pg::ident(column.column));
    found = true;
  });
  return found;
}

std::string Writer::bound(std::string expression) {
  out_.bounds.push_back(std::move(expression));
  return cat(kMark, out_.bounds.size() - 1, kMark);
}

// Notes what decides how far `value` can be evaluated.
void Writer::examine(const json::value& value) {
  const Value known = value_of(value, spot_.values);
  out_.computable &= known.plain && known.known <= Known::AtStart;
  out_.clock |= known.clock;
}

// The key itself, or the key AT TIME ZONE.
bool Writer::take_zone(const json::value& node, Wrapper& out) const {
  if (key_.bare(node)) return true;
  const json::object* call = body_of(node, "FuncCall");
  const json::array* args = call ? items_of(*call, "args") : nullptr;
  if (!zoned() || !args || args->size() != 2 || last_name(*call, "funcname") != "timezone") {
    return false;
  }
  if (!key_.bare((*args)[1]) || !body_of((*args)[0], "A_Const")) return false;
  const auto zone = text_of((*args)[0]);
  if (!zone || !zone->starts_with('\'')) return false;
  out.zone = *zone;
  return true;
}

std::optional<Wrapper> Writer::wrapper_of_call(const json::object& call) const {
  const json::array* args = items_of(call, "args");
  const std::string name = last_name(call, "funcname");
  if (!args || args->empty() || args->size() > 3) return {};
  const json::array* parts = items_of(call, "funcname");
  if (parts->size() > 1 && sql::string_value(parts->front()) != "pg_catalog") return {};
  Wrapper out;
  const auto constant = [&](size_t i) -> std::string {
    const json::object* node = i < args->size() ? body_of((*args)[i], "A_Const") : nullptr;
    const json::value* text = node ? member(*node, "sval") : nullptr;
    return text && text->is_object() ? member_text(text->get_object(), "sval") : "";
  };
  if (name == "date" && args->size() == 1 && take_zone((*args)[0], out)) return out;
  if (name == "date_trunc" && args->size() >= 2 && take_zone((*args)[1], out)) {
    out.around = Around::Trunc;
    out.unit = constant(0);
    if (unit_interval(out.unit).empty()) return {};
    if (args->size() == 3) {
      const auto zone = text_of((*args)[2]);
      if (constant(2).empty() || !zone || !out.zone.empty() || !zoned()) return {};
      out.zone = *zone;
      out.format = "instant";  // the values are instants, not local times
    }
    return out;
  }
  if ((name == "extract" || name == "date_part") && args->size() == 2 &&
      take_zone((*args)[1], out)) {
    const std::string field = lower(constant(0));
    if (field == "year") return Wrapper{.around = Around::Year, .zone = out.zone};
    if (field == "epoch" && out.zone.empty() && key_.type() != ValueType::Date) {
      return Wrapper{.around = Around::Epoch};
    }
    return {};
  }
  if (name == "to_char" && args->size() == 2 && take_zone((*args)[0], out)) {
    out.around = Around::Char;
    out.format = constant(1);
    return out;
  }
  if (name == "timezone" && args->size() == 2 && !key_.bare(json::object{{"FuncCall", call}}) &&
      take_zone(json::object{{"FuncCall", call}}, out)) {
    out.around = Around::Local;
    return out;
  }
  return {};
}

std::optional<Wrapper> Writer::wrapper_of(const json::value& node) const {
  if (const json::object* call = body_of(node, "FuncCall")) return wrapper_of_call(*call);
  const json::object* cast = body_of(node, "TypeCast");
  const json::value* arg = cast ? member(*cast, "arg") : nullptr;
  const json::value* type = cast ? member(*cast, "typeName") : nullptr;
  if (!arg || !type || !type->is_object() || member(type->get_object(), "typmods")) return {};
  const ValueType to = value_type(last_name(type->get_object(), "names"));
  Wrapper out;
  if (to == ValueType::Date) {
    if (take_zone(*arg, out)) return out;
    auto inner = wrapper_of(*arg);
    if (!inner || inner->around != Around::Trunc || inner->format == "instant") return {};
    if (key_.type() == ValueType::Date) return {};
    inner->to_date = true;
    return inner;
  }
  if (to == ValueType::Timestamp && zoned() && key_.bare(*arg)) {
    out.around = Around::Local;
    return out;
  }
  return {};
}

// A local time as a value of the key's type.
std::string Writer::at_zone(const std::string& local, const std::string& zone) const {
  if (zone.empty()) return cat("(", local, ")::", table_.type);
  return cat("((", local, ")::timestamp AT TIME ZONE ", zone, ")");
}

std::optional<Bounds> Writer::trunc_bounds(const Wrapper& wrapper, const std::string& value) const {
  const std::string step = unit_interval(wrapper.unit);
  if (key_.type() == ValueType::Date) {
    const std::string local = cat("(", value, ")::timestamptz");
    return Bounds{cat("(", local, ")::date"), cat("(", local, " + ", step, ")::date")};
  }
  if (wrapper.format == "instant") {
    const std::string local = cat("((", value, ")::timestamptz AT TIME ZONE ", wrapper.zone, ")");
    return Bounds{cat("(", value, ")::timestamptz"),
                  at_zone(cat(local, " + ", step), wrapper.zone)};
  }
  if (wrapper.to_date || !wrapper.zone.empty()) {
    const std::string local = cat("(", value, ")::", wrapper.to_date ? "date" : "timestamp");
    return Bounds{at_zone(local, wrapper.zone), at_zone(cat(local, " + ", step), wrapper.zone)};
  }
  const std::string from = cat("(", value, ")::", table_.type);
  return Bounds{from, cat("(", from, " + ", step, ")")};
}

// The key's values for which the wrapped key equals `value`.
std::optional<Bounds> Writer::bounds_of(const Wrapper& wrapper, const json::value& value) const {
  const Value known = value_of(value, spot_.values);
  const auto text = text_of(value);
  if (!text || known.known > Known::AtStart) return {};
  if (lower(*text).find("infinity") != std::string::npos) return {};
  switch (wrapper.around) {
    case Around::Date: {
      if (known.type != ValueType::Date && known.type != ValueType::Unknown) return {};
      const std::string day = cat("(", *text, ")::date");
      return Bounds{at_zone(day, wrapper.zone), at_zone(cat(day, " + 1"), wrapper.zone)};
    }
    case Around::Trunc:
      return trunc_bounds(wrapper, *text);
    case Around::Year: {
      const json::object* constant = body_of(value, "A_Const");
      const json::value* holder = constant ? member(*constant, "ival") : nullptr;
      const json::value* number =
          holder && holder->is_object() ? member(holder->get_object(), "ival") : nullptr;
      if (!number || !number->is_int64()) return {};
      const int64_t year = number->get_int64();
      if (year < 1 || year > kYearMax) return {};
      return Bounds{at_zone(date_text(static_cast<int>(year), 1, 1), wrapper.zone),
                    at_zone(date_text(static_cast<int>(year) + 1, 1, 1), wrapper.zone)};
    }
    case Around::Char: {
      const json::object* constant = body_of(value, "A_Const");
      const json::value* holder = constant ? member(*constant, "sval") : nullptr;
      if (!holder || !holder->is_object()) return {};
      const auto days = written(wrapper.format, member_text(holder->get_object(), "sval"));
      if (!days) return {};
      return Bounds{at_zone(days->first, wrapper.zone), at_zone(days->second, wrapper.zone)};
    }
    case Around::Epoch:
    case Around::Local:
      return {};
  }
  return {};
}

// Local times and seconds since 1970: the operator stays.
bool Writer::local(const Wrapper& wrapper, const std::string& op, const json::value& value) {
  const auto text = text_of(value);
  const Value known = value_of(value, spot_.values);
  if (!text || known.known > Known::AtStart || lower(*text).find("infinity") != std::string::npos) {
    return false;
  }
  examine(value);
  if (wrapper.around == Around::Epoch) {
    const json::object* constant = body_of(value, "A_Const");
    if (!constant || !member(*constant, "ival")) return false;
    out_.clean = cat(name_, " ", op, " ",
                     bound(cat("to_timestamp(", *text, ")", zoned() ? "" : " AT TIME ZONE 'UTC'")));
    out_.exact = true;
    return true;
  }
  if (known.type == ValueType::Timestamptz) return false;
  const std::string at = wrapper.zone.empty() ? cat("(", *text, ")::timestamp::", table_.type)
                                              : at_zone(*text, wrapper.zone);
  out_.clean = cat(name_, " ", op, " ", bound(at));
  const std::string low = cat(name_, " >= ", bound(cat("(", at, kSlack, ")")));
  const std::string high = cat(name_, " <= ", bound(cat("(", at, kSlackAfter, ")")));
  const bool lower_side = op != "<" && op != "<=";
  const bool upper_side = op != ">" && op != ">=";
  out_.kept =
      cat(out_.original, lower_side ? cat(" AND ", low) : "", upper_side ? cat(" AND ", high) : "");
  return true;
}

bool Writer::wrapped(const Wrapper& wrapper, std::string op, const json::value& value) {
  if (op.empty()) return false;
  if (wrapper.around == Around::Local || wrapper.around == Around::Epoch) {
    return local(wrapper, op, value);
  }
  if (wrapper.around == Around::Char && op != "=") return false;
  const auto bounds = bounds_of(wrapper, value);
  if (!bounds) return false;
  examine(value);
  const bool zone = zoned();
  const std::string from = bound(bounds->from), to = bound(bounds->to);
  const std::string low = zone ? bound(cat("(", bounds->from, kSlack, ")")) : from;
  if (op == "=") {
    out_.clean = cat(name_, " >= ", from, " AND ", name_, " < ", to);
    out_.kept = cat(out_.original, " AND ", name_, " >= ", low, " AND ", name_, " < ", to);
  } else if (op == "<" || op == "<=") {
    out_.clean = cat(name_, " < ", op == "<" ? from : to);
    out_.kept = cat(out_.original, " AND ", name_, " < ", to);
  } else {
    out_.clean = cat(name_, " >= ", op == ">" ? to : from);
    out_.kept = cat(out_.original, " AND ", name_, " >= ", low);
  }
  // A date is a date; what date_trunc is compared with may be no boundary.
  out_.exact = !zone && wrapper.around != Around::Trunc;
  out_.by_midnights = zone && wrapper.around == Around::Date && wrapper.zone.empty();
  return true;
}

bool Writer::wrapped_list(const Wrapper& wrapper, const json::array& values) {
  std::vector<std::string> clean, kept;
  if (wrapper.around == Around::Local || wrapper.around == Around::Epoch) return false;
  for (const json::value& value : values) {
    const auto bounds = bounds_of(wrapper, value);
    if (!bounds) return false;
    examine(value);
    const std::string from = bound(bounds->from), to = bound(bounds->to);
    const std::string low = zoned() ? bound(cat("(", bounds->from, kSlack, ")")) : from;
    clean.push_back(cat("(", name_, " >= ", from, " AND ", name_, " < ", to, ")"));
    kept.push_back(cat("(", name_, " >= ", low, " AND ", name_, " < ", to, ")"));
  }
  out_.clean = cat("(", join(clean, " OR "), ")");
  out_.kept = cat(out_.original, " AND (", join(kept, " OR "), ")");
  out_.exact = !zoned() && wrapper.around != Around::Trunc;
  return true;
}

bool Writer::wrapped_between(const Wrapper& wrapper, const json::array& ends) {
  if (wrapper.around == Around::Local || wrapper.around == Around::Epoch ||
      wrapper.around == Around::Char) {
    return false;
  }
  const auto low = bounds_of(wrapper, ends[0]), high = bounds_of(wrapper, ends[1]);
  if (!low || !high) return false;
  examine(ends[0]);
  examine(ends[1]);
  const std::string from = bound(low->from), to = bound(high->to);
  const std::string slack = zoned() ? bound(cat("(", low->from, kSlack, ")")) : from;
  out_.clean = cat(name_, " >= ", from, " AND ", name_, " < ", to);
  out_.kept = cat(out_.original, " AND ", name_, " >= ", slack, " AND ", name_, " < ", to);
  out_.exact = !zoned() && wrapper.around != Around::Trunc;
  return true;
}

// (key, id) > (x, y) cannot hold where key >= x does not.
bool Writer::keyset(const json::object& expression) {
  const json::object* left = body_of(*member(expression, "lexpr"), "RowExpr");
  const json::object* right = body_of(*member(expression, "rexpr"), "RowExpr");
  const json::array* fields = left ? items_of(*left, "args") : nullptr;
  const json::array* values = right ? items_of(*right, "args") : nullptr;
  if (!fields || !values || fields->empty() || values->empty()) return false;
  std::string op = last_name(expression, "name");
  const json::value* other = &values->front();
  if (!key_.bare(fields->front())) {
    if (!key_.bare(values->front())) return false;
    other = &fields->front();
    op = turned(op);
  }
  const bool after = op == ">" || op == ">=";
  if (!after && op != "<" && op != "<=") return false;
  const Value known = value_of(*other, spot_.values);
  const auto text = text_of(*other);
  if (!text || known.known > Known::AtStart) return false;
  out_.computable = false;
  out_.kept = cat(out_.original, " AND ", name_, after ? " >= " : " <= ", *text);
  return true;
}

// Bounds that are the same for the whole execution, as literals. For keys to which values of other
// types are converted; the other way about would depend on the zone's changes.
bool Writer::computed(const json::object& expression) {
  const std::string kind = member_text(expression, "kind");
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  const auto fits = [&](const json::value& value) {
    const Value known = value_of(value, spot_.values);
    const ValueType type = known.type;
    const bool times = type == ValueType::Date || type == ValueType::Timestamp ||
                       type == ValueType::Timestamptz || type == ValueType::Unknown;
    const bool converted = zoned() || type == key_.type() || type == ValueType::Unknown ||
                           (key_.type() == ValueType::Timestamp && type == ValueType::Date);
    return known.plain && known.known <= Known::AtStart && times && converted;
  };
  if (kind == "AEXPR_OP") {
    if (!left || !right) return false;
    const bool first = key_.bare(*left);
    const json::value& value = first ? *right : *left;
    const std::string op =
        first ? last_name(expression, "name") : turned(last_name(expression, "name"));
    const auto text = text_of(value);
    if ((!first && !key_.bare(*right)) || turned(op).empty() || !text || !fits(value)) return false;
    examine(value);
    out_.clean = cat(name_, " ", op, " ", bound(*text));
  } else if (kind == "AEXPR_BETWEEN") {
    const json::array* ends = items_of(expression, "rexpr");
    if (!left || !key_.bare(*left) || !ends || ends->size() != 2) return false;
    const auto low = text_of((*ends)[0]), high = text_of((*ends)[1]);
    if (!low || !high || !fits((*ends)[0]) || !fits((*ends)[1])) return false;
    examine((*ends)[0]);
    examine((*ends)[1]);
    const std::string from = bound(*low);
    out_.clean = cat(name_, " BETWEEN ", from, " AND ", bound(*high));
  } else {
    return false;
  }
  out_.exact = true;
  return out_.computable;
}

// $1 IS NULL OR key >= $1: a filter that is not always asked for.
bool Writer::optional_filter(const json::object& terms) {
  const json::array* args = items_of(terms, "args");
  if (!args || args->size() != 2 || member_text(terms, "boolop") != "OR_EXPR" || table_.nullable) {
    return false;
  }
  const size_t at = body_of((*args)[0], "NullTest") ? 0 : 1;
  const json::object* test = body_of((*args)[at], "NullTest");
  const json::object* expression = body_of((*args)[1 - at], "A_Expr");
  if (!test || member_text(*test, "nulltesttype") != "IS_NULL" || !expression ||
      member_text(*expression, "kind") != "AEXPR_OP") {
    return false;
  }
  const json::value* asked = member(*test, "arg");
  const json::value* left = member(*expression, "lexpr");
  const json::value* right = member(*expression, "rexpr");
  if (!asked || !left || !right || !key_.bare(*left)) return false;
  const auto parameter = [](const json::value* node) -> std::string {
    while (const json::object* cast = body_of(*node, "TypeCast")) node = member(*cast, "arg");
    const json::object* param = body_of(*node, "ParamRef");
    return param && member(*param, "number") ? to_text(*member(*param, "number")) : "";
  };
  const auto value = text_of(*right);
  if (parameter(asked).empty() || parameter(asked) != parameter(right) || !value) return false;
  const Value known = value_of(*right, spot_.values);
  const bool typed = body_of(*right, "TypeCast") != nullptr;
  if (typed && known.type != key_.type()) return false;
  const std::string op = last_name(*expression, "name");
  const bool after = op == ">" || op == ">=";
  if (!after && op != "<" && op != "<=") return false;
  out_.computable = false;
  out_.exact = true;  // keys are finite
  out_.clean = cat(name_, " ", op, " coalesce(", *value, typed ? "" : cat("::", table_.type), ", '",
                   after ? "-" : "", "infinity')");
  return true;
}

// key = ANY ($1): bounds of the array as sub-selects, which are looked at while running.
bool Writer::array_parameter(const json::object& expression) {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right || !key_.bare(*left) || last_name(expression, "name") != "=") return false;
  const Value known = value_of(*right, spot_.values);
  const auto text = text_of(*right);
  if (!known.parameter || !text) return false;
  const auto end = [&](std::string_view which) {
    return cat("(SELECT ", which, "(x) FROM unnest(", *text, "::", table_.type, "[]) x)");
  };
  out_.computable = false;
  out_.kept =
      cat(out_.original, " AND ", name_, " >= ", end("min"), " AND ", name_, " <= ", end("max"));
  return true;
}

bool Writer::not_distinct(const json::object& expression) {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (table_.nullable || !left || !right) return false;
  const json::value* other = key_.bare(*left) ? right : key_.bare(*right) ? left : nullptr;
  const auto text = other ? text_of(*other) : std::nullopt;
  if (!text) return false;
  out_.computable = false;
  out_.exact = true;
  out_.clean = cat(name_, " = ", *text);
  return true;
}

bool Writer::comparison(const json::object& expression) {
  const std::string kind = member_text(expression, "kind");
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right) return false;
  if (kind == "AEXPR_NOT_DISTINCT") return not_distinct(expression);
  if (kind == "AEXPR_OP_ANY") return array_parameter(expression);
  if (kind == "AEXPR_OP" && body_of(*left, "RowExpr")) return keyset(expression);
  const auto wrapper = wrapper_of(*left);
  if (kind == "AEXPR_IN") {
    const json::array* values = items_of(expression, "rexpr");
    return wrapper && values && last_name(expression, "name") == "=" &&
           wrapped_list(*wrapper, *values);
  }
  if (kind == "AEXPR_BETWEEN" && wrapper) {
    const json::array* ends = items_of(expression, "rexpr");
    return ends && ends->size() == 2 && wrapped_between(*wrapper, *ends);
  }
  if (kind == "AEXPR_OP") {
    const std::string op = last_name(expression, "name");
    if (wrapper) return wrapped(*wrapper, turned(op).empty() ? "" : op, *right);
    if (const auto other = wrapper_of(*right)) return wrapped(*other, turned(op), *left);
  }
  return computed(expression);
}

std::optional<Change> Writer::make() {
  const auto place = extents_.of(*spot_.conjunct);
  const auto text = text_of(*spot_.conjunct);
  if (!place || !text || !find_key()) return {};
  out_.place = *place;
  out_.original = *text;
  out_.key = name_;
  out_.alias = spot_.key.qualifier;
  out_.column = spot_.key.column;
  out_.computable = true;
  if (const json::object* expression = body_of(*spot_.conjunct, "A_Expr")) {
    if (comparison(*expression)) return std::move(out_);
  } else if (const json::object* terms = body_of(*spot_.conjunct, "BoolExpr")) {
    if (optional_filter(*terms)) return std::move(out_);
  }
  return {};
}

}  // namespace

Result<std::vector<Change>> changes(const KeyTable& table, std::string_view sql) {
  const sql::Tree tree = TRY(sql::parse(sql));
  std::vector<Change> out;
  if (tree.statements().size() != 1) return out;
  const json::object* holder = tree.statements()[0].if_object();
  const json::value* statement = holder ? sql::member(*holder, "stmt") : nullptr;
  if (!statement) return out;
  const Walked walked = walk(*statement, table, false);
  const sql::Extents extents(sql);
  for (const Spot& spot : walked.spots) {
    const auto outcome = KeyConditions(spot.key, spot.values).of(*spot.conjunct);
    if (!outcome || outcome->everything) continue;
    if (outcome->known != Known::Never && outcome->known != Known::AtStart) continue;
    auto change = Writer(table, spot, sql, extents).make();
    if (change) out.push_back(std::move(*change));
  }
  std::ranges::sort(out, {}, [](const Change& change) { return change.place.begin; });
  std::vector<Change> apart;
  for (Change& change : out) {
    if (!apart.empty() && change.place.begin < apart.back().place.end) continue;
    apart.push_back(std::move(change));
  }
  return apart;
}

std::string filled(const std::string& text, const std::vector<std::string>& bounds) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t end = text[i] == kMark ? text.find(kMark, i + 1) : std::string::npos;
    const auto number = end == std::string::npos
                            ? Result<int64_t>(Error{})
                            : parse_int(std::string_view(text).substr(i + 1, end - i - 1));
    if (number && *number >= 0 && static_cast<size_t>(*number) < bounds.size()) {
      out += bounds[static_cast<size_t>(*number)];
      i = end;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string replaced(std::string_view sql, const std::vector<Change>& changes,
                     const std::vector<std::string>& texts) {
  std::string out;
  size_t at = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    out += sql.substr(at, changes[i].place.begin - at);
    out += texts[i];
    at = changes[i].place.end;
  }
  out += sql.substr(at);
  return out;
}

std::string check_sql(const KeyTable& table, const Change& change) {
  std::vector<std::string> around;
  for (const std::string& bound : change.bounds)
    around.push_back(cat("(", bound, ")::timestamptz"));
  return cat("SELECT bool_and((", change.original, ") IS NOT DISTINCT FROM (",
             filled(change.clean, change.bounds), ")) FROM (SELECT x::", table.type,
             " FROM unnest(ARRAY[", join(around, ", "),
             "]) b, generate_series(b - interval '27 hours', b + interval '27 hours', interval '10 "
             "minutes') x) AS ",
             pg::ident(change.alias), "(", pg::ident(change.column), ")");
}

}  // namespace pgtend::partition
