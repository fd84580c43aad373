// Service by settings: statement mode, checked and outdated links, notices, refused queries, hosts.
#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

using PoolService = PoolTest;

std::string extended(std::string_view sql) {
  std::string out;
  wire::frontend::append_parse(out, {"", sql});
  wire::frontend::append_bind(out, {});
  wire::frontend::append_execute(out, {"", 0});
  wire::frontend::append_sync(out);
  return out;
}

TEST_F(PoolService, StatementModeSharesALinkBetweenStatements) {
  auto direct = connect();
  PoolProcess pool(ini("pool_mode = statement\ndefault_pool_size = 1\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);

  for (int i = 0; i < 3; ++i) {
    expect_served(*one);
    two->send(extended("select 1"));
    EXPECT_EQ(two->read_until('Z'), "12DCZ");
  }

  EXPECT_EQ(backends(direct), 1);
  EXPECT_EQ(pools(pool, "pool_mode"), "statement");
}

TEST_F(PoolService, StatementModeRefusesTransactionBlocksAndUndoesThem) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE written (id int)"));
  PoolProcess pool(ini("pool_mode = statement\ndefault_pool_size = 1\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);

  one->send(query("begin; insert into written values (1)"));

  EXPECT_EQ(last_words(*one), "transaction blocks not allowed in statement pooling mode");
  EXPECT_EQ(ask(*two, "select count(*) from written"), "0");
  EXPECT_EQ(backends(direct), 1);
}

TEST_F(PoolService, LinkUnusedForLongIsCheckedBeforeUse) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE checks (id serial)"));
  PoolProcess pool(
      ini("default_pool_size = 1\nserver_check_delay = 0\n"
          "server_check_query = insert into checks default values\n"));
  auto client = client_of(pool);

  for (int i = 0; i < 3; ++i) expect_served(*client);

  const auto rows = must(direct.query("SELECT count(*) FROM checks"));
  EXPECT_EQ(rows[0].text(0), "3");
}

TEST_F(PoolService, LinkThatFailsItsCheckIsReplaced) {
  PoolProcess pool(
      ini("default_pool_size = 1\nserver_check_delay = 0\nserver_check_query = select 1/0\n"));
  auto client = client_of(pool);

  const std::string first = ask(*client, "select pg_backend_pid()");
  const std::string second = ask(*client, "select pg_backend_pid()");

  EXPECT_FALSE(second.empty());
  EXPECT_NE(first, second);
}

TEST_F(PoolService, WaitingClientsAreServedByCheckedLinksInOrder) {
  PoolProcess pool(ini("default_pool_size = 1\nserver_check_delay = 0\n"));
  auto holder = client_of(pool);
  auto waiter = client_of(pool);
  begin(*holder);
  waiter->send(query("select 1"));

  holder->send(query("end"));

  EXPECT_EQ(waiter->read_until('Z'), "TDCZ");
}

TEST_F(PoolService, OutdatedSessionEndsAtOnceWhereAsked) {
  for (const bool fast : {true, false}) {
    PoolProcess pool(ini(cat("pool_mode = session\nserver_fast_close = ", fast ? 1 : 0, "\n")));
    auto idle = client_of(pool);
    auto busy = client_of(pool);
    expect_served(*idle);
    begin(*busy);

    console(pool, "RECONNECT");

    expect_served(*busy);
    if (fast) {
      EXPECT_EQ(last_words(*idle), "database configuration changed");
      busy->send(query("end"));
      EXPECT_EQ(last_words(*busy), "database configuration changed");
    } else {
      expect_served(*idle);
    }
  }
}

TEST_F(PoolService, WaitingClientIsToldOnce) {
  PoolProcess pool(ini("default_pool_size = 1\nquery_wait_notify = 0.2\n"));
  auto holder = client_of(pool);
  auto waiter = client_of(pool);
  begin(*holder);
  waiter->send(query("select 1"));

  const auto notice = waiter->read();
  EXPECT_EQ(notice.type, 'N');
  EXPECT_NE(notice.body.find("No server connection available in postgres backend, client being "
                             "queued"),
            std::string::npos);
  holder->send(query("end"));
  EXPECT_EQ(waiter->read_until('Z'), "TDCZ");
}

TEST_F(PoolService, EveryClientIsGreetedWithTheMessage) {
  PoolProcess pool(ini("login_notify_message = maintenance on Sunday\n"));
  RawClient client(pool.port());
  std::string out;
  wire::append_startup(out, wire::kProtocol30, {{"user", "app"}, {"database", database()}});
  client.send(out);
  auto message = client.read();
  while (message.type != 'N' && message.type != 'Z' && message.type != 0) message = client.read();

  EXPECT_NE(message.body.find("maintenance on Sunday"), std::string::npos);
  EXPECT_EQ(client.read().type, 'Z');
}

TEST_F(PoolService, ApplicationNameTellsWhereAClientCameFrom) {
  PoolProcess pool(ini("application_name_add_host = 1\n"));
  auto options = through(pool);
  options.set("application_name", "billing");
  auto conn = must(pg::Connection::open(options));

  const auto rows = must(conn.query_simple("SHOW application_name"));

  EXPECT_TRUE(rows[0].text(0).starts_with("billing - 127.0.0.1:")) << rows[0].text(0);
  auto unnamed = client_of(pool);
  EXPECT_TRUE(ask(*unnamed, "SHOW application_name").starts_with("app - 127.0.0.1:"));
}

TEST_F(PoolService, SimpleQueriesAreRefusedWhereAsked) {
  PoolProcess pool(ini("disable_pqexec = 1\n"));
  auto good = client_of(pool);
  auto bad = client_of(pool);

  good->send(extended("select 1"));
  EXPECT_EQ(good->read_until('Z'), "12DCZ");
  bad->send(query("select 1"));
  EXPECT_EQ(last_words(*bad), "PQexec disallowed");
}

TEST_F(PoolService, HostsTakeTurnsOrTheFirstIsPreferred) {
  const pg::Options server = options();
  for (const char* balance : {"round-robin", "disable"}) {
    // The first address is nobody's; each link that begins with it says so.
    PoolProcess pool(cat("[databases]\n", database(), " = host=127.0.0.9,", server.get("host"),
                         " port=", server.get("port"), " user=", server.get("user"), " password='",
                         server.get("password"), "' load_balance_hosts=", balance,
                         "\n[pgbouncer]\nauth_type = trust\npool_mode = transaction\n"
                         "admin_users = app\n"));
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(client_of(pool));
      begin(*clients.back());
    }

    const std::string log = pool.log();
    size_t tries = 0;
    constexpr const char* kTry = "connect failed: connect to 127.0.0.9";
    for (size_t at = 0; (at = log.find(kTry, at)) != std::string::npos; ++at) ++tries;
    EXPECT_EQ(tries, balance == std::string_view("disable") ? 4u : 2u) << log;
    EXPECT_EQ(pools(pool, "load_balance_hosts"), balance);
  }
}

}  // namespace
}  // namespace pgtend::e2e
