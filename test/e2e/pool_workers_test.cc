// Several workers are one pool: limits, order, cancels and the console hold over all of them.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/startup.h"

namespace pgtend::e2e {
namespace {

class PoolWorkers : public PoolTest {
 protected:
  // The value in the only row of `sql` for a client.
  static std::string value(RawClient& client, std::string_view sql) {
    client.send(query(sql));
    std::string text;
    while (true) {
      const auto message = client.read();
      if (message.type == 'D') text = message.body.substr(6);
      if (message.type == 'Z' || message.type == 0) return text;
    }
  }
  std::vector<std::unique_ptr<RawClient>> clients_of(const PoolProcess& pool, int count) const {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<RawClient>(pool.port()));
      clients.back()->log_in("app", database());
    }
    return clients;
  }
};

TEST_F(PoolWorkers, LinkMovesToTheWorkerWhoseClientWaits) {
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 1\n"));
  const auto clients = clients_of(pool, 8);

  std::set<std::string> pids;
  for (int round = 0; round < 3; ++round) {
    for (const auto& client : clients) pids.insert(value(*client, "select pg_backend_pid()"));
  }

  EXPECT_EQ(pids.size(), 1u);
}

TEST_F(PoolWorkers, LimitHoldsOverAllWorkersUnderLoad) {
  auto direct = connect();
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 3\nmax_client_conn = 200\n"));
  Scratch scratch;
  const std::string script = scratch.write("short.sql", "select pg_sleep(0.0005);\n");
  int64_t most = 0;
  std::atomic<bool> done = false;
  Outcome outcome;
  std::thread load([&] {
    outcome = run({"pgbench", "-n", "-f", script, "-c", "40", "-j", "2", "-t", "50"},
                  environment_of(through(pool)));
    done = true;
  });
  wait_until([&] {
    most = std::max(most, backends(direct));
    return done.load();
  });
  load.join();

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(most, 3);
  EXPECT_NE(outcome.out.find("2000/2000"), std::string::npos) << outcome.out;
}

TEST_F(PoolWorkers, KilledClientsOfAllWorkersNeverRaiseTheNumberOfBackends) {
  auto direct = connect();
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 2\nmax_client_conn = 500\n"));
  int64_t most = 0;
  for (int round = 0; round < 10; ++round) {
    auto clients = clients_of(pool, 8);
    for (const auto& client : clients) client->send(query("select pg_sleep(30)"));
    EXPECT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "6"; }));
    most = std::max(most, backends(direct));
    clients.clear();
    most = std::max(most, backends(direct));
  }
  RawClient after(pool.port());
  after.log_in("app", database());

  EXPECT_EQ(value(after, "select 7"), "7");
  EXPECT_LE(most, 2);
}

