// Who keeps dead rows from being removed, against the server's own word: the cutoff that
// VACUUM (VERBOSE) tells is the transaction of the oldest holder of the table's horizon.
#include "vacuum/horizon.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "e2e/support/database.h"
#include "facts/horizon.h"
#include "pg/quote.h"
#include "vacuum/vacuum.h"

namespace pgtend::e2e {
namespace {

using facts::Horizon;
using facts::HorizonHolder;
using Holds = facts::Holds;

constexpr Holds kSharedOnly{.catalogs = false, .data = false};
constexpr const char* kHostile = "it's \\ \x1b[31m\nred";

class HorizonTest : public VersionTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"},
            {"wal_level", "logical"},
            {"max_prepared_transactions", "5"},
            {"max_wal_senders", "5"},
            {"max_replication_slots", "5"}};
  }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    must(
        conn_->exec("CREATE TABLE t (id int, v text); CREATE TABLE other (id int);"
                    "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i;"
                    "CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (1)"));
  }
  pg::Connection elsewhere() {
    pg::Options options = this->options();
    options.set("dbname", "postgres");
    return connect(options);
  }
  // What all holders of all data hold on this version.
  Holds all() const { return {.temporary = version() < "14"}; }

  std::vector<HorizonHolder> holders() { return must(facts::load_holders(*conn_)).holders; }
  std::optional<HorizonHolder> of_pid(int pid) {
    for (const HorizonHolder& holder : holders()) {
      if (holder.session.pid == pid) return holder;
    }
    return {};
  }
  std::optional<HorizonHolder> named(HorizonHolder::Kind kind, const std::string& name) {
    for (const HorizonHolder& holder : holders()) {
      if (holder.kind == kind && holder.name == name) return holder;
    }
    return {};
  }
  bool is_true(const std::string& sql) { return *must(conn_->query(sql)).scalar() == "t"; }
  // Transactions that come and go, so that what began before them is older than what follows.
  static void pass_transactions(pg::Connection& conn) {
    for (int i = 0; i < 3; ++i) must(conn.query("SELECT txid_current()"));
  }

  // From which transaction on the server keeps dead rows of a table of `horizon`.
  static int64_t cutoff(pg::Connection& conn, Horizon horizon) {
    constexpr const char* kTables[] = {"pg_database", "pg_class", "other", "mine"};
    static_cast<void>(conn.take_notices());
    must(conn.exec(cat("VACUUM (VERBOSE) ", kTables[static_cast<int>(horizon)])));
    const auto verbose = vacuum::read_verbose(conn.take_notices());
    EXPECT_TRUE(verbose.cutoff_xid) << facts::name(horizon);
    return verbose.cutoff_xid.value_or(0);
  }
  // The one holder there is: the server agrees on each horizon.
  void expect_holds(const std::optional<HorizonHolder>& holder, const Holds& holds) {
    ASSERT_TRUE(holder);
    pass_transactions(*conn_);
    for (const Horizon horizon : facts::kHorizons) {
      EXPECT_EQ(holder->holds.includes(horizon), holds.includes(horizon)) << facts::name(horizon);
      EXPECT_EQ(cutoff(*conn_, horizon) == holder->xid, holds.includes(horizon))
          << facts::name(horizon) << ", " << holder->describe();
    }
    EXPECT_GE(holder->age_xids, 0);
    EXPECT_EQ(printable(holder->describe()), holder->describe());
    EXPECT_EQ(printable(holder->remedy()), holder->remedy());
  }
  // What the remedy says, done in `conn`, makes rows removable.
  void expect_remedy_works(const HorizonHolder& holder, pg::Connection& conn) {
    must(conn.exec(holder.remedy()));
    EXPECT_TRUE(wait_until([&] {
      const auto now = holders();
      return std::ranges::none_of(now, [&](const HorizonHolder& other) {
        return other.kind == holder.kind && other.name == holder.name &&
               other.session.pid == holder.session.pid;
      });
    })) << holder.remedy();
    for (const Horizon horizon : facts::kHorizons) {
      EXPECT_NE(cutoff(*conn_, horizon), holder.xid) << holder.remedy();
    }
  }

  std::optional<pg::Connection> conn_;
};

