// Clients that replicate, step by step: how their link begins, what passes, how it ends, and who
// waits for whom. The pool has one link.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/text.h"
#include "sim/small_world.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view kCopyBoth("W\0\0\0\x7\0\0\0", 8);
constexpr std::string_view kTerminate("X\0\0\0\x4", 5);

class ReplicationCase : public testing::Test, protected SmallWorld {
 protected:
  ReplicationCase() : SmallWorld(1, {.split = 0, .buffer_min = 65536, .buffer_max = 65536}) {}

  Peer& replica() { return client({{"replication", "database"}}); }
  // One that has its link and has read the greeting.
  Peer& greeted_replica() {
    Peer& added = replica();
    welcome(*servers.back());
    added.take();
    return added;
  }
  Peer& greeted_client() {
    Peer& added = client();
    welcome(*servers.back());
    added.take();
    return added;
  }
  // One whose stream runs.
  Peer& streaming_replica() {
    Peer& streaming = greeted_replica();
    say(streaming, query("START_REPLICATION SLOT s LOGICAL 0/0"));
    say(*servers.back(), kCopyBoth);
    servers.back()->take();
    streaming.take();
    return streaming;
  }
  // The backend sees the end of its connection, and goes.
  void end_backend(Peer& server) {
    server.close();
    settle();
  }

  static std::string query(std::string_view sql) {
    std::string out;
    fe::append_query(out, sql);
    return out;
  }
  static std::string copy_data(std::string_view bytes) {
    std::string out;
    wire::MessageWriter message(out, fe::kCopyData);
    out += bytes;
    message.finish();
    return out;
  }
  static std::string bare(char type) {
    std::string out;
    wire::MessageWriter(out, type).finish();
    return out;
  }
  static std::string done(std::string_view tag,
                          be::TransactionStatus status = be::TransactionStatus::Idle) {
    std::string out;
    be::append_command_complete(out, tag);
    be::append_ready_for_query(out, status);
    return out;
  }
  static std::string fatal(std::string_view text, std::string_view state) {
    std::string out;
    be::append_error(out, {.severity = "FATAL", .sqlstate = state, .message = text});
    return out;
  }
  static std::map<std::string, std::string> start_packet(Peer& server) {
    const std::string bytes = server.take();
    std::string_view input = bytes;
    std::map<std::string, std::string> found;
    const auto packet = wire::next_startup(input).take();
    for (const auto& [name, value] : packet->parameters) found.emplace(name, value);
    return found;
  }
  const pool::Counters& counters() {
    const pool::Counters* found = nullptr;
    workers->first().pools().each([&](pool::Pool& pool) { found = &pool.counters(); });
    return *found;
  }
};

TEST_F(ReplicationCase, ServerIsToldAllThatItsClientSaid) {
  start({{"ignore_startup_parameters", "extra_float_digits"}});

  client({{"options", "-c datestyle=ISO -c wal_sender_timeout=7"},
          {"replication", "database"},
          {"TimeZone", "UTC"},
          {"extra_float_digits", "3"}});

  EXPECT_THAT(
      start_packet(*servers.at(0)),
      ElementsAre(Pair("TimeZone", "UTC"), Pair("database", "db"), Pair("extra_float_digits", "3"),
                  Pair("options", "-c datestyle=ISO -c wal_sender_timeout=7"),
                  Pair("replication", "database"), Pair("user", "u")));
}

TEST_F(ReplicationCase, PhysicalClientAsksWithAnyBoolean) {
  start();

  client({{"replication", "ON"}});

  EXPECT_THAT(start_packet(*servers.at(0)),
              ElementsAre(Pair("database", "db"), Pair("replication", "true"), Pair("user", "u")));
}

TEST_F(ReplicationCase, FalseIsAnOrdinaryClient) {
  start();

  Peer& refused = client({{"replication", "off"}, {"wal_sender_timeout", "7"}});

  EXPECT_THAT(refused.take(), HasSubstr("unsupported startup parameter: wal_sender_timeout"));
  EXPECT_TRUE(servers.empty());
}

TEST_F(ReplicationCase, AnotherValueIsRefusedInTheServersWords) {
  start();

  Peer& refused = client({{"replication", "perhaps"}});

  const std::string told = refused.take();
  EXPECT_THAT(told, HasSubstr("invalid value for parameter \"replication\": \"perhaps\""));
  EXPECT_THAT(told, HasSubstr("22023"));
  EXPECT_THAT(told, HasSubstr("Valid values are"));
}

