// VACUUM and ANALYZE from facts to proof on every version.
#include <atomic>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "facts/progress.h"
#include "facts/running.h"
#include "pg/quote.h"
#include "vacuum/eta.h"
#include "vacuum/vacuum.h"

namespace pgtend::e2e {
namespace {

using vacuum::Job;
using vacuum::RunReport;
using vacuum::RunSetup;

constexpr const char* kTable = "\"Sélect\".\"\"\"; drop\"";

class VacuumRun : public AuditedTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"max_prepared_transactions", "5"}};
  }
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(conn_->exec(cat("CREATE SCHEMA \"Sélect\"; CREATE TABLE ", kTable,
                         " (id int PRIMARY KEY, v text) WITH (fillfactor = 90, "
                         "autovacuum_vacuum_scale_factor = 0.05)")));
    must(conn_->exec(cat("INSERT INTO ", kTable,
                         " SELECT i, repeat('x', 20) FROM generate_series(1, 20000) i")));
  }

  RunSetup setup(Job job, const std::string& table = kTable, bool apply = true) {
    RunSetup out{.table = table, .job = job};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    return out;
  }
  vacuum::Facts facts() { return must(vacuum::load(*conn_)); }
  std::vector<std::string> finding_ids() {
    std::vector<std::string> ids;
    for (const auto& finding : vacuum::review(facts())) ids.push_back(finding.id);
    return ids;
  }
  // Counters travel late (13, 14: a collector; later: up to a second).
  bool found(const std::string& id) {
    return wait_until([&] {
      const auto ids = finding_ids();
      return std::ranges::find(ids, id) != ids.end();
    });
  }
};

