// One pgtend-pool takes the place of another (-R), which no client notices; and SUSPEND.
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

constexpr const char* kSettings = "default_pool_size = 2\nmax_client_conn = 100\n";

class PoolTakeover : public PoolTest {
 protected:
  pg::Connection console_of(const PoolProcess& pool) const {
    auto options = through(pool);
    options.set("dbname", "pgbouncer");
    return must(pg::Connection::open(options));
  }
  static std::string refusal(pg::Connection& admin, const std::string& command) {
    auto rows = admin.query_simple(command);
    return rows ? "none" : rows.error().message;
  }
  // Holds the advisory lock 1 until it is destroyed: who wants it waits in the server.
  pg::Connection lock_holder() {
    auto direct = connect();
    must(direct.query("SELECT pg_advisory_lock(1)"));
    return direct;
  }
  // Waits until something cannot be sent, because its client does not read.
  void await_unsent(const PoolProcess& pool) const {
    ASSERT_TRUE(wait_until([&] {
      const pg::Rows rows = console(pool, "SHOW SOCKETS");
      for (int i = 0; i < rows.size(); ++i) {
        for (int column = 0; column < rows.columns(); ++column) {
          if (rows.column_name(column) == "send_remain" && rows[i].text(column) != "0") return true;
        }
      }
      return false;
    }));
  }
  static void await_queue_for_lock(pg::Connection& direct) {
    ASSERT_TRUE(wait_until([&] {
      return must(
                 direct.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
                 .size() > 0;
    }));
  }
};

TEST_F(PoolTakeover, IdleClientsTransactionsAndLinksGoOn) {
  PoolProcess pool(ini(kSettings));
  auto idle = client_of(pool);
  auto busy = client_of(pool);
  begin(*busy);
  const std::string backend = ask(*busy, "select pg_backend_pid()");
  expect_served(*idle);
  const auto ids = [&] {
    std::string all;
    const pg::Rows rows = console(pool, "SHOW CLIENTS");
    for (int i = 0; i < rows.size(); ++i) {
      if (rows[i].text(2) == database()) all += cat(rows[i].text(rows.columns() - 1), ' ');
    }
    return all;
  };
  const std::string before = ids();

  pool.replace(ini(kSettings));

  EXPECT_EQ(ids(), before);
  EXPECT_EQ(ask(*busy, "select pg_backend_pid()"), backend);
  expect_served(*idle);
  EXPECT_EQ(pools(pool, "sv_active"), "1");
  EXPECT_EQ(pools(pool, "sv_idle"), "1");
  busy->send(query("commit"));
  EXPECT_EQ(busy->read_until('Z'), "CZ");
  auto fresh = client_of(pool);
  expect_served(*fresh);
  auto direct = connect();
  EXPECT_EQ(backends(direct), 2);
}

TEST_F(PoolTakeover, QueriesThatRunAndClientsInLineGetTheirAnswers) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto direct = lock_holder();
  auto runs = client_of(pool);
  auto waits = client_of(pool);
  runs->send(query("select pg_advisory_lock(1), 'mine'"));
  await_queue_for_lock(direct);
  waits->send(query("select 'in line'"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));

  pool.replace(ini("default_pool_size = 1\n"));

  EXPECT_EQ(pools(pool, "cl_active"), "1");
  EXPECT_EQ(pools(pool, "cl_waiting"), "1");
  must(direct.query("SELECT pg_advisory_unlock(1)"));
  EXPECT_EQ(runs->read_until('Z'), "TDCZ");
  EXPECT_EQ(waits->read_until('Z'), "TDCZ");
  EXPECT_EQ(backends(direct), 1);
}

TEST_F(PoolTakeover, MessagesOfWhichHalfIsHereAreCompletedThere) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);
  const std::string whole = query("select 'one' || ' text'");
  for (const size_t cut : {size_t{2}, size_t{7}, whole.size() - 1}) {
    client->send(std::string_view(whole).substr(0, cut));
    // It has arrived when the next command of the console is answered by the same loop.
    ASSERT_TRUE(wait_until([&] { return console(pool, "SHOW SOCKETS").size() > 0; }));

    pool.replace(ini(kSettings));

    client->send(std::string_view(whole).substr(cut));
    EXPECT_EQ(client->read_until('Z'), "TDCZ");
  }
}

