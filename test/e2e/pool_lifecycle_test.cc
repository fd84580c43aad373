// What an administrator does while clients are served: pause, resume, kill, disable, reconnect.
#include <atomic>
#include <csignal>
#include <memory>
#include <thread>

#include "base/text.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

class PoolLifecycle : public PoolTest {
 protected:
  static constexpr const char* kSettings = "workers = 2\ndefault_pool_size = 2\n";

  // A console session; user "app" is an administrator, "watcher" may only look.
  pg::Connection console_of(const PoolProcess& pool, const std::string& user = "app") const {
    auto options = through(pool);
    options.set("dbname", "pgbouncer").set("user", user);
    return must(pg::Connection::open(options));
  }
  std::string refusal(pg::Connection& console, const std::string& command) const {
    auto outcome = console.query_simple(command);
    return outcome ? "" : std::move(outcome).error().message;
  }
  // Runs `command` on a console of its own; tells when it has been answered.
  struct Pending {
    std::atomic<bool> answered = false;
    std::thread thread;
    ~Pending() { thread.join(); }
  };
  std::unique_ptr<Pending> in_background(const PoolProcess& pool, const std::string& command) {
    auto pending = std::make_unique<Pending>();
    pending->thread = std::thread([this, &pool, command, it = pending.get()] {
      console(pool, command);
      it->answered = true;
    });
    return pending;
  }
};

