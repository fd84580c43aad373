#include "demo/load_mix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/text.h"
#include "demo/generator_people.h"

namespace pgtend::demo {
namespace {

constexpr int kClients = 10;
constexpr int kRequests = 2'000;

Holdings town() {
  return {.seed = 3,
          .scale = {.customers = 800, .meters = 1'000, .days = 14},
          .calendar = {.first = 1'929'312, .slots = 14 * 96, .changes = {{0, 4}}}};
}

template <class Visit>
void each_request(const Workload& workload, const Visit& visit) {
  for (int client = 0; client < kClients; ++client) {
    for (int number = 0; number < kRequests; ++number) visit(workload.request(client, number));
  }
}

int64_t number(const std::string& text) { return *parse_int(text); }

TEST(Workload, KindsComeInTheirWeights) {
  const Workload workload(town(), Mix::All, 1, kClients);
  std::map<Kind, int> count;
  each_request(workload, [&](const Request& request) { ++count[request.kind]; });

  for (const KindRow& row : kKinds) {
    const double share = count[row.kind] / double{kClients * kRequests};
    EXPECT_NEAR(share, row.weight / 100.0, 0.01) << row.name;
  }
}

TEST(Workload, SmallerMixesHoldOnlyTheirKinds) {
  const Workload reading(town(), Mix::ReadOnly, 1, kClients);
  const Workload light(town(), Mix::Light, 1, kClients);
  each_request(reading, [](const Request& request) {
    EXPECT_FALSE(kKinds[static_cast<size_t>(request.kind)].writes);
  });
  each_request(light, [](const Request& request) {
    EXPECT_TRUE(kKinds[static_cast<size_t>(request.kind)].light);
    for (const Call& call : request.calls) {
      EXPECT_EQ(call.sql.find("t_dlpdata"), std::string_view::npos);
    }
  });
}

TEST(Workload, TheSameSeedAsksTheSame) {
  const Workload a(town(), Mix::All, 1, kClients);
  const Workload b(town(), Mix::All, 1, kClients);
  const Workload other(town(), Mix::All, 2, kClients);
  int same = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Request request = a.request(i % kClients, i);
    EXPECT_EQ(with_literals(request.calls[0]), with_literals(b.request(i % kClients, i).calls[0]));
    same +=
        with_literals(request.calls[0]) == with_literals(other.request(i % kClients, i).calls[0])
            ? 1
            : 0;
  }
  EXPECT_LT(same, 50);
}

TEST(Workload, MetersAreAskedForByZipf) {
  const Workload workload(town(), Mix::ReadOnly, 1, kClients);
  std::map<int64_t, int> count;
  int all = 0;
  each_request(workload, [&](const Request& request) {
    if (request.kind != Kind::LatestReading) return;
    const int64_t meter = number(request.calls[0].parameters[0]);
    ASSERT_GE(meter, 1);
    ASSERT_LE(meter, 1'000);
    ++count[meter];
    ++all;
  });
  std::vector<int> ranked;
  for (const auto& [meter, times] : count) ranked.push_back(times);
  std::ranges::sort(ranked, std::greater{});

  // The share of rank k is ln((k + 1) / k) / ln(1001).
  EXPECT_NEAR(ranked[0] / double(all), std::log(2.0) / std::log(1'001.0), 0.02);
  EXPECT_NEAR(ranked[9] / double(all), std::log(1.1) / std::log(1'001.0), 0.006);
  EXPECT_GT(count.size(), 500U);
}

TEST(Workload, FourOfFiveReadsAreOfTheLastSevenDays) {
  const Workload workload(town(), Mix::ReadOnly, 1, kClients);
  const Calendar& calendar = town().calendar;
  const int64_t last = (calendar.first + calendar.slots - 1) * kQuarterSeconds;
  int recent = 0;
  int all = 0;
  each_request(workload, [&](const Request& request) {
    if (request.kind != Kind::DayProfile) return;
    const int64_t time = number(request.calls[0].parameters[1]);
    ASSERT_LE(time, last);
    ASSERT_GE(time, calendar.first * kQuarterSeconds);
    ++all;
    recent += last - time < 7 * 86'400 ? 1 : 0;
  });

  // The other fifth is spread over all 14 days, so half of it is recent too.
  EXPECT_NEAR(recent / double(all), 0.9, 0.015);
}

TEST(Workload, NoTwoBatchesAreForTheSameReading) {
  const Workload workload(town(), Mix::All, 1, kClients);
  const int64_t end = (town().calendar.first + town().calendar.slots) * kQuarterSeconds;
  std::set<std::string> seen;
  each_request(workload, [&](const Request& request) {
    if (request.kind != Kind::BatchInsert) return;
    const auto& parameters = request.calls[0].parameters;
    EXPECT_TRUE(seen.insert(parameters[0] + parameters[1]).second);
    EXPECT_GE(number(parameters[1]), end);
    EXPECT_EQ(std::ranges::count(parameters[0], ','), kBatchRows - 1);
    EXPECT_EQ(std::ranges::count(parameters[2], ','), kBatchRows - 1);
  });
  EXPECT_GT(seen.size(), 1'000U);
}

TEST(Workload, AnOrmAsksOnceMoreForEachCustomer) {
  const Workload workload(town(), Mix::Light, 1, kClients);
  int seen = 0;
  each_request(workload, [&](const Request& request) {
    if (request.kind != Kind::NPlusOne) return;
    ++seen;
    EXPECT_EQ(request.calls.size(), size_t{kNPlusOneMeters} + 1);
    EXPECT_EQ(request.calls[0].parameters, request.calls[1].parameters);
    EXPECT_LE(number(request.calls.back().parameters[0]), 800);
  });
  EXPECT_GT(seen, 0);
}

TEST(Workload, TinyHoldingsAreNotAskedForMoreThanThereIs) {
  Holdings hamlet = town();
  hamlet.scale = {.customers = 1, .meters = 1, .days = 1};
  hamlet.calendar.slots = 1;
  const Workload workload(hamlet, Mix::All, 1, kClients);
  each_request(workload, [&](const Request& request) {
    if (request.kind == Kind::LatestReading) {
      EXPECT_EQ(request.calls[0].parameters[0], "1");
    }
    if (request.kind == Kind::NPlusOne) {
      EXPECT_EQ(request.calls.size(), 2U);
    }
    if (request.kind == Kind::BatchInsert) {
      EXPECT_EQ(request.calls[0].parameters[0], "{1}");
    }
  });
}

TEST(Workload, SearchesFindTheCustomersOfTheData) {
  const Holdings holdings = town();
  const Workload workload(holdings, Mix::Light, 1, kClients);
  std::set<std::pair<std::string, std::string>> people;
  for (int32_t id = 1; id <= holdings.scale.customers; ++id) {
    people.emplace(last_name(holdings.seed, id), city(holdings.seed, id));
  }
  each_request(workload, [&](const Request& request) {
    if (request.kind != Kind::CustomerSearch) return;
    const auto& parameters = request.calls[0].parameters;
    EXPECT_TRUE(people.contains({parameters[0], parameters[1]}));
  });
}

TEST(WithLiterals, ParametersAreQuotedWhereTheyStand) {
  const Call call{"SELECT $2::text, $1::int, $2::text", {"7", "O'Brien"}};

  EXPECT_EQ(with_literals(call), "SELECT 'O''Brien'::text, '7'::int, 'O''Brien'::text");
}

}  // namespace
}  // namespace pgtend::demo
