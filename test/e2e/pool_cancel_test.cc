// Cancelling, and clients that vanish.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

class PoolCancel : public PoolTest {
 protected:
  static std::string query(std::string_view sql) {
    std::string out;
    fe::append_query(out, sql);
    return out;
  }
  // Sends a cancel request and waits until it has been dealt with.
  static void cancel(const PoolProcess& pool, const wire::CancelKey& key) {
    RawClient request(pool.port());
    std::string out;
    wire::append_cancel(out, key);
    request.send(out);
    EXPECT_EQ(request.read().type, 0);
  }
  pid_t start_psql(const PoolProcess& pool, const char* sql) const {
    const std::string dsn =
        cat("host=127.0.0.1 user=app port=", pool.port(), " dbname=", database());
    const pid_t pid = fork();
    if (pid != 0) return pid;
    execlp("psql", "psql", "-X", "-d", dsn.c_str(), "-c", sql, nullptr);
    _exit(127);
  }
  int64_t sleeping(pg::Connection& direct) const {
    const auto rows = must(direct.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = "
        "'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"));
    return must(rows[0].get<int64_t>(0));
  }
};

TEST_F(PoolCancel, RunningQueryIsCanceledAndTheSessionGoesOn) {
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
conn = connect()
other = connect()
done = threading.Event()
def cancel():
    while not done.wait(0.05):
        conn.cancel()
thread = threading.Thread(target=cancel)
thread.start()
try:
    conn.execute('select pg_sleep(30)')
except psycopg.errors.QueryCanceled as error:
    print(error.sqlstate)
done.set()
thread.join()
print(conn.execute('select 7').fetchone()[0], other.execute('select 8').fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "57014\n7 8\n") << outcome.err << pool.log();
}

TEST_F(PoolCancel, WaitingClientIsAnsweredByThePool) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient busy(pool.port());
  busy.log_in("app", database());
  busy.send(query("select pg_sleep(1)"));
  ASSERT_TRUE(wait_until([&] { return sleeping(direct) == 1; }));
  RawClient waiting(pool.port());
  waiting.log_in("app", database());
  std::string extended;
  fe::append_parse(extended, {"", "select 1"});
  fe::append_bind(extended, {"", ""});
  fe::append_execute(extended, {""});
  fe::append_sync(extended);

  waiting.send(query("select 'never'") + extended);
  cancel(pool, waiting.key());
  EXPECT_EQ(waiting.read_until('Z'), "EZ");
  EXPECT_EQ(waiting.error_state(), "57014");
  cancel(pool, waiting.key());

  EXPECT_EQ(waiting.read_until('Z'), "EZ");
  EXPECT_EQ(busy.read_until('Z'), "TDCZ");
  waiting.send(query("select 1"));
  EXPECT_EQ(waiting.read_until('Z'), "TDCZ");
}

TEST_F(PoolCancel, ConsoleShowsARequestThatIsUnderWay) {
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  PoolProcess pool(
      cat(database_line("postgres", cluster.options()),
          "[pgbouncer]\nauth_type = trust\npool_mode = transaction\nadmin_users = app\n"));
  RawClient client(pool.port());
  client.log_in("app", "postgres");
  const auto postmaster =
      static_cast<pid_t>(std::stoi(ask(client, "select pg_read_file('postmaster.pid')")));
  client.send(query("select pg_sleep(60)"));
  const auto column = [&](const char* name) { return shown(pool, "SHOW POOLS", "postgres", name); };
  ASSERT_TRUE(wait_until([&] { return column("sv_active") == "1"; }));
  // Stopped, it takes the request but does not answer.
  kill(postmaster, SIGSTOP);
  RawClient request(pool.port());
  std::string out;
  wire::append_cancel(out, client.key());
  request.send(out);

  EXPECT_TRUE(wait_until([&] { return column("cl_active_cancel_req") == "1"; }));
  EXPECT_EQ(column("sv_active_cancel"), "1");
  EXPECT_EQ(column("cl_waiting_cancel_req"), "0");
  const pg::Rows clients = console(pool, "SHOW CLIENTS");
  std::string states;
  for (int row = 0; row < clients.size(); ++row) states += cat(clients[row].text(4), ' ');
  EXPECT_NE(states.find("active_cancel_req"), std::string::npos) << states;

  kill(postmaster, SIGCONT);
  EXPECT_EQ(request.read().type, 0);
  EXPECT_TRUE(client.read_until('Z').ends_with("EZ"));
  EXPECT_EQ(column("cl_active_cancel_req") + column("sv_active_cancel"), "00");
}

