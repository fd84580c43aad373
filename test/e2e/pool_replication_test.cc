// Replication through the pool, with the programs that do it: their stream is theirs, and what they
// hold counts.
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "pg/quote.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

class PoolReplication : public PoolTest {
 protected:
  Settings settings() const override {
    return {{"wal_level", "logical"}, {"max_wal_senders", "10"}, {"max_replication_slots", "10"}};
  }

  // Also under the name that physical tools ask for, which have no database.
  std::string ini(const std::string& settings) const {
    return cat(database_line("replication", options()), PoolTest::ini(settings));
  }
  static std::string transaction_mode(const std::string& more = "") {
    return cat("pool_mode = transaction\n", more);
  }

  // A client that says `value` for replication, and its greeting if it gets one.
  std::unique_ptr<RawClient> replica_of(const PoolProcess& pool, const std::string& value,
                                        bool wait = true) const {
    auto client = std::make_unique<RawClient>(pool.port());
    std::string out;
    wire::append_startup(out, wire::kProtocol30,
                         {{"user", "app"}, {"database", database()}, {"replication", value}});
    client->send(out);
    if (wait) client->read_until('Z');
    return client;
  }
  // Leaves with a stream of `slot` that runs.
  void stream(RawClient& replica, const std::string& slot) const {
    replica.send(query(cat("CREATE_REPLICATION_SLOT ", slot, " TEMPORARY LOGICAL test_decoding")));
    EXPECT_EQ(replica.read_until('Z'), "TDCZ");
    replica.send(query(cat("START_REPLICATION SLOT ", slot, " LOGICAL 0/0")));
    EXPECT_EQ(replica.read_until('W'), "W");
  }
  // Reads the stream until `words` have come.
  static bool streams(RawClient& replica, std::string_view words) {
    for (auto message = replica.read(); message.type != 0; message = replica.read()) {
      if (message.type == 'd' && message.body.find(words) != std::string::npos) return true;
    }
    return false;
  }
  static std::string leave() {
    std::string out;
    fe::append_terminate(out);
    return out;
  }
  // Behind all that was committed, also what is not written yet.
  std::string wal_end(pg::Connection& direct) const {
    return std::string(must(direct.query("SELECT pg_current_wal_insert_lsn()"))[0].text(0));
  }
  static bool is_true(pg::Connection& direct, const std::string& sql) {
    const auto rows = must(direct.query(cat("SELECT (", sql, ")::int")));
    return rows[0].text(0) == "1";
  }
  // WAL senders of this test's database, and those of none.
  static std::string senders() {
    return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'";
  }
  // Everything in one column of SHOW SERVERS.
  std::string servers(const PoolProcess& pool, std::string_view column) const {
    const pg::Rows rows = console(pool, "SHOW SERVERS");
    std::string all;
    for (int row = 0; row < rows.size(); ++row) {
      for (int i = 0; i < rows.columns(); ++i) {
        if (rows.column_name(i) == column) all += cat(all.empty() ? "" : " ", rows[row].text(i));
      }
    }
    return all;
  }
};

TEST_F(PoolReplication, PgRecvlogicalCreatesStreamsAndDropsASlotInEachMode) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (id int)"));
  for (const std::string mode : {"session", "transaction", "statement"}) {
    PoolProcess pool(ini(cat("pool_mode = ", mode, "\n")));
    const Environment there = environment_of(through(pool));
    const auto tool = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {"pg_recvlogical", "-d", database(), "-S", "s_" + mode});
      return run(words, there);
    };

    const auto made = tool({"--create-slot", "-P", "test_decoding"});
    must(direct.exec("INSERT INTO t SELECT generate_series(1, 3000)"));
    const auto streamed = tool({"--start", "-n", "-f", "-", "--endpos", wal_end(direct)});
    const auto dropped = tool({"--drop-slot"});

    EXPECT_EQ(made.exit_code, 0) << made.err << pool.log();
    EXPECT_EQ(streamed.exit_code, 0) << streamed.err << pool.log();
    EXPECT_NE(streamed.out.find("INSERT: id[integer]:1\n"), std::string::npos);
    EXPECT_NE(streamed.out.find("INSERT: id[integer]:3000\nCOMMIT"), std::string::npos);
    EXPECT_EQ(dropped.exit_code, 0) << dropped.err;
    EXPECT_NE(pool.log().find("replication=logical"), std::string::npos);
    EXPECT_TRUE(wait_until([&] { return servers(pool, "replication").empty(); }));
    EXPECT_TRUE(is_true(direct, "SELECT count(*) = 0 FROM pg_replication_slots"));
  }
}

