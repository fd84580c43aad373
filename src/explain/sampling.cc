#include "explain/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "base/text.h"
#include "explain/run.h"
#include "pg/quote.h"
#include "sql/classify.h"
#include "sql/parse.h"

namespace pgtend::explain {
namespace {

constexpr std::string_view kHint =
    "give a value a parameter, in their order: --param 42 --param 'text' --param '\\N' (NULL)";

bool is_lower(std::string_view op) { return op == ">" || op == ">="; }
bool is_upper(std::string_view op) { return op == "<" || op == "<="; }
bool is_pattern(std::string_view op) { return op == "~~" || op == "~~*"; }

// A value as the pattern that LIKE matches it with.
std::string as_pattern(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '%' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

// An array of texts in the server's notation.
std::string as_array(const std::vector<std::string>& values) {
  std::vector<std::string> items;
  for (const std::string& value : values) {
    std::string item = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') item += '\\';
      item += c;
    }
    items.push_back(item + "\"");
  }
  return cat("{", join(items, ","), "}");
}

// The common values, else bounds of the histogram spread over all of it.
std::vector<std::string> values_of(const facts::ColumnStats& stats) {
  if (!stats.common_values.empty()) return stats.common_values;
  std::vector<std::string> out;
  const std::vector<std::string>& bounds = stats.histogram_bounds;
  constexpr size_t kSteps = 8;
  for (size_t i = 1; i < kSteps && !bounds.empty(); ++i) {
    const std::string& bound = bounds[(kSteps / 2 + i - 1) % kSteps * (bounds.size() - 1) / kSteps];
    if (std::ranges::find(out, bound) == out.end()) out.push_back(bound);
  }
  return out;
}

std::string share(double part) { return cat(std::round(part * 1000) / 10, " %"); }

// How the place of `rank` in values_of() is told.
std::string origin_of(const facts::ColumnStats& stats, size_t rank) {
  if (stats.common_values.empty()) return "a bound of the histogram";
  const std::string place = rank == 0 ? "the most common value" : cat("common value ", rank + 1);
  return rank < stats.common_frequencies.size()
             ? cat(place, " (", share(stats.common_frequencies[rank]), " of the rows)")
             : place;
}

struct Found {
  facts::ColumnFacts column = {};
  std::string shown = {};  // "app.t.v"
  std::string why_not = {};
};

// The first of the tables that has the column. Look-ups by name follow the session's search path.
Result<std::optional<Found>> find_column(pg::Connection& conn, const sql::ParameterUse& use) {
  for (const sql::SourceTable& table : use.tables) {
    const std::string name =
        table.schema.empty() ? pg::ident(table.name) : pg::qualified(table.schema, table.name);
    const pg::Rows rows = TRY(
        conn.query("SELECT pg_catalog.to_regclass($1)::pg_catalog.oid::pg_catalog.int8", {name}));
    if (rows.empty() || rows[0].null(0)) continue;
    const auto oid = static_cast<uint32_t>(TRY(rows[0].get<int64_t>(0)));
    auto columns =
        TRY(with_catalog_first(conn, [&] { return facts::load_columns(conn, oid, {use.column}); }));
    if (columns.empty()) continue;
    return std::optional<Found>({std::move(columns[0]), cat(name, ".", pg::ident(use.column)), {}});
  }
  return std::optional<Found>{};
}

// Works out one parameter after the other. Lives during one call.
class Sampler {
 public:
  Sampler(pg::Connection& conn, const json::value& tree)
      : conn_(conn), uses_(sql::parameter_uses(tree)) {}

  Result<ParameterValue> value(int number);

 private:
  bool has_fellow(const sql::ParameterUse& use) const;
  Error no_value(int number, const std::string& why) const {
    return Error{ErrorCode::NotFound, cat("no value for $", number, " is known: ", why)}.hinting(
        std::string(kHint));
  }

