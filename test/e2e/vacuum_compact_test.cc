// Compaction on real servers, under writers and readers, killed, cancelled and refused.
#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "pg/quote.h"
#include "vacuum/compact.h"

namespace pgtend::e2e {
namespace {

using vacuum::CompactReport;
using vacuum::CompactSetup;
using vacuum::Way;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";
constexpr const char* kTable = "\"Lédger\".\"t\"\"; drop\"";
constexpr int kRows = 40'000;
constexpr int kHot = 200;  // rows that writers change: the rest would need room of its own

// Clients that add 1 to rows, one statement a transaction, and count what was acknowledged.
class Ledger {
 public:
  Ledger(const pg::Options& options, int clients) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, options, i](const std::stop_token& stop) {
        std::minstd_rand random(static_cast<unsigned>(i) + 1);
        pg::Connection conn = must(pg::Connection::open(options));
        while (!stop.stop_requested()) {
          const pg::Rows rows =
              must(conn.query(cat("UPDATE ", kTable, " SET v = v + 1 WHERE id = $1"),
                              {std::to_string((random() % kHot) * (kRows / kHot) + 1)}));
          acknowledged_ += rows.affected();
          // About one in a hundred rows a second, ten times what the benchmark's million has.
          must(conn.query("SELECT pg_sleep(0.02)"));
        }
      });
    }
  }
  int64_t stop() {
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    return acknowledged_;
  }
  int64_t acknowledged() const { return acknowledged_; }

 private:
  std::atomic<int64_t> acknowledged_ = 0;
  std::vector<std::jthread> threads_;
};

// Looks all the time who holds a lock on the table that readers or writers would wait for.
class LockWatch {
 public:
  LockWatch(const pg::Options& options, const std::string& table) {
    thread_ = std::jthread([this, options, table](const std::stop_token& stop) {
      pg::Connection conn = must(pg::Connection::open(options));
      const std::string sql =
          cat("select mode from pg_locks where granted and locktype = 'relation' and relation = ",
              "to_regclass(", pg::literal(table), ") and pid <> pg_backend_pid()");
      std::optional<SteadyTime> since;
      while (!stop.stop_requested()) {
        bool exclusive = false;
        const pg::Rows rows = must(conn.query(sql));
        for (const pg::Row row : rows) {
          modes_.emplace(row.text(0));
          exclusive = exclusive || row.text(0) == "AccessExclusiveLock";
        }
        const SteadyTime now = std::chrono::steady_clock::now();
        if (!exclusive) since.reset();
        if (exclusive && !since) since = now;
        if (since)
          longest_ = std::max(longest_, std::chrono::duration_cast<microseconds>(now - *since));
        ++looks_;
      }
    });
  }
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  const std::set<std::string>& modes() const { return modes_; }
  microseconds longest() const { return longest_; }
  int looks() const { return looks_; }

 private:
  std::set<std::string> modes_;
  microseconds longest_{};
  int looks_ = 0;
  std::jthread thread_;
};

