#include "vacuum/count_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace pgtend::vacuum {
namespace {

std::vector<RangeCount> ranges(size_t number, double values) {
  return std::vector<RangeCount>(number, RangeCount{.values = values});
}

TEST(CountedTotal, AllRangesGiveTheExactNumber) {
  const auto sum = total({.ends = {{1}, {2}}, .inner = ranges(100, 7), .inner_all = 100});
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->low, 703);
  EXPECT_EQ(sum->best, 703);
  EXPECT_EQ(sum->high, 703);
  EXPECT_FALSE(sum->at_least);
}

TEST(CountedTotal, ColumnWithoutHistogramIsOneRange) {
  const auto sum = total({.ends = {{42}}});
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->best, 42);
  EXPECT_FALSE(sum->at_least);
}

TEST(CountedTotal, NothingCountedIsNothingKnown) { EXPECT_FALSE(total({.ended = true})); }

TEST(CountedTotal, FewRangesProveOnlyWhatTheyHold) {
  const auto sum =
      total({.ends = {{1}, {1}}, .inner = ranges(7, 50), .inner_all = 100, .ended = true});
  ASSERT_TRUE(sum);
  EXPECT_TRUE(sum->at_least);
  EXPECT_EQ(sum->low, 352);
}

TEST(CountedTotal, RangeThatWasCutShortMakesItALowerBound) {
  std::vector<RangeCount> inner = ranges(10, 50);
  inner[3].whole = false;
  const auto sum = total({.ends = {{0}, {0}}, .inner = inner, .inner_all = 100});
  ASSERT_TRUE(sum);
  EXPECT_TRUE(sum->at_least);
  EXPECT_LE(sum->low, 5000) << "of the ranges that were not counted some may have fewer";
  EXPECT_GE(sum->low, 4900);
}

TEST(CountedTotal, IntervalHoldsTheTruthNineteenTimesOfTwenty) {
  std::mt19937_64 random(4711);
  std::gamma_distribution<double> sizes(0.7, 400);
  int inside = 0;
  const int runs = 2000;
  for (int run = 0; run < runs; ++run) {
    std::vector<RangeCount> all;
    double truth = 0;
    for (int i = 0; i < 100; ++i) {
      all.push_back({std::floor(sizes(random))});
      truth += all.back().values;
    }
    std::ranges::shuffle(all, random);
    all.resize(12 + run % 40);
    const auto sum = total({.ends = {{0}, {0}}, .inner = all, .inner_all = 100});
    inside += sum->low <= truth && truth <= sum->high;
  }
  EXPECT_GT(inside, runs * 91 / 100) << "very uneven ranges: a little less than 95 %";
  EXPECT_LT(inside, runs * 98 / 100) << "an interval that is too wide proves nothing";
}

}  // namespace
}  // namespace pgtend::vacuum