class VacuumHorizon : public HorizonTest {};

TEST_P(VacuumHorizon, IdleTransactionThatHasWrittenHoldsAll) {
  pg::Options options = this->options();
  options.set("application_name", "importer");
  pg::Connection writer = connect(options);
  must(writer.exec("BEGIN; INSERT INTO t VALUES (0, 'x')"));

  const auto holder = of_pid(writer.backend_pid());

  expect_holds(holder, all());
  EXPECT_EQ(holder->through, "xid");
  EXPECT_EQ(holder->name, "importer");
  EXPECT_EQ(holder->session.state, "idle in transaction");
  EXPECT_TRUE(holder->age_s);
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, RepeatableReadHoldsBySnapshot) {
  pg::Connection reader = connect();
  must(reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t LIMIT 1"));

  const auto holder = of_pid(reader.backend_pid());

  expect_holds(holder, all());
  EXPECT_EQ(holder->through, "xmin");
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, OpenCursorHoldsBySnapshot) {
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 1 FROM c"));

  const auto holder = of_pid(reader.backend_pid());

  expect_holds(holder, all());
  EXPECT_EQ(holder->through, "xmin");
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, RunningStatementIsCancelledRatherThanItsSession) {
  must(conn_->query("SELECT pg_advisory_lock(7)"));
  pg::Connection waiter = connect();
  must(waiter.start("SELECT pg_advisory_lock(7)"));
  ASSERT_TRUE(wait_until([&] { return of_pid(waiter.backend_pid()).has_value(); }));

  const auto holder = of_pid(waiter.backend_pid());

  expect_holds(holder, all());
  expect_remedy_works(*holder, *conn_);
  EXPECT_EQ(waiter.finish_within(seconds(10)).error().sqlstate, "57014");
  must(waiter.query("SELECT 1"));
}

TEST_P(VacuumHorizon, PreparedTransactionWithAHostileNameIsEndedByItsRemedy) {
  pg::Connection other = connect();
  must(other.exec("BEGIN; INSERT INTO t VALUES (0, 'x')"));
  must(other.exec(cat("PREPARE TRANSACTION ", pg::literal(kHostile))));

  const auto holder = named(HorizonHolder::Kind::Prepared, kHostile);

  expect_holds(holder, all());
  EXPECT_TRUE(holder->age_s);
  EXPECT_EQ(holder->remedy(), "ROLLBACK PREPARED E'it''s \\\\ \\x1b[31m\\x0ared'");
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, PreparedTransactionOfAnotherDatabaseHoldsSharedCatalogsOnly) {
  pg::Connection other = elsewhere();
  must(other.exec("BEGIN; CREATE TABLE x (a int); PREPARE TRANSACTION 'there'"));

  const auto holder = named(HorizonHolder::Kind::Prepared, "there");

  expect_holds(holder, kSharedOnly);
  EXPECT_TRUE(holder->elsewhere);
  EXPECT_EQ(holder->database, "postgres");
  expect_remedy_works(*holder, other);
}

TEST_P(VacuumHorizon, SessionOfAnotherDatabaseHoldsSharedCatalogsOnly) {
  pg::Connection other = elsewhere();
  must(other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_am LIMIT 1"));

  const auto holder = of_pid(other.backend_pid());

  expect_holds(holder, kSharedOnly);
  EXPECT_TRUE(facts::of(holders(), Horizon::Data).empty());
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, LogicalSlotHoldsCatalogsOnly) {
  must(conn_->query("SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')"));

  const auto holder = named(HorizonHolder::Kind::Slot, "cdc");

  expect_holds(holder, {.data = false});
  EXPECT_EQ(holder->through, "catalog_xmin");
  EXPECT_EQ(holder->session.state, "inactive");
  expect_remedy_works(*holder, *conn_);
}

TEST_P(VacuumHorizon, LogicalSlotInUseHoldsCatalogsAndItsWalsenderNothing) {
  must(conn_->exec("CREATE PUBLICATION p FOR TABLE t"));
  must(conn_->query("SELECT pg_create_logical_replication_slot('used', 'pgoutput')"));
  pg::Connection subscriber = elsewhere();
  const pg::Options self = options();
  const std::string dsn =
      cat("host=", self.get("host"), " port=", self.get("port"), " user=", self.get("user"),
          " password=", self.get("password"), " dbname=", database());
  must(subscriber.exec("CREATE TABLE t (id int, v text)"));
  must(subscriber.exec(cat("CREATE SUBSCRIPTION s CONNECTION ", pg::literal(dsn),
                           " PUBLICATION p WITH (slot_name = 'used', create_slot = false, "
                           "copy_data = false)")));
  ASSERT_TRUE(wait_until([&] {
    return is_true("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'");
  }));

  const auto holder = named(HorizonHolder::Kind::Slot, "used");

  expect_holds(holder, {.data = false});
  EXPECT_EQ(holder->session.state, "active");
  EXPECT_NE(holder->remedy().find("pg_terminate_backend"), std::string::npos);
  EXPECT_TRUE(facts::of(holders(), Horizon::Data).empty());
  must(subscriber.exec("DROP SUBSCRIPTION s"));
  must(subscriber.exec("DROP TABLE t"));
}

TEST_P(VacuumHorizon, TransactionThatOnlyReadHoldsNothing) {
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));

  EXPECT_FALSE(of_pid(reader.backend_pid()));
  EXPECT_TRUE(facts::of(holders(), Horizon::Data).empty());
}

