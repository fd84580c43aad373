// Runs over many tables: they give way to others, wait for their turn, and end when they must.
#include <atomic>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/quote.h"
#include "vacuum/run_tables.h"

namespace pgtend::e2e {
namespace {

using vacuum::Job;
using vacuum::RunReport;
using vacuum::TablesReport;

// What a run tells while it works, for a test that waits for it.
class Events {
 public:
  void add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    all_ += line + "\n";
  }
  bool has(const std::string& part) const {
    const std::lock_guard lock(mutex_);
    return all_.find(part) != std::string::npos;
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

class VacuumTables : public VersionTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
  }

  void make_table(const std::string& name, int rows = 5000) {
    must(conn_->exec(cat("CREATE TABLE ", name, " AS SELECT i AS id, 'x'::text AS v FROM ",
                         "generate_series(1, ", rows, ") i; DELETE FROM ", name,
                         " WHERE id % 3 = 0")));
  }
  // VACUUM wants each page for itself then, so that a cursor with a row of a page holds it up.
  void make_vacuum_aggressive() {
    for (const char* setting : {"vacuum_freeze_min_age", "vacuum_freeze_table_age"}) {
      must(conn_->exec(cat("ALTER DATABASE ", pg::ident(database()), " SET ", setting, " = 0")));
    }
  }
  pg::Connection reader_on(const std::string& table) {
    pg::Connection reader = connect();
    must(reader.exec(cat("BEGIN; DECLARE c CURSOR FOR SELECT * FROM ", table, "; FETCH 1 FROM c")));
    return reader;
  }

  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.cancel = &cancel_;
    out.policy.apply = true;
    out.policy.yield_pause = milliseconds(50);
    out.on_moment = [this](const care::Moment& moment) {
      events_.add(moment.what);
      if (moment.progress) events_.add(cat("progress ", moment.progress->phase));
    };
    return out;
  }
  vacuum::TablesSetup setup() {
    vacuum::TablesSetup out{.gate = gate(), .means = {.skip_locked = true}};
    out.latency_every = milliseconds(20);
    out.on_event = [this](const std::string& line) { events_.add(line); };
    return out;
  }
  static std::vector<vacuum::Task> tasks_of(const std::vector<std::string>& tables,
                                            Job job = Job::Vacuum) {
    std::vector<vacuum::Task> out;
    for (const std::string& table : tables) out.push_back({.table = table, .job = job});
    return out;
  }
  // What the server knows, asked until it says so.
  bool becomes(const std::string& sql, const std::string& value) {
    return wait_until([&] { return must(must(conn_->query(sql)).scalar()) == value; });
  }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
  std::optional<store::Audit> audit_;
  std::atomic<bool> cancel_ = false;
  Events events_;
};

TEST_P(VacuumTables, SchemaChangesDoNotWaitForOurVacuum) {
  make_table("t");
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("t");
  std::optional<Result<RunReport>> report;
  std::jthread run([&] { report = vacuum::run({.gate = gate(), .table = "t"}); });
  ASSERT_TRUE(wait_until([&] { return events_.has("progress scanning heap"); })) << events_.all();

  // A stock VACUUM would keep it waiting for as long as the reader stays.
  pg::Connection change = connect();
  must(change.exec("SET lock_timeout = '10s'; ALTER TABLE t SET (fillfactor = 90)"));

  ASSERT_TRUE(wait_until([&] { return events_.has("gave way to pid"); }));
  must(reader.exec("COMMIT"));
  run.join();
  const RunReport done = must(std::move(*report));
  const care::StatementReport& work = done.outcome.statements.back();
  EXPECT_GE(work.yields, 1);
  EXPECT_GT(work.away, milliseconds(0));
  // The reader's page may have been pruned before.
  EXPECT_GT(done.verbose.rows_removed.value_or(0), 1000);
  EXPECT_TRUE(becomes("select n_dead_tup from pg_stat_user_tables where relname = 't'", "0"));
  EXPECT_NE(to_text(done).find("gave way to others"), std::string::npos) << to_text(done);
  EXPECT_EQ(one("select reloptions::text from pg_class where relname = 't'"), "{fillfactor=90}");
}