TEST_F(PoolTakeover, PreparedStatementsKeepTheirNames) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);
  std::string out;
  fe::append_parse(out, {"plus", "select $1::int + 1"});
  fe::append_sync(out);
  client->send(out);
  EXPECT_EQ(client->read_until('Z'), "1Z");
  const auto execute = [&] {
    std::string bind;
    fe::append_bind(bind, {.portal = "", .statement = "plus", .parameters = {"41"}});
    fe::append_execute(bind, {"", 0});
    fe::append_sync(bind);
    client->send(bind);
    return client->read_until('Z');
  };
  ASSERT_EQ(execute(), "2DCZ");
  const auto parses = [&] {
    return shown(pool, "SHOW STATS_TOTALS", database(), "server_parse_count");
  };

  pool.replace(ini(kSettings));

  EXPECT_EQ(execute(), "2DCZ");
  // The link had it already.
  EXPECT_EQ(parses(), "0");
  auto other = client_of(pool);
  begin(*other);  // takes the link away
  EXPECT_EQ(execute(), "2DCZ");
  EXPECT_EQ(parses(), "1");
}

TEST_F(PoolTakeover, AnswerThatNobodyReadsIsNotLost) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);
  constexpr size_t kBytes = size_t{32} << 20;
  client->send(query(cat("select repeat('x', 1024) from generate_series(1, ", kBytes / 1024, ")")));
  await_unsent(pool);

  pool.replace(ini(kSettings));

  size_t got = 0;
  for (auto message = client->read(); message.type != 'Z'; message = client->read()) {
    ASSERT_NE(message.type, 0);
    if (message.type == 'D') got += message.body.size() - 6;
  }
  EXPECT_EQ(got, kBytes);
}

TEST_F(PoolTakeover, CopyGoesOnInTheMiddle) {
  PoolProcess pool(ini(kSettings));
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (x int)"));
  auto client = client_of(pool);
  client->send(query("copy t from stdin"));
  EXPECT_EQ(client->read_until('G'), "G");
  std::string first;
  fe::append_copy_data(first, "1\n2\n");
  client->send(first);

  pool.replace(ini(kSettings));

  std::string rest;
  fe::append_copy_data(rest, "3\n");
  fe::append_copy_done(rest);
  client->send(rest);
  EXPECT_EQ(client->read_until('Z'), "CZ");
  EXPECT_EQ(must(must(direct.query("SELECT count(*) FROM t"))[0].get<int64_t>(0)), 3);
}

