// Several processes behind one port: a cancel request reaches the process of its query from
// whichever of them it came to.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <set>

#include "base/text.h"
#include "e2e/support/name_server.h"
#include "e2e/support/pool.h"
#include "pool/cancel_key.h"
#include "wire/startup.h"

namespace pgtend::e2e {
namespace {

// A TCP port of 127.0.0.1 that stays ours: what listens there has so_reuseport, or is this.
class OwnPort {
 public:
  explicit OwnPort(bool listens) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    number_ = ntohs(address.sin_port);
    if (listens) CHECK(::listen(socket_, 64) == 0);
  }
  ~OwnPort() { ::close(socket_); }
  OwnPort(const OwnPort&) = delete;
  OwnPort& operator=(const OwnPort&) = delete;

  int number() const { return number_; }
  // The next connection, within ten seconds; the caller closes it.
  int accept() const {
    pollfd wait{socket_, POLLIN, 0};
    return poll(&wait, 1, 10'000) == 1 ? ::accept(socket_, nullptr, nullptr) : -1;
  }

 private:
  int socket_;
  int number_ = 0;
};

// What a cancel request that came to `connection` says.
pool::OwnedKey key_at(int connection) {
  std::string bytes(16, '\0');
  const ssize_t count = ::recv(connection, bytes.data(), bytes.size(), MSG_WAITALL);
  EXPECT_EQ(count, 16);
  if (count != 16) return {};
  std::string_view input = bytes;
  const auto packet = must(wire::next_startup(input));
  if (!packet || packet->kind != wire::StartupPacket::Kind::Cancel) return {};
  return pool::OwnedKey::of(packet->cancel);
}

class PoolPeers : public PoolTest {
 protected:
  using Pools = std::vector<std::unique_ptr<PoolProcess>>;

  static std::string folder_of(const PoolProcess& pool) {
    return std::filesystem::path(pool.unix_socket()).parent_path();
  }
  // A console command of this very process, whoever else listens on its port.
  pg::Rows console_of(const PoolProcess& pool, const std::string& command) const {
    auto options = through(pool);
    options.set("dbname", "pgbouncer");
    if (std::filesystem::exists(cat(folder_of(pool), "/.s.PGSQL.", pool.port()))) {
      options.set("host", folder_of(pool));
    }
    auto conn = must(pg::Connection::open(options));
    return must(conn.query_simple(command));
  }
  // Its first row as "a b c".
  std::string line_of(const PoolProcess& pool, const std::string& command) const {
    const pg::Rows rows = console_of(pool, command);
    std::string line;
    for (int i = 0; i < rows.columns() && rows.size() > 0; ++i) {
      line += cat(i > 0 ? " " : "", rows[0].text(i));
    }
    return line;
  }
  size_t clients_in(const PoolProcess& pool, std::string_view state) const {
    const pg::Rows rows = console_of(pool, "SHOW CLIENTS");
    size_t count = 0;
    for (int row = 0; row < rows.size(); ++row) count += rows[row].text(4) == state ? 1 : 0;
    return count;
  }

  // The next reload's file, of which it is known when it has been read.
  void reload(PoolProcess& pool, const std::string& settings) {
    const std::string mark = cat("reload ", ++reloads_);
    pool.reload(ini(cat(settings, "\n[pgbouncer]\nlogin_notify_message = ", mark, '\n')));
    EXPECT_TRUE(wait_until([&] {
      const pg::Rows rows = console_of(pool, "SHOW CONFIG");
      for (int row = 0; row < rows.size(); ++row) {
        if (rows[row].text(0) == "login_notify_message") return rows[row].text(1) == mark;
      }
      return false;
    })) << pool.log();
  }

  // `count` processes on one port that know each other.
  Pools peered(const OwnPort& port, int count, const std::string& settings) {
    Pools pools;
    const auto own = [&](int id) {
      return cat("so_reuseport = 1\npeer_id = ", id, '\n', settings);
    };
    for (int id = 1; id <= count; ++id) {
      pools.push_back(std::make_unique<PoolProcess>(ini(own(id)), "", port.number()));
    }
    std::string peers = "[peers]\n";
    for (int id = 1; id <= count; ++id) {
      peers += cat(id, " = host=", folder_of(*pools[static_cast<size_t>(id) - 1]),
                   " port=", port.number(), '\n');
    }
    for (int id = 1; id <= count; ++id) {
      reload(*pools[static_cast<size_t>(id) - 1], cat(own(id), peers));
    }
    return pools;
  }

  // A request that is on its way; read() ends when it was handled.
  static std::unique_ptr<RawClient> request(int port, const wire::CancelKey& key) {
    auto canceler = std::make_unique<RawClient>(port);
    std::string out;
    wire::append_cancel(out, key);
    canceler->send(out);
    return canceler;
  }

