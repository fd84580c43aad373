// The pool between peers whose every byte a test writes itself: what the random runs have found,
// told step by step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "pool/lifecycle.h"
#include "sim/small_world.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;
using testing::HasSubstr;
using testing::Not;

class PoolCase : public testing::Test, protected SmallWorld {
 protected:
  PoolCase() : SmallWorld(1, {.split = 0, .buffer_min = 65536, .buffer_max = 65536}) {}

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

TEST_F(PoolCase, ATamperedKeyCancelsNothing) {
  for (const char* peer_id : {"0", "300"}) {
    SmallWorld world(1, {.split = 0, .buffer_min = 65536, .buffer_max = 65536});
    world.start({{"peer_id", peer_id}});
    Peer& client = world.client();
    world.welcome(*world.servers.back());
    const std::string welcome = client.take();
    const std::string key = welcome.substr(welcome.find(std::string("K\0\0\0\x0c", 5)) + 5, 8);
    world.say(client, query("SELECT 1"));
    const auto show = [&](const std::string& shown) {
      Peer& request = world.stranger();
      std::string bytes("\0\0\0\x10\x04\xd2\x16\x2e", 8);
      world.say(request, bytes + shown);
      return request.ended();
    };

    // The two lowest bits only count hops.
    for (size_t bit = 0; bit < 62; ++bit) {
      std::string other = key;
      other[bit / 8] ^= static_cast<char>(0x80 >> bit % 8);
      EXPECT_TRUE(show(other)) << bit;
      ASSERT_EQ(world.servers.size(), 1u) << bit;
    }

    EXPECT_FALSE(show(key));
    ASSERT_EQ(world.servers.size(), 2u);
    std::string expected;
    wire::append_cancel(expected, {7, "key!"});
    EXPECT_EQ(world.servers[1]->take(), expected);
  }
}

// How many turns of the pool's loop a large message needs, from a client and from a server.
TEST_F(PoolCase, ATurnTakesSoManyReadsOfSoManyBytes) {
  const auto turns = [](const char* read_bytes, const char* reads) {
    SmallWorld world(1, {.split = 0, .buffer_min = 65536, .buffer_max = 65536});
    world.start({{"pkt_buf", read_bytes}, {"sbuf_loopcnt", reads}});
    Peer& client = world.client();
    world.welcome(*world.servers.back());
    client.take();
    const std::string question = query(std::string(60'000, ' '));
    const size_t up = world.say(client, question);
    EXPECT_EQ(world.servers[0]->take(), question);
    const std::string row = answer(std::string(60'000, 'x'), be::TransactionStatus::Idle);
    const size_t down = world.say(*world.servers[0], row);
    EXPECT_EQ(client.take(), row);
    return std::pair(up, down);
  };

  // 60,000 bytes are 59 reads of 1,024; the loop may come by twice in a turn.
  const auto [up_by_one, down_by_one] = turns("1024", "1");
  EXPECT_GE(up_by_one, 50u);
  EXPECT_GE(down_by_one, 50u);
  const auto [up_by_ten, down_by_ten] = turns("1024", "10");
  EXPECT_GE(up_by_ten, 5u);
  EXPECT_LT(up_by_ten, 15u);
  EXPECT_GE(down_by_ten, 5u);
  EXPECT_LT(down_by_ten, 15u);
  for (const auto& [read_bytes, reads] : {std::pair("1024", "0"), std::pair("65536", "1")}) {
    const auto [up, down] = turns(read_bytes, reads);
    EXPECT_LT(up, 6u) << read_bytes;
    EXPECT_LT(down, 6u) << read_bytes;
  }
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

TEST_F(PoolCase, AReloadChangesHowLongAClientThatWaitsAlreadyMayWait) {
  start({{"query_wait_timeout", "0"}, {"query_wait_notify", "0"}});
  first_client_asking(query("SELECT 1"));
  Peer& waiting = client();
  waiting.take();
  say(waiting, query("SELECT 2"));
  pass(seconds(6));
  EXPECT_EQ(waiting.take(), "");

  set("query_wait_timeout", "10");
  pass(seconds(3));
  EXPECT_EQ(waiting.take(), "");
  pass(seconds(2));

  EXPECT_THAT(waiting.take(), HasSubstr("query_wait_timeout"));
}

// A link that was checked for a client turned out to be too old: the one beside it is as good.
TEST_F(PoolCase, IdleLinkServesWhomACheckedOneWasTooOldFor) {
  start({{"default_pool_size", "2"},
         {"server_round_robin", "1"},
         {"server_check_delay", "1"},
         {"server_lifetime", "1.55"}});
  Peer& one = first_client_asking(query("BEGIN"));
  Peer& two = client();
  two.take();
  say(two, query("SELECT 1"));
  welcome(*servers.back());
  ASSERT_EQ(servers.size(), 2u);
  for (const auto& server : servers) {
    server->take();
    say(*server, answer("one", be::TransactionStatus::Idle));
  }
  pass(milliseconds(900));
  say(one, query("SELECT 2"));
  ASSERT_EQ(servers[0]->take(), query("SELECT 2"));
  say(*servers[0], answer("two", be::TransactionStatus::Idle));
  pass(milliseconds(700));

  say(two, query("SELECT 3"));
  ASSERT_THAT(servers[1]->take(), Not(HasSubstr("SELECT 3")));
  say(*servers[1], answer("checked", be::TransactionStatus::Idle));

  EXPECT_EQ(servers[0]->take(), query("SELECT 3"));
  EXPECT_EQ(servers.size(), 2u);
}

}  // namespace
}  // namespace pgtend::sim