class VacuumCompact : public AuditedTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"wal_level", "logical"}, {"max_prepared_transactions", "5"}};
  }
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    {
      pg::Connection maker = connect();  // its counters come before what follows
      must(maker.exec(
          cat("CREATE SCHEMA \"Lédger\"; CREATE TABLE ", kTable,
              " (id int PRIMARY KEY, acct int, v bigint NOT NULL DEFAULT 0, pad text)")));
      must(maker.exec(cat("CREATE INDEX ledger_acct ON ", kTable, " (acct)")));
      must(maker.exec(cat("INSERT INTO ", kTable,
                          " SELECT i, i::int8 * 7919 % 20000, 0, repeat('x', ",
                          "60 + i % 30) FROM generate_series(1, ", kRows, ") i")));
    }
    empty(60);
  }

  // Deletes `percent` of the rows, of every stretch of the table; the rows that writers use stay.
  void empty(int percent) {
    {
      pg::Connection other = connect();  // counters are another session's, as in life
      must(other.exec(cat("DELETE FROM ", kTable, " WHERE id % 100 < ", percent, " AND id % ",
                          kRows / kHot, " <> 1")));
    }
    pg::Connection other = connect();
    must(other.exec(cat("VACUUM ANALYZE ", kTable)));
  }
  CompactSetup setup(bool apply = true) {
    CompactSetup out{.table = kTable};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.tries = 2;
    out.gate.policy.lock_timeout_patient = milliseconds(3'000);
    out.gate.policy.back_off = milliseconds(20);
    out.gate.policy.back_off_max = milliseconds(100);
    out.way = Way::InPlace;
    return out;
  }
  CompactReport compacted(const CompactSetup& how) {
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_TRUE(status) << status.error().message;
    return report;
  }
  Error refused(const CompactSetup& how) {
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_FALSE(status);
    return status ? Error{} : status.error();
  }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  int64_t number(const std::string& sql) { return must(parse_int(one(sql))); }
  int64_t pages(const std::string& table = kTable) {
    return number(cat("SELECT pg_relation_size(", pg::literal(table), ") / 8192"));
  }
  // Pages of the same rows written one after the other.
  int64_t dense() {
    must(conn_->exec(cat("CREATE TABLE dense AS TABLE ", kTable)));
    const int64_t out = pages("dense");
    must(conn_->exec("DROP TABLE dense"));
    return out;
  }
  // Rows of different lengths leave a little on each page.
  void expect_dense(const CompactReport& report = {}) {
    EXPECT_LE(static_cast<double>(pages()), 1.05 * static_cast<double>(dense()) + 8)
        << to_text(report);
  }
  // Of all rows in any order, but for what writers change.
  std::string checksum(const std::string& what = "id, acct, pad") {
    return one(cat("SELECT count(*) || ' ' || sum(hashtextextended(row(", what,
                   ")::text, 0)::numeric) FROM ", kTable));
  }
  int64_t increments() { return number(cat("SELECT sum(v) FROM ", kTable)); }
  void check_structure() {
    EXPECT_EQ(number(cat("SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = ",
                         pg::literal(kTable), "::regclass")),
              0);
    if (number("SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'") == 0) {
      GTEST_LOG_(INFO) << "no amcheck in this server";
      return;
    }
    must(conn_->exec("CREATE EXTENSION IF NOT EXISTS amcheck"));
    must(
        conn_->query(cat("SELECT bt_index_parent_check(indexrelid, true) FROM pg_index WHERE "
                         "indrelid = ",
                         pg::literal(kTable), "::regclass")));
    if (version() >= "14") {
      EXPECT_EQ(number(cat("SELECT count(*) FROM verify_heapam(", pg::literal(kTable), ")")), 0);
    }
  }
  Environment environment() {
    auto out = environment_of(options());
    out.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return out;
  }
};

TEST_P(VacuumCompact, DryRunComparesTheWaysAndChangesNothing) {
  const int64_t before = pages();
  CompactSetup how = setup(false);
  how.way.reset();

  const CompactReport report = compacted(how);

  EXPECT_EQ(report.plan.pick, Way::InPlace) << report.plan.because;
  EXPECT_FALSE(report.outcome.applied);
  EXPECT_EQ(pages(), before);
  EXPECT_GE(report.steps.size(), 4U);  // VACUUM, moving, VACUUM, REINDEX
  EXPECT_EQ(must(audit_->latest(10)).back().record.event, store::AuditEvent::DryRun);
}

