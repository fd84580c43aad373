#include "cli/pool_rates.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::cli {
namespace {

PoolReading reading(int at_s) {
  PoolReading reading{.at = SteadyTime(seconds(at_s)), .session = 1};
  reading.shapes.emplace();
  reading.times.emplace();
  return reading;
}

ShapeTotals shape(const std::string& name, int64_t calls, int64_t time_us) {
  return {.database = "app",
          .user = "u",
          .shape = name,
          .text = cat("select ", name),
          .calls = calls,
          .errors = calls / 10,
          .rows = calls * 2,
          .time_us = time_us};
}

const ShapeTotals* find(const PoolRates& rates, std::string_view name) {
  for (const ShapeTotals& each : rates.shapes) {
    if (each.shape == name) return &each;
  }
  return nullptr;
}

TEST(PoolRates, DifferencesOfTwoReadingsAreSummedOverDatabases) {
  PoolReading before = reading(10);
  before.totals = {{.database = "a", .transactions = 100, .queries = 200, .wait_us = 5},
                   {.database = "b", .transactions = 1}};
  PoolReading after = reading(12);
  after.totals = {{.database = "a", .transactions = 150, .queries = 300, .wait_us = 105},
                  {.database = "b", .transactions = 2},
                  {.database = "new", .transactions = 7}};

  const PoolRates rates = rates_between(&before, after);

  EXPECT_EQ(rates.elapsed, seconds(2));
  EXPECT_EQ(rates.sum.transactions, 58);
  EXPECT_EQ(rates.sum.queries, 100);
  EXPECT_EQ(rates.sum.wait_us, 100);
  EXPECT_TRUE(rates.restarted.empty());
}

TEST(PoolRates, AFirstLookHasNoRates) {
  PoolReading after = reading(10);
  after.totals = {{.database = "a", .transactions = 1000}};
  after.shapes->push_back(shape("1", 5, 5));

  for (const PoolRates& rates : {rates_between(nullptr, after), rates_between(&after, after)}) {
    EXPECT_EQ(rates.elapsed.count(), 0);
    EXPECT_EQ(rates.sum.transactions, 0);
    EXPECT_TRUE(rates.shapes.empty());
  }
}

TEST(PoolRates, ANewSessionIsAFreshStartEvenIfCountersGrew) {
  PoolReading before = reading(10);
  before.totals = {{.database = "a", .transactions = 10}};
  PoolReading after = reading(12);
  after.session = 2;
  after.totals = {{.database = "a", .transactions = 1'000'000}};

  EXPECT_EQ(rates_between(&before, after).elapsed.count(), 0);
}

TEST(PoolRates, ADatabaseWhoseCountersWentBackwardsIsInNoSum) {
  PoolReading before = reading(10);
  before.totals = {{.database = "a", .transactions = 100, .bytes_in = 50},
                   {.database = "b", .transactions = 5},
                   {.database = "gone", .transactions = 5}};
  PoolReading after = reading(12);
  after.totals = {{.database = "a", .transactions = 200, .bytes_in = 49},
                  {.database = "b", .transactions = 6}};

  const PoolRates rates = rates_between(&before, after);

  EXPECT_EQ(rates.sum.transactions, 1);
  EXPECT_EQ(rates.sum.bytes_in, 0);
  EXPECT_EQ(rates.restarted, std::vector<std::string>{"a"});
}

TEST(PoolRates, ShapesWithoutCallsInTheIntervalAreLeftOut) {
  PoolReading before = reading(10);
  before.shapes = {shape("1", 10, 100), shape("2", 20, 50)};
  PoolReading after = reading(12);
  after.shapes = {shape("1", 10, 100), shape("2", 30, 90), shape("3", 4, 8)};

  const PoolRates rates = rates_between(&before, after);

  ASSERT_EQ(rates.shapes.size(), 2U);
  EXPECT_EQ(find(rates, "2")->calls, 10);
  EXPECT_EQ(find(rates, "2")->time_us, 40);
  EXPECT_EQ(find(rates, "2")->rows, 20);
  EXPECT_EQ(find(rates, "3")->calls, 4);
}

// A shape that loses its row to another one leaves its counts to the row of all others, which
// seems to jump by what happened long ago.
TEST(PoolRates, AShapeThatLostItsRowDoesNotMakeTheOthersJump) {
  PoolReading before = reading(10);
  before.shapes = {shape("1", 1000, 9000), shape("2", 10, 10), shape("", 5, 5)};
  PoolReading after = reading(12);
  after.shapes = {shape("2", 12, 14), shape("3", 3, 3), shape("", 1007, 9011)};

  const PoolRates rates = rates_between(&before, after);

  ASSERT_EQ(rates.shapes.size(), 3U);
  EXPECT_EQ(find(rates, "2")->calls, 2);
  EXPECT_EQ(find(rates, "3")->calls, 3);
  EXPECT_EQ(find(rates, "")->calls, 2);  // 1022 - 1015 in all
  EXPECT_EQ(find(rates, "")->time_us, 6);
}

TEST(PoolRates, AShapeThatWentBackwardsCountsWithTheOthers) {
  PoolReading before = reading(10);
  before.shapes = {shape("1", 1000, 9000), shape("2", 10, 900), shape("", 0, 0)};
  PoolReading after = reading(12);
  after.shapes = {shape("1", 600, 5000), shape("2", 12, 100), shape("", 405, 4900)};

  const PoolRates rates = rates_between(&before, after);

  ASSERT_EQ(rates.shapes.size(), 1U);
  EXPECT_EQ(rates.shapes[0].shape, "");
  EXPECT_EQ(rates.shapes[0].calls, 7);
  EXPECT_EQ(rates.shapes[0].time_us, 100);
}

TEST(PoolRates, APoolThatWasMadeAnewHasNoShapesInTheInterval) {
  PoolReading before = reading(10);
  before.shapes = {shape("1", 1000, 9000)};
  PoolReading after = reading(12);
  after.shapes = {shape("1", 10, 90), shape("2", 1, 1)};

  EXPECT_TRUE(rates_between(&before, after).shapes.empty());
}

TEST(PoolRates, QuantilesAreThoseOfTheInterval) {
  PoolReading before = reading(10);
  before.pools = {{.database = "app", .user = "u"}};
  before.times = {{.database = "app", .user = "u", .kind = "query", .buckets = {{10, 1'000'000}}}};
  PoolReading after = before;
  after.at = SteadyTime(seconds(12));
  after.times->front().buckets = {{10, 1'000'010}, {1024, 89}, {65536, 1}};

  const PoolRates rates = rates_between(&before, after);

  ASSERT_TRUE(rates.pools[0].query);
  EXPECT_EQ(rates.pools[0].query->count, 100);
  EXPECT_NEAR(static_cast<double>(rates.pools[0].query->p50_us), 1024, 128);
  EXPECT_NEAR(static_cast<double>(rates.pools[0].query->p99_us), 1024, 128);
  EXPECT_FALSE(rates.pools[0].wait);
}

TEST(PoolRates, AHistogramThatWentBackwardsIsUnknown) {
  PoolReading before = reading(10);
  before.pools = {{.database = "app", .user = "u"}};
  before.times = {{.database = "app", .user = "u", .kind = "wait", .buckets = {{10, 9}}}};
  PoolReading after = before;
  after.at = SteadyTime(seconds(12));
  after.times->front().buckets = {{10, 8}, {20, 100}};

  EXPECT_FALSE(rates_between(&before, after).pools[0].wait);
}

TEST(PoolRates, PoolsWithWaitingClientsComeFirst) {
  PoolReading after = reading(10);
  after.pools = {{.database = "idle", .user = "u"},
                 {.database = "busy", .user = "u", .clients_active = 9},
                 {.database = "full", .user = "u", .clients_waiting = 1}};

  const PoolRates rates = rates_between(nullptr, after);

  EXPECT_EQ(rates.pools[0].now.database, "full");
  EXPECT_EQ(rates.pools[1].now.database, "busy");
}

TEST(PoolRates, EachOrderPutsItsLargestFirst) {
  std::vector<ShapeTotals> shapes = {shape("calls", 900, 9000), shape("time", 100, 10'000),
                                     shape("mean", 1, 5000), shape("errors", 2, 2),
                                     shape("rows", 3, 3)};
  shapes[3].errors = 5000;
  shapes[4].rows = 5000;

  for (const ShapeSortName& sort : kShapeSorts) {
    sort_shapes(shapes, sort.sort);
    EXPECT_EQ(shapes[0].shape, sort.name);
  }
}

}  // namespace
}  // namespace pgtend::cli