TEST_F(ReplicationCase, GreetingIsThatOfTheLinkAndNoOneElses) {
  start();
  Peer& replica =
      client({{"replication", "true"}, {"application_name", "standby"}, {"DateStyle", "ISO"}});
  std::string out;
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  be::append_parameter_status(out, {"application_name", "standby"});
  be::append_parameter_status(out, {"server_version", "15.1"});
  be::append_parameter_status(out, {"DateStyle", "ISO, MDY"});
  be::append_backend_key_data(out, {7, "key!"});
  be::append_ready_for_query(out, be::TransactionStatus::Idle);

  say(*servers.at(0), out);

  const std::string told = replica.take();
  EXPECT_THAT(told, HasSubstr(std::string("server_version\0"
                                          "15.1",
                                          19)));
  EXPECT_THAT(told, EndsWith(std::string("Z\0\0\0\x5I", 6)));
  EXPECT_THAT(told, HasSubstr("ISO, MDY"));
  EXPECT_EQ(told.find("key!"), std::string::npos);
  say(replica, query("IDENTIFY_SYSTEM"));
  EXPECT_THAT(servers.at(0)->take(), EndsWith(query("IDENTIFY_SYSTEM")));
  say(replica, kTerminate);
  end_backend(*servers.at(0));
  Peer& other = client();
  welcome(*servers.at(1));
  EXPECT_EQ(other.take().find("standby"), std::string::npos);
}

TEST_F(ReplicationCase, BothSidesStreamAndEitherMayEnd) {
  start();
  Peer& replica = streaming_replica();
  Peer& server = *servers.at(0);

  say(server, copy_data("wal") + copy_data("keepalive"));
  say(replica, copy_data("status"));
  say(server, copy_data("more"));

  EXPECT_EQ(replica.take(), copy_data("wal") + copy_data("keepalive") + copy_data("more"));
  EXPECT_EQ(server.take(), copy_data("status"));
  say(replica, bare(fe::kCopyDone));
  say(server, copy_data("last") + bare(be::kCopyDone) + done("COPY 0"));
  EXPECT_EQ(server.take(), bare(fe::kCopyDone));
  EXPECT_EQ(replica.take(), copy_data("last") + bare(be::kCopyDone) + done("COPY 0"));
  // The same link serves the next command; this time the server ends, as at a timeline's end.
  say(replica, query("START_REPLICATION 0/0"));
  say(server, std::string(kCopyBoth) + bare(be::kCopyDone));
  say(replica, bare(fe::kCopyDone));
  say(server, done("START_STREAMING"));
  EXPECT_EQ(server.take(), query("START_REPLICATION 0/0") + bare(fe::kCopyDone));
  EXPECT_EQ(replica.take(), std::string(kCopyBoth) + bare(be::kCopyDone) + done("START_STREAMING"));
  EXPECT_EQ(servers.size(), 1u);
}

TEST_F(ReplicationCase, LinkEndsWithItsClientAndTheNextGetsAnother) {
  start();
  Peer& replica = streaming_replica();
  Peer& next = client();
  ASSERT_EQ(servers.size(), 1u);

  replica.close();
  settle();

  EXPECT_EQ(servers.at(0)->take(), kTerminate);
  EXPECT_EQ(servers.size(), 1u);  // the backend is not gone yet
  end_backend(*servers.at(0));
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(start_packet(*servers.at(1)).count("replication"), 0u);
  welcome(*servers.at(1));
  EXPECT_FALSE(next.take().empty());
}

TEST_F(ReplicationCase, HalfAMessageEndsTheLinkWithoutAnotherIntoIt) {
  start();
  Peer& replica = streaming_replica();
  const std::string half = copy_data("a status that is cut").substr(0, 12);

  say(replica, half);
  replica.close();
  settle();

  EXPECT_EQ(servers.at(0)->take(), half);
  EXPECT_TRUE(servers.at(0)->ended());
}

TEST_F(ReplicationCase, BackupWithoutItsClientIsCanceled) {
  start();
  Peer& replica = greeted_replica();
  say(replica, query("BASE_BACKUP"));
  say(*servers.at(0), std::string("H\0\0\0\x7\0\0\0", 8) + copy_data("a part"));

  replica.close();
  settle();
  // The probe that tells a dead client from a half-closed one.
  say(*servers.at(0), copy_data("another part"));
  say(*servers.at(0), copy_data("a third part"));

  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers.at(1)->take().size(), 16u);
}

TEST_F(ReplicationCase, RefusalIsToldToItsClientAloneAndNotRemembered) {
  start();
  Peer& replica = this->replica();

  say(*servers.at(0), fatal("no pg_hba.conf entry for replication", "28000"));

  EXPECT_EQ(replica.take(), fatal("no pg_hba.conf entry for replication", "28000"));
  EXPECT_TRUE(replica.ended());
  end_backend(*servers.at(0));
  Peer& other = client();
  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(other.take(), EndsWith("I"));
}

TEST_F(ReplicationCase, RefusedLoginOfOthersDoesNotConcernIt) {
  start();
  client();
  say(*servers.at(0), fatal("no such database", "3D000"));
  end_backend(*servers.at(0));

  replica();

  EXPECT_EQ(servers.size(), 2u);
}

TEST_F(ReplicationCase, ServerThatStartsUpIsTriedAgain) {
  start({{"server_login_retry", "0.2"}});
  Peer& replica = this->replica();
  say(*servers.at(0), fatal("the database system is starting up", "57P03"));
  end_backend(*servers.at(0));
  EXPECT_EQ(servers.size(), 1u);

  pass(milliseconds(300));

  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(replica.take(), EndsWith("I"));
}

