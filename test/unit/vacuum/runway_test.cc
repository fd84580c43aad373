#include "vacuum/runway.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

facts::ServerSettings server(int version) { return {.version = version}; }

facts::Runway facts_of(int64_t xid_age, int64_t mxid_age) {
  facts::Runway out{.databases = {{"a", xid_age, 5}, {"b", 7, mxid_age}}};
  out.used = facts::Consumption{
      .seconds = 100, .xids = 1000, .mxids = 10, .mxid_next = 1001, .member_next = 3000};
  return out;
}

const WallTime kNow{seconds(1'772'323'200)};  // 2026-03-01

TEST(Runway, EndsWhereTheServerStopsWriting) {
  const auto ends = [](int version) {
    std::vector<int64_t> out;
    for (const Track& track : runway(facts_of(0, 0), server(version)).tracks) {
      out.push_back(track.stop);
    }
    return out;
  };

  EXPECT_EQ(ends(180000), (std::vector<int64_t>{2'144'483'647, 2'144'483'647, 4'294'967'296}));
  EXPECT_EQ(ends(130000), (std::vector<int64_t>{2'146'483'647, 2'147'483'547, 4'294'967'296}));
}

TEST(Runway, EachTrackIsThatOfItsOldestDatabase) {
  const auto report = runway(facts_of(100'000'000, 200'000'000), server(150000));

  ASSERT_EQ(report.tracks.size(), 3U);
  EXPECT_EQ(report.tracks[0].database, "a");
  EXPECT_EQ(report.tracks[1].database, "b");
  EXPECT_DOUBLE_EQ(report.tracks[0].per_second, 10);
  EXPECT_DOUBLE_EQ(*report.tracks[0].until_forced(), 10'000'000);
  EXPECT_DOUBLE_EQ(*report.tracks[0].until_stop(), 204'448'364.7);
  // Three members each; 200 M multixacts in use.
  EXPECT_EQ(report.tracks[2].used, 600'000'000);
  EXPECT_DOUBLE_EQ(report.tracks[2].per_second, 0.3);
  EXPECT_TRUE(report.tracks[2].estimated);
}

TEST(Runway, WithoutRatesThereAreNoDates) {
  facts::Runway standby = facts_of(100'000'000, 5);
  standby.used.reset();

  const auto report = runway(standby, server(150000));

  EXPECT_FALSE(report.tracks[0].until_stop());
  EXPECT_EQ(to_text(report.tracks[0], kNow),
            "transaction ids: 100,000,000 of 2,144,483,647 used, 0 an hour; end in more than 100 "
            "years, autovacuum forces itself in more than 100 years");
  EXPECT_TRUE(runway_findings(standby, server(150000), kNow).empty());
}

TEST(Runway, ForcedFreezingIsAnnouncedThreeDaysAhead) {
  EXPECT_TRUE(runway_findings(facts_of(197'400'000, 5), server(150000), kNow).empty());

  const auto found = runway_findings(facts_of(197'500'000, 5), server(150000), kNow);

  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].severity, care::Severity::Notice);
  EXPECT_EQ(found[0].what, "autovacuum forces itself on 2026-03-03 (transaction ids)");
}

TEST(Runway, SlowFreezingMakesTheEndNear) {
  facts::Runway facts = facts_of(2'144'483'647 - 10 * 86'400 * 20, 5);  // 20 days at 10 a second
  EXPECT_EQ(runway_findings(facts, server(150000), kNow).at(0).severity, care::Severity::Warning);

  facts.relations = {{.table = "t", .pages = 4'000'000'000}};  // 7.6 days at 100 MB/s

  EXPECT_EQ(runway_findings(facts, server(150000), kNow).at(0).severity, care::Severity::Critical);
}

}  // namespace
}  // namespace pgtend::vacuum
