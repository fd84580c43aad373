#include "vacuum/rules_columns.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "pg/quote.h"
#include "vacuum/options.h"
#include "vacuum/server_rules.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using care::Finding;
using care::Severity;
using facts::ColumnEstimate;
using facts::TableFacts;

constexpr double kPageHead = 40;   // bytes of a leaf that hold no entry
constexpr double kEntryMin = 20;   // header, the shortest key and the line pointer
constexpr double kRowAddress = 6;  // of one more row in the same entry
constexpr double kGrossFactor = 10;
constexpr double kValuesMin = 100;  // of fewer, it is their shares that plans depend on
constexpr double kShareThatGrows = 0.1;

// What is known of the number of values, and by whom.
struct Proven {
  std::optional<facts::Told> low = {};
  std::optional<facts::Told> high = {};
  std::optional<double> best = {};
};

void raise(std::optional<facts::Told>& low, const facts::Told& told) {
  if (!low || told.number > low->number) low = told;
}
void lower_to(std::optional<facts::Told>& high, const facts::Told& told) {
  if (!high || told.number < high->number) high = told;
}

Proven proven(const ColumnEstimate& column, double block_size) {
  Proven out;
  if (const auto& counted = column.counted) {
    out.low = facts::Told{counted->low, counted->how};
    if (!counted->at_least) {
      out.high = facts::Told{counted->high, counted->how};
      out.best = counted->best;
      return out;
    }
  }
  for (const facts::Told& told : column.at_least) raise(out.low, told);
  for (const facts::Told& told : column.at_most) lower_to(out.high, told);
  for (const facts::IndexRoom& room : column.room) {
    const auto most = values_with_room(room, block_size);
    if (most) lower_to(out.high, {*most, cat("the size of the index ", room.index)});
  }
  return out;
}

bool stale(const TableFacts& table, const Policy& policy) {
  const auto changed = static_cast<double>(table.counters.modified_since_analyze);
  return changed > policy.estimate_changed_max * std::max(table.rows(), 1.0);
}

std::string analyze_of(const TableFacts& table, const std::string& column, int version) {
  const bool only = table.kind == 'p' && version >= kVersionAnalyzeOnly;
  return cat("ANALYZE ", only ? "ONLY " : "", table.qualified(), " (", pg::ident(column), ")");
}

std::string alter(const TableFacts& table, const ColumnEstimate& column, std::string_view what) {
  return cat("ALTER TABLE ", table.qualified(), " ALTER COLUMN ", pg::ident(column.name), " ",
             what);
}

// To so many digits.
double rounded(double value, int digits) {
  if (value == 0) return 0;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - digits + 1);
  return unit >= 1 ? std::round(value / unit) * unit
                   : std::round(value / unit) / std::round(1 / unit);
}

std::string times(double factor) { return factor < 10 ? cat(rounded(factor, 2)) : count(factor); }

std::string n_distinct_text(double value) {
  return value < 0 ? cat(rounded(value, 4)) : cat(static_cast<int64_t>(std::round(value)));
}

std::string rows_text(double number) {
  return cat(count(number), std::round(number) == 1 ? " row" : " rows");
}

std::string cause_of(const ColumnEstimate& column) {
  if (column.set_distinct && rounded(*column.set_distinct, 4) == rounded(column.n_distinct, 4)) {
    return "a person has set the number";
  }
  return cat("a sample of ", count(column.sample_rows()), " rows cannot know better");
}