TEST_F(PoolReplication, PgReceivewalWritesTheWalOfAPhysicalSlot) {
  auto direct = connect();
  PoolProcess pool(ini(transaction_mode()));
  const Environment there = environment_of(through(pool));
  Scratch scratch;

  const auto made = run({"pg_receivewal", "--create-slot", "-S", "p"}, there);
  must(direct.exec("CREATE TABLE t AS SELECT generate_series(1, 50000) AS id"));
  const std::string end = wal_end(direct);
  must(direct.exec("SELECT pg_switch_wal()"));  // it ends with the first byte behind
  const auto received =
      run({"pg_receivewal", "-D", scratch.path(), "-S", "p", "-n", "--endpos", end, "--no-sync"},
          there);
  const auto dropped = run({"pg_receivewal", "--drop-slot", "-S", "p"}, there);

  EXPECT_EQ(made.exit_code, 0) << made.err << pool.log();
  EXPECT_EQ(received.exit_code, 0) << received.err << pool.log();
  EXPECT_EQ(dropped.exit_code, 0) << dropped.err;
  int segments = 0;
  for (const auto& file : std::filesystem::directory_iterator(scratch.path())) {
    if (file.path().extension().empty()) ++segments;
  }
  EXPECT_GE(segments, 1);
  EXPECT_NE(pool.log().find("replication=physical"), std::string::npos);
}

TEST_F(PoolReplication, PgBasebackupIsWholeAndVerified) {
  PoolProcess pool(ini(transaction_mode("default_pool_size = 2\n")));
  Scratch scratch;
  const std::string folder = scratch.path() + "/backup";

  const auto copied =
      run({"pg_basebackup", "-D", folder, "-X", "stream", "-c", "fast", "--no-sync"},
          environment_of(through(pool)));

  ASSERT_EQ(copied.exit_code, 0) << copied.err << pool.log();
  const auto verified = run({cluster().binaries() + "/pg_verifybackup", folder});
  EXPECT_EQ(verified.exit_code, 0) << verified.err << verified.out;
}

TEST_F(PoolReplication, SubscriptionFollowsAPublicationThroughThePool) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (id int PRIMARY KEY, at date, x float8)"));
  must(
      direct.exec("INSERT INTO t SELECT i, '2026-02-01', 1.0 / i FROM generate_series(1, 1000) i"));
  must(direct.exec("CREATE PUBLICATION p FOR TABLE t"));
  PoolProcess pool(ini(transaction_mode()));
  auto second = must(pg::Cluster::start(must(cluster_options(version(), settings()))));
  auto there = connect(second.options());
  must(there.exec("CREATE TABLE t (id int PRIMARY KEY, at date, x float8)"));

  const std::string dsn = cat("host=127.0.0.1 port=", pool.port(), " user=app dbname=", database());
  must(there.query_simple(
      cat("CREATE SUBSCRIPTION s CONNECTION ", pg::literal(dsn), " PUBLICATION p")));

  // The first copy has its own connection, with a transaction and COPY.
  EXPECT_TRUE(wait_until([&] { return is_true(there, "SELECT count(*) = 1000 FROM t"); }))
      << pool.log();
  must(direct.exec("UPDATE t SET x = 7 WHERE id > 500; DELETE FROM t WHERE id <= 500"));
  EXPECT_TRUE(wait_until([&] {
    return is_true(there, "SELECT count(*) = 500 AND min(x) = 7 FROM t");
  })) << pool.log();
  EXPECT_TRUE(is_true(there, "SELECT count(*) = 500 FROM t WHERE at = '2026-02-01'"));
  must(there.query_simple("DROP SUBSCRIPTION s"));
  EXPECT_TRUE(wait_until([&] { return servers(pool, "replication").empty(); })) << pool.log();
  EXPECT_TRUE(is_true(direct, "SELECT count(*) = 0 FROM pg_replication_slots"));
}

