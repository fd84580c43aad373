#include "net/timers.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace pgtend::net {
namespace {

SteadyTime at(int ms) { return SteadyTime{} + milliseconds(ms); }

TEST(Timers, FireInOrderOfDeadline) {
  Timers timers;
  std::vector<int> fired;
  std::mt19937 random(3);
  std::vector<std::unique_ptr<Timer>> all;
  for (int i = 0; i < 500; ++i) {
    const int due = static_cast<int>(random() % 1000);
    all.push_back(std::make_unique<Timer>(timers, [&fired, due] { fired.push_back(due); }));
    all.back()->arm(at(due));
  }

  for (int now = 0; now <= 1000; now += 100) timers.fire(at(now));

  EXPECT_EQ(fired.size(), 500u);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_EQ(timers.next(), std::nullopt);
}

TEST(Timers, CancelledAndMovedTimersKeepTheirWord) {
  Timers timers;
  int a = 0;
  int b = 0;
  Timer first(timers, [&a] { ++a; });
  Timer second(timers, [&b] { ++b; });
  first.arm(at(10));
  second.arm(at(20));
  second.arm(at(5));
  first.cancel();

  EXPECT_EQ(timers.next(), at(5));
  timers.fire(at(100));

  EXPECT_EQ(a, 0);
  EXPECT_EQ(b, 1);
}

TEST(Timers, ActionMayRearmItself) {
  Timers timers;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(timers, [&] {
    if (++fired < 3) timer->arm(at(10 * (fired + 1)));
  });
  timer->arm(at(10));

  for (int now = 0; now < 100; now += 5) timers.fire(at(now));

  EXPECT_EQ(fired, 3);
}

TEST(Timers, ActionMayDestroyItsOwnTimer) {
  Timers timers;
  auto alive = std::make_shared<int>(1);
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(timers, [&timer, alive] {
    timer.reset();
    ++*alive;
  });
  timer->arm(at(1));

  timers.fire(at(2));

  EXPECT_EQ(timer, nullptr);
  EXPECT_EQ(*alive, 2);
}

TEST(Timers, DestructionCancelsTheTimer) {
  Timers timers;
  int fired = 0;
  {
    Timer timer(timers, [&fired] { ++fired; });
    timer.arm(at(1));
  }

  timers.fire(at(2));

  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace pgtend::net
