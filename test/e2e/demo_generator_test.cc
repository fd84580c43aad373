// The metering generator against a real server.
#include "demo/generator.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "demo/generator_encode.h"
#include "demo/generator_model.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

using demo::GenerateOptions;

constexpr WallTime kNewYearNoon{seconds(1'735'732'800)};      // 2025-01-01 12:00 UTC
constexpr WallTime kAfterClocksBack{seconds(1'730'200'000)};  // 2024-10-29, two days after

GenerateOptions small(int connections = 1) {
  GenerateOptions options;
  options.scale = {.customers = 40, .meters = 60, .days = 5};
  options.seed = 42;
  options.connections = connections;
  options.end = kNewYearNoon;
  return options;
}

std::string scalar(pg::Connection& conn, std::string_view sql) {
  return must(must(conn.query(sql)).scalar());
}

// Depends on every value, not on the order of rows.
std::string checksum(pg::Connection& conn, const std::string& table) {
  return scalar(conn,
                "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM " +
                    table + " AS t");
}

class DemoGenerator : public DatabaseTest {};

TEST_F(DemoGenerator, TheTablesHoldWhatWasForetold) {
  const auto made = must(demo::generate(options(), small()));
  const demo::Totals totals = demo::expected(small(), made.calendar);
  auto conn = connect();

  EXPECT_EQ(made.totals, totals);
  EXPECT_EQ(scalar(conn, "SELECT count(*) FROM m_customerinfo"), std::to_string(totals.customers));
  EXPECT_EQ(scalar(conn, "SELECT count(*) FROM m_meterinfo"), std::to_string(totals.meters));
  EXPECT_EQ(scalar(conn, "SELECT count(*) FROM t_dlpdata"), std::to_string(totals.readings));
  EXPECT_EQ(scalar(conn, "SELECT (sum(kwh_reading) * 10000)::bigint FROM t_dlpdata"),
            std::to_string(totals.kwh_units));
}

TEST_F(DemoGenerator, TheNumberOfConnectionsAndTheOrderDoNotChangeTheRows) {
  auto conn = connect();
  std::vector<std::string> sums;
  std::vector<std::string> without_id;
  for (const int connections : {1, 3}) {
    for (const auto order : {demo::WriteOrder::Headend, demo::WriteOrder::File}) {
      GenerateOptions wanted = small(connections);
      wanted.order = order;
      wanted.replace = true;
      must(demo::generate(options(), wanted));
      if (order == demo::WriteOrder::Headend) sums.push_back(checksum(conn, "t_dlpdata"));
      without_id.push_back(
          checksum(conn, "(SELECT meter_id, reading_timestamp, kwh_reading FROM t_dlpdata)"));
    }
  }
  EXPECT_EQ(sums[0], sums[1]);
  for (const std::string& sum : without_id) EXPECT_EQ(sum, without_id[0]);
}

TEST_F(DemoGenerator, EveryReadingCanBeRecomputed) {
  const GenerateOptions wanted = small(2);
  const auto made = must(demo::generate(options(), wanted));
  const demo::Population population(wanted.seed, wanted.scale);
  const demo::Model model(wanted.seed, population, made.calendar);
  auto conn = connect();
  const auto rows =
      must(conn.query("SELECT meter_id, extract(epoch FROM reading_timestamp)::bigint / 900,"
                      " (kwh_reading * 10000)::bigint FROM t_dlpdata"));
  for (const pg::Row row : rows) {
    const int meter = must(row.get<int32_t>(0)) - 1;
    const auto slot = static_cast<int>(must(row.get<int64_t>(1)) - made.calendar.first);
    ASSERT_TRUE(model.present(meter, slot));
    ASSERT_EQ(must(row.get<int64_t>(2)), model.read_again(meter, slot)
                                             ? model.corrected_kwh(meter, slot)
                                             : model.kwh(meter, slot));
  }
  EXPECT_EQ(rows.size(), model.rows());
}

TEST_F(DemoGenerator, DaysHaveAnHourMoreWhereClocksGoBack) {
  GenerateOptions wanted = small();
  wanted.end = kAfterClocksBack;
  const auto made = must(demo::generate(options(), wanted));

  EXPECT_EQ(made.calendar.slots, 5 * 96 + 4);
  EXPECT_EQ(made.totals, demo::expected(wanted, made.calendar));
  auto conn = connect();
  EXPECT_EQ(scalar(conn,
                   "SELECT count(DISTINCT reading_timestamp) FROM t_dlpdata"
                   " WHERE (reading_timestamp AT TIME ZONE 'Europe/Berlin')::date = '2024-10-27'"),
            "100");
}

TEST_F(DemoGenerator, TheLastReadingIsJustNowUnlessToldOtherwise) {
  GenerateOptions wanted = small();
  wanted.end.reset();
  must(demo::generate(options(), wanted));
  auto conn = connect();

  EXPECT_EQ(
      scalar(conn, "SELECT now() - max(reading_timestamp) < interval '17 min' FROM t_dlpdata"),
      "t");
}

TEST_F(DemoGenerator, TheSchemaIsTheDeliveredOne) {
  must(demo::generate(options(), small()));
  auto conn = connect();

  EXPECT_EQ(scalar(conn,
                   "SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes"
                   " WHERE schemaname = 'public'"),
            "CREATE UNIQUE INDEX m_customerinfo_pkey ON public.m_customerinfo USING btree"
            " (customer_id); CREATE UNIQUE INDEX m_meterinfo_msn_key ON public.m_meterinfo USING"
            " btree (msn); CREATE UNIQUE INDEX m_meterinfo_pkey ON public.m_meterinfo USING btree"
            " (meter_id); CREATE UNIQUE INDEX t_dlpdata_pkey ON public.t_dlpdata USING btree"
            " (reading_id)");
  // The next row gets a number behind all others.
  EXPECT_EQ(scalar(conn,
                   "SELECT nextval('t_dlpdata_reading_id_seq') > max(reading_id)"
                   " FROM t_dlpdata"),
            "t");
}

TEST_F(DemoGenerator, SeededFaultsAreThereAndInTheAnswerKey) {
  GenerateOptions wanted = small();
  wanted.faults = demo::kAllFaults;
  const auto made = must(demo::generate(options(), wanted));
  auto conn = connect();

  ASSERT_EQ(made.answer_key.size(), 5U);
  EXPECT_EQ(scalar(conn,
                   "SELECT count(*) FROM pg_indexes WHERE indexname IN"
                   " ('m_meterinfo_msn_idx', 'm_customerinfo_phone_idx')"),
            "2");
  for (const demo::Fault& fault : made.answer_key) {
    EXPECT_TRUE(conn.exec(fault.remedy)) << fault.id;
    EXPECT_EQ(scalar(conn, "SELECT to_regclass('" + std::string(fault.object) + "') IS NULL"),
              fault.remedy.starts_with("DROP") ? "t" : "f");
  }
}

TEST_F(DemoGenerator, WithoutFaultsTheIndexesOfACarefulOwnerExist) {
  GenerateOptions wanted = small();
  wanted.faults = demo::kNoFaults;
  const auto made = must(demo::generate(options(), wanted));
  auto conn = connect();

  EXPECT_TRUE(made.answer_key.empty());
  EXPECT_EQ(scalar(conn,
                   "SELECT count(*) FROM pg_indexes WHERE indexname IN"
                   " ('t_dlpdata_reading_timestamp_idx', 'm_meterinfo_customer_id_idx')"),
            "2");
}

TEST_F(DemoGenerator, HeadendOrderFollowsTimeAndFileOrderDoesNot) {
  auto conn = connect();
  const auto correlation = [&](demo::WriteOrder order) {
    GenerateOptions wanted = small(1);
    wanted.order = order;
    wanted.replace = true;
    must(demo::generate(options(), wanted));
    return std::stod(scalar(conn,
                            "SELECT correlation FROM pg_stats WHERE tablename = 't_dlpdata'"
                            " AND attname = 'reading_timestamp'"));
  };
  EXPECT_GT(correlation(demo::WriteOrder::Headend), 0.97);
  EXPECT_LT(correlation(demo::WriteOrder::File), 0.3);
}

TEST_F(DemoGenerator, CorrectionsLeaveDeadRowsBehind) {
  GenerateOptions wanted = small();
  wanted.scale = {.customers = 100, .meters = 100, .days = 10};
  const auto made = must(demo::generate(options(), wanted));
  auto conn = connect();
  must(conn.exec("CREATE EXTENSION pgstattuple"));

  EXPECT_GT(made.totals.corrected, 300);
  EXPECT_EQ(scalar(conn, "SELECT dead_tuple_count FROM pgstattuple('t_dlpdata')"),
            std::to_string(made.totals.corrected));
}

TEST_F(DemoGenerator, NumericsArriveAsTheyWereMeant) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE numbers (unit bigint, value numeric(20,4))"));
  std::vector<int64_t> units = {0,      1,          9,           9'999, 10'000,
                                10'001, 99'990'000, 100'000'000, -1,    -10'000};
  for (int64_t power = 1; power < 9'999'999'999; power *= 7) {
    units.push_back(power);
    units.push_back(-power);
    units.push_back(power * 10'000);
  }
  bool sent = false;
  must(conn.copy_in("COPY numbers FROM STDIN (FORMAT binary)", [&](std::string& buffer) {
    if (sent) return ok();
    demo::CopyEncoder out(buffer);
    out.begin();
    for (const int64_t unit : units) {
      out.fields(2);
      out.int8(unit);
      out.numeric4(unit);
    }
    out.end();
    sent = true;
    return ok();
  }));

  // Equal as values, and stored in the same bytes as the server's own division gives.
  EXPECT_EQ(scalar(conn,
                   "SELECT count(*) FROM numbers WHERE value = round(unit / 10000.0, 4)"
                   " AND numeric_send(value) = numeric_send(round(unit / 10000.0, 4))"),
            std::to_string(units.size()));
}

TEST_F(DemoGenerator, OneMoreDayGoesBehindTheOthersWithNewNumbers) {
  const GenerateOptions wanted = small();
  const auto made = must(demo::generate(options(), wanted));
  auto conn = connect();
  const std::string last_id = scalar(conn, "SELECT max(reading_id) FROM t_dlpdata");
  const auto day = must(demo::one_more_day(options(), wanted, made.calendar));

  EXPECT_EQ(day.calendar.first, made.calendar.first + made.calendar.slots);
  EXPECT_EQ(day.calendar.slots, 96);
  EXPECT_EQ(scalar(conn, "SELECT count(*) FROM t_dlpdata WHERE reading_id > " + last_id),
            std::to_string(day.totals.readings));
  GenerateOptions as_delivered = wanted;
  as_delivered.read_again = false;
  const demo::Totals totals = demo::expected(as_delivered, day.calendar);
  EXPECT_EQ(day.totals.readings, totals.readings);
  EXPECT_EQ(day.totals.kwh_units, totals.kwh_units);
}

TEST_F(DemoGenerator, OneMoreDayBeforeFillsAPartitionedTable) {
  const GenerateOptions wanted = small();
  const auto made = must(demo::generate(options(), wanted));
  auto conn = connect();
  must(conn.exec(
      "DROP TABLE t_dlpdata;"
      "CREATE TABLE t_dlpdata (reading_id bigserial, meter_id int NOT NULL,"
      " reading_timestamp timestamptz NOT NULL, kwh_reading numeric(10,4) NOT NULL,"
      " PRIMARY KEY (reading_id, reading_timestamp)) PARTITION BY RANGE (reading_timestamp);"
      "CREATE TABLE december PARTITION OF t_dlpdata"
      " FOR VALUES FROM ('2024-12-01') TO ('2025-01-01')"));
  const auto day = must(demo::one_more_day(options(), wanted, made.calendar, demo::Extend::Before));

  EXPECT_EQ(day.calendar.first + day.calendar.slots, made.calendar.first);
  EXPECT_EQ(scalar(conn, "SELECT count(*) FROM december"), std::to_string(day.totals.readings));
}

TEST_F(DemoGenerator, ExistingTablesAreRefusedUntouched) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE m_meterinfo (mine int); INSERT INTO m_meterinfo VALUES (1)"));
  const auto made = demo::generate(options(), small());

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Invalid);
  EXPECT_NE(made.error().message.find("m_meterinfo"), std::string::npos);
  EXPECT_EQ(scalar(conn, "SELECT mine FROM m_meterinfo"), "1");
  EXPECT_EQ(scalar(conn, "SELECT to_regclass('t_dlpdata') IS NULL"), "t");
}

TEST_F(DemoGenerator, AStopInTheMiddleLeavesNothing) {
  std::stop_source source;
  GenerateOptions wanted = small(2);
  wanted.scale = {.customers = 2'000, .meters = 2'000, .days = 60};
  wanted.stop = source.get_token();
  bool seen = false;
  const auto began = system_clock().steady();
  SteadyTime asked{};
  const auto made = demo::generate(options(), wanted, [&](const Progress& state) {
    if (state.step != "readings" || state.done == 0 || seen) return;
    seen = true;
    asked = system_clock().steady();
    source.request_stop();
  });
  const auto ended = system_clock().steady();

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Cancelled);
  EXPECT_TRUE(seen);
  EXPECT_LT(ended - asked, seconds(1)) << "began " << (asked - began).count();
  auto conn = connect();
  EXPECT_EQ(
      scalar(conn, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
      "0");
}

TEST_F(DemoGenerator, AStopReachesAStatementThatWaits) {
  GenerateOptions wanted = small();
  auto blocker = connect();
  must(blocker.exec("BEGIN"));
  std::stop_source source;
  wanted.stop = source.get_token();
  bool locked = false;
  const auto made = demo::generate(options(), wanted, [&](const Progress& state) {
    // A lock of somebody else makes the deletion of superseded rows, or the keys, wait.
    if (state.step == "readings" && state.done == state.total && !locked) {
      locked = true;
      must(blocker.exec("LOCK TABLE t_dlpdata IN SHARE MODE"));
    }
    if (state.step == "corrections") {
      source.request_stop();
      must(blocker.exec("ROLLBACK"));
    }
  });

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Cancelled);
  EXPECT_TRUE(locked);
}

TEST_F(DemoGenerator, AnUnknownTimeZoneIsNamed) {
  GenerateOptions wanted = small();
  wanted.time_zone = "Mars/Olympus";
  const auto made = demo::generate(options(), wanted);

  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("Mars/Olympus"), std::string::npos);
  EXPECT_EQ(made.error().code, ErrorCode::Invalid);
}

TEST_F(DemoGenerator, ARoleWithoutTheRightToCreateIsToldSo) {
  const auto made = demo::generate(create_role(), small());

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Denied);
  EXPECT_EQ(made.error().sqlstate, "42501");
}

class DemoGeneratorVersions : public VersionTest {};

TEST_P(DemoGeneratorVersions, EveryVersionTakesTheSameRows) {
  GenerateOptions wanted = small(2);
  wanted.faults = demo::kAllFaults;
  const auto made = must(demo::generate(options(), wanted));

  EXPECT_EQ(made.totals, demo::expected(wanted, made.calendar));
}
PGTEND_ON_SOME_VERSIONS(DemoGeneratorVersions);

}  // namespace
}  // namespace pgtend::e2e
