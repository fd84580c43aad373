// Views, functions, publications, rules and row security of a table that becomes a partitioned one:
// each speaks of the new table afterwards, and of the old one when it is taken back.
#include <atomic>
#include <thread>

#include "e2e/support/partition_online.h"
#include "partition/followers.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Verb;

constexpr int kVersionSqlBody = 140000;
constexpr int kVersionRowFilters = 150000;

// Those of t, as they are now: what they are and what would make them again.
std::string followers_of(pg::Connection& conn) {
  must(conn.exec("BEGIN; SET LOCAL search_path = ''"));
  const int64_t oid =
      must(must(conn.query("SELECT 'public.t'::regclass::oid::int8"))[0].get<int64_t>(0));
  const auto all =
      must(partition::load_followers(conn, static_cast<uint32_t>(oid), conn.server_version()));
  must(conn.exec("COMMIT"));
  std::string out;
  for (const partition::Follower& one : all) out += cat(one.what, ": ", one.follow, "\n");
  return out;
}

class PartitionFollowers : public PartitionOnline {
 protected:
  void SetUp() override {
    PartitionOnline::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(conn_->exec(
        "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, \"of Whom\" text); "
        "INSERT INTO t SELECT i, date_trunc('month', now()) - i * interval '1 hour', 'a' || i % 3 "
        "FROM generate_series(1, 2000) i; CREATE TABLE seen (id bigint)"));
  }
  void make_followers() {
    must(conn_->exec(
        "DO $$BEGIN IF to_regrole('reader') IS NULL THEN CREATE ROLE reader; "
        "CREATE ROLE \"or's other\"; END IF; END$$; GRANT SELECT ON t TO reader; "
        "CREATE VIEW \"V 1\" (number, who) WITH (security_barrier) AS SELECT id, \"of Whom\" FROM "
        "t "
        "WHERE \"of Whom\" <> 'a;b'; COMMENT ON VIEW \"V 1\" IS 'kept'; "
        "GRANT SELECT ON \"V 1\" TO reader; "
        "ALTER VIEW \"V 1\" ALTER COLUMN number SET DEFAULT 7; "
        "CREATE VIEW v2 AS SELECT number FROM \"V 1\" WHERE number > (SELECT min(id) FROM t); "
        "CREATE VIEW v3 AS SELECT id, at FROM t WHERE id > 0 WITH LOCAL CHECK OPTION; "
        "CREATE POLICY mine ON t TO reader, \"or's other\" USING (\"of Whom\" = 'a1') "
        "WITH CHECK (id > (SELECT count(*) FROM t x WHERE x.id < 0)); "
        "CREATE POLICY not_old ON t AS RESTRICTIVE FOR SELECT USING (id > 10); "
        "COMMENT ON POLICY mine ON t IS 'it''s mine'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
        "CREATE RULE note AS ON INSERT TO t DO ALSO INSERT INTO seen VALUES (NEW.id); "
        "CREATE PUBLICATION \"P;\" FOR TABLE t WITH (publish_via_partition_root = true); "
        "ALTER TABLE t REPLICA IDENTITY FULL"));
    if (conn_->server_version() >= kVersionSqlBody) {
      must(conn_->exec(
          "CREATE FUNCTION newest(lowest bigint DEFAULT 0) RETURNS bigint LANGUAGE sql STABLE "
          "BEGIN ATOMIC SELECT max(id) FROM t WHERE id >= lowest; END; "
          "CREATE PROCEDURE forget() LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE id < 0; END"));
    }
    if (conn_->server_version() >= kVersionRowFilters) {
      must(conn_->exec(
          "CREATE PUBLICATION \"some\" FOR TABLE t WHERE (id > 5 AND \"of Whom\" <> 'x') WITH "
          "(publish_via_partition_root = true, publish = 'insert')"));
    }
  }
  // A row that is written now is seen by all who follow.
  void expect_followed(const std::string& id) {
    must(conn_->exec(cat("INSERT INTO t VALUES (", id, ", now(), 'a1')")));
    for (const char* view : {"SELECT max(number) FROM \"V 1\"", "SELECT max(number) FROM v2",
                             "SELECT max(id) FROM v3", "SELECT max(id) FROM seen"}) {
      EXPECT_EQ(one(view), id) << view;
    }
    const bool sql_body = conn_->server_version() >= kVersionSqlBody;
    EXPECT_EQ(sql_body ? one("SELECT newest()") : id, id);
    EXPECT_EQ(one("SELECT string_agg(pubname || ' ' || tablename, ',' ORDER BY pubname) FROM "
                  "pg_publication_tables"),
              conn_->server_version() >= kVersionRowFilters ? "P; t,some t" : "P; t");
    must(conn_->exec("SET ROLE reader"));
    EXPECT_EQ(one("SELECT count(*) FROM t WHERE id <= 13"), "1");  // 10 and less are not seen
    must(conn_->exec("RESET ROLE"));
    EXPECT_FALSE(conn_->exec("INSERT INTO v3 VALUES (-5, now())"));
  }
  // Whom nobody knows any more can go without CASCADE.
  void expect_unknown(const std::string& table) {
    EXPECT_EQ(one(cat("SELECT count(*) FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE "
                      "d.refobjid = '",
                      table, "'::regclass AND d.classid = 'pg_rewrite'::regclass")),
              "0");
    EXPECT_EQ(
        one(cat("SELECT count(*) FROM pg_publication_rel WHERE prrelid = '", table, "'::regclass")),
        "0");
  }
};