TEST_P(VacuumRun, FactsDescribeTheTableOnEveryVersion) {
  must(conn_->exec(cat("ANALYZE ", kTable)));
  ASSERT_TRUE(wait_until([&] { return facts().tables.at(0).counters.rows_live == 20000; }));

  const auto all = facts();

  ASSERT_EQ(all.tables.size(), 1U);
  const facts::TableFacts& table = all.tables[0];
  EXPECT_EQ(table.qualified(), kTable);
  EXPECT_EQ(table.reltuples, 20000);
  EXPECT_GT(table.size.heap.count, 1'000'000);
  EXPECT_GT(table.size.indexes.count, 100'000);
  EXPECT_EQ(table.options.at("fillfactor"), "90");
  EXPECT_TRUE(table.rights.owner && table.rights.maintain && table.rights.select);
  EXPECT_TRUE(table.age.analyze);
  EXPECT_EQ(table.size.pages_frozen.has_value(), version() >= "18");
  EXPECT_TRUE(all.missing.empty());
  EXPECT_FALSE(all.context.settings.autovacuum.enabled);
  EXPECT_EQ(all.context.settings.autovacuum.vacuum_threshold_max.has_value(), version() >= "18");
}

TEST_P(VacuumRun, PoorRoleIsToldWhatItCannotSee) {
  const pg::Options plain = create_role("plain");
  pg::Connection poor = connect(plain);

  const auto all = must(vacuum::load(poor));

  ASSERT_EQ(all.tables.size(), 1U);
  EXPECT_FALSE(all.tables[0].rights.select);
  ASSERT_EQ(all.missing.size(), 3U);
  for (const auto& right : all.missing) EXPECT_NE(right.grant.find("GRANT"), std::string::npos);
}

TEST_P(VacuumRun, UnknownTablesAndViewsAreNamed) {
  must(conn_->exec("CREATE VIEW v AS SELECT 1 AS one"));

  EXPECT_EQ(facts::load_tables(*conn_, {.table = "nowhere"}).error().code, ErrorCode::NotFound);
  EXPECT_EQ(facts::load_tables(*conn_, {.table = "v"}).error().code, ErrorCode::Invalid);
  EXPECT_EQ(facts::load_tables(*conn_, {.table = "a.b.c.d\""}).error().code, ErrorCode::Invalid);
  EXPECT_EQ(vacuum::run(setup(Job::Vacuum, "nowhere")).error().code, ErrorCode::NotFound);
}

TEST_P(VacuumRun, BulkLoadMakesStatisticsStaleAndAnalyzeCuresIt) {
  ASSERT_TRUE(found("never-analyzed"));
  must(vacuum::run(setup(Job::Analyze)));
  EXPECT_TRUE(finding_ids().empty());
  must(conn_->exec(
      cat("INSERT INTO ", kTable, " SELECT i, 'y' FROM generate_series(20001, 22000) i")));
  ASSERT_TRUE(found("stale-statistics"));

  const RunReport report = must(vacuum::run(setup(Job::Analyze)));

  EXPECT_TRUE(report.outcome.applied);
  EXPECT_TRUE(finding_ids().empty());
  EXPECT_EQ(report.outcome.before.at("modified_since_analyze").to_number<int64_t>(), 2000);
  EXPECT_EQ(report.outcome.after.at("modified_since_analyze").to_number<int64_t>(), 0);
}

TEST_P(VacuumRun, DeadRowsAreFoundRemovedAndCounted) {
  must(vacuum::run(setup(Job::Analyze)));
  must(conn_->exec(cat("UPDATE ", kTable, " SET v = 'new' WHERE id <= 5000; DELETE FROM ", kTable,
                       " WHERE id > 19000")));
  ASSERT_TRUE(found("dead-rows"));

  const RunReport report = must(vacuum::run(setup(Job::VacuumAnalyze)));

  EXPECT_EQ(report.verbose.rows_removed, 6000) << to_text(report);
  EXPECT_EQ(report.verbose.rows_not_removable, 0);
  EXPECT_TRUE(report.verbose.cutoff_xid);
  EXPECT_TRUE(report.holders.empty());
  EXPECT_EQ(report.outcome.after.at("rows_dead").to_number<int64_t>(), 0);
  EXPECT_TRUE(finding_ids().empty());
  EXPECT_NE(to_text(report).find("dead rows removed      6,000"), std::string::npos);
}

TEST_P(VacuumRun, DryRunLeavesDeadRowsAlone) {
  must(conn_->exec(cat("DELETE FROM ", kTable, " WHERE id > 10000")));
  ASSERT_TRUE(found("dead-rows"));

  const RunReport report = must(vacuum::run(setup(Job::Vacuum, kTable, false)));

  EXPECT_FALSE(report.outcome.applied);
  EXPECT_NE(to_text(report).find("would run: VACUUM (VERBOSE) "), std::string::npos);
  EXPECT_TRUE(found("dead-rows"));
}

TEST_P(VacuumRun, HeldSnapshotIsNamedAndNotVacuumedAgainInVain) {
  pg::Options who = options();
  who.set("application_name", "forgotten report");
  pg::Connection holder = connect(who);
  must(holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am"));
  must(conn_->exec(cat("DELETE FROM ", kTable, " WHERE id > 10000")));

  const RunReport first = must(vacuum::run(setup(Job::Vacuum)));
  const RunReport second = must(vacuum::run(setup(Job::Vacuum)));
  must(holder.exec("ROLLBACK"));
  const RunReport third = must(vacuum::run(setup(Job::Vacuum)));

  EXPECT_EQ(first.verbose.rows_removed, 0);
  EXPECT_EQ(first.verbose.rows_not_removable, 10000);
  ASSERT_FALSE(first.holders.empty());
  EXPECT_EQ(first.holders[0].session.pid, holder.backend_pid());
  EXPECT_NE(to_text(first).find("forgotten report"), std::string::npos);
  EXPECT_NE(second.skipped, "");
  EXPECT_NE(second.skipped.find("forgotten report"), std::string::npos);
  EXPECT_TRUE(second.outcome.statements.empty());
  EXPECT_EQ(third.skipped, "");
  EXPECT_EQ(third.verbose.rows_removed, 10000);
}

TEST_P(VacuumRun, SessionsOfOtherDatabasesAreNotBlamed) {
  pg::Options elsewhere = options();
  elsewhere.set("dbname", "postgres");
  pg::Connection other = connect(elsewhere);
  must(other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am"));

  const auto holders = facts().context.holders;

  for (const auto& holder : holders) {
    EXPECT_NE(holder.session.pid, other.backend_pid()) << holder.describe();
  }
}

TEST_P(VacuumRun, PreparedTransactionHoldsTheHorizon) {
  pg::Connection other = connect();
  must(other.exec("BEGIN; CREATE TABLE x (a int); PREPARE TRANSACTION 'it''s forgotten'"));

  const auto holders = facts().context.holders;
  must(conn_->exec("ROLLBACK PREPARED 'it''s forgotten'"));

  ASSERT_FALSE(holders.empty());
  EXPECT_EQ(holders[0].kind, facts::HorizonHolder::Kind::Prepared);
  EXPECT_EQ(holders[0].remedy(), "ROLLBACK PREPARED 'it''s forgotten'");
}

TEST_P(VacuumRun, ParentWithoutStatisticsIsAnalysed) {
  must(
      conn_->exec("CREATE TABLE p (at int, v int) PARTITION BY RANGE (at);"
                  "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500);"
                  "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (1000);"
                  "INSERT INTO p SELECT i, i % 10 FROM generate_series(0, 999) i"));
  ASSERT_TRUE(found("parent-never-analyzed"));

  const RunReport report = must(vacuum::run(setup(Job::Analyze, "p")));

  EXPECT_TRUE(report.outcome.applied);
  EXPECT_TRUE(wait_until([&] {
    const auto ids = finding_ids();
    return std::ranges::find(ids, "parent-never-analyzed") == ids.end();
  }));
  EXPECT_TRUE(must(vacuum::run(setup(Job::VacuumAnalyze, "p"))).outcome.applied);
}

TEST_P(VacuumRun, SampleThatMissedRareValuesIsDrawnAgain) {
  // Three of 100,000 rows have a value: a sample of 300 misses them in 99 of 100 cases.
  must(
      conn_->exec("CREATE TABLE r AS SELECT i, CASE WHEN i % 33000 = 1 THEN 'x' || i END AS "
                  "\"Rare\", 1 AS one FROM generate_series(1, 99000) i"));
  must(conn_->exec("SET default_statistics_target = 1000; ANALYZE r"));
  const auto nulls = [&] {
    return must(parse_double(must(must(conn_->query("select null_frac from pg_stats where "
                                                    "tablename = 'r' and attname = 'Rare'"))
                                      .scalar())));
  };
  ASSERT_LT(nulls(), 1);
  must(conn_->exec(
      cat("ALTER DATABASE ", pg::ident(database()), " SET default_statistics_target = 1")));

  const RunReport report = must(vacuum::run(setup(Job::Analyze, "r")));

  if (!report.second) GTEST_SKIP() << "the sample of 300 has met one of three rows";
  EXPECT_LT(nulls(), 1);
  ASSERT_EQ(report.second->odd.size(), 1U);
  EXPECT_EQ(report.second->odd[0].column, "Rare");
  EXPECT_TRUE(report.second->confirmed.empty());
  EXPECT_NE(report.second->outcome.statements.back().sql.find("r (\"Rare\")"), std::string::npos);
  const char* told = version() == "18" ? "its statistics from before are back" : "has put it right";
  EXPECT_NE(to_text(report).find(told), std::string::npos) << to_text(report);
}

TEST_P(VacuumRun, LargerSampleConfirmsWhatIsTrue) {
  must(
      conn_->exec("CREATE TABLE r AS SELECT i, 'x' AS v FROM generate_series(1, 10000) i; "
                  "ANALYZE r"));
  must(connect().exec("UPDATE r SET v = NULL"));

  const RunReport report = must(vacuum::run(setup(Job::Analyze, "r")));

  ASSERT_TRUE(report.second);
  EXPECT_EQ(report.second->confirmed.size(), 1U);
  EXPECT_NE(to_text(report).find("says so, too"), std::string::npos) << to_text(report);
}

TEST_P(VacuumRun, ProgressOfARunningVacuumIsSeen) {
  must(conn_->exec(cat("DELETE FROM ", kTable, " WHERE id % 2 = 0")));
  pg::Connection worker = connect();
  must(worker.exec("SET vacuum_cost_delay = 50; SET vacuum_cost_limit = 10"));
  must(worker.start(cat("VACUUM ", kTable)));

  std::optional<facts::Progress> seen;
  const bool came = wait_until([&] {
    seen = must(facts::load_progress(*conn_, worker.backend_pid()));
    return seen && seen->phase == "scanning heap" && seen->done > 0;
  });
  const auto running = must(facts::load_running(*conn_)).running;
  must(worker.canceller().cancel());
  EXPECT_FALSE(worker.finish_within(seconds(10)));

  ASSERT_TRUE(came);
  EXPECT_EQ(seen->command, "VACUUM");
  EXPECT_EQ(seen->unit, "pages");
  EXPECT_GT(seen->total, seen->done);
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].pid, worker.backend_pid());
  EXPECT_EQ(running[0].table, kTable);
  EXPECT_FALSE(running[0].automatic);
  ASSERT_TRUE(running[0].work);
  EXPECT_EQ(running[0].work->heap_total, seen->total);
  EXPECT_GT(running[0].work->index_pages, 10);
  EXPECT_GT(running[0].work->dead, 0);
  const auto left = vacuum::eta(running[0], conn_->server_version());
  ASSERT_TRUE(left);
  EXPECT_EQ(left->passes_left, 1);
  EXPECT_GT(left->left_s, 0);
}

TEST_P(VacuumRun, IndexBuildsAndHiddenWorkAreListed) {
  pg::Connection writer = connect();
  must(writer.exec(cat("BEGIN; DELETE FROM ", kTable, " WHERE id = 1")));
  pg::Connection builder = connect();
  must(builder.start(cat("CREATE INDEX CONCURRENTLY ON ", kTable, " (v)")));
  const pg::Options plain = create_role("plain");
  pg::Connection poor = connect(plain);

  std::vector<facts::Running> seen;
  EXPECT_TRUE(wait_until([&] {
    seen = must(facts::load_running(*conn_)).running;
    return seen.size() == 1 && seen[0].phase.starts_with("waiting for writers");
  }));
  const auto hidden = must(facts::load_running(poor)).running;
  must(writer.exec("ROLLBACK"));
  EXPECT_TRUE(builder.finish_within(seconds(30)));

  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].command, "CREATE INDEX");
  EXPECT_EQ(seen[0].progress.unit, "transactions");
  ASSERT_EQ(hidden.size(), 1U);
  EXPECT_EQ(hidden[0].phase, "");
  EXPECT_FALSE(vacuum::eta(hidden[0], poor.server_version()));
}

TEST_P(VacuumRun, CancelStopsAVacuumAndSaysSo) {
  must(conn_->exec(cat("DELETE FROM ", kTable, " WHERE id % 2 = 0")));
  must(conn_->exec(cat("ALTER ROLE CURRENT_USER IN DATABASE ", pg::ident(database()),
                       " SET vacuum_cost_delay = 50")));
  must(conn_->exec(cat("ALTER ROLE CURRENT_USER IN DATABASE ", pg::ident(database()),
                       " SET vacuum_cost_limit = 10")));
  std::atomic<bool> cancel = false;
  RunSetup slow = setup(Job::Vacuum);
  slow.means.io_mb_s = 0;
  slow.gate.cancel = &cancel;
  bool progress = false;
  slow.gate.on_moment = [&](const care::Moment& moment) {
    progress = progress || moment.progress;
    if (moment.progress) cancel = true;
  };

  const auto report = vacuum::run(slow);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Cancelled) << report.error().message;
  EXPECT_EQ(exit_code(report.error()), 130);
  EXPECT_TRUE(progress);
}
PGTEND_ON_SOME_VERSIONS(VacuumRun);

}  // namespace
}  // namespace pgtend::e2e
