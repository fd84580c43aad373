#include "partition/choose.h"

#include <gtest/gtest.h>

#include "facts/partitions.h"
#include "partition/names.h"

namespace pgtend::partition {
namespace {

TEST(ChooseInterval, SmallMeteringTableGetsMonths) {
  const Choice choice = choose(96'000, 14, {});

  EXPECT_EQ(choice.interval, Interval::Month);
  EXPECT_NEAR(choice.rows_per_partition, 2.9e6, 1e5);
  EXPECT_EQ(choice.partitions, 36);
}

TEST(ChooseInterval, FullMonthsBecomeWeeksButDaysWouldBeTooMany) {
  const Choice choice = choose(50e6, 365, {});

  EXPECT_EQ(choice.interval, Interval::Week);
  EXPECT_NE(choice.reason.find("every query without the key"), std::string::npos) << choice.reason;
}

TEST(ChooseInterval, ShortHorizonAllowsDays) {
  const Choice choice = choose(50e6, 90, {.horizon_days = 180});

  EXPECT_EQ(choice.interval, Interval::Day);
  EXPECT_EQ(choice.partitions, 180);
}

TEST(ChooseInterval, UnknownRateGetsMonths) {
  EXPECT_EQ(choose(0, 0, {}).interval, Interval::Month);
}

TEST(ChooseInterval, CenturiesGetYears) {
  EXPECT_EQ(choose(10, 200 * 365.25, {}).interval, Interval::Year);
}

TEST(PlanningCost, MeasuredCountsComeBack) {
  EXPECT_NEAR(planning_ms_without_key(10), 0.2, 1e-9);
  EXPECT_NEAR(planning_ms_without_key(100), 1.2, 1e-9);
  EXPECT_NEAR(planning_ms_without_key(1000), 70, 1e-9);
  EXPECT_GT(planning_ms_without_key(300), 5);
  EXPECT_GT(planning_ms_without_key(9000), 699);
  EXPECT_NEAR(planning_ms_without_key(1), 0.2, 1e-9);
}

TEST(IntervalNames, UnknownWordIsInvalid) {
  EXPECT_EQ(*interval_from("week"), Interval::Week);
  EXPECT_EQ(interval_from("Month").error().code, ErrorCode::Invalid);
  EXPECT_EQ(interval_from("").error().code, ErrorCode::Invalid);
}

TEST(RelationNames, LongNamesLoseWholeCharacters) {
  const std::string sixty(60, 'a');
  EXPECT_EQ(name_with("t_dlpdata", "_2025_01"), "t_dlpdata_2025_01");
  EXPECT_EQ(name_with(sixty, "_2025_01"), std::string(55, 'a') + "_2025_01");
  EXPECT_EQ(name_with(std::string(54, 'a') + "é", "_2025_01"), std::string(54, 'a') + "_2025_01");
  EXPECT_EQ(name_with(std::string(53, 'a') + "é", "_2025_01"), std::string(53, 'a') + "é_2025_01");
}

TEST(RangeBounds, ServerTextIsTakenApart) {
  const auto bound = facts::parse_range_bound(
      "FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2025-02-01 00:00:00+00')");
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->from, "2025-01-01 00:00:00+00");
  EXPECT_EQ(bound->to, "2025-02-01 00:00:00+00");

  const auto open = facts::parse_range_bound("FOR VALUES FROM (MINVALUE) TO (42)");
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->from);
  EXPECT_EQ(open->to, "42");

  const auto quoted = facts::parse_range_bound("FOR VALUES FROM ('it''s ) TO (') TO (MAXVALUE)");
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->from, "it's ) TO (");
  EXPECT_FALSE(quoted->to);
}

TEST(RangeBounds, OtherTextsAreInvalid) {
  for (const char* text :
       {"", "DEFAULT", "FOR VALUES IN (1)", "FOR VALUES FROM (1, 2) TO (3, 4)",
        "FOR VALUES FROM ('a) TO ('b')", "FOR VALUES FROM () TO (1)", "FOR VALUES FROM (1) TO (2)x",
        "FOR VALUES FROM (E'\\\\') TO (1)", "FOR VALUES FROM ('", "FOR VALUES FROM (1"}) {
    EXPECT_FALSE(facts::parse_range_bound(text)) << text;
  }
}

}  // namespace
}  // namespace pgtend::partition