TEST_P(VacuumHorizon, OwnSessionIsNotNamed) {
  must(conn_->exec("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO t VALUES (0, 'x')"));

  EXPECT_FALSE(of_pid(conn_->backend_pid()));
  EXPECT_TRUE(holders().empty());
}

TEST_P(VacuumHorizon, LazyVacuumIsNotNamedWhileItRunsOrWaits) {
  must(conn_->exec("DELETE FROM t WHERE id % 2 = 0"));
  pg::Connection worker = connect();
  must(worker.exec("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1"));
  must(worker.start("VACUUM t"));
  ASSERT_TRUE(wait_until([&] {
    return is_true(
        cat("SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > "
            "0 AND pid = ",
            worker.backend_pid()));
  }));
  pg::Connection second = connect();
  must(second.start("VACUUM t"));
  ASSERT_TRUE(wait_until([&] {
    return is_true(
        cat("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_xmin IS NOT NULL "
            "AND wait_event_type = 'Lock' AND pid = ",
            second.backend_pid()));
  }));

  EXPECT_FALSE(of_pid(worker.backend_pid()));
  EXPECT_FALSE(of_pid(second.backend_pid()));
  EXPECT_TRUE(facts::of(holders(), Horizon::Data).empty());
  must(second.canceller().cancel());
  must(worker.canceller().cancel());
  EXPECT_FALSE(second.finish_within(seconds(10)));
  EXPECT_FALSE(worker.finish_within(seconds(10)));
}

