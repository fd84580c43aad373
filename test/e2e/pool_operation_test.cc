// Life of a pool: queues, restarts, slow readers, reload, shutdown, the console.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

class PoolOperation : public PoolTest {
 protected:
  static int64_t resident_bytes(pid_t pid) {
    std::ifstream file(cat("/proc/", pid, "/statm"));
    int64_t pages = 0;
    file >> pages >> pages;
    return pages * sysconf(_SC_PAGESIZE);
  }
};

TEST_F(PoolOperation, WaitingClientsAreServedInOrder) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE served (id serial, who int)"));
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient first(pool.port());
  first.log_in("app", database());
  first.send(query("begin"));
  first.read_until('Z');
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawClient>(pool.port()));
    clients.back()->log_in("app", database());
    clients.back()->send(query(cat("insert into served (who) values (", i, ")")));
    ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == cat(i + 1); }));
    // Between workers the order holds for those who came more than a millisecond apart.
    const auto came = std::chrono::steady_clock::now();
    wait_until([&] { return std::chrono::steady_clock::now() - came > milliseconds(2); });
  }
  clients[4].reset();  // one leaves the queue
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "9"; }));

  first.send(query("end"));
  for (auto& client : clients) {
    if (client) {
      EXPECT_EQ(client->read_until('Z'), "CZ");
    }
  }

  const auto rows = must(direct.query("SELECT string_agg(who::text, ' ' ORDER BY id) FROM served"));
  EXPECT_EQ(rows[0].text(0), "0 1 2 3 5 6 7 8 9");
}

TEST_F(PoolOperation, QueueHasATimeLimit) {
  PoolProcess pool(ini("default_pool_size = 1\nquery_wait_timeout = 0.3\n"));
  RawClient holder(pool.port());
  RawClient waiter(pool.port());
  holder.log_in("app", database());
  waiter.log_in("app", database());
  holder.send(query("begin"));
  holder.read_until('Z');

  waiter.send(query("select 1"));

  EXPECT_EQ(waiter.read_until('Z'), "E.");
  EXPECT_EQ(waiter.error_text(), "query_wait_timeout");
  holder.send(query("end"));
  EXPECT_EQ(holder.read_until('Z'), "CZ");
}

TEST_F(PoolOperation, ServerRestartIsSurvivedByIdleClients) {
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  PoolProcess pool(
      cat(database_line("postgres", cluster.options()),
          "[pgbouncer]\nauth_type = trust\npool_mode = transaction\nserver_login_retry = 0.1\n"));
  RawClient idle(pool.port());
  RawClient busy(pool.port());
  idle.log_in("app", "postgres");
  busy.log_in("app", "postgres");
  idle.send(query("select 1"));
  EXPECT_EQ(idle.read_until('Z'), "TDCZ");
  busy.send(query("begin"));
  busy.read_until('Z');

  must(cluster.restart());

  idle.send(query("select 2"));
  EXPECT_EQ(idle.read_until('Z'), "TDCZ");
  EXPECT_EQ(busy.read_until('Z').back(), '.');
}

TEST_F(PoolOperation, SlowReaderHoldsUpNobodyAndNoMemory) {
  PoolProcess pool(ini("default_pool_size = 2\n"));
  RawClient slow(pool.port());
  slow.log_in("app", database());
  const int64_t before = resident_bytes(pool.pid());
  slow.send(query("select repeat('x', 1000) from generate_series(1, 50000)"));
  RawClient quick(pool.port());
  quick.log_in("app", database());

  for (int i = 0; i < 50; ++i) {
    quick.send(query("select 1"));
    ASSERT_EQ(quick.read_until('Z'), "TDCZ");
  }

  EXPECT_LT(resident_bytes(pool.pid()) - before, int64_t{32} << 20);
  const std::string types = slow.read_until('Z');
  EXPECT_EQ(std::ranges::count(types, 'D'), 50000);
}

TEST_F(PoolOperation, LongPipelineWrittenBeforeReadingDoesNotLockUp) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient client(pool.port());
  client.log_in("app", database());
  std::string pipeline;
  for (int i = 0; i < 2000; ++i) pipeline += query("select repeat('y', 2000)");

  client.send(pipeline);

  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.read_until('Z'), "TDCZ");
}

