// Where partitions begin and end: in zones with clock changes, over years, whatever the session
// says.
#include <map>
#include <set>

#include "base/text.h"
#include "e2e/support/database.h"
#include "partition/calendar.h"
#include "partition/slices.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Axis;
using partition::Grid;
using partition::Slice;
using partition::Width;

constexpr const char* kZones[] = {"Europe/Berlin",       "America/New_York", "America/Sao_Paulo",
                                  "Australia/Lord_Howe", "Asia/Kolkata",     "Africa/Casablanca"};

class PartitionSlices : public VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) conn_.emplace(connect());
  }
  // Partitions of `width` from the one that holds local `from` to the one that holds `to`.
  std::vector<Slice> slices(const Axis& axis, const std::string& width, const std::string& anchor,
                            const std::string& from, const std::string& to) {
    std::vector<Slice> out;
    const Width every = must(partition::width_from(width));
    const auto look = [&]() -> Status {
      const Grid grid = partition::grid_at(every, TRY(partition::moment_at(*conn_, axis, anchor)));
      const int64_t first = index_of(grid, TRY(partition::moment_at(*conn_, axis, from)));
      const int64_t last = index_of(grid, TRY(partition::moment_at(*conn_, axis, to)));
      for (int64_t at = first; at <= last; at += 2'000) {
        for (Slice& slice :
             TRY(partition::slices_of(*conn_, axis, grid, at, std::min(last, at + 1'999)))) {
          out.push_back(std::move(slice));
        }
      }
      return ok();
    };
    must(partition::in_time_zone(*conn_, axis.time_zone, look));
    return out;
  }
  static Axis axis(const std::string& zone) {
    return {.table = "t", .type = "timestamp with time zone", .time_zone = zone};
  }
  std::string one(const std::string& sql) {
    const pg::Rows rows = must(conn_->query(sql));
    return std::string(rows[0].text(0));
  }
  static void expect_tiling(const std::vector<Slice>& slices) {
    std::set<std::string> names;
    for (size_t i = 0; i < slices.size(); ++i) {
      if (i > 0) {
        ASSERT_EQ(slices[i].from, slices[i - 1].to) << i;
      }
      EXPECT_TRUE(names.insert(slices[i].name).second) << slices[i].name;
    }
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(PartitionSlices, DaysTileOver400DaysInSixZones) {
  for (const char* zone : kZones) {
    const auto days = slices(axis(zone), "1 day", "2000-01-03", "2025-01-01", "2026-02-04");

    ASSERT_EQ(days.size(), 400U) << zone;
    expect_tiling(days);
    for (const size_t i : {0U, 100U, 399U}) {
      EXPECT_EQ(one(cat("select (", pg::literal(days[i].from), "::timestamptz at time zone ",
                        pg::literal(zone), ")::time::text")),
                "00:00:00")
          << zone << days[i].from;
    }
  }
  EXPECT_EQ(slices(axis("Europe/Berlin"), "1 day", "2000-01-03", "2025-03-30", "2025-03-30")[0].to,
            "2025-03-31 00:00:00+02");
}

TEST_P(PartitionSlices, HoursAreHoursAndTheirNamesUniqueOverTwoYears) {
  for (const char* zone : {"Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"}) {
    const auto hours = slices(axis(zone), "1 hour", "2000-01-03", "2025-01-01", "2026-12-31 23:00");

    EXPECT_NEAR(static_cast<double>(hours.size()), 730 * 24, 1) << zone;
    expect_tiling(hours);
  }
  const auto twice =
      slices(axis("Europe/Berlin"), "1 hour", "2000-01-03", "2026-10-25 01:00", "2026-10-25 03:00");
  ASSERT_EQ(twice.size(), 4U);
  EXPECT_EQ(twice[1].name, "t_2026_10_25_0200a");
  EXPECT_EQ(twice[2].name, "t_2026_10_25_0200");
  EXPECT_EQ(twice[2].from, "2026-10-25 02:00:00+01");
}

TEST_P(PartitionSlices, AnAnchorOnThe31stHoldsOverFourYears) {
  const auto months =
      slices(axis("Europe/Berlin"), "1 month", "2023-01-31", "2023-01-31", "2027-01-30");

  ASSERT_EQ(months.size(), 48U);
  expect_tiling(months);
  for (const Slice& month : months) {
    // Every bound is the last day of its month.
    EXPECT_EQ(one(cat("select extract(day from (", pg::literal(month.from),
                      "::timestamptz at time zone 'Europe/Berlin') + interval '1 day')::int")),
              "1")
        << month.from;
  }
  EXPECT_EQ(months[13].name, "t_2024_02_29");
}

TEST_P(PartitionSlices, ADayThatAZoneHasSkippedIsLeftOut) {
  const auto days = slices(axis("Pacific/Apia"), "1 day", "2000-01-03", "2011-12-29", "2012-01-01");

  expect_tiling(days);
  EXPECT_EQ(days.size(), 3U);
}

TEST_P(PartitionSlices, TheSessionZoneDoesNotMatter) {
  std::vector<std::string> seen;
  for (const char* session : {"UTC", "Asia/Kolkata", "America/New_York"}) {
    must(conn_->query("select set_config('TimeZone', $1, false)", {session}));
    must(conn_->query("select set_config('DateStyle', 'SQL, DMY', false)"));
    std::string all;
    for (const char* type : {"timestamp with time zone", "timestamp without time zone", "date"}) {
      const Axis any{.table = "t", .type = type, .time_zone = "Europe/Berlin"};
      for (const char* width : {"1 day", "1 week", "3 months", "1 year"}) {
        for (const Slice& slice : slices(any, width, "2000-01-03", "2025-03-01", "2025-11-01")) {
          all += cat(slice.name, slice.from, slice.to, "\n");
        }
      }
    }
    seen.push_back(all);
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_NE(seen[0].find("t_2025w10"), std::string::npos);
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionSlices);

}  // namespace
}  // namespace pgtend::e2e
