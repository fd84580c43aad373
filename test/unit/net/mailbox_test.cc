#include "net/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pgtend::net {
namespace {

TEST(Mailbox, TasksOfOneSenderKeepTheirOrder) {
  Mailbox mailbox;
  std::vector<int> seen;

  EXPECT_TRUE(mailbox.put([&seen] { seen.push_back(1); }));
  EXPECT_FALSE(mailbox.put([&seen] { seen.push_back(2); }));
  mailbox.run_all();

  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_TRUE(mailbox.put([] {}));
}

TEST(Mailbox, NothingIsLostBetweenManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 20'000;
  Mailbox mailbox;
  std::vector<int> last(kThreads, -1);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        mailbox.put([&, t, i] {
          EXPECT_EQ(last[static_cast<size_t>(t)], i - 1);
          last[static_cast<size_t>(t)] = i;
          ++count;
        });
      }
    });
  }

  while (count < kThreads * kTasks) mailbox.run_all();

  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kTasks);
}

}  // namespace
}  // namespace pgtend::net
