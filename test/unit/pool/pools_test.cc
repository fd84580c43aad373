#include "pool/pools.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pgtend::pool {
namespace {

TEST(Slots, TakenUpToTheLimitAndGivenBack) {
  Slots slots;

  EXPECT_TRUE(slots.take(2));
  EXPECT_TRUE(slots.take(2));
  EXPECT_FALSE(slots.take(2));
  slots.give();

  EXPECT_TRUE(slots.take(2));
  EXPECT_EQ(slots.used(), 2);
}

TEST(Slots, ZeroMeansNoLimit) {
  Slots slots;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(slots.take(0));
  EXPECT_EQ(slots.used(), 1000);
}

TEST(Slots, LimitHoldsAcrossThreads) {
  constexpr int kLimit = 3;
  Slots slots;
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (!slots.take(kLimit)) continue;
        const int now = ++inside;
        int before = most.load();
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        --inside;
        slots.give();
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_LE(most, kLimit);
  EXPECT_EQ(slots.used(), 0);
}

}  // namespace
}  // namespace pgtend::pool
