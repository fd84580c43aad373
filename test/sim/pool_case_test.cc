// The pool between peers whose every byte a test writes itself: what the random runs have found,
// told step by step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/text.h"
#include "net/acceptor.h"
#include "pool/lifecycle.h"
#include "pool/workers.h"
#include "sim/sim_net.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;
using testing::HasSubstr;

// One end of a connection, in the test's hand.
class Peer final : private net::Handler {
 public:
  Peer(net::Loop& loop, int descriptor) : socket_(loop, descriptor) { socket_.watch(*this).take(); }

  void send(std::string_view bytes) {
    out_ += bytes;
    flush();
  }
  void half_close() { socket_.shutdown_send(); }
  void close() { socket_.close(); }
  // What came since the last call.
  std::string take() { return std::exchange(in_, {}); }
  bool ended() const { return ended_; }

 private:
  void on_ready(net::Ready) override {
    flush();
    char piece[4096];
    while (!ended_) {
      const net::Io io = socket_.receive(piece);
      if (io.kind == net::Io::Kind::Again) return;
      ended_ = io.kind != net::Io::Kind::Done;
      in_.append(piece, io.bytes);
    }
  }
  void flush() {
    const net::Io io = out_.empty() ? net::Io{} : socket_.send(out_);
    if (io.kind == net::Io::Kind::Done) out_.erase(0, io.bytes);
  }

  net::Socket socket_;
  std::string in_;
  std::string out_;
  bool ended_ = false;
};

// A pool of one link, in transaction mode unless a test says otherwise.
class PoolCase : public testing::Test {
 protected:
  PoolCase() { log::set_level(log::Level::Off); }

  void start(const std::vector<std::pair<std::string, std::string>>& more = {}) {
    std::vector<IniEntry> entries = {{"pgbouncer", "listen_addr", "127.0.0.1", "", 0},
                                     {"pgbouncer", "auth_type", "trust", "", 0},
                                     {"pgbouncer", "unix_socket_dir", "", "", 0},
                                     {"pgbouncer", "default_pool_size", "1", "", 0},
                                     {"pgbouncer", "pool_mode", "transaction", "", 0},
                                     {"databases", "db", "", "", 0}};
    for (const auto& [key, value] : more) entries.push_back({"pgbouncer", key, value, "", 0});
    auto config = std::make_shared<pool::Config>(pool::config_from(entries).take());
    auto database = std::make_shared<pool::DatabaseConfig>(*config->databases["db"]);
    database->addresses.push_back(server_address_);
    config->databases["db"] = database;
    acceptor_ = net::Acceptor::open(peers_, server_address_, 16, [this](net::Accepted accepted) {
                  servers.push_back(std::make_unique<Peer>(peers_, accepted.descriptor));
                }).take();
    workers = std::make_unique<pool::Workers>(std::vector<net::Loop*>{&pool_loop_}, clock_, config);
    workers->listen().take();
  }

  // Until nothing is under way any more; time passes only as far as that needs.
  void settle() {
    while (network_.next() || pool_loop_.has_work() || peers_.has_work()) scheduler_.step();
  }
  // How many things happened in that time; no more than kStepsMax, which time may not survive.
  size_t pass(milliseconds time) {
    const SteadyTime until = clock_.steady() + time;
    net::Timer alarm(peers_.timers(), [] {});
    alarm.arm(until);
    size_t steps = 0;
    while (clock_.steady() < until && steps < kStepsMax) {
      scheduler_.step();
      ++steps;
    }
    return steps;
  }

  void say(Peer& peer, std::string_view bytes) {
    peer.send(bytes);
    settle();
  }
  // A client that has sent its start packet.
  Peer& client() {
    const auto descriptor = peers_.connect(net::Address::ip("127.0.0.1", 6432).take(), {}).take();
    clients.push_back(std::make_unique<Peer>(peers_, descriptor));
    settle();
    std::string out;
    wire::append_startup(out, wire::kProtocol30, {{"user", "u"}, {"database", "db"}});
    clients.back()->send(out);
    settle();
    return *clients.back();
  }
  // Answers the pool's start packet.
  void welcome(Peer& server) {
    server.take();
    std::string out;
    be::append_authentication(out, {be::AuthKind::Ok, {}});
    be::append_backend_key_data(out, {7, "key!"});
    be::append_ready_for_query(out, be::TransactionStatus::Idle);
    server.send(out);
    settle();
  }
  // A client that is logged in, and the server that was opened for it.
  Peer& first_client() {
    Peer& added = client();
    welcome(*servers.back());
    added.take();
    return added;
  }

