// HOLD TABLE and RELEASE of the admin console: who waits, who does not, and what ends it.
#include <memory>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

class PoolHold : public PoolTest {
 protected:
  static constexpr const char* kSettings =
      "workers = 2\ndefault_pool_size = 1\npool_mode = transaction\nmax_prepared_statements = 10\n";

  void SetUp() override {
    PoolTest::SetUp();
    must(connect().exec("CREATE TABLE held (v int); CREATE TABLE other (v int)"));
  }
  pg::Connection console_of(const PoolProcess& pool) const {
    auto options = through(pool);
    options.set("dbname", "pgbouncer");
    return must(pg::Connection::open(options));
  }
  std::string refusal(pg::Connection& admin, const std::string& command) const {
    auto outcome = admin.query_simple(command);
    return outcome ? "" : std::move(outcome).error().message;
  }
  bool waits(const PoolProcess& pool, const std::string& count) const {
    return wait_until([&] { return pools(pool, "cl_waiting") == count; });
  }
  static std::string unnamed(std::string_view sql) {
    std::string out;
    fe::append_parse(out, {"", sql});
    fe::append_bind(out, {.portal = "", .statement = ""});
    fe::append_execute(out, {"", 0});
    fe::append_sync(out);
    return out;
  }
};

TEST_F(PoolHold, StatementsOfTheTableWaitWithoutALinkAndAllOthersGoOn) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);
  auto first = client_of(pool);
  auto second = client_of(pool);
  auto other = client_of(pool);
  const auto held = must(admin.query_simple("HOLD TABLE public.held, \"Held\" TIMEOUT 60000"));
  EXPECT_EQ(held[0].text(1), "public.held, \"Held\"");
  EXPECT_EQ(held[0].text(3), "0");

  first->send(query("insert into held values (1) returning v"));
  ASSERT_TRUE(waits(pool, "1"));
  second->send(unnamed("insert into public.held select count(*) from held returning v"));
  ASSERT_TRUE(waits(pool, "2"));
  // The one link is free.
  for (int i = 0; i < 3; ++i) expect_served(*other);
  other->send(query("insert into other values (1)"));
  EXPECT_EQ(other->read_until('Z'), "CZ");
  EXPECT_EQ(shown(pool, "SHOW HOLDS", console(pool, "SHOW HOLDS")[0].text(0), "waiting"), "2");
  EXPECT_EQ(connect().query("select count(*) from held").take()[0].text(0), "0");

  EXPECT_EQ(refusal(admin, "RELEASE TABLE other"), "no such table is held");
  must(admin.query_simple("RELEASE TABLE public.held"));
  EXPECT_EQ(first->read_until('Z'), "TDCZ");
  EXPECT_EQ(second->read_until('Z'), "12DCZ");
  EXPECT_EQ(refusal(admin, "RELEASE"), "no such table is held");
  EXPECT_TRUE(console(pool, "SHOW HOLDS").empty());
}

TEST_F(PoolHold, ATransactionThatBeginsWaitsAtItsFirstStatement) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);
  auto open = client_of(pool);
  open->send(query("begin"));
  open->read_until('Z');
  const auto answer = must(admin.query_simple("HOLD TABLE held"));
  EXPECT_EQ(answer[0].text(3), "1") << "one transaction is open and may touch it";
  // It would be waited for itself.
  open->send(query("insert into held values (0)"));
  EXPECT_EQ(open->read_until('Z'), "CZ");
  open->send(query("commit"));
  open->read_until('Z');

  auto late = client_of(pool);
  late->send(query("START TRANSACTION"));
  EXPECT_EQ(late->read_until('Z'), "CZ");
  late->send(query("set local enable_seqscan = on"));
  EXPECT_EQ(late->read_until('Z'), "CZ");
  late->send(query("commit"));
  late->read_until('Z');
  late->send(query("begin"));
  EXPECT_EQ(late->read_until('Z'), "CZ");
  late->send(query("insert into held values (1)"));
  ASSERT_TRUE(waits(pool, "1"));
  auto other = client_of(pool);
  expect_served(*other);
  must(admin.query_simple("RELEASE"));
  EXPECT_EQ(late->read_until('Z'), "CZ");
  late->send(query("rollback"));
  EXPECT_EQ(late->read_until('Z'), "CZ");
  EXPECT_EQ(ask(*other, "select string_agg(v::text, ' ') from held"), "0");
}