TEST_P(VacuumCompact, UnderWritersTheTableBecomesDenseAndNothingIsLost) {
  const std::string before = checksum();
  const int64_t index_before = number("SELECT pg_relation_size('\"Lédger\".ledger_acct')");
  pg::Connection reader = connect();
  must(reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ"));
  const std::string count_sql = cat("SELECT count(*), sum(v), sum(id::int8) FROM ", kTable);
  const pg::Rows seen = must(reader.query(count_sql));
  Ledger ledger(options(), 2);
  LockWatch locks(options(), kTable);
  ASSERT_TRUE(wait_until([&] { return ledger.acknowledged() > 100; }));
  CompactSetup how = setup();
  // The end can be cut only when the reader is gone.
  how.gate.policy.lock_timeout_patient = seconds(60);
  int looks = 0;
  bool reading = true;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (!reading) return;
    if (moment.what.find("rows moved") != std::string::npos) {
      const pg::Rows again = must(reader.query(count_sql));
      for (int i = 0; i < 3; ++i) EXPECT_EQ(again[0].text(i), seen[0].text(i));
      ++looks;
    } else if (looks > 0 &&
               (moment.what.find("waiting") != std::string::npos || !moment.blockers.empty())) {
      must(reader.exec("COMMIT"));
      reading = false;
    }
  };

  const CompactReport report = compacted(how);

  locks.stop();
  const int64_t acknowledged = ledger.stop();
  EXPECT_GT(looks, 0);
  EXPECT_FALSE(reading) << "space was given back under the eyes of a reader who needed it";
  EXPECT_EQ(increments(), acknowledged);
  EXPECT_EQ(checksum(), before);
  expect_dense(report);
  EXPECT_LT(number("SELECT pg_relation_size('\"Lédger\".ledger_acct')"), index_before);
  EXPECT_GT(report.moved.rows, 5'000);
  EXPECT_GE(report.moved.updates, report.moved.rows);
  EXPECT_EQ(report.unfinished, "");
  for (const std::string& mode : locks.modes()) {
    EXPECT_TRUE(mode == "AccessShareLock" || mode == "RowShareLock" || mode == "RowExclusiveLock" ||
                mode == "ShareUpdateExclusiveLock" || mode == "AccessExclusiveLock")
        << mode;
  }
  GTEST_LOG_(INFO) << "ACCESS EXCLUSIVE seen for " << locks.longest().count() << " us in "
                   << locks.looks() << " looks; " << to_text(report);
  check_structure();
}

TEST_P(VacuumCompact, KilledAtAnyMomentItLeavesARightTableAndGoesOn) {
  const char* wanted = std::getenv("PGTEND_COMPACT_KILLS");
  const int kills = wanted == nullptr ? 8 : std::atoi(wanted);
  std::mt19937 random(static_cast<unsigned>(kills));
  std::string before = checksum();
  Ledger ledger(options(), 2);
  int killed = 0;
  for (int run_no = 0; killed < kills && run_no < 4 * kills; ++run_no) {
    const std::string delay = cat(static_cast<double>(200 + random() % 1'800) / 1'000);
    const auto outcome = run({"timeout", "-s", "KILL", delay, kProgram, "vacuum", "compact", kTable,
                              "--way", "in-place", "--apply", "--quiet"},
                             environment());
    EXPECT_EQ(checksum(), before) << "after " << delay << " s";
    if (outcome.exit_code == 137) {
      ++killed;
      continue;
    }
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 6) << outcome.err;
    // Done before the kill: bloated once more, for the next one.
    must(conn_->exec(cat("INSERT INTO ", kTable, " SELECT i, i, 0, repeat('y', 60) FROM ",
                         "generate_series(1, ", kRows, ") i ON CONFLICT DO NOTHING")));
    empty(60);
    before = checksum();
  }

  CompactReport report;
  CompactSetup how = setup();
  how.gate.policy.lock_timeout_patient = seconds(60);
  const Status status = vacuum::compact(how, report);
  const int64_t acknowledged = ledger.stop();

  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(killed, kills);
  EXPECT_EQ(increments(), acknowledged);
  EXPECT_EQ(checksum(), before);
  expect_dense(report);
  check_structure();
}

TEST_P(VacuumCompact, RowsThatOthersHoldAreLeftAndNamedAndTheNextRunMovesThem) {
  pg::Connection other = connect();
  must(other.exec(cat("BEGIN; SELECT 1 FROM ", kTable, " WHERE id = (SELECT max(id) FROM ", kTable,
                      ") FOR UPDATE")));
  const std::string before = checksum("id, acct, v, pad");

  const Error error = refused(setup());
  EXPECT_EQ(error.code, ErrorCode::Conflict);
  EXPECT_NE(error.message.find("held"), std::string::npos) << error.message;
  must(other.exec("COMMIT"));
  const CompactReport report = compacted(setup());

  EXPECT_EQ(checksum("id, acct, v, pad"), before);
  expect_dense(report);
}

TEST_P(VacuumCompact, AnOldSnapshotKeepsTheSpaceAndIsNamed) {
  pg::Options who = options();
  who.set("application_name", "forgotten report");
  pg::Connection holder = connect(who);
  must(holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_am"));

  const Error error = refused(setup());
  EXPECT_EQ(error.code, ErrorCode::Conflict);
  EXPECT_EQ(exit_code(error), 6);
  EXPECT_NE(error.message.find("forgotten report"), std::string::npos) << error.message;
  must(holder.exec("COMMIT"));
  compacted(setup());

  expect_dense();
}

TEST_P(VacuumCompact, CancelStopsItAndLeavesARightTable) {
  const std::string before = checksum("id, acct, v, pad");
  std::atomic<bool> cancel = false;
  CompactSetup how = setup();
  how.gate.cancel = &cancel;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (moment.what.find("rows moved") != std::string::npos) cancel = true;
  };

  const Error error = refused(how);

  EXPECT_EQ(error.code, ErrorCode::Cancelled) << error.message;
  EXPECT_EQ(exit_code(error), 130);
  EXPECT_EQ(checksum("id, acct, v, pad"), before);
  check_structure();
  EXPECT_EQ(must(audit_->latest(10)).back().record.event, store::AuditEvent::Cancelled);
}

TEST_P(VacuumCompact, ATableThatIsDroppedMeanwhileIsToldSo) {
  pg::Connection other = connect();
  CompactSetup how = setup();
  bool dropped = false;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (dropped || moment.what.find("rows moved") == std::string::npos) return;
    must(other.exec(cat("DROP TABLE ", kTable)));
    dropped = true;
  };

  const Error error = refused(how);

  EXPECT_TRUE(dropped);
  EXPECT_EQ(error.code, ErrorCode::NotFound) << error.message;
  EXPECT_EQ(exit_code(error), 2);
}

