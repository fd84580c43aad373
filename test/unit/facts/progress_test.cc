#include "facts/progress.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

Progress at(int64_t done, std::string phase = "scanning heap") {
  return {
      .command = "VACUUM", .phase = std::move(phase), .done = done, .total = 1000, .unit = "pages"};
}

TEST(Pace, RateAndRemainderComeFromTheSamePhase) {
  ManualClock clock;
  Pace pace;

  const auto first = pace.add(at(100), clock.steady());
  clock.advance(seconds(2));
  const auto second = pace.add(at(300), clock.steady());

  EXPECT_FALSE(first.remaining);
  EXPECT_DOUBLE_EQ(second.per_second, 100);
  EXPECT_DOUBLE_EQ(*second.share, 0.3);
  EXPECT_EQ(*second.remaining, seconds(7));
}

TEST(Pace, NewPhaseStartsAfresh) {
  ManualClock clock;
  Pace pace;
  pace.add(at(0), clock.steady());
  clock.advance(seconds(1));
  pace.add(at(900), clock.steady());

  const auto next = pace.add(at(10, "vacuuming heap"), clock.steady());

  EXPECT_EQ(next.per_second, 0);
  EXPECT_FALSE(next.remaining);
}

TEST(Pace, UnknownTotalGivesARateButNoEnd) {
  ManualClock clock;
  Pace pace;
  Progress progress = at(0);
  progress.total = 0;
  pace.add(progress, clock.steady());
  clock.advance(seconds(1));
  progress.done = 50;

  const auto estimate = pace.add(progress, clock.steady());

  EXPECT_DOUBLE_EQ(estimate.per_second, 50);
  EXPECT_FALSE(estimate.remaining);
  EXPECT_FALSE(estimate.share);
}

}  // namespace
}  // namespace pgtend::facts