TEST_P(VacuumTables, WhoAlwaysComesBackIsNotServedForever) {
  make_table("t");
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("t");
  care::GateSetup few = gate();
  few.policy.yields_max = 2;
  std::atomic<bool> over = false;
  std::jthread changes([&] {
    pg::Connection change = connect();
    while (!over) must(change.exec("ALTER TABLE t SET (fillfactor = 90)"));
  });

  const auto report = vacuum::run({.gate = few, .table = "t"});

  over = true;
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Conflict);
  EXPECT_NE(report.error().message.find("has given way 2 times"), std::string::npos)
      << report.error().message;
  EXPECT_EQ(one("select count(*) from pg_locks where relation = 't'::regclass and mode = "
                "'ShareUpdateExclusiveLock' and pid <> pg_backend_pid() and not granted"),
            "0");
}

TEST_P(VacuumTables, TwoRunsOnOneTableTakeTurns) {
  make_table("t");
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("t");
  std::optional<Result<RunReport>> first;
  std::optional<Result<RunReport>> second;
  std::jthread one_run([&] { first = vacuum::run({.gate = gate(), .table = "t"}); });
  ASSERT_TRUE(wait_until([&] { return events_.has("progress scanning heap"); }));
  std::jthread other_run([&] { second = vacuum::run({.gate = gate(), .table = "t"}); });
  ASSERT_TRUE(wait_until([&] { return events_.has("waiting for a lock"); }));

  must(reader.exec("COMMIT"));
  one_run.join();
  other_run.join();

  EXPECT_EQ(must(std::move(*first)).outcome.statements.back().yields, 0);
  EXPECT_EQ(must(std::move(*second)).outcome.statements.back().yields, 0);
  EXPECT_FALSE(events_.has("gave way"));
}

TEST_P(VacuumTables, WhatTheReviewFindsIsDoneByTwoJobs) {
  for (const char* table : {"a", "b", "c"}) make_table(table);
  ASSERT_TRUE(becomes("select count(*) from pg_stat_user_tables where n_dead_tup = 1666", "3"));
  const vacuum::Facts facts = must(vacuum::load(*conn_));
  const auto list = vacuum::worklist(facts, {}, {});
  ASSERT_EQ(list.size(), 3U);
  vacuum::TablesSetup two = setup();
  two.means.jobs = 2;

  const TablesReport report = vacuum::run_tables(two, list);

  EXPECT_EQ(report.stopped, "");
  for (const auto& task : report.tasks) {
    ASSERT_TRUE(task.report) << task.error->message;
    EXPECT_EQ(task.report->verbose.rows_removed, 1666);
  }
  EXPECT_TRUE(
      becomes("select count(*) from pg_stat_user_tables where n_dead_tup = 0 and "
              "last_vacuum is not null",
              "3"));
  EXPECT_TRUE(vacuum::worklist(must(vacuum::load(*conn_)), {}, {}).empty());
}

TEST_P(VacuumTables, LockedTableComesLater) {
  make_table("a");
  make_table("b");
  pg::Connection other = connect();
  must(other.exec("BEGIN; LOCK TABLE a IN SHARE MODE"));
  vacuum::TablesSetup run = setup();
  run.on_event = [&](const std::string& line) {
    events_.add(line);
    if (line.find("b: done") != std::string::npos) must(other.exec("COMMIT"));
  };

  const TablesReport report = vacuum::run_tables(run, tasks_of({"a", "b"}));

  EXPECT_TRUE(events_.has("vacuum of a: put off")) << events_.all();
  for (const auto& task : report.tasks) {
    ASSERT_TRUE(task.report) << task.error->message;
    EXPECT_EQ(task.report->verbose.rows_removed, 1666);
  }
}

TEST_P(VacuumTables, ItMakesRoomWhileClientsWait) {
  make_table("a");
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("a");
  std::atomic<int> latency_ms = 1;
  vacuum::TablesSetup run = setup();
  run.means.io_mb_s = 40;
  run.latency = [&] { return milliseconds(latency_ms.load()); };
  run.latency_max = milliseconds(50);
  std::optional<TablesReport> report;
  std::jthread thread([&] { report = vacuum::run_tables(run, tasks_of({"a"})); });
  ASSERT_TRUE(wait_until([&] { return events_.has("progress scanning heap"); }));

  latency_ms = 90;
  ASSERT_TRUE(wait_until([&] { return events_.has("stopped, clients wait too long"); }));
  EXPECT_EQ(one("select count(*) from pg_stat_progress_vacuum"), "0");
  EXPECT_FALSE(events_.has("going on"));
  must(reader.exec("COMMIT"));
  latency_ms = 2;
  thread.join();

  EXPECT_TRUE(events_.has("making room: latency 90.0 ms, limit 50.0 ms"));
  EXPECT_TRUE(events_.has("going on: latency 2.00 ms, limit 50.0 ms, with 20 MB/s"));
  EXPECT_EQ(report->io_mb_s, 20);
  ASSERT_TRUE(report->tasks[0].report) << report->tasks[0].error->message;
  EXPECT_EQ(report->stopped, "");
}

