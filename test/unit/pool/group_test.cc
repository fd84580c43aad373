#include "pool/group.h"

#include <gtest/gtest.h>

#include <memory>
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

TEST(Slots, NoMoreLeaveThanMay) {
  Slots slots;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(slots.take(3));

  EXPECT_TRUE(slots.leave(1));
  EXPECT_TRUE(slots.leave(1));
  EXPECT_FALSE(slots.leave(1));
  slots.give();
  EXPECT_FALSE(slots.leave(1));
  slots.has_left();
  EXPECT_FALSE(slots.leave(1));
  slots.give();
  slots.has_left();
  EXPECT_TRUE(slots.leave(0));
}

class GroupOfThree : public testing::Test {
 protected:
  void wait_since(size_t worker, int clients, int64_t oldest) {
    group_.seat(worker).waiting = clients;
    group_.seat(worker).oldest = oldest;
  }

  Slots database_;
  Slots clients_;
  Slots user_;
  Switches switches_;
  std::atomic<bool> all_paused_{false};
  Group group_{{"db", "user"}, {database_, clients_, user_, switches_, all_paused_}, 3};
};

TEST_F(GroupOfThree, LongestWaitingIsLookedForOnOtherWorkersOnly) {
  wait_since(0, 1, 10);
  wait_since(1, 1, 30);
  wait_since(2, 1, 20);

  EXPECT_EQ(group_.longest_waiting(0)->worker, 2u);
  EXPECT_EQ(group_.longest_waiting(1)->worker, 0u);
  EXPECT_EQ(Group::stamp(group_.longest_waiting(1)->oldest), 10);
}

TEST_F(GroupOfThree, WorkersWithEnoughLinksOnTheirWayAreNoRivals) {
  wait_since(1, 2, 10);
  group_.seat(1).promised = 2;
  EXPECT_FALSE(group_.longest_waiting(0));

  wait_since(1, 3, 10);
  EXPECT_TRUE(group_.longest_waiting(0));
}

TEST_F(GroupOfThree, IdleLinksAreFoundOnOtherWorkersOnly) {
  group_.seat(0).idle = 1;
  EXPECT_FALSE(group_.idle_elsewhere(0));
  EXPECT_EQ(group_.idle_elsewhere(2), 0u);
}

TEST_F(GroupOfThree, OutcomeOfAnEarlierEpochIsForgotten) {
  const auto welcome = std::make_shared<const Welcome>(Welcome{{"server_version", "15"}});
  group_.publish({.welcome = welcome}, group_.epoch());
  EXPECT_EQ(group_.last_outcome().welcome, welcome);

  group_.next_epoch();

  EXPECT_EQ(group_.last_outcome().welcome, nullptr);
  group_.publish({.welcome = welcome}, group_.epoch() - 1);
  EXPECT_EQ(group_.last_outcome().welcome, nullptr);
}

TEST_F(GroupOfThree, PausedAloneOrWithAllOthers) {
  EXPECT_FALSE(group_.is_paused());
  switches_.paused = true;
  EXPECT_TRUE(group_.is_paused());
  switches_.paused = false;
  all_paused_ = true;
  EXPECT_TRUE(group_.is_paused());
}

TEST(Groups, PoolsOfOneDatabaseOrUserShareItsSlots) {
  Groups groups(2);
  Group& one = groups.find_or_add({"db", "a"});
  Group& two = groups.find_or_add({"db", "b"});
  Group& three = groups.find_or_add({"other", "b"});

  EXPECT_EQ(one.slots().database, two.slots().database);
  EXPECT_NE(one.slots().user, two.slots().user);
  EXPECT_EQ(two.slots().user, three.slots().user);
  EXPECT_EQ(&groups.find_or_add({"db", "a"}), &one);
}

}  // namespace
}  // namespace pgtend::pool
