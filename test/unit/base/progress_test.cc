#include "base/progress.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Progress, LeftFollowsFromTheRateSoFar) {
  const Progress half{"readings", "rows", 500, 1000, seconds(2)};

  EXPECT_DOUBLE_EQ(half.rate(), 250);
  EXPECT_EQ(half.left(), seconds(2));
}

TEST(Progress, NothingIsForetoldBeforeTheFirstUnit) {
  const Progress fresh{"readings", "rows", 0, 1000, milliseconds(3)};
  const Progress endless{"keys", "rows", 10, 0, seconds(1)};

  EXPECT_EQ(fresh.left(), std::nullopt);
  EXPECT_EQ(endless.left(), std::nullopt);
}

TEST(Progress, ALineShowsShareRateAndTimeLeft) {
  const Progress state{"readings", "rows", 847'000, 1'340'000, seconds(2)};

  EXPECT_EQ(progress_line(state, 100),
            "readings  [##################------------]   63 %  847 k of 1.34 M rows  424 k/s"
            "  1.16 s left");
}

TEST(Progress, ALineNeverExceedsItsColumns) {
  const Progress state{"readings", "rows", 847'000, 1'340'000, seconds(2)};

  for (size_t width = 0; width < 120; ++width) {
    EXPECT_LE(columns(progress_line(state, width)), width);
  }
}

TEST(Progress, ANarrowTerminalLosesTheBarFirst) {
  const Progress state{"readings", "rows", 10, 20, seconds(1)};

  EXPECT_EQ(progress_line(state, 50), "readings   50 %  10 of 20 rows  10/s  1.00 s left");
}

TEST(Progress, AFinishedStepTellsHowLongItTook) {
  const Progress state{"keys", "statements", 7, 7, seconds(7)};

  EXPECT_EQ(progress_line(state, 40), "keys  100 %  7 of 7 statements  1/s  7.0");
}

TEST(Progress, MoreDoneThanPlannedStaysAtHundredPercent) {
  const Progress state{"rows", "rows", 30, 20, seconds(1)};

  EXPECT_NE(progress_line(state, 80).find("100 %"), std::string::npos);
}

}  // namespace
}  // namespace pgtend