TEST_F(PoolReplication, Psycopg2ReadsAStreamAndAsksQuestions) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (id int)"));
  PoolProcess pool(ini(transaction_mode()));

  const auto outcome = python(pool, R"(
try:
    import psycopg2
    from psycopg2.extras import LogicalReplicationConnection, StopReplication
except ImportError:
    print('no psycopg2'); sys.exit(0)
conn = psycopg2.connect(dsn, connection_factory=LogicalReplicationConnection)
cur = conn.cursor()
cur.execute('IDENTIFY_SYSTEM')
print(cur.fetchone()[3] is not None)
cur.create_replication_slot('py', output_plugin='test_decoding')
writer = connect()
writer.execute('INSERT INTO t SELECT generate_series(1, 20)')
cur.start_replication(slot_name='py', decode=True)
seen = 0
def consume(message):
    global seen
    seen += message.payload.startswith('table')
    message.cursor.send_feedback(flush_lsn=message.data_start)
    if seen == 20: raise StopReplication()
try:
    cur.consume_stream(consume)
except StopReplication:
    print(seen)
conn.close()
)");

  if (outcome.out == "no psycopg2\n") GTEST_SKIP() << outcome.out;
  EXPECT_EQ(outcome.out, "True\n20\n") << outcome.err << pool.log();
  must(direct.exec(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"));
  ASSERT_TRUE(wait_until(
      [&] { return is_true(direct, "SELECT bool_and(NOT active) FROM pg_replication_slots"); }));
  must(direct.exec("SELECT pg_drop_replication_slot('py')"));
}

TEST_F(PoolReplication, KilledProgramFreesItsLinkAndItsSlotAtOnce) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (id int)"));
  must(direct.exec("SELECT pg_create_logical_replication_slot('k', 'test_decoding')"));
  PoolProcess pool(ini(transaction_mode("default_pool_size = 1\n")));

  const auto outcome = python(pool, cat(R"(
p = subprocess.Popen(['pg_recvlogical', '-d', dsn, '-S', 'k', '--start', '-f', '-'],
                     stdout=subprocess.PIPE)
direct = psycopg.connect(sys.stdin.read(), autocommit=True)
direct.execute('INSERT INTO t VALUES (7)')
for line in p.stdout:
    if b'INSERT' in line: break
p.kill()
print('killed', p.wait())
)"),
                              cat("host=", options().get("host"), " port=", options().get("port"),
                                  " user=", options().get("user"), " password='",
                                  options().get("password"), "' dbname=", database()));

  EXPECT_EQ(outcome.out, "killed -9\n") << outcome.err << pool.log();
  EXPECT_TRUE(wait_until([&] {
    return is_true(direct, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'k'");
  }));
  EXPECT_TRUE(wait_until([&] { return servers(pool, "replication").empty(); }));
  expect_served(*client_of(pool));
  must(direct.exec("SELECT pg_drop_replication_slot('k')"));
}

TEST_F(PoolReplication, ConsoleShowsTheKindOfEachConnection) {
  PoolProcess pool(ini(transaction_mode()));
  auto plain = client_of(pool);
  expect_served(*plain);
  auto logical = replica_of(pool, "database");
  auto physical = replica_of(pool, "true");

  EXPECT_EQ(servers(pool, "replication"), "none logical physical");
  const pg::Rows sockets = console(pool, "SHOW SOCKETS");
  std::string kinds;
  for (int row = 0; row < sockets.size(); ++row) kinds += cat(sockets[row].text(3), " ");
  EXPECT_EQ(kinds.find("none logical physical"), 0u) << kinds;
  EXPECT_EQ(servers(pool, "state"), "idle active active");
}

TEST_F(PoolReplication, IdleLinkMakesRoomAndABusyOneIsWaitedFor) {
  auto direct = connect();
  PoolProcess pool(ini(transaction_mode("default_pool_size = 1\n")));
  auto plain = client_of(pool);
  expect_served(*plain);

  auto replica = replica_of(pool, "database");

  EXPECT_EQ(servers(pool, "replication"), "logical");
  plain->send(query("select 7"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  auto second = replica_of(pool, "database", false);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "2"; }));
  EXPECT_TRUE(is_true(direct, cat("(", senders(), ") = 1")));
  replica->send(leave());
  EXPECT_EQ(plain->read_until('Z'), "TDCZ");
  EXPECT_EQ(second->read_until('Z').front(), 'R');
  EXPECT_EQ(servers(pool, "replication"), "logical");
  EXPECT_TRUE(is_true(direct, cat("(", senders(), ") = 1")));
}

TEST_F(PoolReplication, LimitsHoldOverAllWorkersAndIdleLinksAnywhereMakeRoom) {
  auto direct = connect();
  PoolProcess pool(ini(transaction_mode("workers = 4\ndefault_pool_size = 2\n")));
  std::vector<std::unique_ptr<RawClient>> plain;
  for (int i = 0; i < 4; ++i) plain.push_back(client_of(pool));
  begin(*plain[0]);
  begin(*plain[1]);
  for (int i = 0; i < 2; ++i) {
    plain[i]->send(query("end"));
    plain[i]->read_until('Z');
  }
  ASSERT_EQ(servers(pool, "state"), "idle idle");

  auto one = replica_of(pool, "database");
  auto two = replica_of(pool, "database");

  EXPECT_EQ(servers(pool, "replication"), "logical logical");
  EXPECT_EQ(backends(direct), 0);
  // Everybody waits now; who leaves makes room for the first in line, wherever that is.
  auto three = replica_of(pool, "database", false);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  for (const auto& client : plain) client->send(query("select 7"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "5"; }));
  one->send(leave());
  EXPECT_EQ(three->read_until('Z').front(), 'R');
  two->send(leave());
  for (const auto& client : plain) EXPECT_EQ(client->read_until('Z'), "TDCZ");
}

