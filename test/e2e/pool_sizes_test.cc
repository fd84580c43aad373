// How many links and clients a pool has: minimum, reserve, forced users, caps, and what a reload
// changes.
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

using PoolSizes = PoolTest;

TEST_F(PoolSizes, ForcedUserHasOnePoolForAllClients) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto ada = client_of(pool, "ada");
  auto bob = client_of(pool, "bob");

  EXPECT_EQ(ask(*ada, "select pg_backend_pid()"), ask(*bob, "select pg_backend_pid()"));

  const std::string forced = options().get("user");
  EXPECT_EQ(pools(pool, "user"), forced);
  EXPECT_EQ(pools(pool, "cl_active"), "2");
  EXPECT_EQ(shown(pool, "SHOW USERS", "ada", "current_client_connections"), "1");
  EXPECT_EQ(shown(pool, "SHOW USERS", forced, "current_connections"), "1");
}

TEST_F(PoolSizes, MinimumIsKeptForAForcedUserWithoutClients) {
  auto direct = connect();
  PoolProcess pool(ini("min_pool_size = 3\nserver_lifetime = 0.3\n"));

  // Links end all the time, and new ones take their places.
  EXPECT_TRUE(wait_until([&] { return backends(direct) == 3; }));
  EXPECT_TRUE(wait_until([&] { return pool.log().find("lifetime over") != std::string::npos; }));
  EXPECT_TRUE(wait_until([&] { return backends(direct) == 3; }));
  EXPECT_EQ(shown(pool, "SHOW DATABASES", database(), "min_pool_size"), "3");
}

TEST_F(PoolSizes, RemovedDatabaseKeepsNoLinks) {
  auto direct = connect();
  const std::string more = "min_pool_size = 2\nstats_period = 1\n";
  PoolProcess pool(ini(more));
  ASSERT_TRUE(wait_until([&] { return backends(direct) == 2; }));
  const auto count = [&](std::string_view words) {
    const std::string log = pool.log();
    int times = 0;
    for (size_t at = 0; (at = log.find(words, at)) != std::string::npos; ++at) ++times;
    return times;
  };

  pool.reload(cat("[pgbouncer]\nauth_type = trust\nadmin_users = app\n", more));

  ASSERT_TRUE(wait_until([&] { return backends(direct) == 0; }));
  const int opened = count("new connection to server");
  // House is kept twice in each period.
  const int periods = count("stats: ") + 2;
  ASSERT_TRUE(wait_until([&] { return count("stats: ") >= periods; }));
  EXPECT_EQ(count("new connection to server"), opened);
}