TEST_F(PoolOperation, UnnamedStatementStaysUntilItIsBound) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient one(pool.port());
  RawClient two(pool.port());
  one.log_in("app", database());
  two.log_in("app", database());
  std::string parse;
  fe::append_parse(parse, {"", "select 'one'"});
  fe::append_sync(parse);
  std::string bind;
  fe::append_bind(bind, {"", ""});
  fe::append_execute(bind, {""});
  fe::append_sync(bind);
  one.send(parse);
  EXPECT_EQ(one.read_until('Z'), "1Z");

  two.send(query("select 'two'"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  one.send(bind);

  EXPECT_EQ(one.read_until('Z'), "2DCZ");
  EXPECT_EQ(two.read_until('Z'), "TDCZ");
}

TEST_F(PoolOperation, StrayCopyDataAfterAFailureIsSwallowed) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient client(pool.port());
  client.log_in("app", database());
  client.send(query("create temp table c (a int); copy c from stdin"));
  EXPECT_EQ(client.read_until('G'), "CG");
  std::string data;
  fe::append_copy_data(data, "x\n");
  client.send(data + data);
  EXPECT_EQ(client.read_until('Z'), "EZ");

  std::string rest = data;
  fe::append_copy_done(rest);
  client.send(rest + query("select 1"));

  EXPECT_EQ(client.read_until('Z'), "TDCZ");
  EXPECT_EQ(pools(pool, "sv_idle"), "1");
}

TEST_F(PoolOperation, ReloadTakesAllOrNothing) {
  PoolProcess pool(ini("default_pool_size = 1\nquery_wait_timeout = 100\n"));
  RawClient holder(pool.port());
  RawClient waiter(pool.port());
  holder.log_in("app", database());
  waiter.log_in("app", database());
  holder.send(query("begin"));
  holder.read_until('Z');
  waiter.send(query("select 1"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));

  pool.reload(ini("default_pool_size = 2\nno_such_key = 1\n"));
  ASSERT_TRUE(wait_until([&] { return pool.log().find("reload failed") != std::string::npos; }));
  EXPECT_EQ(pools(pool, "cl_waiting"), "1");
  pool.reload(ini("default_pool_size = 2\n"));

  EXPECT_EQ(waiter.read_until('Z'), "TDCZ");
}

TEST_F(PoolOperation, InterruptLetsTransactionsEnd) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 2\n"));
  RawClient working(pool.port());
  RawClient idle(pool.port());
  working.log_in("app", database());
  idle.log_in("app", database());
  working.send(query("begin"));
  working.read_until('Z');

  pool.signal(SIGINT);
  EXPECT_EQ(idle.read_until('Z'), "E.");
  EXPECT_EQ(idle.error_text(), "pooler is shutting down");
  working.send(query("select 1"));
  EXPECT_EQ(working.read_until('Z'), "TDCZ");
  working.send(query("commit"));

  EXPECT_EQ(working.read_until('Z'), "CZ");
  EXPECT_EQ(pool.wait_for_end(), 0);
  EXPECT_TRUE(wait_until([&] { return backends(direct) == 0; }));
}

TEST_F(PoolOperation, ConsoleAnswersWithPgBouncersColumns) {
  PoolProcess pool(ini(""));
  auto console = through(pool);
  console.set("dbname", "pgbouncer");
  auto conn = must(pg::Connection::open(console));
  RawClient client(pool.port());
  client.log_in("app", database());

  const auto pools_rows = must(conn.query_simple("SHOW POOLS;"));
  const auto stats = must(conn.query_simple("show stats"));
  const auto version = must(conn.query_simple("SHOW VERSION"));

  EXPECT_EQ(pools_rows.columns(), 17);
  EXPECT_EQ(pools_rows.column_name(13), "maxwait");
  EXPECT_EQ(stats.columns(), 25);
  EXPECT_EQ(stats.column_name(1), "total_server_assignment_count");
  EXPECT_EQ(stats.column_name(16), "avg_recv");
  EXPECT_NE(version[0].text(0).find("pgtend-pool"), std::string::npos);
  for (const char* what : {"CLIENTS", "SERVERS", "DATABASES", "CONFIG", "STATS_TOTALS"}) {
    EXPECT_TRUE(conn.query_simple(cat("SHOW ", what))) << what;
  }
  const auto wrong = conn.query_simple("SHOW NONSENSE");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().sqlstate, "08P01");
  auto stranger = console;
  stranger.set("user", "eve");
  EXPECT_FALSE(pg::Connection::open(stranger));
}

TEST_F(PoolOperation, ConsoleSpeaksTheExtendedProtocolInBothFormats) {
  PoolProcess pool(ini("workers = 2\n"));

  const auto outcome = python(pool, R"(
with connect(dbname='pgbouncer') as console:
    for show in ('lists', 'config', 'totals', 'version'):
        text = console.execute('show ' + show).fetchall()
        binary = console.execute('show ' + show, binary=True, prepare=True).fetchall()
        if show != 'totals':
            assert text == binary, (text, binary)
    numbers = console.execute('show stats_totals', binary=True).fetchall()
    assert all(value >= 0 for row in numbers for value in row[1:]), numbers
    try:
        console.execute('pause nosuch', prepare=True)
        assert False
    except psycopg.Error as error:
        assert error.sqlstate == '08P01' and 'no such database: nosuch' in str(error)
    console.execute('reload', prepare=True)
    assert console.execute('show state', prepare=True).fetchall()[0] == ('active', 'yes')
print('fine')
)");

  EXPECT_EQ(outcome.out, "fine\n") << outcome.err;
}