TEST_F(PoolWorkers, CancelFindsItsClientOnAnotherWorker) {
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 8\n"));
  auto clients = clients_of(pool, 8);
  for (const auto& client : clients) client->send(query("select pg_sleep(30)"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_active") == "8"; }));

  for (const auto& client : clients) {
    RawClient request(pool.port());
    std::string cancel;
    wire::append_cancel(cancel, client->key());
    request.send(cancel);
    EXPECT_EQ(request.read_until('Z'), ".");
    EXPECT_EQ(client->read_until('Z'), "TEZ");
    EXPECT_EQ(client->error_state(), "57014");
  }
}

TEST_F(PoolWorkers, ConsoleSumsAllWorkers) {
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 2\n"));
  const auto clients = clients_of(pool, 8);
  for (const auto& client : clients) value(*client, "select 1");

  EXPECT_EQ(pools(pool, "cl_active"), "8");
  EXPECT_EQ(console(pool, "SHOW CLIENTS").size(), 9);
  const pg::Rows stats = console(pool, "SHOW STATS_TOTALS");
  int64_t queries = 0;
  for (int row = 0; row < stats.size(); ++row) {
    if (stats[row].text(0) == database()) queries = must(stats[row].get<int64_t>(3));
  }
  EXPECT_EQ(queries, 8);
}

TEST_F(PoolWorkers, ReloadReachesEveryWorker) {
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 1\n"));
  const auto clients = clients_of(pool, 8);
  const std::string before = value(*clients[0], "select pg_backend_pid()");

  auto changed = ini("workers = 4\ndefault_pool_size = 1\n");
  const size_t at = changed.find("host=");
  changed.insert(at, "connect_query='set application_name to fresh' ");
  pool.reload(changed);

  EXPECT_TRUE(wait_until([&] { return value(*clients[0], "select pg_backend_pid()") != before; }));
  std::set<std::string> pids;
  for (const auto& client : clients) pids.insert(value(*client, "select pg_backend_pid()"));
  EXPECT_EQ(pids.size(), 1u);
}

TEST_F(PoolWorkers, LinksStayInTheirPoolWhenAReloadForcesAnotherUser) {
  const pg::Options other = create_role("other");
  const std::string settings = "workers = 4\ndefault_pool_size = 1\n";
  PoolProcess pool(ini(settings));
  const auto clients = clients_of(pool, 8);
  for (const auto& client : clients) value(*client, "select 1");

  const size_t line = database_line(database(), options()).size();
  pool.reload(cat(database_line(database(), other), ini(settings).substr(line)));

  const std::string who = "select current_user";
  ASSERT_TRUE(wait_until([&] { return value(*clients[0], who) == other.get("user"); }));
  for (int round = 0; round < 3; ++round) {
    for (const auto& client : clients) ASSERT_EQ(value(*client, who), other.get("user"));
  }
}

TEST_F(PoolWorkers, FullDatabaseIsSharedByEvictingOnAnyWorker) {
  auto direct = connect();
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 2\nmax_db_connections = 2\n"));
  const auto clients = clients_of(pool, 8);
  for (const auto& client : clients) value(*client, "select 1");
  RawClient other(pool.port());
  other.log_in("second", database());

  EXPECT_EQ(value(other, "select 7"), "7");
  EXPECT_LE(backends(direct), 2);
}

// Pools that are started in its lifetime send each link to the next worker when it has served.
class LinksKeepMoving {
 public:
  LinksKeepMoving() { setenv(kName, "1", 1); }
  ~LinksKeepMoving() { unsetenv(kName); }
  LinksKeepMoving(const LinksKeepMoving&) = delete;
  LinksKeepMoving& operator=(const LinksKeepMoving&) = delete;

  static constexpr const char* kName = "PGTEND_POOL_KEEP_LINKS_MOVING";
};

// Each client's own prepared statements, parameters and data, on links that never rest.
TEST_F(PoolWorkers, LinksThatAlwaysMoveKeepEverythingOfTheirClients) {
  const LinksKeepMoving moving;
  PoolProcess pool(ini("workers = 3\ndefault_pool_size = 4\nmax_prepared_statements = 20\n"));
  EXPECT_NE(pool.log().find("is set: servers move to another worker"), std::string::npos);

  const Outcome outcome = python(pool, R"py(
zones = ['Asia/Tokyo', 'Europe/Berlin', 'UTC']
wrong = []
def client(me):
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as conn:
        conn.execute(f"set timezone = '{zones[me % 3]}'")
        conn.execute(f"set application_name = 'client {me}'")
        for i in range(150):
            got = conn.execute("select %s::int + %s::int, current_setting('timezone'), "
                               f"current_setting('application_name') /* {i % 30} */",
                               (me, i), prepare=True).fetchone()
            if got != (me + i, zones[me % 3], f'client {me}'):
                wrong.append((me, i, got))
def watched(me):
    try:
        client(me)
    except psycopg.Error as error:
        wrong.append((me, repr(error)))
threads = [threading.Thread(target=watched, args=(me,)) for me in range(9)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print('wrong', wrong[:3])
)py");

  EXPECT_EQ(outcome.out, "wrong []\n") << outcome.err << pool.log();
}

TEST_F(PoolWorkers, LinksThatAlwaysMoveServeALoadWithinTheirLimit) {
  const LinksKeepMoving moving;
  auto direct = connect();
  PoolProcess pool(ini("workers = 4\ndefault_pool_size = 3\n"));
  const Environment environment = environment_of(through(pool));
  ASSERT_EQ(run({"pgbench", "-i", "-q"}, environment_of(options())).exit_code, 0);

  const Outcome load =
      run({"pgbench", "-n", "-M", "prepared", "-c", "10", "-j", "10", "-t", "60"}, environment);

  EXPECT_EQ(load.exit_code, 0) << load.err << pool.log();
  EXPECT_NE(load.out.find("600/600"), std::string::npos) << load.out;
  EXPECT_LE(backends(direct), 3);
  EXPECT_EQ(pools(pool, "sv_active"), "0");
  const auto sums = must(direct.query(
      "select (select sum(delta) from pgbench_history) = all (select sum(abalance) from "
      "pgbench_accounts union all select sum(bbalance) from pgbench_branches)"));
  EXPECT_EQ(sums[0].text(0), "t");
}

TEST_F(PoolWorkers, KeepingLinksInMotionIsNotSwitchedOnByChance) {
  Scratch scratch;
  const std::string file = scratch.write(
      "pool.ini", "[databases]\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 0\n");

  const Outcome outcome =
      run({PGTEND_BINARY_DIR "/pgtend-pool", file}, {{LinksKeepMoving::kName, "yes"}});

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("it is a test aid, 1 or not set"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace pgtend::e2e
