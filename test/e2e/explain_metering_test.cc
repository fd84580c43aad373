// The day query of the metering example on a real server: cause, index, proof, effect.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/text.h"
#include "demo/generator.h"
#include "demo/load_mix.h"
#include "e2e/support/database.h"
#include "explain/explain.h"
#include "explain/read_plans.h"
#include "explain/render_term.h"
#include "explain/verify.h"

namespace pgtend {
namespace {

using testing::HasSubstr;

constexpr const char* kDayQuery =
    "SELECT c.first_name, m.msn, d.kwh_reading FROM m_customerinfo c "
    "JOIN m_meterinfo m ON c.customer_id = m.customer_id "
    "JOIN t_dlpdata d ON m.meter_id = d.meter_id "
    "WHERE d.reading_timestamp > NOW() - INTERVAL '1 day'";

constexpr const char* kSchema = R"(
CREATE TABLE m_customerinfo (customer_id int PRIMARY KEY, first_name text, last_name text);
CREATE TABLE m_meterinfo (meter_id int PRIMARY KEY,
  customer_id int REFERENCES m_customerinfo, msn text UNIQUE, model text);
CREATE TABLE t_dlpdata (reading_id bigserial PRIMARY KEY, meter_id int NOT NULL,
  reading_timestamp timestamptz NOT NULL, kwh_reading numeric(10,4) NOT NULL);
INSERT INTO m_customerinfo SELECT i, 'First ' || i, 'Last ' || i FROM generate_series(1, 800) i;
INSERT INTO m_meterinfo SELECT i, 1 + i % 800, 'MSN' || i, 'x' FROM generate_series(1, 1000) i;
)";

// 300 meters, 14 days of 96 slots: 403,200 rows; the last day is a fourteenth.
void load(pg::Connection& conn, bool headend) {
  e2e::must(conn.exec("SET synchronous_commit = on"));
  e2e::must(conn.exec(kSchema));
  const std::string order = headend ? "ORDER BY s DESC, m" : "ORDER BY m, s DESC";
  e2e::must(
      conn.exec("INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
                "SELECT m, now() - s * interval '15 minutes' - interval '1 minute', 1.25 "
                "FROM generate_series(0, 1343) s, generate_series(1, 300) m " +
                order));
  // Else the first reader notes which rows are committed, which is a finding of its own (H3).
  // VACUUM notes it only for commits that are on disk.
  e2e::must(conn.exec("VACUUM (ANALYZE)"));
}

class ExplainMetering : public e2e::DatabaseTest {};

bool has_paused(const explain::Report& report) {
  return std::ranges::find(report.findings, "G6", &care::Finding::id) != report.findings.end();
}

// A run in which the machine paused has time in no node (G6): then another one is taken.
explain::Report examined(pg::Connection& conn) {
  explain::Request request;
  request.sql = kDayQuery;
  request.options.analyze = true;
  explain::Report report = e2e::must(explain::examine(conn, request));
  for (int i = 1; i < 3 && has_paused(report); ++i) {
    report = e2e::must(explain::examine(conn, request));
  }
  return report;
}

void apply(pg::Connection& conn, const care::Action& action) {
  for (const care::Step& step : action.steps) e2e::must(conn.exec(step.sql));
  EXPECT_EQ(e2e::must(e2e::must(conn.query(action.verify_sql)).scalar()), "t");
}

TEST_F(ExplainMetering, DayQueryGivesExactlyOneFindingOnTheGrowingTable) {
  auto conn = connect();
  load(conn, true);

  const explain::Report report = examined(conn);

  ASSERT_EQ(report.findings.size(), 1u) << explain::render_term(report, {});
  const care::Finding& finding = report.findings[0];
  EXPECT_EQ(finding.id, "A2");
  EXPECT_EQ(finding.object, "public.t_dlpdata");
  EXPECT_TRUE(report.timing.adds_up());
  ASSERT_FALSE(finding.actions.empty());
  EXPECT_THAT(finding.actions[0].steps[0].sql, HasSubstr("CREATE INDEX CONCURRENTLY"));
  EXPECT_THAT(finding.actions[0].steps[0].sql, HasSubstr("(reading_timestamp)"));
}

TEST_F(ExplainMetering, PhysicalOrderFlipsTheChoiceBetweenBrinAndBtree) {
  auto conn = connect();
  load(conn, true);
  const explain::Report headend = examined(conn);
  e2e::must(conn.exec("DROP TABLE t_dlpdata, m_meterinfo, m_customerinfo"));
  load(conn, false);

  const explain::Report file = examined(conn);

  ASSERT_EQ(headend.findings.size(), 1u);
  ASSERT_EQ(file.findings.size(), 1u);
  EXPECT_THAT(headend.findings[0].actions[0].steps[0].sql, HasSubstr("USING brin"));
  EXPECT_THAT(file.findings[0].actions[0].steps[0].sql, HasSubstr("USING btree"));
}

TEST_F(ExplainMetering, AppliedIndexTakesFindingAndBuffersAway) {
  for (const bool headend : {true, false}) {
    auto conn = connect();
    e2e::must(conn.exec("DROP TABLE IF EXISTS t_dlpdata, m_meterinfo, m_customerinfo"));
    load(conn, headend);
    const explain::Report report = examined(conn);
    ASSERT_EQ(report.findings.size(), 1u) << explain::render_term(report, {});
    const auto before = e2e::must(explain::measure(conn, kDayQuery, 3));

    apply(conn, report.findings[0].actions[0]);
    const auto after = e2e::must(explain::measure(conn, kDayQuery, 3));

    const explain::Comparison effect = explain::compare(before, after);
    EXPECT_TRUE(effect.better) << effect.text;
    EXPECT_GT(effect.blocks_factor, 2) << effect.text;
    const explain::Report again = examined(conn);
    EXPECT_TRUE(again.findings.empty()) << explain::render_term(again, {});
    for (const std::string& undo : report.findings[0].actions[0].undo) e2e::must(conn.exec(undo));
    const explain::Report undone = examined(conn);
    EXPECT_EQ(undone.findings.size(), 1u) << explain::render_term(undone, {});

    std::printf("%s: %s\n", headend ? "headend" : "file", effect.text.c_str());
  }
}

TEST_F(ExplainMetering, HypotheticalIndexRaisesTheProofAndLeavesNothing) {
  auto conn = connect();
  if (e2e::must(conn.query("SELECT FROM pg_available_extensions WHERE name = 'hypopg'")).empty()) {
    GTEST_SKIP() << "hypopg is not installed";
  }
  e2e::must(conn.exec("CREATE SCHEMA \"Ext\"; CREATE EXTENSION hypopg SCHEMA \"Ext\""));
  load(conn, true);

  const explain::Report report = examined(conn);

  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].proof, care::Proof::PlannerVerified)
      << explain::render_term(report, {});
  EXPECT_TRUE(e2e::must(conn.query("SELECT FROM \"Ext\".hypopg()")).empty());
  std::printf("%s", explain::render_term(report, {}).c_str());
}