TEST_P(PartitionFollowers, SpeakOfTheNewTableAndOfTheOldOneAgain) {
  make_followers();
  const std::string before = followers_of(*conn_);
  for (const Mode mode : {Mode::Shadow, Mode::Instant}) {
    const OnlinePlan plan = planned("t", mode);
    OnlineReport report;
    must_be(run(plan.job, Verb::Run, report));

    EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
    EXPECT_EQ(followers_of(*conn_), before);
    expect_unknown(mode == Mode::Shadow ? "t_old" : "t_legacy");
    expect_followed(mode == Mode::Shadow ? "5000" : "7000");
    EXPECT_EQ(one("SELECT obj_description('\"V 1\"'::regclass) || (SELECT pg_get_expr(adbin, "
                  "adrelid) FROM pg_attrdef WHERE adrelid = '\"V 1\"'::regclass)"),
              "kept7");
    EXPECT_EQ(one("SELECT string_agg(DISTINCT relreplident::text, '') FROM pg_class WHERE oid IN "
                  "(SELECT relid FROM pg_partition_tree('t'))"),
              "f");

    must_be(run(plan.job, Verb::TakeBack, report));
    EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "r");
    EXPECT_EQ(followers_of(*conn_), before);
    expect_followed(mode == Mode::Shadow ? "6000" : "8000");
    EXPECT_EQ(one("SELECT count(*) FROM seen"), mode == Mode::Shadow ? "2" : "4");
  }
}

TEST_P(PartitionFollowers, FollowUnderALockToo) {
  make_followers();
  const std::string before = followers_of(*conn_);
  const partition::Conversion plan =
      must(partition::plan(*conn_, {.table = "t", .interval = partition::Interval::Month}));
  ASSERT_EQ(join(plan.refusals, "; "), "");

  const auto report = partition::convert(gate(), plan);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(followers_of(*conn_), before);
  expect_followed("5000");
  must(conn_->exec(
      cat("BEGIN; SET LOCAL search_path = ''; ", join(plan.action.undo, "; "), "; COMMIT")));
  EXPECT_EQ(followers_of(*conn_), before);
  expect_followed("6000");
}

