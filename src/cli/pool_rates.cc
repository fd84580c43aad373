#include "cli/pool_rates.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/histogram.h"

namespace pgtend::cli {

namespace {
using PoolKey = std::pair<std::string, std::string>;
using ShapeKey = std::tuple<std::string, std::string, std::string>;

constexpr int64_t ShapeTotals::*kShapeCounters[] = {&ShapeTotals::calls, &ShapeTotals::errors,
                                                    &ShapeTotals::rows, &ShapeTotals::time_us};

const DatabaseTotals* find(std::span<const DatabaseTotals> totals, std::string_view database) {
  const auto at = std::ranges::find(totals, database, &DatabaseTotals::database);
  return at == totals.end() ? nullptr : &*at;
}

void add_totals(const PoolReading& before, const PoolReading& after, PoolRates& rates) {
  for (const DatabaseTotals& now : after.totals) {
    const DatabaseTotals* then = find(before.totals, now.database);
    const DatabaseTotals start = then == nullptr ? DatabaseTotals{} : *then;
    const bool backwards = std::ranges::any_of(kPoolCounters, [&](const PoolCounter& counter) {
      return now.*counter.member < start.*counter.member;
    });
    if (backwards) {
      rates.restarted.push_back(now.database);
      continue;
    }
    for (const PoolCounter& counter : kPoolCounters) {
      rates.sum.*counter.member += now.*counter.member - start.*counter.member;
    }
  }
}

// --- shapes

using Shapes = std::map<ShapeKey, ShapeTotals>;

Shapes by_key(const std::vector<ShapeTotals>& list) {
  Shapes shapes;
  for (const ShapeTotals& shape : list) {
    shapes.try_emplace({shape.database, shape.user, shape.shape}, shape);
  }
  return shapes;
}

bool backwards(const ShapeTotals& then, const ShapeTotals& now) {
  return std::ranges::any_of(kShapeCounters,
                             [&](auto counter) { return now.*counter < then.*counter; });
}

void add(ShapeTotals& to, const ShapeTotals& from, int64_t sign = 1) {
  for (const auto counter : kShapeCounters) to.*counter += sign * from.*counter;
}

// The sums of all rows of each pool: exact, while a shape may lose its row to another.
std::map<PoolKey, ShapeTotals> pool_sums(const std::vector<ShapeTotals>& list) {
  std::map<PoolKey, ShapeTotals> sums;
  for (const ShapeTotals& shape : list) add(sums[{shape.database, shape.user}], shape);
  return sums;
}

// What each pool did beyond `known`, as a row without a shape.
void add_other_calls(const std::map<PoolKey, ShapeTotals>& done, std::vector<ShapeTotals>& known) {
  std::map<PoolKey, ShapeTotals> rest = done;
  for (const ShapeTotals& shape : known) add(rest[{shape.database, shape.user}], shape, -1);
  for (auto& [key, other] : rest) {
    if (other.calls <= 0) continue;
    for (const auto counter : kShapeCounters) other.*counter = std::max<int64_t>(other.*counter, 0);
    std::tie(other.database, other.user) = key;
    known.push_back(std::move(other));
  }
}

void add_shapes(const PoolReading& before, const PoolReading& after, PoolRates& rates) {
  if (!before.shapes || !after.shapes) return;
  std::map<PoolKey, ShapeTotals> done = pool_sums(*after.shapes);
  for (const auto& [key, then] : pool_sums(*before.shapes)) {
    const auto now = done.find(key);
    if (now == done.end()) continue;
    if (backwards(then, now->second)) {
      done.erase(now);  // the pool was made anew
    } else {
      add(now->second, then, -1);
    }
  }
  const Shapes then = by_key(*before.shapes);
  for (const auto& [key, now] : by_key(*after.shapes)) {
    if (now.shape.empty() || !done.contains({now.database, now.user})) continue;
    ShapeTotals in_interval = now;
    if (const auto earlier = then.find(key); earlier != then.end()) {
      if (backwards(earlier->second, now)) continue;  // its row was lost: counted with the others
      add(in_interval, earlier->second, -1);
    }
    if (in_interval.calls > 0) rates.shapes.push_back(std::move(in_interval));
  }
  add_other_calls(done, rates.shapes);
}

// --- durations

using Times = std::map<ShapeKey, const TimesTotals*>;

Times times_by_key(const std::vector<TimesTotals>& list) {
  Times times;
  for (const TimesTotals& each : list) times[{each.database, each.user, each.kind}] = &each;
  return times;
}

std::optional<TimeSpread> spread_between(const TimesTotals* then, const TimesTotals& now) {
  SmallHistogram histogram;
  std::map<int64_t, int64_t> buckets = now.buckets;
  if (then != nullptr) {
    for (const auto& [low, count] : then->buckets) buckets[low] -= count;
  }
  for (const auto& [low, count] : buckets) {
    if (count < 0) return {};  // made anew
    if (count > 0) histogram.record(low, static_cast<uint64_t>(count));
  }
  return TimeSpread{.count = static_cast<int64_t>(histogram.count()),
                    .p50_us = histogram.quantile(0.5),
                    .p95_us = histogram.quantile(0.95),
                    .p99_us = histogram.quantile(0.99)};
}

std::optional<TimeSpread> spread_of(const Times& then, const Times& now, const ShapeKey& key) {
  const auto latest = now.find(key);
  if (latest == now.end()) return {};
  const auto earlier = then.find(key);
  return spread_between(earlier == then.end() ? nullptr : earlier->second, *latest->second);
}

void add_spreads(const PoolReading& before, const PoolReading& after, PoolRates& rates) {
  if (!before.times || !after.times) return;
  const Times then = times_by_key(*before.times);
  const Times now = times_by_key(*after.times);
  for (PoolRow& row : rates.pools) {
    row.wait = spread_of(then, now, {row.now.database, row.now.user, "wait"});
    row.query = spread_of(then, now, {row.now.database, row.now.user, "query"});
  }
}

void add_pools(const PoolReading& reading, PoolRates& rates) {
  for (const PoolNow& pool : reading.pools) rates.pools.push_back({.now = pool});
  std::ranges::stable_sort(rates.pools, [](const PoolRow& a, const PoolRow& b) {
    return std::tie(b.now.clients_waiting, b.now.clients_active, a.now.database, a.now.user) <
           std::tie(a.now.clients_waiting, a.now.clients_active, b.now.database, b.now.user);
  });
}

double sort_value(const ShapeTotals& shape, ShapeSort sort) {
  switch (sort) {
    case ShapeSort::Time:
      return static_cast<double>(shape.time_us);
    case ShapeSort::Calls:
      return static_cast<double>(shape.calls);
    case ShapeSort::Mean:
      return mean(shape.time_us, shape.calls).value_or(0);
    case ShapeSort::Errors:
      return static_cast<double>(shape.errors);
    case ShapeSort::Rows:
      return mean(shape.rows, shape.calls).value_or(0);
  }
  std::abort();
}
}  // namespace

PoolRates rates_between(const PoolReading* before, const PoolReading& after) {
  PoolRates rates;
  add_pools(after, rates);
  if (before == nullptr || before->session != after.session || after.at <= before->at) return rates;
  rates.elapsed = after.at - before->at;
  add_totals(*before, after, rates);
  add_shapes(*before, after, rates);
  add_spreads(*before, after, rates);
  return rates;
}

void sort_shapes(std::vector<ShapeTotals>& shapes, ShapeSort sort) {
  std::ranges::sort(shapes, [sort](const ShapeTotals& a, const ShapeTotals& b) {
    return std::make_tuple(-sort_value(a, sort), -a.time_us, std::tie(a.text, a.database, a.user)) <
           std::make_tuple(-sort_value(b, sort), -b.time_us, std::tie(b.text, b.database, b.user));
  });
}

std::optional<double> mean(int64_t sum, int64_t count) {
  if (count <= 0) return {};
  return static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace pgtend::cli