  // The queries that run now, by the tag in their text.
  std::set<std::string> running(pg::Connection& direct) const {
    std::set<std::string> tags;
    const pg::Rows rows = must(direct.query(
        "SELECT substring(query from 'tag [0-9]+') FROM pg_stat_activity WHERE datname = "
        "current_database() AND state = 'active' AND query LIKE '%tag %' AND pid <> "
        "pg_backend_pid()"));
    for (int row = 0; row < rows.size(); ++row) tags.insert(std::string(rows[row].text(0)));
    return tags;
  }
  static size_t open_files(const PoolProcess& pool) {
    const std::filesystem::directory_iterator files(cat("/proc/", pool.pid(), "/fd"));
    return static_cast<size_t>(
        std::distance(std::filesystem::begin(files), std::filesystem::end(files)));
  }

 private:
  int reloads_ = 0;
};

// Every cancel comes through a connection of its own, so that the system deals it to any process.
class PoolPeersInMode : public PoolPeers,
                        public ::testing::WithParamInterface<std::pair<const char*, int>> {
 protected:
  static constexpr size_t kClients = 10;
  static constexpr size_t kClientsMax = 60;
  static constexpr int kRounds = 4;
};

TEST_P(PoolPeersInMode, EveryCancelHitsItsQueryAndNoOther) {
  const auto& [mode, count] = GetParam();
  auto direct = connect();
  const OwnPort port(false);
  const Pools pools = peered(port, count, cat("pool_mode = ", mode, '\n'));
  std::vector<std::unique_ptr<RawClient>> clients;
  std::set<std::string> all;
  std::vector<size_t> order;
  const auto start = [&](size_t i) {
    clients[i]->send(query(cat("select pg_sleep(120) /* tag ", i, " */")));
  };
  const auto has_a_client = [&](const auto& pool) {
    return pool->log().find(cat("login attempt: db=", database())) != std::string::npos;
  };
  // As many as it takes until the system has dealt one to each process.
  while (order.size() < kClients || !std::ranges::all_of(pools, has_a_client)) {
    const size_t i = order.size();
    ASSERT_LT(i, kClientsMax);
    order.push_back(i);
    clients.push_back(std::make_unique<RawClient>(port.number()));
    clients.back()->log_in("app", database(), i % 2 == 0 ? wire::kProtocol30 : wire::kProtocol32);
    all.insert(cat("tag ", i));
    start(i);
  }
  std::mt19937 dice(static_cast<unsigned>(count));

  for (int round = 0; round < kRounds; ++round) {
    std::ranges::shuffle(order, dice);
    for (const size_t victim : order) {
      ASSERT_TRUE(wait_until([&] { return running(direct) == all; }));
      RawClient& client = *clients[victim];

      EXPECT_EQ(request(port.number(), client.key())->read().type, 0);

      EXPECT_TRUE(client.read_until('Z').ends_with("EZ"));
      EXPECT_EQ(client.error_state(), "57014");
      std::set<std::string> others = all;
      others.erase(cat("tag ", victim));
      EXPECT_EQ(running(direct), others);
      start(victim);
    }
  }

  for (const auto& pool : pools) EXPECT_EQ(clients_in(*pool, "active_cancel_req"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, PoolPeersInMode,
                         ::testing::Values(std::pair("session", 2), std::pair("transaction", 2),
                                           std::pair("statement", 2), std::pair("session", 3),
                                           std::pair("transaction", 3), std::pair("statement", 3)),
                         [](const auto& tested) {
                           return cat(tested.param.first, tested.param.second);
                         });

TEST_F(PoolPeers, DriversCancelThroughAnyProcess) {
  const OwnPort port(false);
  const Pools pools = peered(port, 3, "");

  const auto outcome = python(*pools[0], R"py(
conns = [connect() for _ in range(8)]
ends = {}
def run(i):
    try:
        conns[i].execute(f'select pg_sleep(60), {i}')
    except psycopg.errors.QueryCanceled:
        ends[i] = conns[i].execute(f'select {i}').fetchone()[0]
threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
for t in threads: t.start()
watch = connect()
running = """select count(*) from pg_stat_activity where datname = current_database()
    and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()"""
while watch.execute(running).fetchone()[0] < 8: pass
for i, t in enumerate(threads):
    conns[i].cancel()
    t.join(10)
    print(sorted(ends) == list(range(i + 1)))
)py");

  std::string expected;
  for (int i = 0; i < 8; ++i) expected += "True\n";
  EXPECT_EQ(outcome.out, expected) << outcome.err;
}

TEST_F(PoolPeers, RequestIsPassedOnWithOneHopLessAndItsSenderWaits) {
  const OwnPort silent(true);
  PoolProcess pool(ini(cat("peer_id = 1\n[peers]\n1 = host=/nowhere\n7 = host=127.0.0.1 port=",
                           silent.number(), " pool_size=1\n")));
  const pool::OwnedKey key = pool::make_key(4, 0, 7);
  const size_t files = open_files(pool);
  EXPECT_EQ(line_of(pool, "SHOW PEER_POOLS"), "7 0 0 0 0");
  EXPECT_EQ(line_of(pool, "SHOW PEERS"), "1 /nowhere 6432 20");
  EXPECT_EQ(shown(pool, "SHOW PEERS", "7", "pool_size"), "1");
  EXPECT_EQ(shown(pool, "SHOW LISTS", "peers", "items"), "2");
  EXPECT_EQ(shown(pool, "SHOW LISTS", "peer_pools", "items"), "1");

  // One more than pool_size: the second waits in line.
  auto first = request(pool.port(), key.view());
  const int one = silent.accept();
  const pool::OwnedKey came = key_at(one);
  EXPECT_TRUE(pool::is_same_key(came.view(), key.view()));
  EXPECT_EQ(pool::hops_left(came.view()), 2);
  auto second = request(pool.port(), key.view());
  EXPECT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "7 1 1 1 0"; }))
      << line_of(pool, "SHOW PEER_POOLS");
  EXPECT_EQ(clients_in(pool, "active_cancel_req"), 1u);
  EXPECT_EQ(clients_in(pool, "waiting_cancel_req"), 1u);

