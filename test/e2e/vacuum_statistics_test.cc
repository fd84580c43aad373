// What ANALYZE gets wrong whatever it samples: found from the catalogs, by counting, and cured.
#include <algorithm>

#include "base/text.h"
#include "e2e/support/database.h"
#include "vacuum/count_values.h"
#include "vacuum/vacuum.h"

namespace pgtend::e2e {
namespace {

using care::Finding;

class VacuumStatistics : public VersionTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
  }
  void run(const std::string& sql) { must(conn_->exec(sql)); }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }

  vacuum::Facts facts(pg::Connection& conn) {
    vacuum::Facts out = must(vacuum::load(conn));
    must(vacuum::load_estimates(conn, out));
    for (facts::TableFacts& table : out.tables) {
      table.counters.modified_since_analyze = 0;  // the server may count it late
    }
    return out;
  }
  static std::vector<Finding> about_columns(const vacuum::Facts& facts) {
    std::vector<Finding> out = vacuum::review(facts);
    std::erase_if(out, [](const Finding& finding) {
      return finding.id != "n-distinct-wrong" && finding.id != "target-too-low";
    });
    return out;
  }
  std::vector<Finding> found() { return about_columns(facts(*conn_)); }
  std::vector<Finding> counted() {
    vacuum::Facts known = facts(*conn_);
    const auto report = must(
        vacuum::count_values(*conn_, known, {.budget = seconds(60), .clock = &system_clock()}));
    EXPECT_EQ(report.left, 0);
    return about_columns(known);
  }
  void apply(const Finding& finding) {
    for (const std::string& sql : finding.statements) run(sql);
  }
  static std::string text_of(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& f : findings) {
      out += cat(f.id, " ", f.object, ": ", f.what, " | ", f.why, " | ", join(f.statements, "; "),
                 " | ", f.prediction, "\n");
    }
    return out;
  }

  std::optional<pg::Connection> conn_;
};

// Half of the rows share 100 values, each other row has its own.
constexpr const char* kSessions =
    "CREATE TABLE sessions AS SELECT i, i % 1000 AS shard, i % 2 = 1 AS own, "
    "CASE WHEN i % 2 = 0 THEN 'bot-' || (i / 2 % 100) ELSE md5(i::text) END::varchar(40) AS token "
    "FROM generate_series(1, 400000) i;"
    "CREATE INDEX sessions_shard ON sessions (shard);";

TEST_P(VacuumStatistics, UniqueIndexProvesMoreValuesThanTheSampleShows) {
  run(cat(kSessions, "CREATE UNIQUE INDEX sessions_own ON sessions (token) WHERE own"));
  run("ANALYZE sessions");

  const auto before = found();

  ASSERT_EQ(before.size(), 1U) << text_of(before);
  EXPECT_EQ(before[0].id, "n-distinct-wrong");
  EXPECT_EQ(before[0].object, "public.sessions");
  EXPECT_NE(before[0].what.find("column token: "), std::string::npos) << before[0].what;
  ASSERT_EQ(before[0].statements.size(), 2U);
  apply(before[0]);
  EXPECT_NEAR(std::stod(one("select n_distinct from pg_stats where attname = 'token'")), -0.5,
              0.03);
  EXPECT_TRUE(found().empty()) << text_of(found());
  run("ALTER TABLE sessions ALTER COLUMN token RESET (n_distinct); ANALYZE sessions (token)");
  EXPECT_EQ(found().size(), 1U) << "what was promised takes it back";
}

TEST_P(VacuumStatistics, CountThroughAnIndexFindsWhatCatalogsCannot) {
  run(cat(kSessions, "CREATE INDEX sessions_token ON sessions (token)"));
  run("VACUUM ANALYZE sessions");
  ASSERT_TRUE(found().empty()) << text_of(found());

  const auto before = counted();

  ASSERT_EQ(before.size(), 1U) << text_of(before);
  EXPECT_NE(before[0].what.find("column token: "), std::string::npos) << before[0].what;
  apply(before[0]);
  EXPECT_NEAR(std::stod(one("select n_distinct from pg_stats where attname = 'token'")), -0.5,
              0.05);
  EXPECT_TRUE(counted().empty()) << text_of(counted());
  EXPECT_FALSE(conn_->in_transaction());
  EXPECT_EQ(one("show enable_seqscan"), "on");
}

TEST_P(VacuumStatistics, ValuesOfEachTypeAreCounted) {
  run("CREATE DOMAIN code AS varchar(12);"
      "CREATE TABLE kinds AS SELECT i, (i % 700)::numeric(10, 2) AS n, ('c' || i % 300)::char(8) "
      "AS c, "
      "('d' || i % 500)::code AS d, timestamptz '2026-01-01 UTC' + i % 900 * interval '1 s' AS t, "
      "array[i % 400] AS a, CASE WHEN i % 3 = 0 THEN i % 600 END AS \"Odd name\" "
      "FROM generate_series(1, 40000) i");
  for (const char* column : {"n", "c", "d", "t", "a", "\"Odd name\""}) {
    run(cat("CREATE INDEX ON kinds (", column, ")"));
  }
  run("VACUUM ANALYZE kinds");
  vacuum::Facts known = facts(*conn_);

  must(vacuum::count_values(*conn_, known, {.budget = seconds(60), .clock = &system_clock()}));

  const auto& columns = known.context.estimates.begin()->second;
  ASSERT_EQ(columns.size(), 6U);
  for (const facts::ColumnEstimate& column : columns) {
    ASSERT_TRUE(column.counted) << column.name;
    EXPECT_FALSE(column.counted->at_least) << column.name;
    const double truth =
        std::stod(one(cat("select count(distinct \"", column.name, "\") from kinds")));
    // One interval of twenty may miss by chance (unit_vacuum counts how many do), but not by as
    // much again.
    const double half = (column.counted->high - column.counted->low) / 2;
    EXPECT_LE(column.counted->low - half, truth) << column.name;
    EXPECT_GE(column.counted->high + half, truth) << column.name;
    EXPECT_NEAR(column.counted->best / truth, 1, 0.2) << column.name;
  }
}

