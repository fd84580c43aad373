#include "cli/pool_reading.h"

#include <gtest/gtest.h>

namespace pgtend::cli {
namespace {

Status take(std::string_view what, const Table& table, PoolReading& reading) {
  for (const PoolShow& show : pool_shows()) {
    if (show.what == what) return show.take(table, reading);
  }
  return Error{ErrorCode::NotFound, "no such table"};
}

const Table kPools{.headings = {"database", "user", "cl_active", "cl_waiting", "sv_active",
                                "sv_idle", "sv_used", "sv_tested", "maxwait", "maxwait_us"},
                   .align = {},
                   .rows = {{"app", "u", "1", "2", "3", "4", "5", "6", "7", "8"},
                            {"pgbouncer", "pgbouncer", "1", "0", "0", "0", "0", "0", "0", "0"}}};

TEST(PoolReading, PoolsAreReadByColumnNameWithoutTheConsole) {
  PoolReading reading;

  ASSERT_TRUE(take("pools", kPools, reading));

  ASSERT_EQ(reading.pools.size(), 1U);
  EXPECT_EQ(reading.pools[0].clients_waiting, 2);
  EXPECT_EQ(reading.pools[0].servers_idle, 4 + 5 + 6);
  EXPECT_EQ(reading.pools[0].wait_max_us, 7'000'008);
}

TEST(PoolReading, AMissingColumnAndAWordForANumberAreNamed) {
  PoolReading reading;
  Table without = kPools;
  without.headings[2] = "other";
  Table wordy = kPools;
  wordy.rows[0][3] = "many\x1b[2J";

  const auto missing = take("pools", without, reading);
  const auto word = take("pools", wordy, reading);

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "column cl_active is missing");
  ASSERT_FALSE(word);
  EXPECT_EQ(word.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(word.error().message, "column cl_waiting is \"many\\x1b[2J\", not a count");
}

TEST(PoolReading, TheUnusualStateCounts) {
  PoolReading reading;

  ASSERT_TRUE(take("state",
                   {.headings = {"key", "value"},
                    .align = {},
                    .rows = {{"active", "no"}, {"paused", "yes"}, {"suspended", "no"}}},
                   reading));

  EXPECT_EQ(reading.state, "paused");
}

TEST(PoolReading, BucketsOfAHistogramAreRead) {
  const auto table = [](const std::string& buckets) {
    return Table{.headings = {"database", "user", "kind", "buckets"},
                 .align = {},
                 .rows = {{"app", "u", "wait", buckets}}};
  };
  PoolReading reading;

  ASSERT_TRUE(take("histograms", table("0:5 1024:7"), reading));
  EXPECT_EQ(reading.times->at(0).buckets, (std::map<int64_t, int64_t>{{0, 5}, {1024, 7}}));
  ASSERT_TRUE(take("histograms", table(""), reading));
  EXPECT_TRUE(reading.times->at(0).buckets.empty());
  for (const char* bad : {"5", ":", "1:", ":2", "1:-2", "a:b", "1:2:3"}) {
    EXPECT_FALSE(take("histograms", table(bad), reading)) << bad;
  }
}

TEST(PoolReading, TextsOfClientsAreMadeHarmless) {
  PoolReading reading;

  ASSERT_TRUE(take("queries",
                   {.headings = {"database", "user", "shape", "query", "calls", "errors", "rows",
                                 "total_time", "p95_time"},
                    .align = {},
                    .rows = {{"a\n", "\x1b]0;u\x07", "7",
                              "select \"\xc2\x9b"
                              "2J\"\xff",
                              "1", "0", "0", "5", "5"}}},
                   reading));

  EXPECT_EQ(reading.shapes->at(0).database, "a\\x0a");
  EXPECT_EQ(reading.shapes->at(0).user, "\\x1b]0;u\\x07");
  EXPECT_EQ(reading.shapes->at(0).text, "select \"\\xc2\\x9b2J\"\\xff");
}

}  // namespace
}  // namespace pgtend::cli
