#include "vacuum/trace_generate.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

// A day of one table with this load, a sample an hour.
std::string description(std::string_view load, std::string_view more = "") {
  return cat(
      R"({"pgtend_load":1,"duration_s":86400,"every_s":3600,"xids_per_s":10,"settings":{"version":150018})",
      more, R"(,"tables":[{"table":{"name":"t","rows_live":1000},"load":[)", load, "]}]}");
}

Trace made(const std::string& text) {
  const auto load = read_load(text);
  EXPECT_TRUE(load) << load.error().message;
  auto trace = generate(*load);
  EXPECT_TRUE(trace) << trace.error().message;
  return std::move(trace).take();
}

double inserted(const Trace& trace, size_t hour) {
  return trace.samples[hour].tables[0].writes.inserted;
}

TEST(VacuumGenerator, ConstantRatesAddUp) {
  const Trace trace = made(description(
      R"({"inserted_per_s":2,"updated_per_s":4,"hot_share":0.25},{"deleted_per_s":1})"));
  ASSERT_EQ(trace.samples.size(), 25U);
  const Writes& end = trace.samples.back().tables[0].writes;
  EXPECT_NEAR(end.inserted, 172'800, 1);
  EXPECT_NEAR(end.updated, 345'600, 1);
  EXPECT_NEAR(end.updated_hot, 86'400, 1);
  EXPECT_NEAR(end.live, 86'400, 1);
  EXPECT_NEAR(end.dead, 432'000, 1);
  EXPECT_NEAR(end.changed, 604'800, 1);
  EXPECT_EQ(trace.samples.back().xid - trace.samples.front().xid, 864'000);
}

TEST(VacuumGenerator, DaysHaveTheirCurveAndBulkLoadsTheirTime) {
  const Trace day = made(description(R"({"inserted_per_s":1,"daily_swing":0.8,"peak_s":43200})"));
  EXPECT_NEAR(inserted(day, 24), 86'400, 10);
  EXPECT_NEAR(inserted(day, 13) - inserted(day, 12), 3600 * 1.8, 50);
  EXPECT_NEAR(inserted(day, 1), 3600 * 0.2, 50);
  const Trace bulk = made(description(R"({"inserted_per_s":1,"from_s":7200,"to_s":10800})"));
  EXPECT_EQ(inserted(bulk, 2), 0);
  EXPECT_NEAR(inserted(bulk, 3), 3600, 1);
  EXPECT_NEAR(inserted(bulk, 24), 3600, 1);
  const Trace bursts = made(description(R"({"inserted_per_s":1,"every_s":7200,"for_s":3600})"));
  EXPECT_NEAR(inserted(bursts, 1), 3600, 1);
  EXPECT_NEAR(inserted(bursts, 2), 3600, 1);
  EXPECT_NEAR(inserted(bursts, 24), 12 * 3600, 1);
}

TEST(VacuumGenerator, ASeedMakesTheSameNoise) {
  const std::string load = R"({"inserted_per_s":1,"noise":0.5})";
  const Trace one = made(description(load, R"(,"seed":1)"));
  EXPECT_EQ(write_trace(one), write_trace(made(description(load, R"(,"seed":1)"))));
  EXPECT_NE(write_trace(one), write_trace(made(description(load, R"(,"seed":2)"))));
  EXPECT_NEAR(inserted(one, 24), 86'400, 86'400 * 0.2);
}

TEST(VacuumGenerator, HoldersHoldTheHorizonWhileTheyLive) {
  const Trace trace = made(description("{}", R"(,"holders":[{"from_s":3600,"to_s":10800}])"));
  EXPECT_EQ(trace.samples[0].xid, *trace.samples[0].horizon);
  EXPECT_EQ(trace.samples[2].xid - *trace.samples[2].horizon, 36'000);
  EXPECT_EQ(trace.samples[3].xid, *trace.samples[3].horizon);
}

TEST(VacuumGenerator, MistakesAreNamed) {
  const auto error = [](const std::string& text) {
    const auto load = read_load(text);
    return load ? std::string("none") : load.error().message;
  };
  EXPECT_EQ(error("{}"), "a load begins with {\"pgtend_load\": 1, …}");
  EXPECT_EQ(error(R"({"pgtend_load":2})"), "this program reads loads of version 1");
  EXPECT_EQ(error(description("{\"inserted_per_s\":-1}")),
            "table 1: a rate is not within 0 and 1e9 rows a second");
  EXPECT_EQ(error(description("{\"noise\":2}")),
            "table 1: hot_share, daily_swing and noise are within 0 and 1");
  EXPECT_EQ(error(description("{\"every_s\":0}")), "table 1: every_s is not within 0.001 and 1e10");
  EXPECT_EQ(error(description("{}", ",\"sead\":1")), "unknown member sead");
  EXPECT_EQ(error(description("{}", ",\"costs\":{\"block_size\":1}")), "line 1: costs: block_size");
  EXPECT_TRUE(is_load_description(description("{}")));
  EXPECT_FALSE(is_load_description("{\"pgtend_trace\":1}"));
}

TEST(VacuumGenerator, MoreSamplesThanATraceMayHaveAreRefused) {
  auto load = read_load(description("{}"));
  ASSERT_TRUE(load);
  load->every_s = 0.001;
  const auto trace = generate(*load);
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().code, ErrorCode::Limit);
}

}  // namespace
}  // namespace pgtend::vacuum
