// Rules that need the catalog or the parse tree, on real servers: the fault is found, its cure is
// applied, the finding is gone and fewer buffers are read.
#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/explain.h"
#include "explain/read_plans.h"
#include "explain/render_term.h"
#include "explain/verify.h"

namespace pgtend {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// k has 20 values, d 5,000, s is rare; g and h go together.
constexpr const char* kTables = R"(
CREATE TABLE big (id int, k int, d int, s text, v text, ts timestamp, doc jsonb, gone timestamptz,
                  g int, h int);
INSERT INTO big SELECT i, i % 20, (i * 7919) % 5000, CASE WHEN i > 119000 THEN 'new' ELSE 'done' END,
  'Name ' || i || repeat('x', 40), timestamp '2024-01-01' + i * interval '1 minute',
  jsonb_build_object('a', i), CASE WHEN i % 1000 <> 0 THEN now() END, i % 30, (i % 30) * 2
  FROM generate_series(1, 120000) i;
CREATE TABLE few (id int, x int);
INSERT INTO few SELECT i, i FROM generate_series(1, 300) i;
)";

class ExplainAdvice : public e2e::VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped()) return;
    std::string loader;
    {
      auto loading = connect();
      loader = e2e::must(e2e::must(loading.query("SELECT pg_backend_pid()")).scalar());
      e2e::must(loading.exec(kTables));
    }
    conn_.emplace(connect());
    // A backend may tell the statistics of what it wrote as late as at its end; after ANALYZE they
    // would count as rows written since.
    ASSERT_TRUE(e2e::wait_until([&] {
      return e2e::must(conn_->query(cat("SELECT FROM pg_stat_activity WHERE pid = ", loader)))
          .empty();
    }));
    run("VACUUM ANALYZE");
    run("SET max_parallel_workers_per_gather = 0");
    run("SET jit = off");
  }

  void run(const std::string& sql) { e2e::must(conn_->exec(sql)); }

  explain::Report examined(const std::string& sql, bool verify = false) {
    explain::Request request;
    request.sql = sql;
    request.options.analyze = true;
    request.verify = verify;
    explain::Report report = e2e::must(explain::examine(*conn_, request));
    // A run in which the machine paused has time in no node (G6): then another one is taken.
    for (int i = 1; i < 3 && finding(report, "G6"); ++i) {
      report = e2e::must(explain::examine(*conn_, request));
    }
    return report;
  }
  // A statement that pgtend itself would not run is run here, and undone.
  explain::Report examined_plan(const std::string& sql) {
    run("BEGIN");
    const auto rows = e2e::must(
        conn_->query(cat("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, FORMAT JSON) ", sql)));
    auto read = e2e::must(explain::read_plans(rows[0].text(0)));
    run("ROLLBACK");
    return e2e::must(explain::examine_plan(*conn_, std::move(read.plans.at(0)), {}));
  }

  static std::optional<care::Finding> finding(const explain::Report& report,
                                              const std::string& id) {
    const auto found = std::ranges::find(report.findings, id, &care::Finding::id);
    if (found == report.findings.end()) return {};
    return *found;
  }

  void apply(const care::Finding& found) {
    if (found.actions.empty()) {
      for (const std::string& sql : found.statements) run(sql);
      return;
    }
    for (const care::Step& step : found.actions[0].steps) run(step.sql);
    EXPECT_EQ(e2e::must(e2e::must(conn_->query(found.actions[0].verify_sql)).scalar()), "t");
  }

  // `id` speaks about `sql`; its cure is applied; then no rule does, and fewer buffers are read.
  void expect_cured(const std::string& id, const std::string& sql) {
    const explain::Report before = examined(sql);
    const auto found = finding(before, id);
    ASSERT_TRUE(found) << id << "\n" << explain::render_term(before, {.evidence = true});
    const auto blocks = e2e::must(explain::measure(*conn_, sql, 1)).blocks;

    apply(*found);
    run("VACUUM ANALYZE");

    const explain::Report after = examined(sql);
    EXPECT_TRUE(after.findings.empty()) << id << "\n"
                                        << explain::render_term(after, {.evidence = true});
    EXPECT_LT(e2e::must(explain::measure(*conn_, sql, 1)).blocks, blocks) << id;
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(ExplainAdvice, HeavyFilterIsCuredByOneIndexOnBoth) {
  run("CREATE INDEX ON big (k)");
  run("SET enable_seqscan = off");

  const explain::Report report = examined("SELECT sum(id) FROM big WHERE k = 7 AND d = 77");

  const auto found = finding(report, "A3");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  apply(*found);
  EXPECT_FALSE(finding(examined("SELECT sum(id) FROM big WHERE k = 7 AND d = 77"), "A3"));
}

TEST_P(ExplainAdvice, OrderChosenForLimitIsCuredByFilterThenOrder) {
  run("CREATE INDEX ON big (id)");
  run("UPDATE big SET g = 1000 WHERE id > 119900");
  run("SET enable_sort = off");
  run("SET enable_seqscan = off");
  const std::string sql = "SELECT * FROM big WHERE g = 1000 ORDER BY id LIMIT 10";

  const explain::Report report = examined(sql);

  const auto found = finding(report, "A10");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  EXPECT_THAT(found->actions.at(0).steps.at(0).sql, HasSubstr("(g, id)"));
  apply(*found);
  run("ANALYZE big");
  EXPECT_FALSE(finding(examined(sql), "A10"));
}

TEST_P(ExplainAdvice, SortForALimitIsCuredByItsOrder) {
  expect_cured("A11", "SELECT * FROM big ORDER BY ts DESC, d LIMIT 10");
}

TEST_P(ExplainAdvice, WrappedColumnIsCuredByAnIndexOnTheExpression) {
  expect_cured("A12", "SELECT * FROM big WHERE lower(v) = 'name 77'");
}

TEST_P(ExplainAdvice, PrefixIsCuredByBytewiseOrder) {
  expect_cured("A14", "SELECT * FROM big WHERE v LIKE 'Name 7777%'");
}

TEST_P(ExplainAdvice, DocumentsAreFoundByGin) {
  expect_cured("A15", "SELECT * FROM big WHERE doc @> '{\"a\": 777}'");
}

TEST_P(ExplainAdvice, RareNullsAreFoundByAPartialIndex) {
  expect_cured("A17", "SELECT * FROM big WHERE gone IS NULL");
}

TEST_P(ExplainAdvice, UnusableIndexIsNamedAndAFittingOneProposed) {
  run("CREATE INDEX half ON big (d) WHERE id > 60000");

  const explain::Report report = examined("SELECT * FROM big WHERE d = 77");

  const auto found = finding(report, "A19");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  expect_cured("A19", "SELECT * FROM big WHERE d = 77");
}

TEST_P(ExplainAdvice, ConvertedColumnIsToldWithoutAnIndex) {
  run("CREATE INDEX ON big (id)");

  const explain::Report report = examined("SELECT * FROM big WHERE id = 77.0");

  const auto found = finding(report, "A13");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  EXPECT_TRUE(found->actions.empty());
  EXPECT_TRUE(examined("SELECT * FROM big WHERE id = 77").findings.empty());
}

TEST_P(ExplainAdvice, InnerSideIsCuredByAnIndexOnItsKey) {
  run("SET enable_hashjoin = off");
  run("SET enable_mergejoin = off");
  run("CREATE TABLE mid AS SELECT i AS id FROM generate_series(1, 5000) i; ANALYZE mid");
  const std::string sql = "SELECT count(mid.id) FROM few LEFT JOIN mid ON mid.id = few.x";

  const explain::Report report = examined(sql);

  const auto found = finding(report, "B2");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  apply(*found);
  run("ANALYZE mid");
  EXPECT_FALSE(finding(examined(sql), "B2"));
}

TEST_P(ExplainAdvice, ForeignKeyGetsTheIndexItLacks) {
  run("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, "
      "500)");
  run("CREATE TABLE \"Child x\" (\"P id\" int REFERENCES parent);"
      "INSERT INTO \"Child x\" SELECT 1 + i % 400 FROM generate_series(1, 100000) i");
  run("ANALYZE");
  const std::string sql = "DELETE FROM parent WHERE id > 490";

  const explain::Report report = examined_plan(sql);

  const auto found = finding(report, "G4");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  apply(*found);
  EXPECT_FALSE(finding(examined_plan(sql), "G4"));
}

TEST_P(ExplainAdvice, CorrelatedColumnsAreProvenByATrialThatLeavesNothing) {
  run("CREATE INDEX ON big (g, h)");
  run("CREATE INDEX ON few (id)");
  const std::string sql =
      "SELECT count(*) FROM (SELECT * FROM big WHERE g = 7 AND h = 14 OFFSET 0) b "
      "JOIN few f ON f.id = b.d";

  const explain::Report report = examined(sql, true);

  const auto found = finding(report, "D2");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  EXPECT_EQ(found->proof, care::Proof::PlannerVerified);
  EXPECT_THAT(found->measured, HasSubstr("the planner then expects"));
  EXPECT_TRUE(e2e::must(conn_->query("SELECT FROM pg_statistic_ext")).empty());
  apply(*found);
  EXPECT_FALSE(finding(examined(sql), "D2"));
}

TEST_P(ExplainAdvice, SpilledSortIsProvenByRunningItBothWays) {
  run("SET work_mem = '64kB'");

  const explain::Report report = examined("SELECT * FROM big ORDER BY v, id", true);

  const auto found = finding(report, "E1");
  ASSERT_TRUE(found) << explain::render_term(report, {.evidence = true});
  EXPECT_EQ(found->proof, care::Proof::RunVerified);
  EXPECT_THAT(found->measured, HasSubstr("buffers"));
  EXPECT_EQ(e2e::must(e2e::must(conn_->query("SHOW work_mem")).scalar()), "64kB");
}

TEST_P(ExplainAdvice, StatisticsThatAreMissingOrOldAreToldApart) {
  run("CREATE TABLE fresh AS SELECT i, i % 10 AS k FROM generate_series(1, 60000) i");
  run("ALTER TABLE fresh SET (autovacuum_enabled = off); CREATE INDEX ON fresh (k)");
  const std::string sql =
      "SELECT count(*) FROM (SELECT * FROM fresh WHERE k = 7 OFFSET 0) b JOIN few f ON f.id = b.i";

  const explain::Report never = examined(sql);
  run("ANALYZE fresh");
  EXPECT_FALSE(finding(examined(sql), "D6"));
  run("INSERT INTO fresh SELECT i, 77 FROM generate_series(1, 60000) i");
  // The counters of this session's own writes are told to the server when it goes idle.
  conn_.emplace(connect());
  run("SET max_parallel_workers_per_gather = 0; SET jit = off");
  const std::string newer =
      "SELECT count(*) FROM (SELECT * FROM fresh WHERE k = 77 OFFSET 0) b JOIN few f ON f.id = b.i";
  // Both loads: the first may be counted after its ANALYZE, and is then not news.
  const bool counted = e2e::wait_until([&] {
    const std::string sql_count = "SELECT pg_stat_get_tuples_inserted('fresh'::regclass) >= 120000";
    return e2e::must(e2e::must(conn_->query(sql_count)).scalar()) == "t";
  });
  ASSERT_TRUE(counted);
  const explain::Report old = examined(newer);

  EXPECT_TRUE(finding(never, "D6")) << explain::render_term(never, {.evidence = true});
  EXPECT_TRUE(finding(old, "D5")) << explain::render_term(old, {.evidence = true});
  run("ANALYZE fresh");
  EXPECT_FALSE(finding(examined(newer), "D5"));
}

TEST_P(ExplainAdvice, PartitionsAreLeftOutOnceTheKeyStandsBare) {
  run("CREATE TABLE parts (ts timestamp, v int) PARTITION BY RANGE (ts)");
  for (const char* month : {"01", "02", "03", "04"}) {
    run(cat("CREATE TABLE parts_", month, " PARTITION OF parts FOR VALUES FROM ('2024-", month,
            "-01') TO ('2024-", month, "-28')"));
    run(cat("INSERT INTO parts SELECT '2024-", month,
            "-01'::timestamp + i * interval '1 minute', i FROM generate_series(0, 38000) i"));
  }
  run("ANALYZE parts");

  const explain::Report wrapped =
      examined("SELECT sum(v) FROM parts WHERE date_trunc('day', ts) = '2024-04-20'");
  const explain::Report bare =
      examined("SELECT sum(v) FROM parts WHERE ts >= '2024-04-20' AND ts < '2024-04-21'");

  ASSERT_TRUE(finding(wrapped, "I1")) << explain::render_term(wrapped, {.evidence = true});
  EXPECT_EQ(wrapped.findings.size(), 1u) << explain::render_term(wrapped, {.evidence = true});
  EXPECT_FALSE(finding(bare, "I1"));
}

TEST_P(ExplainAdvice, IndexMissingOnSomePartitionsIsBuiltOnAll) {
  run("CREATE TABLE parts (id int, k int) PARTITION BY RANGE (id)");
  for (int i = 0; i < 4; ++i) {
    run(cat("CREATE TABLE parts_", i, " PARTITION OF parts FOR VALUES FROM (", i * 40000, ") TO (",
            (i + 1) * 40000, ")"));
  }
  run("INSERT INTO parts SELECT i, i % 10000 FROM generate_series(0, 159999) i");
  for (int i = 0; i < 3; ++i) run(cat("CREATE INDEX ON parts_", i, " (k)"));
  run("ANALYZE parts");

  expect_cured("I7", "SELECT * FROM parts WHERE k = 777");
}

PGTEND_ON_SOME_VERSIONS(ExplainAdvice);

}  // namespace
}  // namespace pgtend