TEST_P(VacuumCompact, TriggersDoNotFireAndRowsKeepTheirBytes) {
  must(conn_->exec(
      cat("CREATE TABLE fired (id int); CREATE FUNCTION note() RETURNS trigger ",
          "LANGUAGE plpgsql AS 'BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NEW; ",
          "END'; CREATE TRIGGER note BEFORE UPDATE ON ", kTable,
          " FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE ", kTable,
          " ADD COLUMN g text GENERATED ALWAYS AS (upper(pad)) STORED, ADD COLUMN n int ",
          "GENERATED ALWAYS AS IDENTITY, ADD COLUMN wide text")));
  must(conn_->exec(cat("ALTER TABLE ", kTable, " ALTER wide SET STORAGE EXTERNAL; ", "ALTER TABLE ",
                       kTable, " DISABLE TRIGGER note; UPDATE ", kTable,
                       " SET wide = repeat('w', 5000) WHERE id % 500 = 1; ALTER TABLE ", kTable,
                       " ENABLE TRIGGER note")));
  empty(70);
  const std::string before = checksum("id, acct, v, pad, g, n, wide");
  const int64_t toast =
      number(cat("SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid ", "= ",
                 pg::literal(kTable), "::regclass"));

  compacted(setup());

  EXPECT_EQ(checksum("id, acct, v, pad, g, n, wide"), before);
  EXPECT_EQ(number("SELECT count(*) FROM fired"), 0);
  EXPECT_EQ(number(cat("SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = ",
                       pg::literal(kTable), "::regclass")),
            toast);
  expect_dense();
  must(conn_->exec(cat("ALTER TABLE ", kTable, " ENABLE ALWAYS TRIGGER note")));
  EXPECT_EQ(refused(setup()).code, ErrorCode::Invalid);
}

