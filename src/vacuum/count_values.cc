#include "vacuum/count_values.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/text.h"
#include "facts/columns.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

using facts::ColumnEstimate;
using facts::CountedValues;

constexpr size_t kChoiceMin = 8;      // inner ranges, for an interval
constexpr size_t kChoiceEnough = 12;  // from which on a narrow interval ends the counting
constexpr double kNarrow = 0.2;       // of the best estimate, from low to high
constexpr double kPartsOfTime = 15;   // a range is to take this part of a column's time at most
constexpr int64_t kFirstLimit = 2'000;
constexpr int64_t kLimitMax = 10'000'000;
constexpr milliseconds kTimeMin{50};

// Student's t for 95 %, by the degrees of freedom; within 1 % from 7 on.
double student(size_t freedom) { return 1.96 + 2.8 / static_cast<double>(freedom); }

bool is_whole(const RangeCount& count) { return count.whole; }

double sum_of(const std::vector<RangeCount>& counts) {
  double sum = 0;
  for (const RangeCount& count : counts) sum += count.values;
  return sum;
}

// A column to count.
struct CountedColumn {
  const facts::TableFacts* table = nullptr;
  ColumnEstimate* column = nullptr;
};

std::vector<CountedColumn> candidates(Facts& facts) {
  std::vector<CountedColumn> out;
  for (const facts::TableFacts& table : facts.tables) {
    const auto columns = facts.context.estimates.find(table.oid);
    if (columns == facts.context.estimates.end()) continue;
    for (ColumnEstimate& column : columns->second) {
      const bool seekable =
          column.seekable || std::ranges::any_of(column.room, &facts::IndexRoom::seekable);
      if (seekable && !column.unique) out.push_back({&table, &column});
    }
  }
  std::ranges::stable_sort(out, [](const CountedColumn& a, const CountedColumn& b) {
    return a.column->rows > b.column->rows;
  });
  return out;
}

// A range of values: above `low`, up to and with `high`; nullopt: without that bound.
struct ValueRange {
  std::optional<std::string> low = {};
  std::optional<std::string> high = {};
};

// Counts the ranges of one column until its time is over.
class ColumnCounter {
 public:
  ColumnCounter(pg::Connection& conn, const CountedColumn& candidate, const Clock& clock,
                nanoseconds time)
      : conn_(conn),
        candidate_(candidate),
        clock_(clock),
        until_(clock.steady() + time),
        part_(std::chrono::duration<double>(time).count() / kPartsOfTime) {}

  Result<RangeCounts> run(uint64_t seed) {
    const std::vector<std::string> bounds = TRY(load_bounds());
    RangeCounts out;
    std::vector<ValueRange> ends{
        {.high = bounds.empty() ? std::nullopt : std::optional(bounds.front())}};
    if (!bounds.empty()) ends.push_back({.low = bounds.back()});
    std::vector<ValueRange> inner;
    for (size_t i = 1; i < bounds.size(); ++i) inner.push_back({bounds[i - 1], bounds[i]});
    out.inner_all = static_cast<int64_t>(inner.size());
    std::mt19937_64 random(seed);
    std::ranges::shuffle(inner, random);
    for (const ValueRange& range : ends) {
      if (!take(range, out.ends, out)) return out;
    }
    for (const ValueRange& range : inner) {
      if (!take(range, out.inner, out)) return out;
      if (out.inner.size() >= kChoiceEnough && narrow(out)) break;
    }
    return out;
  }