TEST_P(VacuumHorizon, VacuumFullThatWaitsHolds) {
  pg::Connection locker = connect();
  must(locker.exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE"));
  pg::Connection full = connect();
  must(full.start("VACUUM FULL t"));
  ASSERT_TRUE(wait_until([&] { return of_pid(full.backend_pid()).has_value(); }));

  expect_holds(of_pid(full.backend_pid()), all());
  must(full.canceller().cancel());
  EXPECT_FALSE(full.finish_within(seconds(10)));
}

TEST_P(VacuumHorizon, OldestHolderComesFirst) {
  pg::Connection first = connect();
  pg::Connection second = connect();
  must(first.exec("BEGIN; INSERT INTO t VALUES (0, 'x')"));
  pass_transactions(*conn_);
  must(second.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t LIMIT 1"));
  // Its snapshot is as old as the first's transaction, although it began later.
  pass_transactions(*conn_);
  must(first.exec("COMMIT; BEGIN; INSERT INTO t VALUES (0, 'x')"));

  const auto data = facts::of(holders(), Horizon::Data);

  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[0].session.pid, second.backend_pid());
  EXPECT_EQ(data[1].session.pid, first.backend_pid());
  EXPECT_GT(data[0].age_xids, data[1].age_xids);
  EXPECT_EQ(cutoff(*conn_, Horizon::Data), data[0].xid);
}

TEST_P(VacuumHorizon, PoorRoleIsToldWhatItCannotSee) {
  pg::Connection poor = connect(create_role());
  pg::Connection writer = connect();
  must(writer.exec("BEGIN; INSERT INTO t VALUES (0, 'x')"));

  const auto seen = must(facts::load_holders(poor));

  ASSERT_EQ(seen.missing.size(), 1U);
  EXPECT_NE(seen.missing[0].grant.find("GRANT pg_monitor"), std::string::npos);
}

TEST_P(VacuumHorizon, CommandTellsWhoWhatSinceWhenAndTheWayOut) {
  const std::string program = PGTEND_BINARY_DIR "/pgtend";
  Scratch scratch;
  auto environment = environment_of(options());
  environment.emplace_back("PGTEND_STATE", scratch.path() + "/state.db");
  const auto pgtend = [&](std::vector<std::string> words) {
    words.insert(words.begin(), program);
    return run(words, environment);
  };
  must(conn_->query("SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')"));
  pg::Connection writer = connect();
  must(writer.exec("BEGIN; INSERT INTO t VALUES (0, 'x')"));
  must(writer.query("SELECT 'a \x1b[31mred query'"));
  pg::Connection other = connect();
  must(other.exec("DELETE FROM t WHERE id <= 10000"));
  must(other.exec("CREATE TABLE gone (a int, b int); DROP TABLE gone"));
  other = connect();
  ASSERT_TRUE(wait_until([&] {
    return is_true(
        "SELECT pg_stat_get_dead_tuples('t'::regclass) = 10000 AND "
        "pg_stat_get_dead_tuples('pg_attribute'::regclass) > 0");
  }));
  const auto vacuumed = pgtend({"vacuum", "run", "t", "--apply"});
  ASSERT_EQ(vacuumed.exit_code, 0) << vacuumed.err;

  const auto text = pgtend({"vacuum", "horizon"});
  const auto data = pgtend({"vacuum", "horizon", "--json"});

  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("could not remove 10,000"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find(cat("SELECT pg_terminate_backend(", writer.backend_pid(), ")")),
            std::string::npos);
  EXPECT_NE(text.out.find("SELECT pg_drop_replication_slot('cdc')"), std::string::npos);
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos);
  const auto envelope = must(parse_json(data.out));
  const auto& list = envelope.at("data").at("holders").as_array();
  ASSERT_EQ(list.size(), 2U) << data.out;
  for (const auto& holder : list) {
    const bool slot = holder.at("kind").as_string() == "slot";
    EXPECT_EQ(holder.at("holds").as_array().size(), slot ? 2U : all().temporary ? 4U : 3U);
    bool of_t = false;
    bool of_catalog = false;
    for (const auto& table : holder.at("tables").as_array()) {
      const bool is_t = table.at("table").as_string() == "public.t";
      of_catalog = of_catalog || table.at("table").as_string() == "pg_catalog.pg_attribute";
      of_t = of_t || is_t;
      if (!is_t) continue;
      EXPECT_EQ(table.at("rows_not_removable").to_number<int64_t>(), 10000);
    }
    EXPECT_EQ(of_t, !slot);
    EXPECT_TRUE(of_catalog);
  }
  must(conn_->query("SELECT pg_drop_replication_slot('cdc')"));
}
PGTEND_ON_SOME_VERSIONS(VacuumHorizon);

class LostSlots : public HorizonTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"wal_level", "logical"}, {"max_slot_wal_keep_size", "1MB"}};
  }
};