// Readers of a view lock it before the table; so does the swap, or they would wait for each other.
TEST_P(PartitionFollowers, AViewInUseNeitherFailsNorKeepsTheSwapAway) {
  must(conn_->exec("CREATE VIEW v AS SELECT id, at FROM t"));
  const OnlinePlan plan = planned();
  std::atomic<bool> over = false;
  std::atomic<int> reads = 0;
  std::vector<std::string> errors(2);
  OnlineReport report;
  {
    std::vector<std::jthread> readers;
    for (std::string& error : errors) {
      readers.emplace_back([&] {
        pg::Connection conn = connect();
        while (!over && error.empty()) {
          const auto rows = conn.query("SELECT count(*) FROM v");
          if (!rows) {
            error = rows.error().message;
          } else if ((*rows)[0].text(0) != "2000") {
            error = cat((*rows)[0].text(0), " rows");
          } else {
            ++reads;
          }
        }
      });
    }
    EXPECT_TRUE(wait_until([&] { return reads > 10; }));
    const Status done = run(plan.job, Verb::Run, report);
    EXPECT_TRUE(done) << done.error().message;
    const int then = reads;
    EXPECT_TRUE(wait_until([&] { return reads > then + 10; }));
    const Status back = run(plan.job, Verb::TakeBack, report);
    EXPECT_TRUE(back) << back.error().message;
    over = true;
  }
  EXPECT_EQ(join(errors, ""), "");
}

// What is made or changed between the plan and the swap would be lost, or point to the old table.
TEST_P(PartitionFollowers, ChangedMeanwhileTheyStopTheSwapAndTheWayBack) {
  must(conn_->exec("CREATE VIEW v AS SELECT id FROM t"));
  for (const char* change :
       {"CREATE POLICY p ON t USING (true)", "CREATE RULE r AS ON DELETE TO t DO ALSO NOTHING",
        "CREATE VIEW w AS SELECT at FROM t",
        "CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root = "
        "true)"}) {
    const std::string before = followers_of(*conn_);
    must(conn_->exec(change));
    EXPECT_NE(followers_of(*conn_), before) << change;
  }
  for (const char* change :
       {"CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 0", "DROP VIEW w"}) {
    const OnlinePlan plan = planned();
    care::GateSetup setup = gate();
    setup.on_moment = [&](const care::Moment& now) {
      if (now.what == "comparing all rows") must(connect().exec(change));
    };
    OnlineReport report;
    const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);
    ASSERT_FALSE(done) << change;
    EXPECT_NE(done.error().message.find("altered"), std::string::npos) << done.error().message;
    must_be(run(plan.job, Verb::Abort, report));
  }
  const OnlinePlan plan = planned();
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  must(conn_->exec("CREATE VIEW late AS SELECT id FROM t"));
  const Status back = run(plan.job, Verb::TakeBack, report);
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().message.find("altered since the swap"), std::string::npos)
      << back.error().message;
  must(conn_->exec("DROP VIEW late"));
  must_be(run(plan.job, Verb::TakeBack, report));
}

TEST_P(PartitionFollowers, WhoCannotFollowIsARefusal) {
  const auto refused = [&](const std::string& make, const std::string& reason,
                           const std::string& unmake) {
    must(conn_->exec(make));
    const OnlinePlan plan = must(partition::plan_online(
        *conn_, {.table = "t", .interval = partition::Interval::Month, .ahead = 2}));
    EXPECT_EQ(plan.refusals.size(), 1U) << join(plan.refusals, "; ");
    EXPECT_NE(join(plan.refusals, "; ").find(reason), std::string::npos)
        << join(plan.refusals, "; ");
    must(conn_->exec(unmake));
  };
  refused("CREATE MATERIALIZED VIEW m AS SELECT id FROM t", "materialized view public.m",
          "DROP MATERIALIZED VIEW m");
  refused("CREATE VIEW g AS SELECT id, at, count(*) FROM t GROUP BY id",
          "view public.g relies on constraint t_pkey", "DROP VIEW g");
  refused("CREATE TABLE x (id int); CREATE RULE r AS ON DELETE TO x DO ALSO DELETE FROM t",
          "rule r on public.x", "DROP TABLE x");
  refused("CREATE TABLE x (id int); CREATE POLICY p ON x USING (id IN (SELECT id FROM t))",
          "policy p of public.x", "DROP TABLE x");
  refused("CREATE PUBLICATION p FOR TABLE t", "publish_via_partition_root", "DROP PUBLICATION p");
  refused("CREATE PUBLICATION p FOR ALL TABLES", "publishes all tables", "DROP PUBLICATION p");
  refused("ALTER TABLE t FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY",
          "ALTER TABLE t NO FORCE ROW LEVEL SECURITY");
  refused("CREATE TEMP VIEW tv AS SELECT id FROM t", "temporary view", "DROP VIEW tv");
  if (conn_->server_version() >= kVersionRowFilters) {
    refused("CREATE PUBLICATION p FOR TABLE t (id) WITH (publish_via_partition_root = true)",
            "a list of its columns", "DROP PUBLICATION p");
  }
  // Of another role's view nobody but that role may change anything.
  must(conn_->exec(
      "CREATE ROLE owner; GRANT CREATE ON SCHEMA public TO owner; ALTER TABLE t OWNER TO owner; "
      "CREATE VIEW theirs AS SELECT id FROM t; SET ROLE owner"));
  refused("SELECT 1", "belongs to role", "RESET ROLE");
}