TEST_F(PoolSizes, IdleLinksBeyondTheMinimumAreClosedAndNoOthers) {
  auto direct = connect();
  PoolProcess pool(ini("min_pool_size = 1\nserver_idle_timeout = 0.2\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);
  begin(*one);
  begin(*two);
  const std::string first = ask(*one, "select pg_backend_pid()");
  const std::string second = ask(*two, "select pg_backend_pid()");
  for (auto* client : {one.get(), two.get()}) {
    client->send(query("end"));
    client->read_until('Z');
  }

  EXPECT_TRUE(wait_until([&] { return backends(direct) == 1; }));

  const std::string left = ask(*one, "select pg_backend_pid()");
  EXPECT_TRUE(left == first || left == second) << left;
}

TEST_F(PoolSizes, ReserveServesWhoHasWaitedLongAndNoMoreThanIts) {
  auto direct = connect();
  PoolProcess pool(
      ini("default_pool_size = 1\nreserve_pool_size = 1\nreserve_pool_timeout = 0.2\n"
          "query_wait_timeout = 2\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);
  auto three = client_of(pool);
  begin(*one);

  begin(*two);
  EXPECT_EQ(backends(direct), 2);
  three->send(query("select 1"));

  EXPECT_EQ(last_words(*three), "query_wait_timeout");
  EXPECT_EQ(backends(direct), 2);
  EXPECT_NE(pool.log().find("taking connection from reserve_pool"), std::string::npos);
  EXPECT_EQ(shown(pool, "SHOW DATABASES", database(), "reserve_pool_size"), "1");
}

TEST_F(PoolSizes, SmallerPoolSizeClosesLinksAtReload) {
  auto direct = connect();
  PoolProcess pool(ini("min_pool_size = 3\n"));
  ASSERT_TRUE(wait_until([&] { return backends(direct) == 3; }));

  pool.reload(ini("default_pool_size = 1\n"));

  EXPECT_TRUE(wait_until([&] { return backends(direct) == 1; }));
}

TEST_F(PoolSizes, ClientsOfADatabaseAreCapped) {
  PoolProcess pool(ini("max_db_client_connections = 2\n"));
  auto one = client_of(pool, "ada");
  auto two = client_of(pool, "bob");
  RawClient three(pool.port());

  EXPECT_EQ(three.log_in("cyd", database()).back(), '.');

  EXPECT_EQ(three.error_text(), "client connections exceeded (max_db_client_connections)");
  EXPECT_EQ(shown(pool, "SHOW DATABASES", database(), "current_client_connections"), "2");
  EXPECT_EQ(shown(pool, "SHOW DATABASES", database(), "max_client_connections"), "2");
  one.reset();
  EXPECT_TRUE(wait_until([&] {
    RawClient again(pool.port());
    return again.log_in("cyd", database()).back() == 'Z';
  }));
}

TEST_F(PoolSizes, ClientsOfAUserAreCappedOverAllDatabases) {
  PoolProcess pool(
      ini("max_user_client_connections = 2\n[users]\nada = max_user_client_connections=1\n"));
  auto ada = client_of(pool, "ada");
  auto bob = client_of(pool, "bob");
  auto bob_too = client_of(pool, "bob");
  for (const char* user : {"ada", "bob"}) {
    RawClient other(pool.port());
    EXPECT_EQ(other.log_in(user, database()).back(), '.');
    EXPECT_EQ(other.error_text(), "client connections exceeded (max_user_client_connections)");
  }

  expect_served(*bob_too);
  EXPECT_EQ(shown(pool, "SHOW USERS", "ada", "max_user_client_connections"), "1");
}

// A pool that nobody uses is forgotten with its links; what it has counted is not.
TEST_F(PoolSizes, PoolWithoutClientsIsForgotten) {
  PoolProcess pool(ini("pool_idle_timeout = 0.1\nserver_idle_timeout = 0\nworkers = 2\n"));
  auto direct = connect();
  {
    auto client = client_of(pool);
    expect_served(*client);
    ASSERT_EQ(backends(direct), 1);
  }

  ASSERT_TRUE(wait_until([&] { return backends(direct) == 0; }));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_idle") == "none"; }));
  EXPECT_EQ(shown(pool, "SHOW STATS_TOTALS", database(), "query_count"), "1");
  EXPECT_NE(pool.log().find(cat("cleaning up idle pool: ", database())), std::string::npos);

  auto again = client_of(pool);
  expect_served(*again);
  EXPECT_EQ(shown(pool, "SHOW STATS_TOTALS", database(), "query_count"), "2");
}

TEST_F(PoolSizes, PoolWithAnIdleClientIsKept) {
  PoolProcess pool(ini("pool_idle_timeout = 0.1\nserver_idle_timeout = 0\nworkers = 2\n"));
  auto direct = connect();
  auto client = client_of(pool);
  expect_served(*client);
  // Of another user on another worker: when that one is gone, this one must still be there.
  auto other = std::make_unique<RawClient>(pool.port());
  other->log_in("app2", database());
  begin(*other);
  other.reset();

  ASSERT_TRUE(
      wait_until([&] { return shown(pool, "SHOW LISTS", "used_clients", "items") == "2"; }));
  EXPECT_FALSE(wait_until([&] { return pools(pool, "cl_active") != "1"; }, milliseconds(1500)));
  EXPECT_GE(backends(direct), 1);
}

TEST_F(PoolSizes, AutomaticDatabaseIsForgotten) {
  auto direct = connect();
  std::string line = database_line("*", options());
  PoolProcess pool(
      cat(line, database_line("other", options()),
          "[pgbouncer]\nauth_type = trust\npool_mode = transaction\nadmin_users = app\n"
          "autodb_idle_timeout = 0.1\nserver_idle_timeout = 0\n"));
  {
    auto client = client_of(pool);
    expect_served(*client);
  }

  ASSERT_TRUE(wait_until([&] { return backends(direct) == 0; }));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_idle") == "none"; }));
  EXPECT_NE(pool.log().find(cat("registered new auto-database: db=", database())),
            std::string::npos);
}

TEST_F(PoolSizes, PoolOfARemovedDatabaseGoesWithItsLastLink) {
  PoolProcess pool(ini("server_idle_timeout = 0\n"));
  auto direct = connect();
  auto client = client_of(pool);
  expect_served(*client);

  pool.reload(cat(database_line("elsewhere", options()),
                  "[pgbouncer]\nauth_type = trust\nadmin_users = app\n"));

  EXPECT_EQ(last_words(*client), "database removed");
  ASSERT_TRUE(wait_until([&] { return backends(direct) == 0; }));
  EXPECT_TRUE(wait_until([&] { return pools(pool, "sv_idle") == "none"; }));
}

}  // namespace
}  // namespace pgtend::e2e