TEST_F(PoolHold, ItEndsByItselfAndWithItsConsole) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);
  auto client = client_of(pool);
  must(admin.query_simple("HOLD TABLE held TIMEOUT 300"));
  client->send(query("select count(*) from held"));
  EXPECT_EQ(client->read_until('Z'), "TDCZ");
  EXPECT_EQ(refusal(admin, "RELEASE"), "no such table is held");
  {
    auto passing = console_of(pool);
    must(passing.query_simple("HOLD TABLE held IN " + database()));
    client->send(query("select count(*) from held"));
    ASSERT_TRUE(waits(pool, "1"));
  }
  EXPECT_EQ(client->read_until('Z'), "TDCZ");
}

TEST_F(PoolHold, PreparedStatementsAreKnownByTheirText) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);
  auto client = client_of(pool);
  std::string prepare;
  fe::append_parse(prepare, {"of_held", "select count(*) from held"});
  fe::append_parse(prepare, {"of_other", "select count(*) from other"});
  fe::append_sync(prepare);
  client->send(prepare);
  EXPECT_EQ(client->read_until('Z'), "11Z");
  must(admin.query_simple("HOLD TABLE held"));
  const auto run = [](std::string_view name) {
    std::string out;
    fe::append_bind(out, {.portal = "", .statement = name});
    fe::append_execute(out, {"", 0});
    fe::append_sync(out);
    return out;
  };
  client->send(run("of_other"));
  EXPECT_EQ(client->read_until('Z'), "2DCZ");
  client->send(run("of_held"));
  ASSERT_TRUE(waits(pool, "1"));
  must(admin.query_simple("RELEASE"));
  EXPECT_EQ(client->read_until('Z'), "2DCZ");
}

TEST_F(PoolHold, SessionsWaitBetweenTransactionsToo) {
  PoolProcess pool(ini("pool_mode = session\ndefault_pool_size = 5\n"));
  auto admin = console_of(pool);
  auto client = client_of(pool);
  auto other = client_of(pool);
  expect_served(*client);
  expect_served(*other);
  must(admin.query_simple("HOLD TABLE held"));
  client->send(query("select count(*) from held"));
  ASSERT_TRUE(waits(pool, "1"));
  expect_served(*other);
  must(admin.query_simple("RELEASE"));
  EXPECT_EQ(client->read_until('Z'), "TDCZ");
}

TEST_F(PoolHold, OneThatWaitsMayLeaveOrCancelAndIsLetOnByATakeover) {
  PoolProcess pool(ini(kSettings));
  auto admin = console_of(pool);
  auto canceled = client_of(pool);
  auto leaving = client_of(pool);
  auto staying = client_of(pool);
  must(admin.query_simple("HOLD TABLE held"));
  canceled->send(query("select count(*) from held"));
  leaving->send(query("select count(*) from held"));
  staying->send(query("select count(*) from held"));
  ASSERT_TRUE(waits(pool, "3"));
  leaving.reset();
  ASSERT_TRUE(waits(pool, "2"));
  {
    RawClient request(pool.port());
    std::string out;
    wire::append_cancel(out, canceled->key());
    request.send(out);
    EXPECT_EQ(request.read_until('.'), ".");
  }
  EXPECT_EQ(canceled->read_until('Z'), "EZ");
  EXPECT_EQ(canceled->error_state(), "57014");
  expect_served(*canceled);
  ASSERT_TRUE(waits(pool, "1"));
  pool.replace(ini(kSettings));
  EXPECT_EQ(staying->read_until('Z'), "TDCZ");
}

TEST_F(PoolHold, WrongWordsAreRefused) {
  PoolProcess pool(ini(cat(kSettings, "stats_users = watcher\n")));
  auto admin = console_of(pool);
  for (const char* command : {"HOLD", "HOLD held", "HOLD TABLE held TIMEOUT 60001",
                              "HOLD TABLE held IN", "RELEASE held", "HOLD TABLE a.b.c"}) {
    EXPECT_EQ(refusal(admin, command), "bad arguments") << command;
  }
  EXPECT_EQ(refusal(admin, "HOLD TABLE held IN pgbouncer"),
            "cannot hold tables of admin db: pgbouncer");
  EXPECT_NE(refusal(admin, "HOLD TABLE held IN nowhere"), "");
  EXPECT_TRUE(console(pool, "SHOW HOLDS").empty());
}

}  // namespace
}  // namespace pgtend::e2e
