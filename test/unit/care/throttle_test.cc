// What holds a compaction back, as numbers: the budget of WAL and how far standbys are behind.
#include "care/throttle.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::care {
namespace {

constexpr SteadyTime kStart{seconds(1'000)};

TEST(CompactThrottle, WhatWasWrittenIsPaidWithTime) {
  WalBudget budget(Bytes{1'000'000});

  budget.wrote(50'000, kStart);

  EXPECT_EQ(budget.wait(kStart + milliseconds(10)), milliseconds(40));
  EXPECT_EQ(budget.wait(kStart + milliseconds(50)), milliseconds(0));
  EXPECT_EQ(budget.wait(kStart + seconds(9)), milliseconds(0));
}

TEST(CompactThrottle, TheRateHoldsOnAverageAndTimeNotUsedIsNotSaved) {
  WalBudget budget(Bytes{1'000'000});
  SteadyTime now = kStart;
  for (int i = 0; i < 100; ++i) {
    budget.wrote(30'000, now);
    now += milliseconds(10);
    now += budget.wait(now);
  }
  EXPECT_EQ(now, kStart + seconds(3));  // 3 MB at 1 MB/s

  now += seconds(100);
  budget.wrote(1'000'000, now);

  EXPECT_EQ(budget.wait(now), seconds(1));
}

// Pages a second that VACUUM makes dirty with such settings, each for at most a page of WAL.
double dirty_bytes_second(const std::vector<std::string>& settings) {
  double delay = 0;
  double dirty = 0;
  double limit = 0;
  for (const std::string& sql : settings) {
    const auto value = [&](std::string_view name, double& to) {
      if (sql.starts_with(name)) to = std::stod(sql.substr(sql.find_first_of("0123456789")));
    };
    value("SET vacuum_cost_delay", delay);
    value("SET vacuum_cost_page_dirty", dirty);
    value("SET vacuum_cost_limit", limit);
  }
  return limit / dirty * 1'000 / delay * 8'192;
}

TEST(CompactThrottle, VacuumsSettingsKeepTheBudgetWithinWhatTheServerTakes) {
  for (const int64_t mb : {1, 3, 10, 40, 100, 400, 4'000}) {
    const auto settings = vacuum_budget(Bytes{mb * 1'000'000}, 8'192);
    const double rate = dirty_bytes_second(settings);
    EXPECT_LE(rate, static_cast<double>(mb) * 1e6) << join(settings, "; ");
    EXPECT_GE(rate, static_cast<double>(mb) * 0.9e6) << join(settings, "; ");
  }
}

TEST(CompactThrottle, LagIsTheAgeOfTheFirstPositionThatIsNotReplayed) {
  ReplayLag lag;
  for (int second = 0; second < 10; ++second) lag.at(100 * second, kStart + seconds(second));
  const SteadyTime now = kStart + seconds(9);

  EXPECT_EQ(lag.behind({.replayed = 900}, now), milliseconds(0));
  EXPECT_EQ(lag.behind({.replayed = 850}, now), milliseconds(0));  // written just now
  EXPECT_EQ(lag.behind({.replayed = 350}, now), seconds(5));
  EXPECT_EQ(lag.behind({.replayed = 0}, now + seconds(60)), seconds(68));
  EXPECT_EQ(lag.behind({.replayed = std::nullopt}, now), milliseconds(0));
}

TEST(CompactThrottle, TheServersOwnMeasureCountsWhileSomethingIsNotReplayed) {
  ReplayLag lag;
  lag.at(100, kStart);
  lag.at(200, kStart + seconds(1));

  EXPECT_EQ(lag.behind({.replayed = 150, .delay = seconds(40)}, kStart + seconds(2)), seconds(40));
  EXPECT_EQ(lag.behind({.replayed = 200, .delay = seconds(40)}, kStart + seconds(2)), seconds(0));
}

TEST(CompactThrottle, TheReportNamesWhatHeldItBack) {
  EXPECT_EQ(held_text(HeldBack{}), "");
  EXPECT_EQ(held_text(HeldBack{.latency = seconds(4),
                               .wal = milliseconds(1'200),
                               .lag = seconds(2),
                               .clients = "latency 87.0 ms, limit 50.0 ms",
                               .standby = "walreceiver is 12.0 s behind"}),
            "4.00 s for clients (latency 87.0 ms, limit 50.0 ms), 1.20 s for the WAL budget, "
            "2.00 s for standbys (walreceiver is 12.0 s behind)");
}

}  // namespace
}  // namespace pgtend::care
