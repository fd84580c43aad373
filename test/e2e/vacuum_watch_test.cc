// Statistics follow bulk loads: by the counters, by what the pool tells, on partitions and parents.
#include <atomic>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "cli/pool_loads.h"
#include "e2e/support/pool.h"
#include "facts/changes.h"
#include "vacuum/triggers.h"
#include "vacuum/watch.h"

namespace pgtend::e2e {
namespace {

using vacuum::WatchReport;

// vacuum::watch() in a thread, ended with the object.
class Watching {
 public:
  Watching(pg::Options options, bool apply,
           std::function<std::vector<vacuum::NamedLoad>()> loads = {},
           milliseconds review = milliseconds(200))
      : audit_(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock()))) {
    setup_.tables.gate = {.options = std::move(options),
                          .audit = &audit_,
                          .clock = &system_clock(),
                          .cancel = &cancel_};
    setup_.tables.gate.policy.apply = apply;
    setup_.tables.on_event = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      said_ += line + "\n";
    };
    setup_.loads = std::move(loads);
    setup_.tick = setup_.look = milliseconds(50);
    setup_.review = review;
    setup_.hurry = milliseconds(100);
    thread_ = std::jthread([this] { report_ = vacuum::watch(setup_); });
    CHECK(says("watching"));
  }
  ~Watching() { end(); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  std::string said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  bool says(const std::string& part, milliseconds deadline = seconds(20)) {
    return wait_until([&] { return said().find(part) != std::string::npos; }, deadline);
  }
  WatchReport end() {
    cancel_ = true;
    if (thread_.joinable()) thread_.join();
    return must(*report_);
  }

 private:
  Scratch scratch_;
  store::Audit audit_;
  std::atomic<bool> cancel_ = false;
  vacuum::WatchSetup setup_;
  std::mutex mutex_;
  std::string said_;
  std::optional<Result<WatchReport>> report_;
  std::jthread thread_;
};

constexpr const char* kReadings =
    "CREATE TABLE readings (meter int, at timestamptz, value int);"
    "INSERT INTO readings SELECT i % 20000, timestamptz '2026-01-01 UTC' + i * interval '10 s', i "
    "FROM generate_series(1, 300000) i;"
    "CREATE TABLE meters (meter int PRIMARY KEY, name text);"
    "INSERT INTO meters SELECT i, 'm' || i FROM generate_series(0, 19999) i";
constexpr const char* kImport =
    "COPY readings FROM PROGRAM 'seq 1 10000 | sed \"s/.*/&\\t2026-03-01 00:00:00+00\\t&/\"'";
constexpr const char* kNewest =
    "SELECT count(*) FROM readings JOIN meters USING (meter) WHERE at >= '2026-02-28 UTC'";

// Waits until the server counts so many changes of readings since its last ANALYZE.
bool counts_changes(pg::Connection& conn, const std::string& changes) {
  return wait_until(
      [&] {
        return must(must(conn.query("select n_mod_since_analyze from pg_stat_user_tables where "
                                    "relname = 'readings'"))
                        .scalar()) == changes;
      },
      seconds(30));
}

// Counters come late, after an ANALYZE as well, unless their session has ended.
void load_readings(pg::Connection loader, pg::Connection& conn) {
  must(loader.exec(kReadings));
  { const pg::Connection ended = std::move(loader); }
  ASSERT_TRUE(counts_changes(conn, "300000"));
  must(conn.exec("ANALYZE readings; ANALYZE meters"));
  ASSERT_TRUE(counts_changes(conn, "0"));
}