TEST_P(LostSlots, HoldNothingAnyMore) {
  must(conn_->query("SELECT pg_create_logical_replication_slot('lost', 'pgoutput')"));
  const auto before = named(HorizonHolder::Kind::Slot, "lost");
  for (int i = 0; i < 4; ++i) {
    must(conn_->exec("CREATE TABLE x (a int); DROP TABLE x"));
    must(conn_->query("SELECT pg_switch_wal()"));
  }
  must(conn_->exec("CHECKPOINT"));
  ASSERT_TRUE(wait_until([&] {
    return is_true("SELECT count(*) = 1 FROM pg_replication_slots WHERE wal_status = 'lost'");
  }));

  ASSERT_TRUE(before);
  EXPECT_FALSE(named(HorizonHolder::Kind::Slot, "lost"));
  EXPECT_NE(cutoff(*conn_, Horizon::Catalogs), before->xid);
  must(conn_->query("SELECT pg_drop_replication_slot('lost')"));
}
PGTEND_ON_SOME_VERSIONS(LostSlots);

class TemporaryTables : public HorizonTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"autovacuum_freeze_max_age", "100000"}};
  }
};

TEST_P(TemporaryTables, OldOneOfAnotherSessionIsNamedAndDroppedByItsRemedy) {
  pg::Connection owner = connect();
  must(owner.exec("CREATE TEMP TABLE \"o\"\"ld\x1b\u202e\" (id int)"));
  const auto young = holders();
  pg::Connection busy = connect();
  must(
      busy.exec("DO $$ BEGIN FOR i IN 1..100001 LOOP PERFORM txid_current(); COMMIT; END LOOP; "
                "END $$"));

  const auto now = holders();
  const auto found =
      std::ranges::find(now, HorizonHolder::Kind::TemporaryTable, &HorizonHolder::kind);

  EXPECT_TRUE(young.empty());
  ASSERT_NE(found, now.end());  // and not the one of our own session
  EXPECT_EQ(std::ranges::count(now, HorizonHolder::Kind::TemporaryTable, &HorizonHolder::kind), 1);
  EXPECT_GT(found->age_xids, 100'000);
  EXPECT_EQ(found->holds.describe(), "");
  EXPECT_EQ(found->session.pid, version() >= "16" ? owner.backend_pid() : 0);
  EXPECT_EQ(printable(found->describe()), found->describe());
  EXPECT_EQ(printable(found->remedy()), found->remedy());
  must(conn_->exec(found->remedy()));
  EXPECT_TRUE(std::ranges::none_of(holders(), [](const HorizonHolder& holder) {
    return holder.kind == HorizonHolder::Kind::TemporaryTable;
  }));
}
PGTEND_ON_SOME_VERSIONS(TemporaryTables);

// A primary with a real standby, which is the primary's data copied while it was down.
class StandbyFeedback : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto there = binaries_of(GetParam()); !there) {
      GTEST_SKIP() << there.error().message;
    }
    const Settings settings = {{"autovacuum", "off"}, {"wal_level", "replica"}};
    const auto options = must(cluster_options(GetParam(), settings));
    primary_.emplace(must(pg::Cluster::start(options)));
    standby_.emplace(must(pg::Cluster::start(options)));
    conn_.emplace(must(pg::Connection::open(primary_->options())));
    must(
        conn_->exec("CREATE TABLE other (id int);"
                    "INSERT INTO other SELECT i FROM generate_series(1, 1000) i"));
  }
  void follow(const std::string& slot) {
    conn_.reset();
    must(primary_->stop());
    must(standby_->stop());
    const std::string to = standby_->data_folder();
    ASSERT_EQ(run({"cp", "-a", primary_->data_folder() + "/.", to}).exit_code, 0);
    std::ofstream(to + "/standby.signal") << "";
    // Each cluster knows its own password alone, and the roles are now the primary's.
    std::ofstream(to + "/pg_hba.conf") << "local all all trust\n";
    must(primary_->restart());
    conn_.emplace(must(pg::Connection::open(primary_->options())));
    const pg::Options at = primary_->options();
    must(standby_->set(
        {{"hot_standby_feedback", "on"},
         {"wal_receiver_status_interval", "1s"},
         {"max_standby_streaming_delay", "-1"},
         {"primary_slot_name", slot},
         {"primary_conninfo",
          cat("host=", at.get("host"), " port=", at.get("port"), " user=", at.get("user"),
              " password=", at.get("password"), " application_name=reports")}}));
    must(standby_->restart());
  }
  std::optional<HorizonHolder> holder_of(HorizonHolder::Kind kind) {
    for (const HorizonHolder& holder : must(facts::load_holders(*conn_)).holders) {
      if (holder.kind == kind) return holder;
    }
    return {};
  }
  int64_t cutoff() {
    static_cast<void>(conn_->take_notices());
    must(conn_->exec("VACUUM (VERBOSE) other"));
    return vacuum::read_verbose(conn_->take_notices()).cutoff_xid.value_or(0);
  }
  // A long query of the standby is what the primary's holder of `kind` stands for; its remedy, run
  // on the standby, ends it.
  void expect_long_query_is_found(HorizonHolder::Kind kind) {
    pg::Connection reader = must(pg::Connection::open(standby_->options()));
    must(reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other LIMIT 1"));
    const auto xmin = must(parse_int(
        *must(reader.query(
                  "SELECT backend_xmin::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"))
             .scalar()));
    for (int i = 0; i < 5; ++i) must(conn_->query("SELECT txid_current()"));
    must(conn_->exec("DELETE FROM other WHERE id <= 500"));
    std::optional<HorizonHolder> holder;
    ASSERT_TRUE(wait_until(
        [&] {
          holder = holder_of(kind);
          return holder && holder->xid == xmin && holder->age_xids >= 5;
        },
        seconds(30)));

    EXPECT_TRUE(holder->holds.data && holder->holds.catalogs && holder->holds.shared_catalogs);
    EXPECT_EQ(cutoff(), xmin);
    pg::Connection there = must(pg::Connection::open(standby_->options()));
    must(there.exec(holder->remedy()));
    EXPECT_FALSE(reader.query("SELECT 1"));
    EXPECT_TRUE(wait_until(
        [&] {
          holder = holder_of(kind);
          return !holder || holder->xid != xmin;
        },
        seconds(30)));
    EXPECT_NE(cutoff(), xmin);
  }

  std::optional<pg::Cluster> primary_;
  std::optional<pg::Cluster> standby_;
  std::optional<pg::Connection> conn_;
};