class PartitionPublished : public PartitionOnline {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"wal_level", "logical"}, {"max_wal_senders", "5"}};
  }
  void TearDown() override {
    if (subscriber_) {
      must(subscriber_->exec("ALTER SUBSCRIPTION s DISABLE"));
      must(subscriber_->exec("ALTER SUBSCRIPTION s SET (slot_name = NONE)"));
      must(subscriber_->exec("DROP SUBSCRIPTION s"));
      subscriber_.reset();
      EXPECT_TRUE(wait_until([&] {
        return conn_->exec("SELECT pg_drop_replication_slot('pgtend_s')") ? true : false;
      }));
      must(conn_->exec("DROP DATABASE copy"));
    }
    PartitionOnline::TearDown();
  }
  // t of another database, filled by logical replication.
  void subscribe() {
    must(conn_->exec("CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root = true)"));
    must(conn_->exec("CREATE DATABASE copy"));
    must(conn_->exec("SELECT pg_create_logical_replication_slot('pgtend_s', 'pgoutput')"));
    const pg::Options way = options();
    subscriber_.emplace(connect(options().set("dbname", "copy")));
    must(subscriber_->exec(
        "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, v numeric(10,2), pad "
        "text)"));
    must(subscriber_->exec(cat("CREATE SUBSCRIPTION s CONNECTION ",
                               pg::literal(cat("host=", way.get("host"), " port=", way.get("port"),
                                               " user=", way.get("user"), " password=",
                                               way.get("password"), " dbname=", database())),
                               " PUBLICATION p WITH (create_slot = false, slot_name = pgtend_s)")));
  }
  bool equal() {
    const char* sum =
        "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM t";
    const std::string here = one(sum);
    return must(must(subscriber_->query(sum)).scalar()) == here;
  }

  std::optional<pg::Connection> subscriber_;
};

// What is copied is not published, and no change of a client is left out or sent twice.
TEST_P(PartitionPublished, SubscribersGoOnWithoutNoticing) {
  make_table();
  subscribe();
  ASSERT_TRUE(wait_until([&] { return equal(); }, seconds(60)));
  int64_t fresh = 1'000'000;
  for (const Mode mode : {Mode::Shadow, Mode::Instant}) {
    const OnlinePlan plan = planned("t", mode);
    for (const Verb verb : {Verb::Run, Verb::TakeBack}) {
      OracleLoad load(options(), kOnlineRows, fresh += 1'000'000);
      OnlineReport report;
      const Status done = run(plan.job, verb, report);
      const OracleDeeds deeds = load.end();

      EXPECT_TRUE(done) << done.error().message;
      EXPECT_EQ(deeds.error, "");
      EXPECT_EQ(difference(), "0");
      EXPECT_TRUE(wait_until([&] { return equal(); }, seconds(60)));
    }
    EXPECT_EQ(must(must(subscriber_->query("SELECT count(*) FROM pg_stat_subscription WHERE "
                                           "subname = 's' AND pid IS NOT NULL"))
                       .scalar()),
              "1");
  }
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionPublished);
PGTEND_ON_SOME_VERSIONS(PartitionFollowers);

}  // namespace
}  // namespace pgtend::e2e
