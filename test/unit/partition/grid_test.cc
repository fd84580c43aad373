#include "partition/grid.h"

#include <gtest/gtest.h>

namespace pgtend::partition {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

Moment at(int year, int month, int day, int month_days, int64_t days_since_1970) {
  return {.month = int64_t{year} * 12 + month - 1,
          .month_days = month_days,
          .day = day,
          .local_us = days_since_1970 * kDayUs,
          .epoch_us = days_since_1970 * kDayUs};
}

TEST(Widths, AreReadAsIntervalsAreWritten) {
  EXPECT_EQ(*width_from("1 month"), (Width{Unit::Months, 1}));
  EXPECT_EQ(*width_from("3 MONTHS"), (Width{Unit::Months, 3}));
  EXPECT_EQ(*width_from("quarter"), (Width{Unit::Months, 3}));
  EXPECT_EQ(*width_from("2 years"), (Width{Unit::Months, 24}));
  EXPECT_EQ(*width_from(" 2 weeks "), (Width{Unit::Days, 14}));
  EXPECT_EQ(*width_from("6 hours"), (Width{Unit::Seconds, 21'600}));
  EXPECT_EQ(*width_from("day"), (Width{Unit::Days, 1}));
}

TEST(Widths, AnythingElseIsInvalid) {
  for (const char* wrong : {"", "0 days", "-1 day", "1.5 days", "month 1", "1 month 3 days", "days",
                            "1 fortnight", "99999999999999999999 days", "9000 years", "1  "}) {
    EXPECT_FALSE(width_from(wrong)) << wrong;
  }
}

TEST(Widths, TheirTextIsReadBack) {
  for (const char* width : {"1 month", "3 months", "1 year", "2 weeks", "1 day", "10 days",
                            "6 hours", "90 minutes", "45 seconds", "18 months"}) {
    EXPECT_EQ(text(*width_from(width)), width);
  }
}

TEST(Grids, AnAnchorOnThe31stKeepsTheLastDays) {
  const Grid grid = grid_at({Unit::Months, 1}, at(2025, 1, 31, 31, 20'119));

  EXPECT_EQ(index_of(grid, at(2025, 2, 27, 28, 20'146)), 0);
  EXPECT_EQ(index_of(grid, at(2025, 2, 28, 28, 20'147)), 1);
  EXPECT_EQ(index_of(grid, at(2025, 3, 30, 31, 20'177)), 1);
  EXPECT_EQ(index_of(grid, at(2025, 3, 31, 31, 20'178)), 2);
  EXPECT_EQ(index_of(grid, at(2024, 12, 30, 31, 20'087)), -2);
  EXPECT_EQ(index_of(grid, at(2024, 2, 29, 29, 19'782)), -11);
}

TEST(Grids, WeeksBeginOnMondays) {
  const Grid grid = grid_at({Unit::Days, 7}, at(1970, 1, 5, 31, 4));

  EXPECT_EQ(index_of(grid, at(1970, 1, 4, 31, 3)), -1);
  EXPECT_EQ(index_of(grid, at(1970, 1, 5, 31, 4)), 0);
  EXPECT_EQ(index_of(grid, at(1970, 1, 11, 31, 10)), 0);
}

TEST(InferredGrids, MonthsThatLookLikeDaysAreMonths) {
  // February 2025 alone is 28 days as well as a month.
  const MomentRange february{at(2025, 2, 1, 28, 20'120), at(2025, 3, 1, 31, 20'148)};
  const MomentRange january{at(2025, 1, 1, 31, 20'089), at(2025, 2, 1, 28, 20'120)};

  const auto both = infer_grid({february, january});
  const auto one = infer_grid({february});

  ASSERT_TRUE(both && one);
  EXPECT_EQ(both->width, (Width{Unit::Months, 1}));
  EXPECT_EQ(both->day, 1);
  EXPECT_EQ(one->width, (Width{Unit::Months, 1}));
}

TEST(InferredGrids, LastDaysOfMonthsComeFromAnAnchorOnThe31st) {
  const MomentRange newest{at(2025, 2, 28, 28, 20'147), at(2025, 3, 31, 31, 20'178)};
  const MomentRange before{at(2025, 1, 31, 31, 20'119), at(2025, 2, 28, 28, 20'147)};

  const auto grid = infer_grid({newest, before});

  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->day, 31);
  EXPECT_EQ(index_of(*grid, at(2025, 4, 30, 30, 20'208)), 2);
}

TEST(InferredGrids, ThirtyDaysAreDaysWhereMonthsDoNotFit) {
  const MomentRange newest{at(2025, 3, 2, 31, 20'149), at(2025, 4, 1, 30, 20'179)};
  const MomentRange before{at(2025, 1, 31, 31, 20'119), at(2025, 3, 2, 31, 20'149)};

  const auto grid = infer_grid({newest, before});

  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->width, (Width{Unit::Days, 30}));
}

TEST(InferredGrids, MixedWidthsAreNotGuessed) {
  const MomentRange newest{at(2025, 3, 1, 31, 20'148), at(2025, 3, 4, 31, 20'151)};
  const MomentRange before{at(2025, 2, 1, 28, 20'120), at(2025, 3, 1, 31, 20'148)};

  EXPECT_FALSE(infer_grid({newest, before}));
  EXPECT_FALSE(infer_grid({}));
}

}  // namespace
}  // namespace pgtend::partition