TEST_F(PoolOperation, DatabaseLimitIsSharedByEvictingIdleServers) {
  auto direct = connect();
  PoolProcess pool(cat("[databases]\n", database(), " = host=", options().get("host"),
                       " port=", options().get("port"), " password='", options().get("password"),
                       "'\n[pgbouncer]\nauth_type = trust\npool_mode = transaction\n",
                       "max_db_connections = 1\n"));
  must(direct.exec(cat("CREATE ROLE ", database(), "_b LOGIN SUPERUSER PASSWORD '",
                       options().get("password"), "'")));
  RawClient one(pool.port());
  RawClient two(pool.port());
  one.log_in(options().get("user"), database());
  one.send(query("select 1"));
  EXPECT_EQ(one.read_until('Z'), "TDCZ");

  two.log_in(database() + "_b", database());
  two.send(query("select 2"));

  EXPECT_EQ(two.read_until('Z'), "TDCZ");
  EXPECT_EQ(backends(direct), 1);
  must(direct.exec(cat("DROP ROLE ", database(), "_b")));
}

TEST_F(PoolOperation, RefusedUnnamedStatementFreesItsServer) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient one(pool.port());
  RawClient two(pool.port());
  one.log_in("app", database());
  two.log_in("app", database());
  std::string parse;
  fe::append_parse(parse, {"", "selec 1"});
  fe::append_sync(parse);
  one.send(parse);
  EXPECT_EQ(one.read_until('Z'), "EZ");

  two.send(query("select 2"));

  EXPECT_EQ(two.read_until('Z'), "TDCZ");
}

// A Sync amid copy data counts or not, depending on whether the data has failed the COPY.
TEST_F(PoolOperation, RowsBehindAFailedCopyReachNobodyElse) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient one(pool.port());
  RawClient two(pool.port());
  one.log_in("app", database());
  two.log_in("app", database());
  one.send(query("create temp table c (a int); copy c from stdin"));
  EXPECT_EQ(one.read_until('G'), "CG");
  std::string rest;
  fe::append_copy_data(rest, "x\n");
  fe::append_copy_data(rest, "x\n");
  fe::append_sync(rest);
  one.send(rest + query("select 'secret', pg_sleep(0.2)"));
  EXPECT_EQ(one.read_until('Z'), "EZ");
  two.send(query("select 2, 2"));
  EXPECT_EQ(one.read_until('Z'), "Z");
  EXPECT_EQ(one.read_until('Z'), "TDCZ");
  one.shutdown_send();
  EXPECT_EQ(one.read_until('Z'), ".");

  EXPECT_EQ(two.read_until('D'), "TD");
  EXPECT_EQ(two.read_until('Z'), "CZ");
}

TEST_F(PoolOperation, ClientGoneBeforeItsCopyBeginsGivesTheServerBack) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE c (a int)"));
  must(direct.exec("BEGIN"));
  must(direct.exec("LOCK c"));
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto one = std::make_unique<RawClient>(pool.port());
  RawClient two(pool.port());
  one->log_in("app", database());
  two.log_in("app", database());
  // The Terminate leaves no cancel behind: the COPY begins with nobody there.
  std::string goodbye;
  fe::append_terminate(goodbye);
  one->send(query("copy c from stdin") + goodbye);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_tested") == "1"; }));

  must(direct.exec("COMMIT"));
  two.send(query("select 2"));

  EXPECT_EQ(two.read_until('Z'), "TDCZ");
}

TEST_F(PoolOperation, GoodbyeRightBehindTheFirstRequestLeavesTheQueue) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient holder(pool.port());
  holder.log_in("app", database());
  holder.send(query("begin"));
  holder.read_until('Z');
  {
    RawClient gone(pool.port());
    gone.log_in("app", database());
    // The request and the end of the connection come in one turn of the pool.
    kill(pool.pid(), SIGSTOP);
    gone.send(query("select 1"));
  }
  kill(pool.pid(), SIGCONT);

  EXPECT_TRUE(wait_until([&] { return pools(pool, "cl_active") == "1"; }));
  EXPECT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "0"; }));
}