  close(one);
  EXPECT_EQ(first->read().type, 0);
  const int two = silent.accept();
  EXPECT_EQ(pool::hops_left(key_at(two).view()), 2);
  EXPECT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "7 1 0 1 0"; }));
  close(two);
  EXPECT_EQ(second->read().type, 0);

  EXPECT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "7 0 0 0 0"; }));
  EXPECT_TRUE(wait_until([&] { return open_files(pool) == files; }));
}

TEST_F(PoolPeers, LoopOfWrongPeersEndsAfterThreeHops) {
  PoolProcess a(ini("peer_id = 1\n"));
  PoolProcess b(ini("peer_id = 2\n"));
  // Each takes the other for number 3.
  reload(a, cat("peer_id = 1\n[peers]\n3 = host=127.0.0.1 port=", b.port(), '\n'));
  reload(b, cat("peer_id = 2\n[peers]\n3 = host=127.0.0.1 port=", a.port(), '\n'));

  EXPECT_EQ(request(a.port(), pool::make_key(4, 0, 3).view())->read().type, 0);

  EXPECT_NE(b.log().find("passed on too often"), std::string::npos) << b.log();
  EXPECT_EQ(a.log().find("passed on too often"), std::string::npos) << a.log();
  EXPECT_TRUE(wait_until([&] { return line_of(a, "SHOW PEER_POOLS") == "3 0 0 0 0"; }));
  EXPECT_TRUE(wait_until([&] { return line_of(b, "SHOW PEER_POOLS") == "3 0 0 0 0"; }));
}

TEST_F(PoolPeers, OwnNumberUnderTheOthersNameDoesNoHarm) {
  PoolProcess a(ini("peer_id = 1\n"));
  PoolProcess b(ini(cat("peer_id = 2\n[peers]\n1 = host=127.0.0.1 port=", a.port(), '\n')));
  reload(a, cat("peer_id = 1\n[peers]\n1 = host=127.0.0.1 port=", b.port(), '\n'));
  auto direct = connect();
  auto client = client_of(a);
  client->send(query("select pg_sleep(120) /* tag 1 */"));
  ASSERT_TRUE(wait_until([&] { return running(direct).size() == 1; }));

  // Nobody's key with the number of the process that it comes to is not passed on.
  EXPECT_EQ(request(a.port(), pool::make_key(4, 0, 1).view())->read().type, 0);
  EXPECT_EQ(request(b.port(), client->key())->read().type, 0);

  EXPECT_TRUE(client->read_until('Z').ends_with("EZ"));
  EXPECT_EQ(client->error_state(), "57014");
}

TEST_F(PoolPeers, UnknownPeerIsNamedInTheLog) {
  PoolProcess pool(ini("peer_id = 1\n[peers]\n2 = host=127.0.0.1\n"));

  EXPECT_EQ(request(pool.port(), pool::make_key(4, 0, 9).view())->read().type, 0);

  EXPECT_NE(pool.log().find("of peer 9, which is not in [peers]"), std::string::npos) << pool.log();
}