  pg::Connection& conn_;
  std::vector<sql::ParameterUse> uses_;
  std::map<std::string, size_t> equated_;  // how often a column was equated so far
};

// Whether another parameter bounds the same column from the other side.
bool Sampler::has_fellow(const sql::ParameterUse& use) const {
  return std::ranges::any_of(uses_, [&](const sql::ParameterUse& other) {
    const bool faces =
        (is_lower(use.op) && is_upper(other.op)) || (is_upper(use.op) && is_lower(other.op));
    return faces && other.column == use.column && other.tables == use.tables;
  });
}

Result<ParameterValue> Sampler::value(int number) {
  std::string why = "the statement compares it with no column of a table";
  for (const sql::ParameterUse& use : uses_) {
    if (use.number != number) continue;
    const std::optional<Found> found = TRY(find_column(conn_, use));
    if (!found) continue;
    if (!found->column.stats) {
      why = cat(found->shown, ": ", found->column.stats_why_not);
      continue;
    }
    const bool equated = !is_lower(use.op) && !is_upper(use.op);
    size_t& same = equated_[found->shown];
    auto out = sampled(*found->column.stats, use, equated ? same : 0, has_fellow(use));
    if (!out) {
      why = cat("pg_stats of ", found->shown, " has no value to compare by ",
                use.op.empty() ? "=" : use.op);
      continue;
    }
    if (equated) ++same;
    out->origin += cat(" of ", found->shown);
    return *std::move(out);
  }
  return no_value(number, why);
}

}  // namespace

std::optional<ParameterValue> sampled(const facts::ColumnStats& stats, const sql::ParameterUse& use,
                                      size_t same, bool between) {
  const std::vector<std::string>& bounds = stats.histogram_bounds;
  const bool range = is_lower(use.op) || is_upper(use.op);
  if (range && !bounds.empty()) {
    // Together a tenth in the middle; alone the tenth at the end that is asked for.
    const double at = is_lower(use.op) ? (between ? 0.45 : 0.9) : (between ? 0.55 : 0.1);
    const auto index = static_cast<size_t>(std::llround(at * double(bounds.size() - 1)));
    return ParameterValue{bounds[index],
                          cat("the ", std::llround(at * 100), " % bound of the histogram")};
  }
  if (use.op == "@>" || use.op == "<@" || use.op == "&&") return {};
  static constexpr std::array<std::string_view, 4> kWhole = {"", "=", "<>", "IS NOT DISTINCT FROM"};
  const bool known =
      range || is_pattern(use.op) || std::ranges::find(kWhole, use.op) != kWhole.end();
  if (!known) return {};
  const std::vector<std::string> values = values_of(stats);
  if (values.empty()) {
    if (stats.null_frac < 1) return {};
    return ParameterValue{std::nullopt, "all rows are NULL"};
  }
  if (use.list) {
    constexpr size_t kListMax = 3;
    const size_t count = std::min(kListMax, values.size());
    return ParameterValue{
        as_array({values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)}),
        cat(count, stats.common_values.empty() ? " bounds of the histogram" : " common values")};
  }
  const size_t rank = same % values.size();
  return ParameterValue{is_pattern(use.op) ? as_pattern(values[rank]) : values[rank],
                        origin_of(stats, rank)};
}

Result<std::vector<ParameterValue>> parameter_values(pg::Connection& conn, std::string_view sql,
                                                     const pg::Params& given, bool sample) {
  std::vector<ParameterValue> out;
  for (const auto& value : given) out.push_back({value, "given"});
  const auto info = sql::classify(sql);
  if (!info) {  // newer syntax: the server counts
    if (given.empty() || !sample) return out;
    return Error{ErrorCode::Invalid, "the statement's syntax is newer than the parser that samples"}
        .hinting(std::string(kHint));
  }
  const auto count = static_cast<size_t>(info->parameters);
  if (given.size() > count) {
    return Error{ErrorCode::Invalid, cat("the statement has ", count, " parameters, ", given.size(),
                                         " values are given")}
        .hinting("give one --param for each of $1, $2 ...");
  }
  if (given.size() == count) return out;
  if (!sample) {
    return Error{ErrorCode::Invalid,
                 cat("no value is given for $", given.size() + 1, " of ", count, " parameters")}
        .hinting("give it with one more --param, or let --sample take it from pg_stats");
  }
  const sql::Tree tree = TRY(sql::parse(info->text));
  Sampler sampler(conn, tree.root);
  for (size_t i = given.size(); i < count; ++i) {
    out.push_back(TRY(sampler.value(static_cast<int>(i + 1))));
  }
  return out;
}

pg::Params to_params(const std::vector<ParameterValue>& values) {
  pg::Params out;
  for (const ParameterValue& value : values) out.push_back(value.value);
  return out;
}

std::string shown(const ParameterValue& value) {
  if (!value.value) return "NULL";
  std::string out = "'";
  for (const char c : *value.value) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace pgtend::explain