TEST_F(PoolOperation, CanceledWaiterMaySayGoodbyeBehindItsRequest) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient holder(pool.port());
  RawClient waiter(pool.port());
  holder.log_in("app", database());
  waiter.log_in("app", database());
  holder.send(query("begin"));
  holder.read_until('Z');
  std::string goodbye;
  fe::append_terminate(goodbye);
  waiter.send(query("select 1") + goodbye);
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  waiter.shutdown_send();

  RawClient request(pool.port());
  std::string cancel;
  wire::append_cancel(cancel, waiter.key());
  request.send(cancel);

  EXPECT_EQ(request.read_until('Z'), ".");
  holder.send(query("end"));
  EXPECT_EQ(holder.read_until('Z'), "CZ");
}

TEST_F(PoolOperation, SetChangesOneSettingUntilTheReload) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto holder = client_of(pool);
  auto waiter = client_of(pool);
  begin(*holder);
  const auto size = [&] { return shown(pool, "SHOW CONFIG", "default_pool_size", "value"); };

  console(pool, "SET default_pool_size = 2");
  EXPECT_EQ(size(), "2");
  expect_served(*waiter);
  console(pool, "set default_pool_size to '3'");
  EXPECT_EQ(size(), "3");
  console(pool, "RELOAD");

  EXPECT_EQ(size(), "1");
}

TEST_F(PoolOperation, SetRefusesWhatItCannotDo) {
  PoolProcess pool(ini(""));
  auto options = through(pool);
  options.set("dbname", "pgbouncer");
  auto admin = must(pg::Connection::open(options));
  const auto refusal = [&](const char* sql) {
    const auto result = admin.query_simple(sql);
    return result ? "" : result.error().message;
  };

  EXPECT_NE(refusal("SET listen_port = 1").find("SET failed: listen_port can be changed only"),
            std::string::npos);
  EXPECT_NE(refusal("SET pool_size = 1").find("did you mean"), std::string::npos);
  EXPECT_NE(refusal("SET pool_mode = 'x'").find("SET failed"), std::string::npos);
  EXPECT_NE(refusal("SET auth_file = '/no/such/file'").find("SET failed"), std::string::npos);
  for (const char* sql : {"SET", "SET a", "SET a = 'b", "SET a = 'b'c'", "SET = 1"}) {
    EXPECT_NE(refusal(sql).find("bad arguments"), std::string::npos) << sql;
  }
  EXPECT_EQ(refusal("SET extra_float_digits = 3"), "");
  EXPECT_EQ(must(admin.query_simple("SHOW client_encoding"))[0].text(0), "UTF8");
}

TEST_F(PoolOperation, DescriptorsAreShownInPairsAndWithoutSecrets) {
  PoolProcess pool(ini("default_pool_size = 1\nworkers = 2\n"));
  auto idle = client_of(pool);
  auto busy = client_of(pool);
  begin(*busy);

  const auto all = console(pool, "SHOW FDS");

  std::map<std::string, std::vector<std::string>> by_task;  // "descriptor link"
  std::string names;
  for (int i = 0; i < all.columns(); ++i) names += cat(i == 0 ? "" : " ", all.column_name(i));
  for (int row = 0; row < all.size(); ++row) {
    by_task[std::string(all[row].text(1))].push_back(cat(all[row].text(0), ' ', all[row].text(7)));
    for (int i = 12; i < 15; ++i) EXPECT_TRUE(all[row].null(i));
    const bool listens = all[row].text(1) == "pooler";
    EXPECT_EQ(all[row].null(2), listens);
    EXPECT_EQ(all[row].text(8), listens ? "" : "UTF8");
    EXPECT_EQ(all[row].text(6) == "0", listens);
  }
  EXPECT_EQ(names,
            "fd task user database addr port cancel link client_encoding std_strings datestyle "
            "timezone password scram_client_key scram_server_key");
  ASSERT_EQ(by_task["pooler"].size(), 2u);  // TCP and unix
  ASSERT_EQ(by_task["server"].size(), 1u);
  ASSERT_EQ(by_task["client"].size(), 2u);
  const std::string& server = by_task["server"][0];
  const size_t cut = server.find(' ');
  const std::string partner = cat(server.substr(cut + 1), ' ', server.substr(0, cut));
  EXPECT_EQ(std::ranges::count(by_task["client"], partner), 1);
}

TEST_F(PoolOperation, SocketsAreShownWithTheirBuffers) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto idle = client_of(pool);
  auto busy = client_of(pool);
  begin(*busy);

  const auto all = console(pool, "SHOW SOCKETS");
  EXPECT_EQ(all.columns(), 28);
  EXPECT_EQ(all.size(), 4);  // two clients, the console's, one server
  const auto active = console(pool, "SHOW ACTIVE_SOCKETS");
  ASSERT_EQ(active.size(), 2);
  EXPECT_EQ(active[0].text(4), "cl_active");
  EXPECT_EQ(active[1].text(4), "sv_active");
}

}  // namespace
}  // namespace pgtend::e2e