TEST_F(PoolReplication, FreedLinkOfAnotherWorkerGoesForTheOneThatWaitedLongest) {
  PoolProcess pool(ini(transaction_mode("workers = 4\ndefault_pool_size = 1\n")));
  std::vector<std::unique_ptr<RawClient>> plain;
  for (int i = 0; i < 4; ++i) plain.push_back(client_of(pool));
  begin(*plain[0]);
  auto replica = replica_of(pool, "database", false);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  for (int i = 1; i < 4; ++i) plain[i]->send(query("select 7"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "4"; }));

  plain[0]->send(query("end"));

  EXPECT_EQ(replica->read_until('Z').front(), 'R');
  EXPECT_EQ(pools(pool, "cl_waiting"), "3");
  replica->send(leave());
  for (int i = 1; i < 4; ++i) EXPECT_EQ(plain[i]->read_until('Z'), "TDCZ");
}

// The slot becomes free where the one who came last waits.
TEST_F(PoolReplication, FreedSlotGoesForTheOneThatWaitedLongestOnAnotherWorker) {
  PoolProcess pool(ini(transaction_mode("workers = 2\ndefault_pool_size = 1\n")));
  const auto plain = client_of(pool);
  expect_served(*plain);
  const auto replica = replica_of(pool, "database");
  std::vector<std::unique_ptr<RawClient>> others;
  for (int i = 0; i < 4; ++i) others.push_back(client_of(pool));
  plain->send(query("select 7"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  // Clients are dealt out in turn: these two are with the replica, where the next one comes now.
  others[1].reset();
  others[3].reset();
  const int clients_and_console = 5;
  ASSERT_TRUE(
      wait_until([&] { return console(pool, "SHOW CLIENTS").size() == clients_and_console; }));
  const auto second = replica_of(pool, "database", false);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "2"; }));

  replica->send(leave());

  EXPECT_EQ(plain->read_until('Z'), "TDCZ");
  EXPECT_EQ(second->read_until('Z').front(), 'R');
}

TEST_F(PoolReplication, FullDatabaseMakesRoomFromAnotherPool) {
  auto direct = connect();
  const auto neighbour = create_role();
  const std::string super = options().get("user");
  Scratch scratch;
  const auto users = scratch.write(
      "users", cat('"', super, "\" \"", options().get("password"), "\"\n\"", neighbour.get("user"),
                   "\" \"", neighbour.get("password"), "\"\n"));
  // Without a forced user each client has its own pool.
  PoolProcess pool(cat("[databases]\n", database(), " = host=", options().get("host"),
                       " port=", options().get("port"), "\n[pgbouncer]\nauth_type = trust\n",
                       "auth_file = ", users, "\npool_mode = transaction\n",
                       "max_db_connections = 1\n"));
  auto plain = client_of(pool, neighbour.get("user"));
  expect_served(*plain);

  RawClient replica(pool.port());
  std::string out;
  wire::append_startup(out, wire::kProtocol30,
                       {{"user", super}, {"database", database()}, {"replication", "database"}});
  replica.send(out);

  EXPECT_EQ(replica.read_until('Z').front(), 'R') << pool.log();
  EXPECT_EQ(backends(direct), 0);
  replica.send(leave());
  expect_served(*plain);
}

TEST_F(PoolReplication, ServersOwnRefusalReachesItsClientAndNobodyElse) {
  const auto role = create_role();
  auto line = role;
  line.set("host", options().get("host"));
  PoolProcess pool(cat(database_line(database(), line),
                       "[pgbouncer]\nauth_type = trust\npool_mode = transaction\n"));

  auto refused = replica_of(pool, "database");

  EXPECT_EQ(refused->error_state(), "42501");
  EXPECT_NE(refused->error_text().find("replication role"), std::string::npos)
      << refused->error_text();
  auto plain = client_of(pool);
  expect_served(*plain);
  auto again = replica_of(pool, "database");
  EXPECT_EQ(again->error_text(), refused->error_text());
  plain.reset();
}