TEST_P(VacuumCompact, AnOwnerWithoutTheReplicaRoleIsToldTheGrant) {
  const pg::Options owner = create_role("owner");
  const std::string role = pg::ident(owner.get("user"));
  must(conn_->exec(cat("GRANT ALL ON SCHEMA \"Lédger\" TO ", role, "; ALTER TABLE ", kTable,
                       " OWNER TO ", role,
                       "; CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql ",
                       "AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER note BEFORE UPDATE ON ", kTable,
                       " FOR EACH ROW EXECUTE FUNCTION note()")));
  CompactSetup how = setup();
  how.gate.options = owner;

  const Error error = refused(how);
  EXPECT_EQ(error.code, ErrorCode::Denied) << error.message;
  EXPECT_EQ(exit_code(error), 4);
  if (version() >= "15") {
    EXPECT_NE(error.hint.find("GRANT SET ON PARAMETER"), std::string::npos);
    must(conn_->exec(error.hint));
  } else {
    must(conn_->exec(
        cat("DROP TRIGGER note ON ", kTable)));  // without triggers the right is not needed
  }
  compacted(how);
  expect_dense();

  must(conn_->exec(
      cat("ALTER TABLE ", kTable, " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")));
  EXPECT_EQ(refused(how).code, ErrorCode::Denied);
  how.gate.options = create_role("stranger");
  EXPECT_EQ(refused(how).code, ErrorCode::Denied);
}

TEST_P(VacuumCompact, PublishedRowsAreMovedOnlyWhenAsked) {
  must(conn_->exec(cat("CREATE PUBLICATION feed FOR TABLE ", kTable)));
  EXPECT_EQ(refused(setup()).code, ErrorCode::Invalid);
  CompactSetup how = setup();
  how.published = true;

  compacted(how);

  expect_dense();
}

TEST_P(VacuumCompact, WhatIsNoTableOfRowsIsRefusedWithWhatToDo) {
  must(conn_->exec(
      "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES "
      "FROM (0) TO (9); CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE VIEW w AS SELECT 1 AS "
      "a; "
      "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER far FOREIGN DATA WRAPPER none; "
      "CREATE FOREIGN TABLE f (a int) SERVER far; CREATE TABLE tiny (a int); "
      "INSERT INTO tiny VALUES (1)"));
  CompactSetup how = setup();
  how.way.reset();
  for (const char* name : {"p", "m", "w", "f", "pg_class"}) {
    how.table = name;
    const Error error = refused(how);
    EXPECT_EQ(error.code, ErrorCode::Invalid) << name << ": " << error.message;
    EXPECT_FALSE(error.message.empty());
  }
  how.table = "nowhere";
  EXPECT_EQ(refused(how).code, ErrorCode::NotFound);
  how.table = "tiny";
  EXPECT_EQ(compacted(how).plan.pick, Way::Nothing);
}

TEST_P(VacuumCompact, LeftoversOfAKilledReindexAreDropped) {
  must(connect().exec(cat("UPDATE ", kTable, " SET acct = 1")));
  EXPECT_FALSE(conn_->exec(
      cat("CREATE UNIQUE INDEX CONCURRENTLY ledger_acct_ccnew ON ", kTable, " (acct)")));
  ASSERT_EQ(number(cat("SELECT count(*) FROM pg_index WHERE NOT indisvalid")), 1);

  compacted(setup());

  check_structure();
}