 private:
  static bool narrow(const RangeCounts& counts) {
    const auto sum = total(counts);
    return sum && !sum->at_least && sum->high - sum->low < kNarrow * sum->best;
  }
  Result<std::vector<std::string>> load_bounds() {
    const auto columns =
        TRY(facts::load_columns(conn_, candidate_.table->oid, {candidate_.column->name}));
    std::vector<std::string> out;
    if (columns.empty() || !columns[0].stats) return out;
    for (const std::string& bound : columns[0].stats->histogram_bounds) {
      if (out.empty() || out.back() != bound) out.push_back(bound);
    }
    return out;
  }
  // False: time is over, or the range could not be read.
  bool take(const ValueRange& range, std::vector<RangeCount>& counts, RangeCounts& all) {
    const SteadyTime begun = clock_.steady();
    const auto left = std::chrono::duration_cast<milliseconds>(until_ - begun);
    const auto values = left < kTimeMin ? Result<int64_t>(Error{ErrorCode::Timeout, "time is over"})
                                        : count(range, left);
    if (!values) {
      all.ended = true;
      return false;
    }
    const bool whole = *values < limit_;
    const std::chrono::duration<double> took = clock_.steady() - begun;
    if (!whole && raise_limit(static_cast<double>(*values) / std::max(took.count(), 1e-4))) {
      return take(range, counts, all);
    }
    counts.push_back({static_cast<double>(*values), whole});
    return true;
  }
  // As many values as a range may take at `rate` values a second; false: it is not worth another
  // try.
  bool raise_limit(double rate) {
    const auto fits = std::min(static_cast<int64_t>(rate * part_), kLimitMax);
    if (fits < 2 * limit_) return false;
    limit_ = fits;
    return true;
  }
  Result<int64_t> count(const ValueRange& range, milliseconds time) {
    const std::string column = pg::ident(candidate_.column->name);
    pg::Params params{cat(limit_)};
    std::string within;
    if (range.high) {
      params.push_back(range.high);
      within = cat(" and ", column, " <= $", params.size());
    }
    std::string above = cat(column, " is not null");
    if (range.low) {
      params.push_back(range.low);
      above = cat(column, " > $", params.size());
    }
    const auto next = [&](const std::string& where) {
      const std::string_view only = candidate_.table->kind == 'p' ? "" : "only ";
      return cat("(select ", column, " from ", only, candidate_.table->qualified(), " where ",
                 where, within, " order by ", column, " limit 1)");
    };
    const std::string sql = cat("with recursive v(x) as (", next(above), " union all select ",
                                next(cat(column, " > v.x")),
                                " from v where v.x is not null) select count(*) from "
                                "(select from v where x is not null limit $1::int8) counted");
    TRY(
        conn_.exec(cat("begin read only; set local enable_seqscan = off; set local enable_sort = "
                       "off; set local enable_bitmapscan = off; set local statement_timeout = ",
                       time.count())));
    const auto rows = conn_.query(sql, params);
    TRY(conn_.exec("rollback"));
    if (!rows) return rows.error();
    return TRY((*rows)[0].get<int64_t>(0));
  }

  pg::Connection& conn_;
  const CountedColumn& candidate_;
  const Clock& clock_;
  SteadyTime until_;
  double part_;  // seconds
  int64_t limit_ = kFirstLimit;
};

}  // namespace

std::optional<CountedValues> total(const RangeCounts& counts) {
  const double found = sum_of(counts.ends) + sum_of(counts.inner);
  const auto all = static_cast<double>(counts.inner_all);
  const auto chosen = static_cast<double>(counts.inner.size());
  const bool whole = std::ranges::all_of(counts.ends, is_whole) &&
                     std::ranges::all_of(counts.inner, is_whole) && !counts.ends.empty();
  if (counts.ends.empty() && counts.inner.empty()) return {};
  CountedValues out{.low = found, .best = found, .high = found};
  if (whole && chosen == all && !counts.ended) {
    out.how = "a count of all values in the index";
    return out;
  }
  out.how = cat("a count of ", counts.inner.size(), " of ", counts.inner_all,
                " ranges of the index, chosen at random");
  if (counts.inner.size() >= kChoiceMin) {
    const double mean = sum_of(counts.inner) / chosen;
    double squares = 0;
    for (const RangeCount& count : counts.inner) squares += std::pow(count.values - mean, 2);
    // Ranges that are all alike say little of the others: as if one more had been off by one.
    const double variance = std::max(squares / (chosen - 1), 1 / chosen);
    const double deviation = std::sqrt(variance / chosen * (1 - chosen / all));
    const double half = student(counts.inner.size() - 1) * all * deviation;
    out.best = sum_of(counts.ends) + all * mean;
    out.low = std::max(found, out.best - half);
    out.high = out.best + half;
  }
  out.at_least = !whole || counts.inner.size() < kChoiceMin;
  if (out.at_least) out.best = out.high = out.low;
  return out;
}

Result<CountReport> count_values(pg::Connection& conn, Facts& facts, const CountSetup& setup) {
  CountReport report;
  const SteadyTime until = setup.clock->steady() + setup.budget;
  std::vector<CountedColumn> wanted = candidates(facts);
  auto left = static_cast<int64_t>(wanted.size());
  for (const CountedColumn& candidate : wanted) {
    const nanoseconds time = (until - setup.clock->steady()) / left--;
    ColumnCounter counter(conn, candidate, *setup.clock, time);
    const auto counts = counter.run(setup.seed);
    if (!counts && !conn.alive()) return counts.error();
    if (counts) candidate.column->counted = total(*counts);
    ++(candidate.column->counted ? report.counted : report.left);
  }
  return report;
}

}  // namespace pgtend::vacuum