TEST_F(PoolTakeover, CancelKeysHoldAlsoWithOtherWorkers) {
  const auto with_workers = [&](int count) {
    return ini(cat(kSettings, "workers = ", count, "\n"));
  };
  PoolProcess pool(with_workers(3));
  auto direct = connect();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(client_of(pool));
  for (const int workers : {1, 2, 4}) {
    pool.replace(with_workers(workers));
    for (auto& client : clients) {
      client->send(query("select pg_sleep(60)"));
      ASSERT_TRUE(wait_until([&] {
        return must(direct.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
                   .size() == 1;
      }));
      RawClient canceler(pool.port());
      std::string out;
      wire::append_cancel(out, client->key());
      canceler.send(out);
      EXPECT_EQ(canceler.read().type, 0);
      EXPECT_EQ(client->read_until('Z'), "TEZ");
      EXPECT_EQ(client->error_state(), "57014");
    }
  }
}

TEST_F(PoolTakeover, LoginsThatHaveNotBegunGoOn) {
  PoolProcess pool(ini(cat(kSettings, "tcp_defer_accept = 0\n")));
  RawClient silent(pool.port());
  RawClient half(pool.port());
  std::string packet;
  wire::append_startup(packet, wire::kProtocol30, {{"user", "app"}, {"database", database()}});
  half.send(std::string_view(packet).substr(0, 9));

  pool.replace(ini(kSettings));

  half.send(std::string_view(packet).substr(9));
  EXPECT_EQ(half.read_until('Z').back(), 'Z');
  expect_served(half);
  EXPECT_EQ(silent.log_in("app", database()).back(), 'Z');
  expect_served(silent);
}

TEST_F(PoolTakeover, LinksToAnotherServerAreNotUsedAndUnknownDatabasesEnd) {
  auto direct = connect();
  const auto with_dbname = [&](const std::string& dbname) {
    std::string line = database_line("other", options());
    line.insert(line.size() - 1, cat(" dbname=", dbname));
    return cat(line,
               "[pgbouncer]\nauth_type = trust\npool_mode = transaction\n"
               "admin_users = app\n");
  };
  PoolProcess pool(with_dbname(database()));
  RawClient client(pool.port());
  client.log_in("app", "other");
  RawClient busy(pool.port());
  busy.log_in("app", "other");
  begin(busy);
  EXPECT_EQ(ask(client, "select current_database()"), database());

  pool.replace(with_dbname("postgres"));

  EXPECT_EQ(ask(busy, "select current_database()"), database());
  EXPECT_EQ(ask(client, "select current_database()"), "postgres");

  pool.replace(ini(kSettings));

  EXPECT_EQ(last_words(client), "database removed");
  EXPECT_EQ(last_words(busy), "database removed");
}

TEST_F(PoolTakeover, FailedTakeoverLeavesEverythingAsItWas) {
  PoolProcess pool(ini(kSettings));
  auto idle = client_of(pool);
  auto busy = client_of(pool);
  begin(*busy);
  const std::string backend = ask(*busy, "select pg_backend_pid()");

  // 192.0.2.1 is nobody's address (RFC 5737).
  const std::string said = pool.try_to_replace(cat(ini(""), "listen_addr = 192.0.2.1\n"));
  EXPECT_NE(said.find("192.0.2.1"), std::string::npos) << said;

  EXPECT_EQ(ask(*busy, "select pg_backend_pid()"), backend);
  expect_served(*idle);
  auto fresh = client_of(pool);
  expect_served(*fresh);
}

TEST_F(PoolTakeover, SuccessorThatDiesBeforeItHasAllLeavesEverythingAsItWas) {
  PoolProcess pool(ini("workers = 2\ndefault_pool_size = 2\n"));
  auto direct = lock_holder();
  auto idle = client_of(pool);
  auto runs = client_of(pool);
  runs->send(query("select pg_advisory_lock(1)"));
  await_queue_for_lock(direct);
  const Outcome successor =
      run({"/usr/bin/python3", "-c",
           cat("import socket, struct\ns = socket.socket(socket.AF_UNIX)\ns.connect('",
               pool.unix_socket(),
               "')\np = b'\\0\\3\\0\\0user\\0pgbouncer\\0database\\0pgbouncer\\0\\0'\n"
               "s.sendall(struct.pack('!i', len(p) + 4) + p)\n"
               "q = b'HANDOVER\\0'\ns.sendall(b'Q' + struct.pack('!i', len(q) + 4) + q)\n"
               "data = b''\nfds = []\n"
               "while b'C\\0\\0\\0\\rHANDOVER\\0' not in data:\n"
               "    more, found, flags, who = socket.recv_fds(s, 65536, 16)\n"
               "    data += more\n    fds += found\n"
               "print(len(fds))\n")});
  ASSERT_EQ(successor.exit_code, 0) << successor.err;
  // Two listening sockets, two clients, one link at least.
  EXPECT_GE(std::stoi(successor.out), 5);

  expect_served(*idle);
  auto fresh = client_of(pool);
  expect_served(*fresh);
  must(direct.query("SELECT pg_advisory_unlock(1)"));
  EXPECT_EQ(runs->read_until('Z'), "TDCZ");
  EXPECT_EQ(shown(pool, "SHOW STATE", "suspended", "value"), "no");
}

TEST_F(PoolTakeover, OnlyTheProcessesOwnAccountMayTakeOver) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);

  EXPECT_NE(refusal(admin, "HANDOVER").find("only for the account of the process"),
            std::string::npos);
}

TEST_F(PoolTakeover, StartsThatCannotTakeOverSayWhy) {
  Scratch scratch;
  const auto start = [&](const std::string& settings, const Environment& environment = {}) {
    const std::string file = scratch.write("pool.ini", cat("[pgbouncer]\n", settings));
    const Outcome outcome = run({PGTEND_BINARY_DIR "/pgtend-pool", "-R", file}, environment);
    EXPECT_EQ(outcome.exit_code, 1);
    return outcome.err;
  };
  const std::string folder = cat("listen_port = 0\nunix_socket_dir = ", scratch.path(), "\n");

  EXPECT_NE(start(folder).find("nobody to take over from"), std::string::npos);
  EXPECT_NE(start("listen_addr = 127.0.0.1\nunix_socket_dir =\n").find("needs a unix_socket_dir"),
            std::string::npos);
  EXPECT_NE(start("unix_socket_dir = @name\n").find("needs a unix_socket_dir"), std::string::npos);
  EXPECT_NE(start(folder, {{"NOTIFY_SOCKET", "/x"}}).find("service manager"), std::string::npos);
}