class VacuumWatch : public VersionTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
  }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  bool becomes(const std::string& sql, const std::string& value) {
    return wait_until([&] { return one(sql) == value; }, seconds(30));
  }
  // The rows that the planner expects of readings in the newest month.
  double expected_rows() {
    const auto rows = must(
        conn_->query("EXPLAIN (FORMAT JSON) SELECT * FROM readings WHERE at >= '2026-02-28 UTC'"));
    const json::value plan = must(parse_json(must(rows.scalar())));
    return plan.at(0).at("Plan").at("Plan Rows").to_number<double>();
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(VacuumWatch, LoadIsAnalysedAsSoonAsTheCountersTell) {
  ASSERT_NO_FATAL_FAILURE(load_readings(connect(), *conn_));
  Watching watching(options(), true);
  const double before = expected_rows();

  must(connect().exec(kImport));

  EXPECT_TRUE(watching.says("analyze of public.readings (many rows are new): done"))
      << watching.said();
  EXPECT_LT(before, 200);
  EXPECT_NEAR(expected_rows(), 10'000, 3'000);
  EXPECT_GE(watching.end().analyzed, 1);
}

// 1,000 of 300,000 rows are far below 3 %.
TEST_P(VacuumWatch, FewNewRowsAreAnalysedWhereTheyAreBeyondTheHistogram) {
  ASSERT_NO_FATAL_FAILURE(load_readings(connect(), *conn_));
  const std::string changed = "select sum(n_mod_since_analyze) from pg_stat_user_tables where ";
  must(
      connect().exec("CREATE TABLE mixed AS SELECT md5(i::text) AS key FROM "
                     "generate_series(1, 300000) i"));
  ASSERT_TRUE(becomes(changed + "relname = 'mixed'", "300000"));
  must(conn_->exec("ANALYZE mixed"));
  ASSERT_TRUE(becomes(changed + "relname = 'mixed'", "0"));
  Watching watching(options(), true);
  must(
      connect().exec("INSERT INTO mixed SELECT md5((-i)::text) FROM generate_series(1, 1000) i;"
                     "UPDATE readings SET value = -value WHERE value % 300 = 0"));
  ASSERT_TRUE(becomes(changed + "relname in ('mixed', 'readings')", "2000"));
  const double before = expected_rows();
  must(
      connect().exec("INSERT INTO readings SELECT i, timestamptz '2026-03-01 UTC', i FROM "
                     "generate_series(1, 1000) i"));

  EXPECT_TRUE(watching.says("analyze of public.readings (many rows are new): done"))
      << watching.said();
  EXPECT_LT(before, 200);
  EXPECT_NEAR(expected_rows(), 1'000, 500);
  EXPECT_EQ(watching.said().find("public.mixed"), std::string::npos) << watching.said();
  const auto rises = [&](const std::string& table) {
    return must(facts::has_rising_column(*conn_, *must(facts::find_table(*conn_, table))));
  };
  EXPECT_TRUE(rises("readings"));
  EXPECT_FALSE(rises("mixed"));
}

TEST_P(VacuumWatch, ManyDeadRowsBringTheReviewForward) {
  must(connect().exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 20000) i; ANALYZE t"));
  Watching watching(options(), true, {}, seconds(3'600));
  must(connect().exec("DELETE FROM t WHERE i % 2 = 0"));

  EXPECT_TRUE(watching.says("vacuum of public.t (10,000 dead rows")) << watching.said();
  must(connect().exec("DELETE FROM t WHERE i % 4 = 1"));
  EXPECT_TRUE(watching.says("vacuum of public.t (5,000 dead rows")) << watching.said();
}

TEST_P(VacuumWatch, PartitionsAndTheirParentGetStatistics) {
  must(
      conn_->exec("CREATE TABLE p (at int, v int) PARTITION BY RANGE (at);"
                  "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50000);"
                  "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50000) TO (100000)"));
  Watching watching(options(), true);

  must(connect().exec("INSERT INTO p SELECT i, i % 10 FROM generate_series(0, 99999) i"));

  EXPECT_TRUE(
      becomes("select count(*) from pg_stats where tablename = 'p' and inherited and "
              "attname = 'v' and n_distinct = 10",
              "1"))
      << watching.said();
  EXPECT_TRUE(
      becomes("select count(distinct tablename) from pg_stats where tablename in "
              "('p1', 'p2')",
              "2"))
      << watching.said();
}

TEST_P(VacuumWatch, ReviewRemovesDeadRows) {
  must(
      connect().exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 20000) i; ANALYZE t;"
                     "DELETE FROM t WHERE i % 2 = 0"));
  Watching watching(options(), true);

  EXPECT_TRUE(watching.says("vacuum of public.t (10,000 dead rows, 50.0 % of the table's rows"))
      << watching.said();
  EXPECT_TRUE(becomes("select n_dead_tup from pg_stat_user_tables where relname = 't'", "0"));
  EXPECT_EQ(watching.end().worked_off, 1);
}

TEST_P(VacuumWatch, WithoutApplyItOnlyTells) {
  must(connect().exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 20000) i"));
  Watching watching(options(), false);

  EXPECT_TRUE(watching.says("analyze of public.t (many rows are new): would be run"))
      << watching.said();
  EXPECT_EQ(watching.end().analyzed, 0);
  EXPECT_EQ(one("select count(*) from pg_stats where tablename = 't'"), "0");
}

PGTEND_ON_SOME_VERSIONS(VacuumWatch);

// A server whose autovacuum comes each second, with one worker.
class VacuumWatchAutovacuum : public VersionTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum_naptime", "1s"},
            {"autovacuum_max_workers", "1"},
            {"deadlock_timeout", "200ms"}};
  }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
  }
  // Autovacuum takes minutes for it.
  void make_slow(const std::string& table) {
    must(
        connect().exec(cat("CREATE TABLE ", table,
                           " (i int, filler text) WITH (autovacuum_vacuum_cost_delay = 100, "
                           "autovacuum_vacuum_cost_limit = 1, autovacuum_analyze_threshold = "
                           "1000000); INSERT INTO ",
                           table, " SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")));
  }
  void kill_rows(const std::string& table) {
    must(connect().exec(cat("DELETE FROM ", table, " WHERE i % 2 = 0")));
  }
  bool vacuums(const std::string& table) {
    return must(must(conn_->query(cat("select exists (select from pg_stat_progress_vacuum where "
                                      "relid = '",
                                      table, "'::regclass)")))
                    .scalar()) == "t";
  }
  std::vector<care::Finding> starved() {
    std::vector<care::Finding> out = vacuum::review(must(vacuum::load(*conn_)));
    std::erase_if(out, [](const auto& finding) { return finding.id != "autovacuum-starved"; });
    return out;
  }

  std::optional<pg::Connection> conn_;
};