TEST_P(VacuumTables, TheEndOfItsTimeStopsItAndTheNextRunDoesTheRest) {
  make_table("a");
  make_table("b");
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("a");
  std::atomic<bool> closed = false;
  vacuum::TablesSetup run = setup();
  run.closed = [&] { return closed ? std::string("its time is over") : std::string(); };
  std::optional<TablesReport> report;
  std::jthread thread([&] { report = vacuum::run_tables(run, tasks_of({"a", "b"})); });
  ASSERT_TRUE(wait_until([&] { return events_.has("progress scanning heap"); }));

  closed = true;
  thread.join();
  must(reader.exec("COMMIT"));

  EXPECT_EQ(report->stopped, "its time is over");
  ASSERT_TRUE(report->tasks[0].error);
  EXPECT_EQ(report->tasks[0].error->code, ErrorCode::Cancelled);
  EXPECT_FALSE(report->tasks[1].report || report->tasks[1].error);
  ASSERT_TRUE(becomes("select count(*) from pg_stat_user_tables where n_dead_tup = 1666", "2"));
  const auto left = vacuum::worklist(must(vacuum::load(*conn_)), {}, {});
  EXPECT_EQ(left.size(), 2U);
}

TEST_P(VacuumTables, CancelEndsAllJobs) {
  for (const char* table : {"a", "b"}) make_table(table);
  make_vacuum_aggressive();
  pg::Connection reader = reader_on("a");
  pg::Connection other_reader = reader_on("b");
  vacuum::TablesSetup run = setup();
  run.means.jobs = 2;
  std::optional<TablesReport> report;
  std::jthread thread([&] { report = vacuum::run_tables(run, tasks_of({"a", "b"})); });
  ASSERT_TRUE(becomes("select count(*) from pg_stat_progress_vacuum", "2"));

  cancel_ = true;
  thread.join();

  EXPECT_EQ(report->stopped, "cancelled");
  for (const auto& task : report->tasks) {
    ASSERT_TRUE(task.error);
    EXPECT_EQ(task.error->code, ErrorCode::Cancelled);
  }
}

TEST_P(VacuumTables, MissingTableDoesNotEndTheOthers) {
  make_table("b");

  const TablesReport report = vacuum::run_tables(setup(), tasks_of({"gone", "b"}));

  ASSERT_TRUE(report.tasks[0].error);
  EXPECT_EQ(report.tasks[0].error->code, ErrorCode::NotFound);
  EXPECT_TRUE(report.tasks[1].report);
}

TEST_P(VacuumTables, ParentIsAnalysedWithoutItsPartitions) {
  must(
      conn_->exec("CREATE TABLE p (at int, v int) PARTITION BY RANGE (at);"
                  "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500);"
                  "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (1000) "
                  "PARTITION BY RANGE (at);"
                  "CREATE TABLE \"p2 a\" PARTITION OF p2 FOR VALUES FROM (500) TO (1000);"
                  "INSERT INTO p SELECT i, i % 10 FROM generate_series(0, 999) i"));
  const std::string groups =
      "select n_distinct from pg_stats where tablename = 'p' and attname = 'v' and inherited";
  const std::string leaves =
      "select count(*) from pg_stat_user_tables where relname in ('p1', 'p2 a') and "
      "last_analyze is not null";

  const RunReport report = must(vacuum::run({.gate = gate(), .table = "p", .job = Job::Analyze}));

  EXPECT_TRUE(report.outcome.applied);
  EXPECT_EQ(one(groups), "10");
  EXPECT_TRUE(report.outcome.warnings.empty()) << join(report.outcome.warnings, "; ");
  EXPECT_TRUE(becomes(leaves, version() == "13" ? "2" : "0"));
  EXPECT_EQ(one("select count(*) from pg_locks where mode = 'ShareUpdateExclusiveLock'"), "0");
}

PGTEND_ON_ALL_VERSIONS(VacuumTables);

}  // namespace
}  // namespace pgtend::e2e