TEST_P(VacuumStatistics, PartitionsProveMoreValuesThanTheirParentHas) {
  run("CREATE TABLE readings (at int, v int) PARTITION BY RANGE (at);"
      "CREATE TABLE r1 PARTITION OF readings FOR VALUES FROM (0) TO (30000);"
      "CREATE TABLE r2 PARTITION OF readings FOR VALUES FROM (30000) TO (60000);"
      "INSERT INTO readings SELECT i, i % 50 FROM generate_series(0, 59999) i;"
      "CREATE INDEX ON readings (at)");
  run("ANALYZE readings");
  EXPECT_TRUE(found().empty()) << text_of(found());
  run("ALTER TABLE readings ALTER COLUMN at SET (n_distinct_inherited = 500); ANALYZE readings");

  const auto before = found();

  ASSERT_EQ(before.size(), 1U) << text_of(before);
  EXPECT_NE(before[0].what.find("500 distinct values by the statistics, at least 60,000"),
            std::string::npos)
      << before[0].what;
  apply(before[0]);
  EXPECT_TRUE(found().empty()) << text_of(found());
}

// The values that are shared are so in all partitions: no sum over them tells how many there are.
TEST_P(VacuumStatistics, ColumnsOfPartitionedTablesAreCountedOverThePartitions) {
  run("CREATE TABLE parted (i int, token varchar(40)) PARTITION BY RANGE (i);"
      "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (200000);"
      "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (200000) TO (300000)"
      " PARTITION BY LIST (i);"
      "CREATE TABLE parted_2_rest PARTITION OF parted_2 DEFAULT;"
      "CREATE TABLE parted_3 PARTITION OF parted DEFAULT;"
      "INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'bot-' || (i / 2 % 100) "
      "ELSE md5(i::text) END FROM generate_series(1, 400000) i;"
      "CREATE INDEX parted_token ON parted (token)");
  run("VACUUM ANALYZE parted");

  const auto before = counted();

  const auto of_parent = std::ranges::find(before, "public.parted", &Finding::object);
  ASSERT_NE(of_parent, before.end()) << text_of(before);
  EXPECT_NE(of_parent->what.find("column token: "), std::string::npos) << of_parent->what;
  ASSERT_EQ(of_parent->statements.size(), 2U);
  EXPECT_NE(of_parent->statements[0].find("n_distinct_inherited"), std::string::npos)
      << of_parent->statements[0];
  apply(*of_parent);
  const double truth = std::stod(one("select count(distinct token) from parted"));
  // A slow machine counts a part of the ranges: then it is a lower bound, never too much.
  const double set = std::stod(
      one("select case when n_distinct < 0 then -400000 * n_distinct else n_distinct end from "
          "pg_stats where tablename = 'parted' and attname = 'token' and inherited"));
  EXPECT_LT(set, 1.1 * truth);
  EXPECT_GT(set, 0.5 * truth);
  const auto after = counted();
  EXPECT_EQ(std::ranges::find(after, "public.parted", &Finding::object), after.end())
      << text_of(after);
}

TEST_P(VacuumStatistics, RowsThatTheSampleMissedAreFoundThroughTheirIndex) {
  run("CREATE TABLE events AS SELECT i, NULL::text AS note, NULL::text AS never, 'done'::text AS "
      "status, CASE WHEN i % 20 = 0 THEN i END AS often FROM generate_series(1, 400000) i");
  for (const char* column : {"note", "never", "often"}) {
    run(cat("CREATE INDEX events_", column, " ON events (", column, ")"));
  }
  run("CREATE INDEX events_failed ON events (i) WHERE status = 'failed'");
  run("VACUUM ANALYZE events");
  EXPECT_TRUE(found().empty()) << text_of(found());
  run("UPDATE events SET note = 'x' WHERE i % 50000 = 1;"
      "UPDATE events SET status = 'failed' WHERE i % 50000 = 2");

  const auto before = found();

  ASSERT_EQ(before.size(), 2U) << text_of(before);
  for (const Finding& finding : before) EXPECT_EQ(finding.id, "target-too-low");
  EXPECT_EQ(before[0].severity, care::Severity::Warning);
  EXPECT_NE(
      before[0].what.find("column note: 8 rows with note IS NOT NULL, the statistics say that "
                          "all are NULL"),
      std::string::npos)
      << before[0].what;
  EXPECT_NE(before[1].what.find("column status: 8 rows with (status = 'failed'::text)"),
            std::string::npos)
      << before[1].what;
  apply(before[0]);
  EXPECT_TRUE(found().empty()) << "the sample of the whole table has become larger\n"
                               << text_of(found());
  EXPECT_EQ(one("select attstattarget from pg_attribute where attrelid = 'events'::regclass and "
                "attname = 'note'"),
            "590");
}

TEST_P(VacuumStatistics, RoleWithoutSelectIsToldNothingWrong) {
  run(cat(kSessions, "CREATE UNIQUE INDEX sessions_own ON sessions (token) WHERE own"));
  run("ANALYZE sessions");
  pg::Connection poor = connect(create_role("poor", {"GRANT pg_monitor TO %"}));

  const vacuum::Facts known = facts(poor);

  EXPECT_TRUE(known.context.estimates.empty());
  EXPECT_FALSE(known.missing.empty()) << "and it is told why";
}

PGTEND_ON_SOME_VERSIONS(VacuumStatistics);

}  // namespace
}  // namespace pgtend::e2e