TEST_P(VacuumWatchAutovacuum, TableIsNamedWhoseWorkersAreBusyElsewhere) {
  make_slow("big");
  kill_rows("big");
  ASSERT_TRUE(wait_until([&] { return vacuums("big"); }, seconds(60)));
  must(connect().exec("CREATE TABLE queue AS SELECT i FROM generate_series(1, 2000) i"));
  kill_rows("queue");
  Watching watching(options(), false);

  EXPECT_TRUE(watching.says(
      "autovacuum-starved public.queue: autovacuum does not get its VACUUM done", seconds(60)))
      << watching.said();
  EXPECT_NE(watching.said().find("all 1 worker is busy on other tables: pid "), std::string::npos)
      << watching.said();
  const auto once = starved();
  ASSERT_EQ(once.size(), 1U);
  EXPECT_EQ(once[0].object, "public.queue");
  EXPECT_NE(once[0].why.find("VACUUM public.big"), std::string::npos) << once[0].why;
  EXPECT_EQ(watching.said().find("public.big: autovacuum"), std::string::npos) << watching.said();

  must(connect().exec("DROP TABLE big"));  // which ends the worker
  EXPECT_TRUE(watching.says("autovacuum no longer leaves public.queue undone", seconds(60)))
      << watching.said();
  EXPECT_TRUE(starved().empty());
  EXPECT_TRUE(watching.end().neglected.empty());
}

TEST_P(VacuumWatchAutovacuum, TableIsNamedThatALockKeepsWorkersFrom) {
  must(
      connect().exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 2000) i;"
                     "CREATE TABLE served AS SELECT i FROM generate_series(1, 2000) i"));
  pg::Connection other = connect();
  must(other.exec("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE"));
  kill_rows("t");
  kill_rows("served");
  Watching watching(options(), false);

  EXPECT_TRUE(watching.says("autovacuum-starved public.t", seconds(60))) << watching.said();
  EXPECT_NE(watching.said().find("workers pass a locked table by, at each of their visits: pid "),
            std::string::npos)
      << watching.said();
  EXPECT_NE(watching.said().find("LOCK TABLE t IN SHARE"), std::string::npos) << watching.said();
  EXPECT_EQ(watching.said().find("autovacuum-starved public.served"), std::string::npos);
  const auto once = starved();
  ASSERT_EQ(once.size(), 1U);
  EXPECT_EQ(once[0].object, "public.t");

  must(other.exec("COMMIT"));
  EXPECT_TRUE(watching.says("autovacuum no longer leaves public.t undone", seconds(60)))
      << watching.said();
}

TEST_P(VacuumWatchAutovacuum, TableIsNamedWhoseVacuumIsCancelledAgainAndAgain) {
  make_slow("t");
  kill_rows("t");
  Watching watching(options(), false);
  std::atomic<bool> over = false;
  std::jthread locks([&] {
    pg::Connection other = connect();
    pg::Connection look = connect();
    while (!over) {
      const auto runs = must(look.query("select count(*) from pg_stat_progress_vacuum"));
      if (must(runs.scalar()) == "1") must(other.exec("BEGIN; LOCK TABLE t IN SHARE MODE; COMMIT"));
    }
  });

  EXPECT_TRUE(watching.says("autovacuum-cancelled public.t", seconds(90))) << watching.said();

  over = true;
  EXPECT_NE(watching.said().find("times and ended without having done it"), std::string::npos)
      << watching.said();
  EXPECT_TRUE(starved().empty()) << "one look cannot tell";
}