std::optional<Finding> n_distinct_wrong(const TableFacts& table, const ColumnEstimate& column,
                                        const Context& context, const Policy& policy) {
  if (column.used_by.empty() || column.unique || stale(table, policy)) return {};
  if (column.n_distinct == 0) return {};  // not known: all NULL, or a type without order
  const double rows = std::max(column.rows, 1.0);
  const double believed = column.distinct();
  const double block = context.costs ? static_cast<double>(context.costs->block_size) : 8192;
  const Proven known = proven(column, block);
  const bool few = known.low && known.low->number >= policy.estimate_factor * believed;
  const bool many = known.high && known.high->number * policy.estimate_factor <= believed;
  if (few == many) return {};  // neither, or proofs that contradict each other
  if (few ? known.low->number < kValuesMin : believed < kValuesMin) return {};
  const facts::Told& bound = few ? *known.low : *known.high;
  const double truth = std::max(known.best.value_or(bound.number), 1.0);
  const double factor = few ? truth / believed : believed / truth;
  const std::string amount = cat(known.best ? "about "
                                 : few      ? "at least "
                                            : "at most ",
                                 count(truth));
  const double filled = rows * (1 - column.null_frac);
  Finding finding{
      .id = "n-distinct-wrong",
      .object = table.qualified(),
      .severity = factor >= kGrossFactor ? Severity::Warning : Severity::Notice,
      .what = cat("column ", pg::ident(column.name), ": ", count(believed),
                  " distinct values by the statistics, ", amount, " in truth (", times(factor),
                  few ? " times more)" : " times fewer)"),
      .why = cat("the planner expects ", rows_text(std::max(filled / believed, 1.0)),
                 " for a value where there are ",
                 known.best ? "about "
                 : few      ? "at most "
                            : "at least ",
                 count(std::max(filled / truth, 1.0)),
                 ": joins and groups over it are planned for other sizes; ", cause_of(column))};
  finding.evidence = {{"column", column.name},
                      {"n_distinct", n_distinct_text(column.n_distinct)},
                      {"distinct_values", cat(amount, ", by ", bound.by)},
                      {"rows", count(rows)},
                      {"used_by", column.used_by}};
  const std::string option = column.inherited ? "n_distinct_inherited" : "n_distinct";
  const auto fits = [&](double set) {
    const double values = set < 0 ? -set * rows : set;
    return values < policy.estimate_factor * truth && truth < policy.estimate_factor * values;
  };
  if (column.set_distinct) {
    finding.evidence.push_back({cat("set_", option), n_distinct_text(*column.set_distinct)});
  }
  if (!column.set_distinct || !fits(*column.set_distinct)) {
    finding.statements.push_back(
        alter(table, column, cat("SET (", option, " = ", distinct_setting(truth, rows), ")")));
  }
  finding.statements.push_back(analyze_of(table, column.name, context.settings.version));
  finding.prediction =
      cat("each ANALYZE then stores this number; ",
          alter(table, column, cat("RESET (", option, ")")), " and ANALYZE take it back");
  return finding;
}

// The rare rows that matter most: those that the statistics have missed.
const facts::RareRows* rarest(const ColumnEstimate& column, double rows, const Policy& policy) {
  const facts::RareRows* out = nullptr;
  double worst = 0;
  for (const facts::RareRows& rare : column.rare) {
    const double chance = miss_chance(rare.rows, column.sample_rows(), rows);
    const double factor = rare.rows / std::max(rare.believed * rows, 1.0);
    const bool missed = chance > policy.miss_chance_max && factor >= policy.estimate_factor;
    const bool lucky =
        chance > policy.miss_chance_told && !rare.more && rare.rows >= policy.estimate_factor;
    if (!missed && !lucky) continue;
    if (const double weight = factor + (missed ? 1e12 : 0); weight > worst) {
      worst = weight;
      out = &rare;
    }
  }
  return out;
}

std::string sees(const ColumnEstimate& column, const facts::RareRows& rare, double rows) {
  if (rare.not_null && column.null_frac >= 1) return "the statistics say that all are NULL";
  return cat("the statistics expect ", count(std::max(rare.believed * rows, 1.0)));
}

// Two digits, upwards.
int64_t round_up(double target) {
  const double unit = std::pow(10, std::max(std::floor(std::log10(target)) - 1, 0.0));
  return static_cast<int64_t>(std::min(std::ceil(target / unit) * unit, kTargetMax));
}

