// Clients that take too long: what they are told, and what becomes of their link.
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

using PoolLimits = PoolTest;

TEST_F(PoolLimits, LongQueryIsCanceledAndItsLinkReused) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 1\nquery_timeout = 0.3\n"));
  auto slow = client_of(pool);
  slow->send(query("select pg_sleep(60)"));

  EXPECT_EQ(last_words(*slow), "query timeout");

  expect_served(*client_of(pool));
  EXPECT_EQ(backends(direct), 1);
}

TEST_F(PoolLimits, WaitingCountsAgainstTheQuerysTime) {
  PoolProcess pool(ini("default_pool_size = 1\nquery_timeout = 0.3\n"));
  auto holder = client_of(pool);
  auto waiter = client_of(pool);
  begin(*holder);

  waiter->send(query("select 1"));

  EXPECT_EQ(last_words(*waiter), "query_timeout");
  holder->send(query("end"));
  EXPECT_EQ(holder->read_until('Z'), "CZ");
}

TEST_F(PoolLimits, IdleTransactionEndsAndAnIdleClientStays) {
  PoolProcess pool(ini("default_pool_size = 1\nidle_transaction_timeout = 0.3\n"));
  auto outside = client_of(pool);
  auto inside = client_of(pool);
  expect_served(*outside);
  begin(*inside);

  EXPECT_EQ(last_words(*inside), "idle transaction timeout");

  expect_served(*outside);
}

TEST_F(PoolLimits, TransactionEndsHoweverBusyItIs) {
  PoolProcess pool(ini("default_pool_size = 1\ntransaction_timeout = 0.3\n"));
  auto client = client_of(pool);
  begin(*client);
  while (true) {
    client->send(query("select 1"));
    if (client->read_until('Z').ends_with('.')) break;
  }

  EXPECT_EQ(client->error_text(), "transaction timeout");
}

TEST_F(PoolLimits, IdleClientEndsOutsideOfTransactionsOnly) {
  PoolProcess pool(ini("default_pool_size = 1\nclient_idle_timeout = 0.3\n"));
  auto inside = client_of(pool);
  auto outside = client_of(pool);
  begin(*inside);

  EXPECT_EQ(last_words(*outside), "client_idle_timeout");

  inside->send(query("end"));
  EXPECT_EQ(inside->read_until('Z'), "CZ");
}

TEST_F(PoolLimits, UsersOwnLimitStandsAboveTheGlobalOne) {
  PoolProcess pool(
      ini("default_pool_size = 2\nquery_timeout = 60\n[users]\napp = query_timeout=0.3\n"));
  auto limited = client_of(pool);
  RawClient other(pool.port());
  other.log_in("other", database());

  limited->send(query("select pg_sleep(60)"));
  other.send(query("select pg_sleep(1.5)"));

  EXPECT_EQ(last_words(*limited), "query timeout");
  EXPECT_EQ(other.read_until('Z'), "TDCZ");
}

TEST_F(PoolLimits, UsersOwnWaitInLineStandsAboveTheGlobalOne) {
  PoolProcess pool(ini(
      "default_pool_size = 1\nquery_wait_timeout = 0\n[users]\napp = query_wait_timeout=0.3\n"));
  auto holder = client_of(pool);
  auto limited = client_of(pool);
  auto patient = client_of(pool, "other");
  begin(*holder);

  patient->send(query("select 1"));
  limited->send(query("select 1"));

  EXPECT_EQ(last_words(*limited), "query_wait_timeout");
  holder->send(query("end"));
  EXPECT_EQ(patient->read_until('Z'), "TDCZ");
}

}  // namespace
}  // namespace pgtend::e2e