TEST_F(ReplicationCase, ClientThatLeavesBeforeItsLinkIsThereHarmsNobody) {
  start();
  Peer& replica = this->replica();
  ASSERT_EQ(servers.size(), 1u);

  replica.close();
  settle();

  EXPECT_TRUE(servers.at(0)->ended());
  Peer& other = client();
  EXPECT_EQ(servers.size(), 1u);
  end_backend(*servers.at(0));
  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(other.take(), EndsWith("I"));
}

TEST_F(ReplicationCase, IdleLinkMakesRoom) {
  start();
  Peer& other = greeted_client();
  say(other, query("SELECT 1"));
  say(*servers.at(0), done("SELECT 1"));
  servers.at(0)->take();

  Peer& replica = this->replica();

  EXPECT_EQ(servers.at(0)->take(), kTerminate);
  EXPECT_EQ(servers.size(), 1u);
  end_backend(*servers.at(0));
  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(replica.take(), EndsWith("I"));
}

TEST_F(ReplicationCase, BusyLinkIsWaitedForInLine) {
  start();
  Peer& busy = greeted_client();
  say(busy, query("BEGIN"));
  say(*servers.at(0), done("BEGIN", be::TransactionStatus::InTransaction));
  Peer& replica = this->replica();
  Peer& later = client();
  later.take();
  say(later, query("SELECT 2"));
  say(busy, query("COMMIT"));
  EXPECT_EQ(servers.at(0)->take(), query("BEGIN") + query("COMMIT"));

  say(*servers.at(0), done("COMMIT"));

  EXPECT_EQ(servers.at(0)->take(), kTerminate);
  end_backend(*servers.at(0));
  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(replica.take(), EndsWith("I"));
  EXPECT_THAT(later.take(), IsEmpty());
  say(replica, kTerminate);
  end_backend(*servers.at(1));
  ASSERT_EQ(servers.size(), 3u);
  welcome(*servers.at(2));
  EXPECT_THAT(servers.at(2)->take(), EndsWith(query("SELECT 2")));
}

TEST_F(ReplicationCase, WhoCameBeforeIsServedBefore) {
  start();
  Peer& busy = greeted_client();
  Peer& before = client();
  before.take();
  say(busy, query("SELECT 1"));
  say(before, query("SELECT 2"));
  replica();

  say(*servers.at(0), done("SELECT 1"));

  EXPECT_EQ(servers.at(0)->take(), query("SELECT 1") + query("SELECT 2"));
  say(*servers.at(0), done("SELECT 1"));
  EXPECT_EQ(servers.at(0)->take(), kTerminate);
}

TEST_F(ReplicationCase, WaitInLineHasItsLimit) {
  start({{"query_wait_timeout", "2"}});
  Peer& first = streaming_replica();
  Peer& second = replica();

  pass(milliseconds(2500));

  EXPECT_THAT(second.take(), HasSubstr("query_wait_timeout"));
  EXPECT_FALSE(first.ended());
}

TEST_F(ReplicationCase, ReserveServesItToo) {
  start({{"reserve_pool_size", "1"}, {"reserve_pool_timeout", "2"}});
  streaming_replica();
  Peer& second = replica();
  EXPECT_EQ(servers.size(), 1u);

  pass(milliseconds(2500));

  ASSERT_EQ(servers.size(), 2u);
  welcome(*servers.at(1));
  EXPECT_THAT(second.take(), EndsWith("I"));
}

TEST_F(ReplicationCase, StreamOutlivesEveryTimeLimitAndNoTimeIsCounted) {
  start({{"query_timeout", "1"},
         {"transaction_timeout", "1"},
         {"idle_transaction_timeout", "1"},
         {"client_idle_timeout", "1"},
         {"server_lifetime", "1"},
         {"server_idle_timeout", "1"}});
  Peer& replica = streaming_replica();

  pass(milliseconds(5000));

  EXPECT_FALSE(replica.ended());
  say(replica, bare(fe::kCopyDone));
  say(*servers.at(0), bare(be::kCopyDone) + done("COPY 0"));
  EXPECT_EQ(counters().query_count, 1u);
  EXPECT_EQ(counters().query_time, 0u);
  EXPECT_EQ(counters().xact_time, 0u);
  EXPECT_TRUE(workers->first().queries().figures().empty());
}

TEST_F(ReplicationCase, WordsOfAServerThatEndsReachItsClient) {
  start();
  Peer& replica = greeted_replica();

  say(*servers.at(0), fatal("terminating connection", "57P01"));
  end_backend(*servers.at(0));

  EXPECT_EQ(replica.take(), fatal("terminating connection", "57P01"));
  EXPECT_TRUE(replica.ended());
}

TEST_F(ReplicationCase, StatementModeLetsItOpenBlocks) {
  start({{"pool_mode", "statement"}});
  Peer& replica = greeted_replica();

  say(replica, query("BEGIN"));
  say(*servers.at(0), done("BEGIN", be::TransactionStatus::InTransaction));

  EXPECT_EQ(replica.take(), done("BEGIN", be::TransactionStatus::InTransaction));
  EXPECT_FALSE(replica.ended());
}

}  // namespace
}  // namespace pgtend::sim
