// Rules on plans that real servers make: each fault, and the same statement without it.
#include "explain/rules.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/explain.h"
#include "explain/read_plans.h"

namespace pgtend {
namespace {

using testing::Contains;
using testing::Not;

constexpr const char* kTables = R"(
CREATE TABLE big (id int, k int, v text);
INSERT INTO big SELECT i, i % 20000, repeat('x', 40) FROM generate_series(1, 120000) i;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 2000);
CREATE TABLE child (parent_id int REFERENCES parent);
INSERT INTO child SELECT 1 + i % 1000 FROM generate_series(1, 60000) i;
ANALYZE)";

class ExplainRules : public e2e::VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped()) return;
    conn_.emplace(connect());
    // VACUUM marks pages visible whose commits are written.
    e2e::must(conn_->exec("SET synchronous_commit = on"));
    e2e::must(conn_->exec(kTables));
    e2e::must(conn_->exec("SET max_parallel_workers_per_gather = 0; SET jit = off"));
  }

  // The rules that speak about `sql`. It is run, and undone.
  std::vector<std::string> ids(const std::string& sql) {
    e2e::must(conn_->exec("BEGIN"));
    const auto rows =
        e2e::must(conn_->query(cat("EXPLAIN (ANALYZE, BUFFERS, SETTINGS, FORMAT JSON) ", sql)));
    auto read = e2e::must(explain::read_plans(rows[0].text(0)));
    const auto report = explain::examine_offline(std::move(read.plans.at(0)));
    e2e::must(conn_->exec("ROLLBACK"));
    std::vector<std::string> all;
    for (const care::Finding& finding : report.findings) all.push_back(finding.id);
    return all;
  }

  // `id` speaks after `fault`, and does not after `cure`.
  void expect_cured(const std::string& id, const std::string& fault, const std::string& cure,
                    const std::string& sql) {
    e2e::must(conn_->exec(fault));
    EXPECT_THAT(ids(sql), Contains(id)) << fault;
    e2e::must(conn_->exec(cure));
    EXPECT_THAT(ids(sql), Not(Contains(id))) << cure;
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(ExplainRules, SortsHashesAndGroupsThatSpillAreCuredByMemory) {
  const std::string low = "SET work_mem = '64kB'";
  const std::string high = "SET work_mem = '256MB'";

  expect_cured("E1", low, high, "SELECT * FROM big ORDER BY v, id");
  expect_cured("B5", low, high, "SELECT count(*) FROM big a JOIN big b ON a.id = b.id");
  // The planner would sort instead.
  expect_cured("E2", low + "; SET enable_sort = off", high,
               "SELECT k, count(*) FROM big GROUP BY k");
}

TEST_P(ExplainRules, IndexOnlyScanIsCuredByVacuum) {
  const std::string sql = "SELECT id FROM big WHERE id > 0 AND id < 50000";

  expect_cured("A5",
               "CREATE INDEX ON big (id); SET enable_seqscan = off; SET enable_bitmapscan = off",
               "VACUUM big", sql);
}

TEST_P(ExplainRules, ForeignKeyWithoutIndexIsCuredByOne) {
  EXPECT_THAT(ids("DELETE FROM parent WHERE id > 1990"), Contains("G4"));
  e2e::must(conn_->exec("CREATE INDEX ON child (parent_id)"));

  // The plan knows the time of a call only: of many, so that one that was held up is no slow one.
  EXPECT_THAT(ids("DELETE FROM parent WHERE id > 1000"), Not(Contains("G4")));
}

TEST_P(ExplainRules, SubSelectForEachRowIsCuredByAJoin) {
  EXPECT_THAT(ids("SELECT id, (SELECT count(*) FROM child WHERE parent_id = p.id) FROM parent p "
                  "WHERE id <= 1500"),
              Contains("C1"));
  EXPECT_THAT(ids("SELECT id, count(parent_id) FROM parent LEFT JOIN child ON parent_id = id "
                  "WHERE id <= 1500 GROUP BY id"),
              Not(Contains("C1")));
}

TEST_P(ExplainRules, LargeOffsetIsCuredByGoingOnFromAKey) {
  e2e::must(conn_->exec("CREATE INDEX ON big (id)"));

  EXPECT_THAT(ids("SELECT * FROM big ORDER BY id OFFSET 100000 LIMIT 10"), Contains("K1"));
  EXPECT_THAT(ids("SELECT * FROM big WHERE id > 100000 ORDER BY id LIMIT 10"), Not(Contains("K1")));
}

TEST_P(ExplainRules, CompilationAndForbiddenNodesAreSeen) {
  if (e2e::must(e2e::must(conn_->query("SELECT pg_jit_available()")).scalar()) == "t") {
    expect_cured("G1", "SET jit = on; SET jit_above_cost = 0; SET jit_optimize_above_cost = 0",
                 "SET jit = off", "SELECT sum(id + k) FROM big WHERE v <> 'y'");
  }
  expect_cured("K4", "SET enable_seqscan = off", "RESET enable_seqscan",
               "SELECT count(*) FROM parent JOIN child ON parent_id = id");
}

PGTEND_ON_SOME_VERSIONS(ExplainRules);

}  // namespace
}  // namespace pgtend