TEST_F(PoolLifecycle, PauseWaitsForTransactionsAndHoldsNewRequests) {
  auto direct = connect();
  PoolProcess pool(ini(kSettings));
  auto busy = client_of(pool);
  auto late = client_of(pool);
  busy->send(query("begin"));
  busy->read_until('Z');

  const auto pause = in_background(pool, "PAUSE");
  ASSERT_TRUE(wait_until([&] { return console(pool, "SHOW STATE")[1].text(1) == "yes"; }));
  late->send(query("select 1"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  EXPECT_FALSE(pause->answered);
  busy->send(query("end"));
  EXPECT_EQ(busy->read_until('Z'), "CZ");

  EXPECT_TRUE(wait_until([&] { return pause->answered.load(); }));
  EXPECT_EQ(backends(direct), 0);
  EXPECT_EQ(pools(pool, "cl_waiting"), "1");
  console(pool, "RESUME");
  EXPECT_EQ(late->read_until('Z'), "TDCZ");
}

TEST_F(PoolLifecycle, OneDatabaseIsPausedAlone) {
  const std::string other = cat(database(), "_too");
  // The same server under a second name.
  auto settings = ini(kSettings);
  const std::string line = settings.substr(settings.find("host="),
                                           settings.find("\n[pgbouncer]") - settings.find("host="));
  settings.insert(settings.find(database()), cat(other, " = dbname=", database(), " ", line, "\n"));
  PoolProcess pool(settings);
  auto here = client_of(pool);
  RawClient there(pool.port());
  there.log_in("app", other);

  console(pool, cat("PAUSE ", database()));
  here->send(query("select 1"));
  there.send(query("select 1"));

  EXPECT_EQ(there.read_until('Z'), "TDCZ");
  EXPECT_EQ(pools(pool, "cl_waiting"), "1");
  auto admin = console_of(pool);
  EXPECT_EQ(refusal(admin, cat("RESUME ", other)), cat("database ", other, " is not paused"));
  console(pool, cat("RESUME ", database()));
  EXPECT_EQ(here->read_until('Z'), "TDCZ");
  EXPECT_EQ(refusal(admin, "RESUME"), "pooler is not paused/suspended");
}

TEST_F(PoolLifecycle, KillEndsClientsAndLinksAndLeavesThePause) {
  auto direct = connect();
  PoolProcess pool(ini(kSettings));
  auto running = client_of(pool);
  auto idle = client_of(pool);
  running->send(query("select pg_sleep(60)"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_active") == "1"; }));

  console(pool, cat("KILL ", database()));

  EXPECT_EQ(running->read_until('Z'), "E.");
  EXPECT_EQ(running->error_text(), "admin forced disconnect");
  EXPECT_EQ(idle->read_until('Z'), "E.");
  EXPECT_TRUE(wait_until([&] { return backends(direct) == 0; }));
  console(pool, cat("RESUME ", database()));
  auto next = client_of(pool);
  next->send(query("select 1"));
  EXPECT_EQ(next->read_until('Z'), "TDCZ");
}

TEST_F(PoolLifecycle, DisabledDatabaseServesWhoIsInAndRefusesOthers) {
  PoolProcess pool(ini(kSettings));
  auto inside = client_of(pool);

  console(pool, cat("DISABLE ", database()));

  inside->send(query("select 1"));
  EXPECT_EQ(inside->read_until('Z'), "TDCZ");
  RawClient outside(pool.port());
  EXPECT_EQ(outside.log_in("app", database()), "E.");
  EXPECT_EQ(outside.error_text(), cat("database \"", database(), "\" is disabled"));
  console(pool, cat("ENABLE ", database()));
  client_of(pool)->send(query("select 1"));
}

TEST_F(PoolLifecycle, ReconnectReplacesEveryLinkWhenItIsFree) {
  PoolProcess pool(ini("workers = 2\ndefault_pool_size = 1\n"));
  auto client = client_of(pool);
  client->send(query("begin"));
  client->read_until('Z');
  const std::string before(console(pool, "SHOW SERVERS")[0].text(16));

  console(pool, "RECONNECT");
  const auto waiting = in_background(pool, "WAIT_CLOSE");
  EXPECT_EQ(console(pool, "SHOW SERVERS")[0].text(13), "1");
  EXPECT_FALSE(waiting->answered);
  client->send(query("end"));
  EXPECT_EQ(client->read_until('Z'), "CZ");

  EXPECT_TRUE(wait_until([&] { return waiting->answered.load(); }));
  client->send(query("select 1"));
  EXPECT_EQ(client->read_until('Z'), "TDCZ");
  EXPECT_NE(console(pool, "SHOW SERVERS")[0].text(16), before);
}

TEST_F(PoolLifecycle, OneClientIsKilledByItsId) {
  PoolProcess pool(ini(kSettings));
  auto first = client_of(pool);
  auto second = client_of(pool);
  const std::string id(console(pool, "SHOW CLIENTS")[0].text(20));

  console(pool, cat("KILL_CLIENT ", id));

  EXPECT_EQ(first->read_until('Z'), "E.");
  EXPECT_EQ(first->error_text(), "admin forced disconnect");
  second->send(query("select 1"));
  EXPECT_EQ(second->read_until('Z'), "TDCZ");
  auto admin = console_of(pool);
  EXPECT_EQ(refusal(admin, cat("KILL_CLIENT ", id)), "client not found");
  EXPECT_EQ(refusal(admin, "KILL_CLIENT x"), "invalid client pointer supplied");
}

TEST_F(PoolLifecycle, OnlyAdministratorsChangeAnything) {
  PoolProcess pool(ini(cat(kSettings, "stats_users = watcher\n")));
  auto admin = console_of(pool);
  auto watcher = console_of(pool, "watcher");

  for (const std::string command :
       {"RELOAD", "PAUSE", "RESUME", "DISABLE x", "ENABLE x", "RECONNECT", "KILL", "KILL_CLIENT 1",
        "WAIT_CLOSE", "SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SUSPEND", "HANDOVER",
        "SET verbose = 1", "SHOW FDS", "HOLD TABLE t", "RELEASE"}) {
    EXPECT_EQ(refusal(watcher, command), "admin access needed") << command;
  }
  EXPECT_EQ(console(pool, "SHOW STATE")[0].text(1), "yes");
  EXPECT_EQ(refusal(admin, "PAUSE nowhere"), "no such database: nowhere");
  EXPECT_EQ(refusal(admin, "PAUSE pgbouncer"), "cannot pause admin db: pgbouncer");
  EXPECT_EQ(refusal(admin, "WAIT_CLOSE pgbouncer"), "cannot wait in admin db: pgbouncer");
  EXPECT_EQ(refusal(admin, "DISABLE"), "a database is required");
  EXPECT_EQ(refusal(admin, "FLY"), "invalid command 'FLY', use SHOW HELP;");
}

TEST_F(PoolLifecycle, SignalsPauseAndResume) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);

  pool.signal(SIGUSR1);
  ASSERT_TRUE(wait_until([&] { return console(pool, "SHOW STATE")[1].text(1) == "yes"; }));
  client->send(query("select 1"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  pool.signal(SIGUSR2);

  EXPECT_EQ(client->read_until('Z'), "TDCZ");
}

TEST_F(PoolLifecycle, NoTransactionFailsWhilePausedResumedReconnectedAndReloaded) {
  PoolProcess pool(ini("workers = 2\ndefault_pool_size = 4\nmax_client_conn = 100\n"));
  Scratch scratch;
  const std::string script =
      scratch.write("q.sql", "begin;\nselect 1;\nselect pg_sleep(0.0005);\nend;\n");
  std::atomic<bool> enough = false;
  std::vector<Outcome> outcomes;
  std::thread load([&] {
    do {
      outcomes.push_back(run({"pgbench", "-n", "-f", script, "-c", "16", "-j", "2", "-t", "200"},
                             environment_of(through(pool))));
    } while (!enough);
  });
  auto admin = console_of(pool);
  for (int cycle = 0; cycle < 200; ++cycle) {
    for (const char* command : {"PAUSE", "RESUME", "RECONNECT", "RELOAD"}) {
      must(admin.query_simple(command));
    }
  }
  enough = true;
  load.join();

  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("3200/3200"), std::string::npos) << outcome.out;
  }
}

TEST_F(PoolLifecycle, TablesOfStateListsUsersAndTotalsHavePgBouncersShape) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);
  client->send(query("select 1"));
  client->read_until('Z');

  const pg::Rows lists = console(pool, "SHOW LISTS");
  ASSERT_EQ(lists.size(), 14);
  EXPECT_EQ(lists[6].text(0), "used_clients");
  EXPECT_EQ(lists[6].text(1), "2");
  const pg::Rows users = console(pool, "SHOW USERS");
  ASSERT_EQ(users.columns(), 8);
  EXPECT_EQ(users[0].text(0), "app");
  EXPECT_EQ(users[0].text(7), "1");
  const pg::Rows totals = console(pool, "SHOW TOTALS");
  ASSERT_EQ(totals.size(), 24);
  EXPECT_EQ(totals[2].text(0), "total_query_count");
  EXPECT_GE(must(totals[2].get<int64_t>(1)), 1);
  EXPECT_EQ(totals[3].text(0), "total_client_bytes");
  EXPECT_EQ(totals[22].text(0), "avg_ps_bind_count");
}

}  // namespace
}  // namespace pgtend::e2e