TEST_F(PoolTakeover, NoTransactionFailsOverManyTakeovers) {
  const auto with_workers = [&](int count) {
    return ini(cat("workers = ", count, "\ndefault_pool_size = 4\nmax_client_conn = 100\n",
                   "log_connections = 0\nlog_disconnections = 0\n"));
  };
  PoolProcess pool(with_workers(2));
  Scratch scratch;
  const std::string blocks =
      scratch.write("q.sql", "begin;\nselect 1;\nselect pg_sleep(0.0005);\nend;\nselect 2;\n");
  // pgbench waits for a Parse of one client while others of its have transactions open.
  const std::string single = scratch.write("s.sql", "select 1;\nselect pg_sleep(0.0005);\n");
  const std::vector<std::vector<std::string>> kinds = {{"-M", "simple", "-f", blocks},
                                                       {"-M", "extended", "-f", blocks},
                                                       {"-M", "prepared", "-f", single},
                                                       {"-C", "-f", blocks}};
  std::atomic<bool> enough = false;
  std::vector<Outcome> outcomes;
  std::thread load([&] {
    do {
      for (const auto& kind : kinds) {
        std::vector<std::string> words = {"pgbench", "-n", "-c", "16", "-j", "2", "-t", "200"};
        words.insert(words.end(), kind.begin(), kind.end());
        outcomes.push_back(run(words, environment_of(through(pool))));
      }
    } while (!enough);
  });
  for (int cycle = 0; cycle < 200; ++cycle) pool.replace(with_workers(1 + cycle % 3));
  enough = true;
  load.join();

  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("3200/3200"), std::string::npos) << outcome.out;
  }
}

TEST_F(PoolTakeover, SuspendStopsServiceUntilResume) {
  PoolProcess pool(ini(kSettings));
  auto client = client_of(pool);
  auto admin = console_of(pool);

  must(admin.query_simple("SUSPEND"));

  EXPECT_EQ(must(admin.query_simple("SHOW STATE"))[2].text(1), "yes");
  EXPECT_EQ(refusal(admin, "PAUSE"), "already suspended/paused");
  EXPECT_EQ(refusal(admin, "RELOAD"), "RELOAD failed, see logs for additional details");
  client->send(query("select 1"));
  pollfd wait{client->descriptor(), POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 100), 0);
  must(admin.query_simple("RESUME"));
  EXPECT_EQ(client->read_until('Z'), "TDCZ");

  must(admin.query_simple("PAUSE"));
  EXPECT_EQ(refusal(admin, "SUSPEND"), "cannot suspend with paused databases");
  must(admin.query_simple("RESUME"));
  EXPECT_EQ(refusal(admin, "RESUME"), "pooler is not paused/suspended");
}

TEST_F(PoolTakeover, SuspendEndsWithItsConsole) {
  PoolProcess pool(ini("workers = 2\n"));
  auto client = client_of(pool);
  {
    auto admin = console_of(pool);
    must(admin.query_simple("SUSPEND"));
    client->send(query("select 1"));
  }

  EXPECT_EQ(client->read_until('Z'), "TDCZ");
}

TEST_F(PoolTakeover, SuspendClosesWhoDoesNotTakeItsAnswer) {
  PoolProcess pool(ini("suspend_timeout = 0.2\n"));
  auto stuck = client_of(pool);
  auto other = client_of(pool);
  stuck->send(query("select repeat('x', 1024) from generate_series(1, 65536)"));
  await_unsent(pool);
  auto admin = console_of(pool);

  must(admin.query_simple("SUSPEND"));
  must(admin.query_simple("RESUME"));

  expect_served(*other);
  EXPECT_NE(pool.log().find("closing because: suspend_timeout"), std::string::npos) << pool.log();
}

}  // namespace
}  // namespace pgtend::e2e