TEST_F(PoolPeers, DeadPeerCostsTheSenderTheTimeLimitAndNothingElse) {
  const OwnPort silent(true);
  const OwnPort dead(false);
  PoolProcess pool(
      ini(cat("cancel_wait_timeout = 0.3\npeer_id = 1\n[peers]\n2 = host=127.0.0.1 "
              "pool_size=1 port=",
              silent.number(), "\n3 = host=127.0.0.1 port=", dead.number(), '\n')));
  const size_t files = open_files(pool);
  std::vector<std::unique_ptr<RawClient>> senders;
  for (int i = 0; i < 4; ++i) {
    senders.push_back(request(pool.port(), pool::make_key(4, 0, 2).view()));
  }
  senders.push_back(request(pool.port(), pool::make_key(4, 0, 3).view()));

  for (auto& sender : senders) EXPECT_EQ(sender->read().type, 0);

  const std::string log = pool.log();
  EXPECT_NE(
      log.find(cat("peer-2@127.0.0.1:", silent.number(), " closing because: cancel_wait_timeout")),
      std::string::npos)
      << log;
  EXPECT_NE(log.find("cancel_wait_timeout, in line for peer 2"), std::string::npos) << log;
  EXPECT_NE(log.find(cat("peer-3@127.0.0.1:", dead.number(), " closing because: connect failed")),
            std::string::npos)
      << log;
  EXPECT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "2 0 0 0 0"; }));
  EXPECT_TRUE(wait_until([&] { return open_files(pool) == files; }));
}

TEST_F(PoolPeers, ReloadAddsPeersAndDropsWhoWaitsForOneThatIsGone) {
  const OwnPort silent(true);
  const std::string two = cat("[peers]\n2 = host=127.0.0.1 pool_size=1 port=", silent.number());
  PoolProcess pool(ini("peer_id = 1\n"));
  const pool::OwnedKey key = pool::make_key(4, 0, 2);
  EXPECT_EQ(request(pool.port(), key.view())->read().type, 0);

  reload(pool, cat("peer_id = 1\n", two, '\n'));
  auto sent = request(pool.port(), key.view());
  const int one = silent.accept();
  auto waiting = request(pool.port(), key.view());
  ASSERT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "2 1 1 1 0"; }));
  reload(pool, "peer_id = 1\n");

  EXPECT_EQ(waiting->read().type, 0);
  EXPECT_NE(pool.log().find("peer 2 is not in [peers] any more"), std::string::npos) << pool.log();
  EXPECT_EQ(clients_in(pool, "active_cancel_req"), 1u);
  close(one);
  EXPECT_EQ(sent->read().type, 0);
}

TEST_F(PoolPeers, KeysMadeBeforePeerIdChangedStillWorkWhereTheyWereMade) {
  auto direct = connect();
  PoolProcess pool(ini("peer_id = 1\n"));
  auto client = client_of(pool);
  client->send(query("select pg_sleep(120) /* tag 1 */"));
  ASSERT_TRUE(wait_until([&] { return running(direct).size() == 1; }));
  reload(pool, "peer_id = 2\n");

  EXPECT_EQ(request(pool.port(), client->key())->read().type, 0);

  EXPECT_TRUE(client->read_until('Z').ends_with("EZ"));
  auto later = client_of(pool);
  EXPECT_EQ(pool::peer_of(later->key()), 2);
}

TEST_F(PoolPeers, HostOfAPeerMayBeAName) {
  NameServer names;
  const OwnPort port(true);
  names.set("other.test", {"127.0.0.1"});
  PoolProcess pool(ini(cat("resolv_conf = ", names.resolv_conf(),
                           "\npeer_id = 1\n[peers]\n2 = host=other.test port=", port.number(),
                           "\n3 = host=nobody.test\n")));

  auto sender = request(pool.port(), pool::make_key(4, 0, 2).view());
  const int connection = port.accept();
  EXPECT_EQ(pool::peer_of(key_at(connection).view()), 2);
  close(connection);
  EXPECT_EQ(sender->read().type, 0);
  EXPECT_EQ(request(pool.port(), pool::make_key(4, 0, 3).view())->read().type, 0);
  EXPECT_NE(pool.log().find("peer-3@(nohost) closing because: server DNS lookup failed"),
            std::string::npos)
      << pool.log();
}

TEST_F(PoolPeers, LineOfAPeerHasAnEnd) {
  const OwnPort silent(true);
  PoolProcess pool(ini(
      cat("peer_id = 1\n[peers]\n2 = host=127.0.0.1 pool_size=1 port=", silent.number(), '\n')));
  const pool::OwnedKey key = pool::make_key(4, 0, 2);
  std::vector<std::unique_ptr<RawClient>> senders;
  // One is under way, a thousand wait, the next one is told at once.
  for (int i = 0; i < 1001; ++i) senders.push_back(request(pool.port(), key.view()));
  ASSERT_TRUE(wait_until([&] { return line_of(pool, "SHOW PEER_POOLS") == "2 1 1000 1 0"; }));

  EXPECT_EQ(request(pool.port(), key.view())->read().type, 0);

  EXPECT_NE(pool.log().find("too many cancel requests wait for peer 2"), std::string::npos);
}

}  // namespace
}  // namespace pgtend::e2e