TEST_F(PoolReplication, PauseWaitsForItsClientAndKillEndsIt) {
  auto direct = connect();
  PoolProcess pool(ini(transaction_mode()));
  auto replica = replica_of(pool, "database");
  stream(*replica, "a");
  std::thread pause([&] { console(pool, "PAUSE"); });
  ASSERT_TRUE(wait_until([&] { return console(pool, "SHOW STATE")[1].text(1) == "yes"; }));
  auto waiting = replica_of(pool, "database", false);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  EXPECT_EQ(servers(pool, "replication"), "logical");
  replica->send(leave());
  pause.join();

  EXPECT_TRUE(is_true(direct, cat("(", senders(), ") = 0")));
  console(pool, "RESUME");
  waiting->read_until('Z');
  stream(*waiting, "b");
  console(pool, cat("KILL ", database()));
  EXPECT_EQ(last_words(*waiting), "admin forced disconnect");
  EXPECT_TRUE(wait_until([&] { return is_true(direct, cat("(", senders(), ") = 0")); }));
  EXPECT_TRUE(is_true(direct, "SELECT count(*) = 0 FROM pg_replication_slots"));
}

TEST_F(PoolReplication, StreamGoesOnWhereQueriesEndByTime) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (id int)"));
  PoolProcess pool(
      ini(transaction_mode("query_timeout = 0.3\ntransaction_timeout = 0.3\n"
                           "client_idle_timeout = 0.3\nserver_lifetime = 0.3\n")));
  auto replica = replica_of(pool, "database");
  stream(*replica, "a");
  for (int i = 0; i < 2; ++i) {
    auto slow = client_of(pool);
    slow->send(query("select pg_sleep(60)"));
    EXPECT_EQ(last_words(*slow), "query timeout");
  }

  must(direct.exec("INSERT INTO t VALUES (4711)"));

  EXPECT_TRUE(streams(*replica, "4711")) << pool.log();
  const pg::Rows shapes = console(pool, "SHOW QUERIES");
  for (int row = 0; row < shapes.size(); ++row) {
    for (int i = 0; i < shapes.columns(); ++i) {
      EXPECT_EQ(shapes[row].text(i).find("REPLICATION"), std::string::npos);
    }
  }
}

TEST_F(PoolReplication, OptionsOfAClientStandAboveTheDatabasesOwnParameters) {
  auto german = ini(transaction_mode());
  german.insert(german.find("host=", german.find(cat(database(), " = "))), "datestyle=German ");
  PoolProcess pool(german);
  const auto date_style = [&](const wire::StartupParameters& more) {
    wire::StartupParameters parameters = {
        {"user", "app"}, {"database", database()}, {"replication", "database"}};
    parameters.insert(parameters.end(), more.begin(), more.end());
    RawClient client(pool.port());
    std::string out;
    wire::append_startup(out, wire::kProtocol30, parameters);
    client.send(out);
    client.read_until('Z');
    return ask(client, "SHOW datestyle");
  };

  EXPECT_EQ(date_style({}), "German, DMY");
  EXPECT_EQ(date_style({{"options", "-c datestyle=ISO"}}), "ISO, MDY");
  EXPECT_EQ(date_style({{"DateStyle", "SQL"}}), "SQL, DMY");
}

TEST_F(PoolReplication, ConsoleDoesNotReplicate) {
  PoolProcess pool(ini(transaction_mode()));
  RawClient client(pool.port());
  std::string out;
  wire::append_startup(out, wire::kProtocol30,
                       {{"user", "app"}, {"database", "pgbouncer"}, {"replication", "true"}});
  client.send(out);

  client.read_until('Z');

  EXPECT_EQ(client.error_text(), "replication connections are not allowed to the admin console");
}

TEST_F(PoolReplication, DeadClientInMidBackupDoesNotKeepItsSender) {
  auto direct = connect();
  // More than the sockets on the way hold.
  must(
      direct.exec("CREATE TABLE big AS SELECT repeat(md5(i::text), 30) FROM "
                  "generate_series(1, 40000) i"));
  PoolProcess pool(ini(transaction_mode()));
  auto replica = replica_of(pool, "true");
  replica->send(query("BASE_BACKUP ( CHECKPOINT 'fast' )"));
  ASSERT_EQ(replica->read_until('d').back(), 'd');

  const linger at_once{1, 0};
  setsockopt(replica->descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  replica.reset();

  EXPECT_TRUE(wait_until([&] { return is_true(direct, cat("(", senders(), ") = 0")); }));
  EXPECT_TRUE(wait_until([&] { return servers(pool, "replication").empty(); }));
}

}  // namespace
}  // namespace pgtend::e2e