TEST_P(VacuumCompact, UnloggedTablesAndForeignKeysAreNoObstacle) {
  must(conn_->exec(cat("CREATE TABLE child (id int REFERENCES ", kTable, "); INSERT INTO child ",
                       "SELECT id FROM ", kTable, "; DELETE FROM child WHERE id % 100 < 90; ",
                       "DELETE FROM ", kTable,
                       " t WHERE NOT EXISTS (SELECT FROM child c WHERE c.id ", "= t.id)")));
  must(
      conn_->exec("CREATE UNLOGGED TABLE quick AS SELECT i, repeat('q', 80) AS q FROM "
                  "generate_series(1, 20000) i"));
  must(conn_->exec("DELETE FROM quick WHERE i % 10 < 6"));
  const pg::Options owner = create_role("owner");
  must(conn_->exec(cat("ALTER TABLE child OWNER TO ", pg::ident(owner.get("user")),
                       "; ALTER TABLE quick OWNER TO ", pg::ident(owner.get("user")),
                       "; GRANT USAGE ON SCHEMA \"Lédger\" TO ", pg::ident(owner.get("user")),
                       "; GRANT REFERENCES, SELECT, UPDATE ON ", kTable, " TO ",
                       pg::ident(owner.get("user")))));
  const int64_t rows = number("SELECT count(*) FROM child");
  CompactSetup how = setup();
  how.gate.options = owner;
  for (const char* name : {"child", "quick"}) {
    how.table = name;
    const int64_t before = pages(name);
    compacted(how);
    EXPECT_LT(static_cast<double>(pages(name)), 0.6 * static_cast<double>(before)) << name;
  }
  EXPECT_EQ(number("SELECT count(*) FROM child"), rows);
}

TEST_P(VacuumCompact, AnEmptyEndIsTrimmedWithoutTouchingTheRest) {
  if (version() < "14") GTEST_SKIP() << "the end is looked at from 14 on";
  // Of sessions that end: else their counters may come after the VACUUM, and count rows twice.
  const std::string gone =
      cat("SELECT pg_stat_get_tuples_deleted(", pg::literal(kTable), "::regclass)");
  must(connect().exec(cat("INSERT INTO ", kTable, " SELECT i, i, 0, repeat('x', 75) FROM ",
                          "generate_series(1, 40000) i ON CONFLICT DO NOTHING")));
  const int64_t gone_before = number(gone);
  must(connect().exec(cat("DELETE FROM ", kTable, " WHERE ctid > '(400,0)' AND id % 1000 <> 1")));
  ASSERT_TRUE(wait_until([&] { return number(gone) > gone_before; }, seconds(30)));
  must(connect().exec(cat("VACUUM ANALYZE ", kTable)));
  CompactSetup how = setup();
  how.way.reset();
  const int64_t before = pages();

  const CompactReport report = compacted(how);

  EXPECT_EQ(report.plan.pick, Way::Tail) << report.plan.because << ", " << before << " pages";
  EXPECT_LT(pages(), before);
  EXPECT_LT(report.moved.rows, 100);
}

TEST_P(VacuumCompact, AFrozenTableIsFrozenAfterwards) {
  if (version() < "18") GTEST_SKIP() << "how much is frozen is known from 18 on";
  must(conn_->exec(cat("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) ", kTable)));

  const CompactReport report = compacted(setup());

  // What was moved last may be too young for anybody who looks at that moment, our own watcher,
  // too.
  EXPECT_GT(number(cat("SELECT relallfrozen * 100 / relpages FROM pg_class WHERE oid = ",
                       pg::literal(kTable), "::regclass")),
            60)
      << to_text(report);
}
PGTEND_ON_SOME_VERSIONS(VacuumCompact);

}  // namespace
}  // namespace pgtend::e2e