TEST_F(PoolCancel, WrongKeyAndIdleClientAreLeftAlone) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient client(pool.port());
  client.log_in("app", database());

  cancel(pool, client.key());
  cancel(pool, {client.key().pid, "nope"});
  cancel(pool, {12345, "nope"});
  client.send(query("select pg_sleep(0.05)"));
  cancel(pool, {client.key().pid, "nope"});

  EXPECT_EQ(client.read_until('Z'), "TDCZ");
}

TEST_F(PoolCancel, KilledClientsQueryIsStoppedAndItsServerReused) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const pid_t victim = start_psql(pool, "select pg_sleep(60)");
  ASSERT_TRUE(wait_until([&] { return sleeping(direct) == 1; }));

  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);
  RawClient next(pool.port());
  next.log_in("app", database());
  next.send(query("select 9"));

  EXPECT_EQ(next.read_until('Z'), "TDCZ");
  EXPECT_EQ(sleeping(direct), 0);
  EXPECT_EQ(backends(direct), 1);
}

TEST_F(PoolCancel, KilledClientsTransactionIsRolledBack) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (a int)"));
  PoolProcess pool(ini("default_pool_size = 1\n"));
  {
    RawClient client(pool.port());
    client.log_in("app", database());
    client.send(query("begin; insert into t values (1)"));
    EXPECT_EQ(client.read_until('Z'), "CCZ");
  }
  RawClient next(pool.port());
  next.log_in("app", database());

  next.send(query("select count(*) from t"));

  EXPECT_EQ(next.read().type, 'T');
  EXPECT_EQ(must(wire::backend::read_data_row(next.read().body))[0], "0");
  EXPECT_EQ(backends(direct), 1);
}

TEST_F(PoolCancel, ClientGoneInTheMiddleOfAMessageCostsOnlyItsLink) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 1\n"));
  {
    RawClient client(pool.port());
    client.log_in("app", database());
    client.send(query("select 1").substr(0, 8));
    ASSERT_TRUE(wait_until([&] { return pool.log().find("login attempt") != std::string::npos; }));
    client.send("\0");
  }
  {
    RawClient copying(pool.port());
    copying.log_in("app", database());
    copying.send(query("create table c (a int); copy c from stdin"));
    EXPECT_EQ(copying.read_until('G'), "CG");
    copying.send(
        std::string_view("d\0\0\0\x10"
                         "1\n",
                         7));
  }
  RawClient next(pool.port());
  next.log_in("app", database());

  next.send(query("select count(*) from pg_class where relname = 'c'"));

  EXPECT_EQ(next.read().type, 'T');
  EXPECT_EQ(must(wire::backend::read_data_row(next.read().body))[0], "0");
  ASSERT_TRUE(wait_until([&] { return backends(direct) == 1; }));
}

TEST_F(PoolCancel, HalfClosedClientStillGetsItsAnswer) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  RawClient client(pool.port());
  client.log_in("app", database());

  client.send(query("select pg_sleep(0.3)") + query("select 2"));
  client.shutdown_send();

  std::string types = client.read_until('Z');
  std::erase(types, 'S');  // the pool's question whether anybody is there
  EXPECT_EQ(types, "TDCZ");
  EXPECT_EQ(client.read_until('Z'), "TDCZ");
  EXPECT_EQ(client.read().type, 0);
}

}  // namespace
}  // namespace pgtend::e2e