  // The same with its first request at that server.
  Peer& first_client_asking(std::string_view request) {
    Peer& asking = first_client();
    say(asking, request);
    return asking;
  }

  static std::string query(std::string_view sql) {
    std::string out;
    fe::append_query(out, sql);
    return out;
  }
  static std::string answer(std::string_view text, be::TransactionStatus status) {
    std::string out;
    be::append_data_row(out, {text});
    be::append_command_complete(out, "SELECT 1");
    be::append_ready_for_query(out, status);
    return out;
  }

  // Parse to Execute.
  static std::string unsynced(std::string_view sql) {
    std::string out;
    fe::append_parse(out, {"", sql});
    fe::append_bind(out, {.portal = "", .statement = "", .parameters = {}});
    fe::append_execute(out, {"", 0});
    return out;
  }
  static std::string synced() {
    std::string out;
    fe::append_sync(out);
    return out;
  }
  // The answers to that, without a ReadyForQuery.
  static std::string completed() {
    std::string out;
    be::append_bare(out, be::kParseComplete);
    be::append_bare(out, be::kBindComplete);
    be::append_command_complete(out, "INSERT 0 1");
    return out;
  }

 private:
  static constexpr size_t kStepsMax = 100'000;

  Dice dice_{1};
  ManualClock clock_;
  Journal journal_{clock_};
  SimNetwork network_{
      dice_, clock_, journal_, {.split = 0, .buffer_min = 65536, .buffer_max = 65536}};
  SimScheduler scheduler_{dice_, clock_, network_};
  SimLoop& pool_loop_ = scheduler_.add_loop();
  SimLoop& peers_ = scheduler_.add_loop();
  net::Address server_address_ = net::Address::ip("10.0.0.1", 5432).take();
  std::unique_ptr<net::Acceptor> acceptor_;

 protected:
  std::deque<std::unique_ptr<Peer>> clients;
  std::deque<std::unique_ptr<Peer>> servers;
  std::unique_ptr<pool::Workers> workers;
};

TEST_F(PoolCase, AnAnswerComesBackThroughThePool) {
  start();
  Peer& client = first_client();

  say(client, query("SELECT 1"));
  EXPECT_EQ(servers[0]->take(), query("SELECT 1"));
  say(*servers[0], answer("one", be::TransactionStatus::Idle));

  EXPECT_EQ(client.take(), answer("one", be::TransactionStatus::Idle));
}

TEST_F(PoolCase, ALostServerLeavesNoErrorWithinARow) {
  start();
  Peer& client = first_client_asking(query("SELECT 1"));
  const std::string half = answer("a row that is cut", be::TransactionStatus::Idle).substr(0, 15);
  say(*servers[0], half);

  servers[0]->close();
  settle();

  EXPECT_EQ(client.take(), half);
  EXPECT_TRUE(client.ended());
}

TEST_F(PoolCase, ALostServerIsExplainedBetweenTwoMessages) {
  start();
  Peer& client = first_client_asking(query("SELECT 1"));

  servers[0]->close();
  settle();

  EXPECT_THAT(client.take(), HasSubstr("server conn crashed?"));
  EXPECT_TRUE(client.ended());
}

TEST_F(PoolCase, AClientsOwnErrorIsNotToldWithinARow) {
  start();
  Peer& client = first_client_asking(query("SELECT 1"));
  const std::string half = answer("a row that is cut", be::TransactionStatus::Idle).substr(0, 15);
  say(*servers[0], half);

  say(client, "no message at all");

  EXPECT_EQ(client.take(), half);
  EXPECT_TRUE(client.ended());
}

TEST_F(PoolCase, AnErrorBehindTheLastAnswerConcernsTheLinkAlone) {
  start();
  Peer& client = first_client_asking(query("SELECT 1"));
  std::string bytes = answer("one", be::TransactionStatus::Idle);
  be::append_error(bytes, {.severity = "FATAL", .sqlstate = "57P01", .message = "shut down"});
  servers[0]->send(bytes);
  servers[0]->close();
  settle();

  EXPECT_EQ(client.take(), answer("one", be::TransactionStatus::Idle));
  EXPECT_FALSE(client.ended());
  say(client, query("SELECT 2"));
  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers[1]);
  EXPECT_EQ(servers[1]->take(), query("SELECT 2"));
}

TEST_F(PoolCase, AHalfClosedClientInACopyIsLetGo) {
  start();
  Peer& client = first_client_asking(query("COPY t FROM STDIN"));
  servers[0]->take();
  say(*servers[0], std::string("G\0\0\0\7\0\0\0", 8));

  client.half_close();
  settle();

  std::string fail;
  fe::append_copy_fail(fail, "client disconnected");
  EXPECT_EQ(servers[0]->take(), fail);
  EXPECT_TRUE(client.ended());
}