// A table so wide that the planner prefers the scan even with an index is rare; one whose random
// reads are declared dear is the same to it.
TEST_F(ExplainMetering, IndexThatThePlannerWouldNotUseIsNotProposed) {
  auto conn = connect();
  if (e2e::must(conn.query("SELECT FROM pg_available_extensions WHERE name = 'hypopg'")).empty()) {
    GTEST_SKIP() << "hypopg is not installed";
  }
  e2e::must(conn.exec("CREATE EXTENSION hypopg"));
  load(conn, false);
  e2e::must(conn.exec("SET random_page_cost = 100000; SET seq_page_cost = 0.01"));

  const explain::Report report = examined(conn);

  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_TRUE(report.findings[0].actions.empty());
  EXPECT_EQ(report.findings[0].severity, care::Severity::Info);
  EXPECT_THAT(report.findings[0].prediction, HasSubstr("would use none"));
}

// What an owner who looks after the example has beside its keys, for what the counter asks all day.
constexpr const char* kTuning = R"(
CREATE INDEX ON t_dlpdata (meter_id, reading_timestamp) INCLUDE (kwh_reading);
CREATE INDEX ON m_meterinfo (feeder_id);
CREATE INDEX ON m_customerinfo (last_name, city);
)";

class TunedMetering : public e2e::VersionTest {
 protected:
  static constexpr int kOfEachKind = 3;

  // Fills the database; the holdings that requests are made for.
  demo::Holdings tuned() {
    demo::GenerateOptions wanted;
    wanted.scale = {.customers = 240, .meters = 300, .days = 14};
    wanted.faults = demo::kNoFaults;
    const auto made = e2e::must(demo::generate(options(), wanted));
    auto conn = connect();
    e2e::must(conn.exec("SET synchronous_commit = on"));
    e2e::must(conn.exec(kTuning));
    e2e::must(conn.exec("VACUUM (ANALYZE)"));
    return {.seed = wanted.seed, .scale = wanted.scale, .calendar = made.calendar};
  }

  // Some requests of each kind.
  static std::vector<demo::Request> requests(const demo::Holdings& holdings) {
    const demo::Workload workload(holdings, demo::Mix::All, 7, 1);
    std::vector<demo::Request> out;
    std::array<int, demo::kKindCount> seen = {};
    for (int64_t number = 0; out.size() < demo::kKindCount * kOfEachKind; ++number) {
      demo::Request request = workload.request(0, number);
      int& count = seen.at(static_cast<size_t>(request.kind));
      if (count < kOfEachKind && ++count > 0) out.push_back(std::move(request));
    }
    return out;
  }

  // Runs `sql` once for the caches, and up to three times to explain it until nothing is found:
  // what one run alone shows may be another process's doing. It is undone each time.
  static explain::Report examined(pg::Connection& conn, const std::string& sql) {
    e2e::must(conn.exec(cat("BEGIN; ", sql, "; ROLLBACK")));
    explain::Report report = examined_once(conn, sql);
    for (int i = 1; i < 3 && !report.findings.empty(); ++i) report = examined_once(conn, sql);
    return report;
  }
  static explain::Report examined_once(pg::Connection& conn, const std::string& sql) {
    e2e::must(conn.exec("BEGIN"));
    const auto rows = e2e::must(
        conn.query(cat("EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON) ", sql)));
    e2e::must(conn.exec("ROLLBACK"));
    auto read = e2e::must(explain::read_plans(rows[0].text(0)));
    return e2e::must(explain::examine_plan(conn, std::move(read.plans.at(0)), {}));
  }
};

TEST_P(TunedMetering, NoQueryOfTheWorkloadGetsAFinding) {
  const demo::Holdings holdings = tuned();
  auto conn = connect();

  std::vector<std::string> statements = {kDayQuery};
  for (const demo::Request& request : requests(holdings)) {
    for (const demo::Call& call : request.calls) statements.push_back(demo::with_literals(call));
  }

  for (const std::string& sql : statements) {
    const explain::Report report = examined(conn, sql);
    EXPECT_TRUE(report.findings.empty()) << sql << "\n" << explain::render_term(report, {});
  }
}

// The oldest, the default and the newest: a run takes ten seconds and more.
PGTEND_ON_SOME_VERSIONS(TunedMetering);

}  // namespace
}  // namespace pgtend
