// Pipelines, asynchronous statements, cancel.
#include <poll.h>

#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

class PgAsync : public VersionTest {
 protected:
  // Waits until the backend `pid` is in pg_sleep, asking over `watcher`.
  static bool wait_until_asleep(pg::Connection& watcher, int pid) {
    return wait_until([&] {
      return must(must(watcher.query("SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND"
                                     " state = 'active' AND wait_event = 'PgSleep'",
                                     {cat(pid)}))
                      .scalar()) == "1";
    });
  }
};

TEST_P(PgAsync, PipelineReturnsTheRowsOfEveryStatement) {
  auto conn = connect();
  const std::vector<pg::Statement> statements = {{"CREATE TABLE t (id int)"},
                                                 {"INSERT INTO t VALUES ($1), ($2)", {"1", "2"}},
                                                 {"SELECT id FROM t ORDER BY id"}};

  const auto results = must(conn.pipeline(statements));

  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[1].affected(), 2);
  EXPECT_EQ(results[2].size(), 2);
  EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM t")).scalar()), "2");
}

TEST_P(PgAsync, FailedPipelineLeavesNothingAndTheConnectionUsable) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t (id int)"));
  const std::vector<pg::Statement> statements = {
      {"INSERT INTO t VALUES (1)"}, {"SELECT 1/0"}, {"INSERT INTO t VALUES (2)"}};

  const auto failed = conn.pipeline(statements);

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().sqlstate, "22012");
  EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM t")).scalar()), "0");
  EXPECT_EQ(must(conn.pipeline(std::vector<pg::Statement>{{"SELECT 1"}})).size(), 1U);
}

TEST_P(PgAsync, PipelineOfThousandsOfBigStatementsDoesNotBlockItself) {
  auto conn = connect();
  const std::string big(10'000, 'x');
  const std::vector<pg::Statement> statements(2'000, {"SELECT $1 || $1", {big}});

  const auto results = must(conn.pipeline(statements));

  ASSERT_EQ(results.size(), 2'000U);
  EXPECT_EQ(results.back()[0].text(0).size(), 20'000U);
  const std::vector<pg::Statement> too_many(pg::Connection::kPipelineMax + 1, {"SELECT 1"});
  EXPECT_EQ(conn.pipeline(too_many).error().code, ErrorCode::Limit);
}

TEST_P(PgAsync, StartedStatementIsFinishedWhenTheSocketIsReadable) {
  auto conn = connect();

  must(conn.start("SELECT $1::text", {"there"}));
  std::optional<pg::Rows> rows;
  while (!rows) {
    pollfd entry{conn.socket(), POLLIN, 0};
    ASSERT_EQ(poll(&entry, 1, 10'000), 1);
    rows = must(conn.finish_if_ready());
  }

  EXPECT_EQ((*rows)[0].text(0), "there");
  EXPECT_EQ(must(must(conn.query("SELECT 1")).scalar()), "1");
}

TEST_P(PgAsync, WaitingEndsAtItsTimeoutWhileTheStatementGoesOn) {
  auto conn = connect();
  auto holder = connect();
  must(holder.exec("SELECT pg_advisory_lock(1)"));
  must(conn.start("SELECT pg_advisory_lock(1)"));

  EXPECT_FALSE(must(conn.finish_within(milliseconds(30))));
  must(holder.exec("SELECT pg_advisory_unlock(1)"));
  const auto rows = must(conn.finish_within(seconds(10)));

  EXPECT_TRUE(rows);
}

TEST_P(PgAsync, CancelFromAnotherThreadIsCancelledNotTimedOut) {
  auto conn = connect();
  auto watcher = connect();
  const pg::Canceller canceller = conn.canceller();
  std::thread other([&] {
    EXPECT_TRUE(wait_until_asleep(watcher, conn.backend_pid()));
    must(canceller.cancel());
  });

  const auto result = conn.query("SELECT pg_sleep(60)");
  other.join();

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(result.error().sqlstate, "57014");
  EXPECT_EQ(must(must(conn.query("SELECT 1")).scalar()), "1");
}

TEST_P(PgAsync, CancelByAnAdministratorIsCancelledToo) {
  auto conn = connect();
  auto admin = connect();
  must(conn.start("SELECT pg_sleep(60)"));
  ASSERT_TRUE(wait_until_asleep(admin, conn.backend_pid()));

  must(admin.query("SELECT pg_cancel_backend($1)", {cat(conn.backend_pid())}));
  const auto result = conn.finish_within(seconds(10));

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Cancelled);
}

TEST_P(PgAsync, NextCallWaitsForAStartedStatementAndDropsIt) {
  auto conn = connect();
  must(conn.start("SELECT 'dropped'"));

  EXPECT_EQ(must(must(conn.query("SELECT 'kept'")).scalar()), "kept");
  EXPECT_EQ(conn.finish_if_ready().error().code, ErrorCode::Internal);
}

TEST_P(PgAsync, CancellerOutlivesItsConnection) {
  std::optional<pg::Canceller> canceller;
  {
    auto conn = connect();
    canceller.emplace(conn.canceller());
  }
  static_cast<void>(canceller->cancel());  // must not touch the freed connection
}

TEST_P(PgAsync, TransactionStateIsKnownWithoutAsking) {
  auto conn = connect();

  EXPECT_FALSE(conn.in_transaction());
  must(conn.exec("BEGIN"));
  EXPECT_TRUE(conn.in_transaction());
  EXPECT_FALSE(conn.query("SELECT 1/0"));
  EXPECT_TRUE(conn.in_transaction());
  must(conn.exec("ROLLBACK"));
  EXPECT_FALSE(conn.in_transaction());
}

PGTEND_ON_SOME_VERSIONS(PgAsync);

}  // namespace
}  // namespace pgtend::e2e
