#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace pgtend {
namespace {

TEST(Histogram, QuantilesErrByLessThanTheBucketWidth) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(9, 2);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<int64_t>(latency(random)));
    histogram.record(values.back());
  }
  std::ranges::sort(values);

  for (const double share : {0.01, 0.5, 0.95, 0.999}) {
    const auto exact = static_cast<double>(
        values[static_cast<size_t>(std::ceil(share * static_cast<double>(values.size()))) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(share)), exact, exact / 32 + 1) << share;
  }
  EXPECT_EQ(histogram.quantile(1), values.back());
}

TEST(Histogram, MergingTwoEqualsRecordingAllInOne) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (int64_t i = 0; i < 1000; ++i) {
    (i % 2 == 0 ? a : b).record(i * i);
    both.record(i * i);
  }

  a.merge(b);

  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.mean(), both.mean());
  for (const double share : {0.1, 0.5, 0.9, 1.0})
    EXPECT_EQ(a.quantile(share), both.quantile(share));
}

TEST(Histogram, ValuesOutsideTheRangeCountAtItsEnds) {
  Histogram histogram;
  histogram.record(-5);
  histogram.record(INT64_MAX);

  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.quantile(0), 0);
  EXPECT_EQ(histogram.max(), Histogram::kValueMax);
}

TEST(Histogram, AnEmptyOneAnswersZero) { EXPECT_EQ(Histogram{}.quantile(0.5), 0); }

}  // namespace
}  // namespace pgtend
