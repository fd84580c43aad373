#include "vacuum/rules_columns.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pgtend::vacuum {
namespace {

TEST(MissChance, IsWhatOneSampleOfAHundredThousandRowsMisses) {
  // Measured (vacuum.md 2.6): 12 of 1,000,000 rows, samples of 30,000: theory 70 %.
  EXPECT_NEAR(miss_chance(12, 30'000, 1e6), 0.694, 0.001);
  EXPECT_NEAR(miss_chance(1, 30'000, 60'000), 0.5, 1e-9);
  EXPECT_EQ(miss_chance(1, 30'000, 30'000), 0) << "all rows are read";
}

TEST(NeededTarget, MakesTheChanceWhatWasAskedFor) {
  for (const double rare : {1.0, 12.0, 400.0, 20'000.0}) {
    const double all = 1e8;
    const double target = needed_target(rare, all, 0.01);
    EXPECT_NEAR(miss_chance(rare, 300 * target, all), 0.01, 1e-6) << rare;
    const double rule = std::log(100) / (300 * rare / all);
    EXPECT_LE(target, rule * 1.001) << "the rule of thumb is for endless tables";
    if (rare > 100) {
      EXPECT_NEAR(target / rule, 1, 0.03);
    }
  }
}

TEST(ValuesWithRoom, AreMoreThanAnyDenseIndexHolds) {
  // 1,000,000 rows of 10 values each take at least 6 bytes a row and 20 a value; pages are 90 %
  // full.
  const double bytes = 100'000 * 20 + 900'000 * 6;
  const auto pages = static_cast<int64_t>(bytes / 0.9 / 8152) + 5;
  const auto most = values_with_room({.entries = 1e6, .pages = pages}, 8192);
  ASSERT_TRUE(most);
  EXPECT_GT(*most, 100'000);
  EXPECT_LT(*most, 200'000);
}

TEST(ValuesWithRoom, AreUnknownForAnIndexThatIsNotTheOneCounted) {
  EXPECT_FALSE(values_with_room({.entries = 1e6, .pages = 10}, 8192));
  EXPECT_FALSE(values_with_room({.entries = 0, .pages = 1}, 8192));
  EXPECT_EQ(values_with_room({.entries = 1000, .pages = 100}, 8192), 1000) << "one a row at most";
}

TEST(DistinctSetting, GrowsWithTheTableFromATenthOn) {
  EXPECT_EQ(distinct_setting(367'403, 2e6), "-0.184");
  EXPECT_EQ(distinct_setting(123'456, 2e6), "123000");
  EXPECT_EQ(distinct_setting(17, 2e6), "17");
  EXPECT_EQ(distinct_setting(3e6, 2e6), "-1");
  EXPECT_EQ(distinct_setting(0, 2e6), "1");
  EXPECT_EQ(distinct_setting(1e9, 1e12), "1000000000");
}

}  // namespace
}  // namespace pgtend::vacuum
