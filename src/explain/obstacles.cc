#include "explain/obstacles.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr std::array<std::string_view, 3> kIntegers = {"smallint", "integer", "bigint"};
constexpr std::array<std::string_view, 3> kFractions = {"numeric", "real", "double precision"};
constexpr size_t kTrigramMin = 3;

template <size_t N>
bool one_of(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

bool is_text_type(std::string_view type) {
  return type == "text" || type == "character varying" || type == "character";
}
bool is_zoned(std::string_view type) { return type == "timestamp with time zone"; }

// The type of a cast as the parse tree names it, as format_type writes it.
std::string_view type_name(std::string_view parsed) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kTypeNames = {
      {{"int2", "smallint"},
       {"int4", "integer"},
       {"int8", "bigint"},
       {"float4", "real"},
       {"float8", "double precision"},
       {"bool", "boolean"},
       {"varchar", "character varying"},
       {"bpchar", "character"},
       {"timestamp", "timestamp without time zone"},
       {"timestamptz", "timestamp with time zone"},
       {"time", "time without time zone"},
       {"timetz", "time with time zone"},
       {"decimal", "numeric"}}};
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (parsed.starts_with(kCatalog)) parsed.remove_prefix(kCatalog.size());
  const auto* it =
      std::ranges::find(kTypeNames, parsed, &std::pair<std::string_view, std::string_view>::first);
  return it == kTypeNames.end() ? parsed : it->second;
}

// A cast that PostgreSQL only writes down: the stored value is used as it is.
bool harmless_cast(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  if (predicate.wrapping != sql::Wrapping::Cast || !column) return false;
  const std::string_view to = type_name(predicate.wrapped_by);
  return (to == "text" && column->type == "character varying") || to == column->type;
}

// The planner converts the column because the other side has a wider type: nobody wrote the cast.
bool implicit_conversion(std::string_view from, std::string_view to) {
  if (one_of(kIntegers, from)) return one_of(kFractions, to);
  if (from == "numeric" || from == "real") return to == "double precision";
  return from == "character" && to == "text";
}

// Whether a cast of this type gives the same for ever, whatever the session's settings.
bool immutable_cast(std::string_view from, std::string_view to) {
  if (is_zoned(from) || is_zoned(to)) return false;
  const auto number = [](std::string_view type) {
    return one_of(kIntegers, type) || one_of(kFractions, type);
  };
  if (number(from) && number(to)) return true;
  if (is_text_type(from) && (is_text_type(to) || one_of(kIntegers, to) || to == "numeric"))
    return true;
  if (one_of(kIntegers, from) && to == "text") return true;
  return from == "timestamp without time zone" && (to == "date" || to.starts_with("time "));
}

// date_trunc and the like follow the session's time zone when they take a moment in time, and a
// date becomes one.
bool immutable_function(const sql::Predicate& predicate, const Examination& in,
                        const facts::ColumnFacts& column) {
  static constexpr std::array<std::string_view, 3> kCalendar = {"date_trunc", "date_part",
                                                                "extract"};
  std::string_view name = predicate.wrapped_by;
  constexpr std::string_view kCatalog = "pg_catalog.";
  if (name.starts_with(kCatalog)) name.remove_prefix(kCatalog.size());
  if (one_of(kCalendar, name)) return column.type == "timestamp without time zone";
  return in.facts.volatility(predicate.wrapped_by) == sql::Volatility::Immutable;
}

bool immutable_operator(const sql::Predicate& predicate, const facts::ColumnFacts& column) {
  static constexpr std::array<std::string_view, 8> kArithmetic = {"+", "-",  "*",  "/",
                                                                  "%", "||", "->", "->>"};
  static constexpr std::array<std::string_view, 2> kJson = {"jsonb", "json"};
  if (!one_of(kArithmetic, predicate.wrapped_by)) return false;
  return one_of(kIntegers, column.type) || one_of(kFractions, column.type) ||
         one_of(kJson, column.type) || column.type == "text" || column.type == "character varying";
}