void remedy(const TableFacts& table, const ColumnEstimate& column, const facts::RareRows& rare,
            double needed, int version, Finding& finding) {
  if (needed > kTargetMax && !rare.more) {
    finding.prediction =
        cat("no statistics target helps, ", count(needed), " were needed and ", count(kTargetMax),
            " is the most: what must not depend on the estimate is a query that reads these rows "
            "through a partial index on them, or from a table of their own");
    // Otherwise it was a partial index that found them.
    const bool whole = std::ranges::any_of(
        column.room, [&](const facts::IndexRoom& room) { return room.index == rare.index; });
    if (!rare.not_null || !whole) return;
    finding.statements = {cat("CREATE INDEX CONCURRENTLY ON ", table.qualified(), " (",
                              pg::ident(column.name), ") WHERE ", rare.condition)};
    return;
  }
  const int64_t target = round_up(std::min(needed, kTargetMax));
  finding.statements = {alter(table, column, cat("SET STATISTICS ", target)),
                        analyze_of(table, column.name, version)};
  finding.prediction =
      cat(needed > kTargetMax ? "the most there is, and enough if there are "
                              : "99 of 100 samples then see them",
          needed > kTargetMax ? cat(count(rare.rows * needed / kTargetMax), " such rows") : "",
          "; ANALYZE of this table reads ", grouped(300 * target), " rows; ",
          alter(table, column, "SET STATISTICS -1"), " takes it back");
}

std::optional<Finding> target_too_low(const TableFacts& table, const ColumnEstimate& column,
                                      const Context& context, const Policy& policy) {
  const double rows = std::max(column.rows, 1.0);
  if (rows <= column.sample_rows() || stale(table, policy)) return {};
  const facts::RareRows* rare = rarest(column, rows, policy);
  if (rare == nullptr) return {};
  const double chance = miss_chance(rare->rows, column.sample_rows(), rows);
  const bool missed = rare->rows >= policy.estimate_factor * std::max(rare->believed * rows, 1.0);
  const std::string amount = cat(rare->more      ? "at least "
                                 : rare->counted ? ""
                                                 : "about ",
                                 count(rare->rows));
  Finding finding{
      .id = "target-too-low",
      .object = table.qualified(),
      .severity = !missed                                   ? Severity::Info
                  : rare->not_null && column.null_frac >= 1 ? Severity::Warning
                                                            : Severity::Notice,
      .what = cat("column ", pg::ident(column.name), ": ", amount, " rows with ", rare->condition,
                  ", ", sees(column, *rare, rows)),
      .why = cat(rare->more ? "up to " : "", percent(chance), " of all samples of ",
                 count(column.sample_rows()),
                 " rows have none of them: then plans for these rows are made for none, and "
                 "change from one ANALYZE to the next")};
  finding.evidence = {
      {"column", column.name},
      {"rows", count(rows)},
      {"rare_rows", cat(amount, rare->counted ? ", counted by " : ", by ", rare->index)},
      {"null_frac", cat(rounded(column.null_frac, 8))},
      {"statistics_target", cat(column.sample_target)}};
  remedy(table, column, *rare, needed_target(rare->rows, rows, policy.miss_chance_max),
         context.settings.version, finding);
  return finding;
}

constexpr ColumnRule kColumnRules[] = {
    {"n-distinct-wrong",
     "a column whose number of distinct values is far from what indexes, keys, partitions or a "
     "count prove",
     n_distinct_wrong},
    {"target-too-low", "rows so rare that samples of the present statistics target miss them",
     target_too_low},
};

}  // namespace

std::optional<double> values_with_room(const facts::IndexRoom& room, double block_size) {
  if (room.entries <= 0) return {};
  const double bytes = static_cast<double>(room.pages) * (block_size - kPageHead);
  const double values = (bytes - kRowAddress * room.entries) / (kEntryMin - kRowAddress);
  if (values < 1) return {};
  return std::min(values, room.entries);
}

double miss_chance(double rare, double sample, double all) {
  if (sample >= all) return 0;
  return std::exp(rare * std::log1p(-sample / all));
}

double needed_target(double rare, double all, double chance) {
  return all * -std::expm1(std::log(chance) / std::max(rare, 1.0)) / kSampleRowsPerTarget;
}

std::string distinct_setting(double values, double rows) {
  if (values >= rows) return "-1";
  if (values > kShareThatGrows * rows) return cat(rounded(-values / rows, 3));
  const double whole = std::max(std::round(values), 1.0);
  return cat(static_cast<int64_t>(whole < 1000 ? whole : rounded(whole, 3)));
}

std::span<const ColumnRule> column_rules() { return kColumnRules; }

}  // namespace pgtend::vacuum