TEST_P(StandbyFeedback, WithoutASlotTheWalsenderHolds) {
  follow("");
  expect_long_query_is_found(HorizonHolder::Kind::Standby);

  const auto holder = holder_of(HorizonHolder::Kind::Standby);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->name, "reports");
  EXPECT_FALSE(holder_of(HorizonHolder::Kind::Session));
}

TEST_P(StandbyFeedback, WithASlotTheSlotHoldsAndGoesOnWhenTheStandbyIsGone) {
  must(conn_->query("SELECT pg_create_physical_replication_slot('reports')"));
  follow("reports");
  expect_long_query_is_found(HorizonHolder::Kind::Slot);
  EXPECT_FALSE(holder_of(HorizonHolder::Kind::Standby));

  must(standby_->stop());
  std::optional<HorizonHolder> left;
  ASSERT_TRUE(wait_until([&] {
    left = holder_of(HorizonHolder::Kind::Slot);
    return left && left->session.state == "inactive";
  }));
  for (int i = 0; i < 5; ++i) must(conn_->query("SELECT txid_current()"));

  EXPECT_EQ(left->through, "xmin");
  EXPECT_EQ(cutoff(), left->xid);
  EXPECT_EQ(left->remedy(), "SELECT pg_drop_replication_slot('reports')");
  must(conn_->exec(left->remedy()));
  EXPECT_NE(cutoff(), left->xid);
}
PGTEND_ON_SOME_VERSIONS(StandbyFeedback);

}  // namespace
}  // namespace pgtend::e2e