// The column's side as the key of an index, if it always gives the same.
std::optional<KeyPart> expression_key(const sql::Predicate& predicate, const Examination& in,
                                      const facts::ColumnFacts* column) {
  if (!column || predicate.expression.empty()) return {};
  bool fixed = false;
  switch (predicate.wrapping) {
    case sql::Wrapping::Cast:
      fixed = immutable_cast(column->type, type_name(predicate.wrapped_by));
      break;
    case sql::Wrapping::Function:
      fixed = immutable_function(predicate, in, *column);
      break;
    case sql::Wrapping::Operator:
      fixed = immutable_operator(predicate, *column);
      break;
    case sql::Wrapping::None:
    case sql::Wrapping::Expression:
      break;
  }
  if (!fixed) return {};
  return KeyPart{.expression = predicate.expression};
}

bool seeks(const sql::Predicate& predicate) {
  return predicate.operators != sql::OperatorClass::Other;
}

// How to compare the bare column instead; "" when there is no such form.
std::string rewritten(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  const std::string name = pg::ident(predicate.column);
  const bool to_date = predicate.wrapping == sql::Wrapping::Cast &&
                       type_name(predicate.wrapped_by) == "date" && column &&
                       column->type.starts_with("timestamp");
  if (to_date && predicate.op == "=") {
    return cat(name, " >= day AND ", name, " < day + 1");
  }
  if (to_date)
    return cat(name, " ", predicate.op,
               predicate.op == ">" || predicate.op == "<="
                   ? " the next day's beginning, with >= or <"
                   : " the day's beginning");
  if (predicate.wrapping == sql::Wrapping::Function &&
      predicate.wrapped_by.ends_with("date_trunc")) {
    return cat(name, " >= begin AND ", name, " < begin of the next period");
  }
  if (predicate.wrapping == sql::Wrapping::Operator &&
      (predicate.wrapped_by == "+" || predicate.wrapped_by == "-")) {
    return cat(name, " ", predicate.op, " value, with the arithmetic on the value's side");
  }
  return {};
}

// A12, A13: something stands around the column.
Obstacle wrapped(const sql::Predicate& predicate, const Examination& in,
                 const facts::ColumnFacts* column) {
  const std::string name = printable(predicate.column), by = printable(predicate.wrapped_by);
  Obstacle out{.id = "A12", .text = {}, .key = {}};
  out.range = predicate.operators == sql::OperatorClass::Range;
  if (predicate.wrapping == sql::Wrapping::Cast) {
    const std::string_view to = type_name(predicate.wrapped_by);
    if (column && implicit_conversion(column->type, to)) {
      out.id = "A13";
      out.text = cat("the value is of type ", to, " and ", name, " of type ",
                     printable(column->type), ", so each row is converted: an index on ", name,
                     " would not be used; bind or write the value as ", printable(column->type));
      return out;
    }
    out.text = cat("the condition casts ", name, " to ", by, ": an index on ", name,
                   " would not be used; compare the bare column with a value or range of its own "
                   "type");
  } else {
    out.text = cat("the condition wraps ", name, " in ", by,
                   predicate.wrapping == sql::Wrapping::Function ? "()" : "", ": an index on ",
                   name, " would not be used; compare the bare column with a range instead");
  }
  const std::string better = rewritten(predicate, column);
  if (!better.empty()) out.text += cat(" (", better, ")");
  if (seeks(predicate)) out.key = expression_key(predicate, in, column);
  out.text += out.key ? ", or index the expression, which is immutable"
                      : " (or index the expression, if it is immutable)";
  return out;
}

// The text in front of the first wildcard, and the longest run between wildcards.
struct Pattern {
  size_t prefix = 0;
  size_t longest = 0;
};
Pattern read_pattern(std::string_view text) {
  Pattern out;
  size_t run = 0;
  bool wild = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' || text[i] == '_') {
      wild = true;
      run = 0;
      continue;
    }
    if (text[i] == '\\') ++i;
    ++run;
    out.longest = std::max(out.longest, run);
    if (!wild) out.prefix = run;
  }
  return out;
}