PGTEND_ON_SOME_VERSIONS(VacuumWatchAutovacuum);

TEST(VacuumWatchServer, ServerThatComesBackIsWatchedAgain) {
  pg::Cluster cluster =
      must(pg::Cluster::start(must(cluster_options("15", {{"autovacuum", "off"}}))));
  must(must(pg::Connection::open(cluster.options())).exec("CREATE TABLE t (i int)"));
  Watching watching(cluster.options(), true);
  must(cluster.stop());
  ASSERT_TRUE(watching.says("the server is away"));
  must(cluster.restart());
  ASSERT_TRUE(watching.says("the server is back")) << watching.said();

  must(must(pg::Connection::open(cluster.options()))
           .exec("INSERT INTO t SELECT generate_series(1, 20000)"));

  EXPECT_TRUE(watching.says("analyze of public.t (many rows are new): done")) << watching.said();
}

class VacuumWatchPool : public PoolTest, public ::testing::WithParamInterface<std::string> {
 protected:
  std::string version() const override { return GetParam(); }
  Settings settings() const override { return {{"autovacuum", "off"}}; }

  static std::function<std::vector<vacuum::NamedLoad>()> loads_of(const PoolProcess& pool,
                                                                  const pg::Options& through,
                                                                  const std::string& database) {
    pg::Options console = through;
    console.set("dbname", "pgbouncer");
    (void)pool;
    auto loads = std::make_shared<cli::PoolLoads>(must(cli::PoolLoads::open(console)));
    return [loads, database] {
      std::vector<vacuum::NamedLoad> out;
      for (const auto& event : loads->take(database)) out.push_back({event.target, event.rows});
      return out;
    };
  }
};

TEST_P(VacuumWatchPool, ImportThroughThePoolHasFreshStatisticsAtItsCommit) {
  auto direct = connect();
  ASSERT_NO_FATAL_FAILURE(load_readings(connect(), direct));
  PoolProcess pool(ini("default_pool_size = 4\n"));
  const auto plan = [&] {
    const auto rows = must(direct.query(cat("EXPLAIN ", kNewest)));
    std::string text;
    for (const pg::Row row : rows) text += cat(row.text(0), "\n");
    return text;
  };
  const auto analyzed = [&] {
    const auto rows = must(
        direct.query("select extract(epoch from greatest(last_analyze, last_autoanalyze)) from "
                     "pg_stat_user_tables where relname = 'readings'"));
    return std::string(rows[0].text(0));
  };
  must(connect().exec(kImport));
  ASSERT_TRUE(counts_changes(direct, "10000"));
  auto facts = must(vacuum::load(direct, {.table = "readings"}));
  facts.context.settings.autovacuum.enabled = true;
  // Stock autovacuum does not come: its limit is 50 and 10 % of 300,000.
  ASSERT_FALSE(vacuum::forecast(facts.tables.at(0), facts.context.settings).analyze());
  EXPECT_NE(plan().find("Nested Loop"), std::string::npos) << plan();
  must(connect().exec("DELETE FROM readings WHERE at >= '2026-03-01 UTC'"));
  ASSERT_TRUE(counts_changes(direct, "20000"));
  must(direct.exec("ANALYZE readings; CREATE TABLE other (i int)"));
  ASSERT_TRUE(counts_changes(direct, "0"));

  auto client = must(pg::Connection::open(through(pool)));
  auto other = must(pg::Connection::open(through(pool)));
  Watching watching(options(), true, loads_of(pool, through(pool), database()));
  const std::string before = analyzed();
  must(client.exec("BEGIN"));
  must(client.exec(kImport));
  must(other.exec("INSERT INTO other SELECT generate_series(1, 5000)"));
  ASSERT_TRUE(watching.says("analyze of public.other")) << watching.said();
  EXPECT_EQ(analyzed(), before) << "it is not committed";
  must(client.exec("COMMIT"));

  EXPECT_TRUE(watching.says("analyze of public.readings (many rows are new): done"))
      << watching.said();
  EXPECT_EQ(plan().find("Nested Loop"), std::string::npos) << plan();
}

PGTEND_ON_SOME_VERSIONS(VacuumWatchPool);

}  // namespace
}  // namespace pgtend::e2e