TEST_F(PoolCase, AHalfClosedClientGetsAnswersThatItDidNotSync) {
  start();
  Peer& client = first_client_asking(unsynced("INSERT"));
  servers[0]->take();
  client.half_close();
  settle();
  std::string flush;
  fe::append_flush(flush);
  EXPECT_EQ(servers[0]->take(), flush);
  client.take();

  say(*servers[0], completed());

  EXPECT_EQ(client.take(), completed());
  EXPECT_TRUE(client.ended());
}

TEST_F(PoolCase, WhatAClientDidNotSyncIsRolledBackWhenItLeaves) {
  start();
  Peer& client = first_client_asking(unsynced("INSERT"));
  servers[0]->take();
  say(*servers[0], completed());

  client.close();
  settle();

  std::string undo = query("ROLLBACK");
  fe::append_sync(undo);
  EXPECT_EQ(servers[0]->take(), undo);
}

TEST_F(PoolCase, ALoginThatIsGivenUpCountsUntilItsBackendIsGone) {
  start({{"server_connect_timeout", "3"}, {"server_login_retry", "1"}});
  client();
  ASSERT_EQ(servers.size(), 1u);

  pass(seconds(20));
  EXPECT_EQ(servers.size(), 1u);
  servers[0]->close();
  pass(seconds(2));

  EXPECT_EQ(servers.size(), 2u);
}

TEST_F(PoolCase, APoolThatIsFullAfterAFailureRests) {
  start({{"default_pool_size", "2"}, {"server_login_retry", "1"}});
  Peer& busy = first_client();
  busy.send(query("BEGIN"));
  Peer& waits = client();
  say(waits, query("SELECT 1"));
  ASSERT_EQ(servers.size(), 2u);
  std::string refused;
  be::append_error(refused, {.severity = "FATAL", .sqlstate = "53300", .message = "too many"});
  say(*servers[1], refused);

  const size_t steps = pass(seconds(10));

  EXPECT_LT(steps, 1000u);
  EXPECT_EQ(servers.size(), 2u);
}

TEST_F(PoolCase, ASyncThatACopyIgnoredDoesNotFreeTheLink) {
  start();
  Peer& first = first_client();
  Peer& second = client();
  say(first, unsynced("COPY t FROM STDIN") + synced());
  second.send(query("SELECT 1"));
  servers[0]->take();
  say(*servers[0], std::string("1\0\0\0\4"
                               "2\0\0\0\4"
                               "G\0\0\0\7\0\0\0",
                               18));
  std::string end;
  fe::append_copy_done(end);
  say(first, end);
  EXPECT_EQ(servers[0]->take(), end);

  std::string complete;
  be::append_command_complete(complete, "COPY 0");
  say(*servers[0], complete);
  EXPECT_EQ(servers[0]->take(), "");
  say(first, synced());
  EXPECT_EQ(servers[0]->take(), synced());
}

TEST_F(PoolCase, ALinkWithHalfAMessageServesNobody) {
  start();
  Peer& client = first_client();
  std::string notice;
  be::append_notice(notice, {.severity = "NOTICE", .sqlstate = "00000", .message = "hello"});
  say(*servers[0], std::string_view(notice).substr(0, 3));
  say(client, query("SELECT 1"));
  EXPECT_EQ(servers[0]->take(), "");

  say(*servers[0], std::string_view(notice).substr(3));

  EXPECT_EQ(servers[0]->take(), query("SELECT 1"));
  EXPECT_EQ(client.take(), "");
}

TEST_F(PoolCase, AWelcomeFromBeforeAReconnectIsNoWelcome) {
  start({{"default_pool_size", "2"}});
  Peer& first = first_client();
  first.send(query("BEGIN"));
  client().send(query("SELECT 1"));
  settle();
  ASSERT_EQ(servers.size(), 2u);
  client().send(query("SELECT 2"));
  settle();
  pool::reconnect({*workers, 0, "db"}, [](const Status&) {});
  // The first link ends with its transaction, and a new one opens.
  servers[0]->take();
  say(*servers[0], answer("", be::TransactionStatus::Idle));
  servers[0]->close();
  settle();
  ASSERT_EQ(servers.size(), 3u);
  welcome(*servers[2]);
  for (int i = 0; i < 2; ++i) {
    say(*servers[2], answer("", be::TransactionStatus::Idle));
  }

  welcome(*servers[1]);
  Peer& third = client();

  EXPECT_THAT(third.take(), testing::EndsWith(std::string("Z\0\0\0\5I", 6)));
}

}  // namespace
}  // namespace pgtend::sim
