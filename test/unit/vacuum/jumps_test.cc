#include "vacuum/jumps.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

facts::ColumnFacts column(double null_frac, double n_distinct) {
  facts::ColumnFacts out{.name = "c"};
  out.stats = facts::ColumnStats{.null_frac = null_frac, .n_distinct = n_distinct};
  return out;
}

std::string jump(const facts::ColumnFacts& before, const facts::ColumnFacts& after,
                 double changed = 0) {
  const auto found = jumps({before}, {after}, 1e6, changed);
  return found.empty() ? "" : found[0].what;
}

TEST(Jumps, RareValuesThatTheSampleMissedAreSeen) {
  EXPECT_EQ(jump(column(0.99999, -0.00001), column(1, 0)), "NULLs almost 100 % -> 100 %");
  EXPECT_EQ(jump(column(0.9989, 5), column(1, 0), 900'000), "NULLs 99.89 % -> 100 %");
  EXPECT_EQ(jump(column(1, 0), column(1, 0)), "");
  EXPECT_EQ(jump(column(1, 0), column(0.9999, 3)), "");
}

TEST(Jumps, NullsMayMoveByWhatChanged) {
  EXPECT_EQ(jump(column(0.1, 100), column(0.35, 100)), "NULLs 10 % -> 35 %");
  EXPECT_EQ(jump(column(0.1, 100), column(0.29, 100)), "");
  EXPECT_EQ(jump(column(0.1, 100), column(0.35, 100), 60'000), "");
}

TEST(Jumps, DistinctValuesMayGrowByNewRows) {
  EXPECT_EQ(jump(column(0, 400'000), column(0, 28'000)), "distinct values 400 k -> 28.0 k");
  EXPECT_EQ(jump(column(0, 1000), column(0, 4999)), "");
  EXPECT_EQ(jump(column(0, 1000), column(0, 5000)), "distinct values 1.00 k -> 5.00 k");
  EXPECT_EQ(jump(column(0, 1000), column(0, 50'000), 60'000), "");
  EXPECT_EQ(jump(column(0, -1), column(0, -0.9)), "");
}

TEST(Jumps, CommonValueDoesNotVanish) {
  auto before = column(0, 1000);
  before.stats->common_values = {"open", "rare"};
  before.stats->common_frequencies = {0.06, 0.04};
  auto after = before;
  after.stats->common_frequencies = {0.03, 0.001};
  EXPECT_EQ(jump(before, after), "");
  after.stats->common_frequencies = {0.019, 0.001};
  EXPECT_EQ(jump(before, after), "the value open from 6 % to 1.90 %");
  EXPECT_EQ(jump(before, after, 10'000), "");
}

TEST(Jumps, WithMostRowsNewAnythingMayBeTrue) {
  EXPECT_EQ(jump(column(0, 1000), column(0.9, 5), 500'000), "");
}

TEST(Jumps, ColumnsWithoutStatisticsAreLeftOut) {
  facts::ColumnFacts none{.name = "c"};
  EXPECT_EQ(jump(none, column(1, 0)), "");
  EXPECT_EQ(jump(column(0.5, 7), none), "");
}

}  // namespace
}  // namespace pgtend::vacuum