// A14: LIKE and ILIKE with a constant pattern.
std::optional<Obstacle> pattern(const sql::Predicate& predicate, const Examination& in,
                                const facts::ColumnFacts* column) {
  const bool like = predicate.op == "~~", ilike = predicate.op == "~~*";
  if ((!like && !ilike) || !predicate.literal || !column || !is_text_type(column->type)) return {};
  if (predicate.wrapping != sql::Wrapping::None && !harmless_cast(predicate, column)) return {};
  const std::string name = printable(predicate.column);
  const Pattern parts = read_pattern(*predicate.literal);
  Obstacle out{.id = "A14", .text = {}, .key = {}};
  if (like && parts.prefix > 0) {
    out.range = true;
    out.key = KeyPart{.column = predicate.column};
    if (!column->byte_order) {
      out.key->opclass = column->type == "character varying" ? "varchar_pattern_ops"
                         : column->type == "character"       ? "bpchar_pattern_ops"
                                                             : "text_pattern_ops";
    }
    out.text = cat("the condition looks for texts that begin alike: a btree index finds them",
                   column->byte_order
                       ? ""
                       : cat(" with ", out.key->opclass, ", whose order is that of the bytes"));
    return out;
  }
  if (parts.longest < kTrigramMin) {
    out.text = cat("the pattern on ", name, " has no three characters in a row: no index finds it");
    return out;
  }
  out.method = "gin";
  out.text =
      cat("the condition looks for a text inside ", name, ": an index on its trigrams finds it");
  if (in.facts.trigrams.empty()) {
    out.text += " (CREATE EXTENSION pg_trgm, then USING gin (column gin_trgm_ops))";
  } else {
    out.key = KeyPart{.column = predicate.column,
                      .opclass = pg::qualified(in.facts.trigrams, "gin_trgm_ops")};
  }
  return out;
}

// A15: what is inside the value: JSON, arrays, ranges, documents.
std::optional<Obstacle> inside(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  if (!column || predicate.wrapping != sql::Wrapping::None) return {};
  const std::string& op = predicate.op;
  const std::string& type = column->type;
  const bool contains = op == "@>", overlaps = op == "&&", contained = op == "<@";
  const bool path = op == "@?" || op == "@@", key = op == "?" || op == "?|" || op == "?&";
  Obstacle out{.id = "A15", .text = {}, .key = KeyPart{.column = predicate.column}};
  out.method = "gin";
  if (type == "jsonb" && (contains || path)) {
    out.key->opclass = "jsonb_path_ops";
  } else if (type == "jsonb" && key) {
    out.key->opclass = "";
  } else if (type.ends_with("range") && (contains || overlaps || contained)) {
    out.method = "gist";
  } else if (!((type.ends_with("[]") && (contains || overlaps)) ||
               (type == "tsvector" && op == "@@"))) {
    return {};
  }
  out.text = cat("the condition looks inside ", printable(predicate.column), " (", printable(type),
                 " ", printable(op), "): a ", out.method, " index finds it, a btree does not");
  return out;
}

}  // namespace

std::optional<Obstacle> obstacle_of(const sql::Predicate& predicate, const Examination& in,
                                    const facts::ColumnFacts* column) {
  if (predicate.column.empty() || predicate.other == sql::OtherSide::PerRow) return {};
  const std::string name = printable(predicate.column);
  for (const std::string& function : predicate.functions) {
    if (in.facts.volatility(function) != sql::Volatility::Volatile) continue;
    return Obstacle{
        .id = "A12",
        .text = cat("the condition on ", name, " calls ", printable(function),
                    "(), which is volatile: it is evaluated for every row and no index on ", name,
                    " would be used; write now() or statement_timestamp() if one value per "
                    "statement will do"),
        .key = {}};
  }
  if (auto found = pattern(predicate, in, column)) return found;
  if (auto found = inside(predicate, column)) return found;
  if (!seeks(predicate)) return {};
  if (predicate.wrapping == sql::Wrapping::None || harmless_cast(predicate, column)) return {};
  Obstacle out = wrapped(predicate, in, column);
  const bool json =
      predicate.wrapping == sql::Wrapping::Operator && column && column->type.starts_with("json");
  if (json) out.id = "A15";
  return out;
}

}  // namespace pgtend::explain
