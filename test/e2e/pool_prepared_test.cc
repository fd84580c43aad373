// Named prepared statements of clients that share links.
#include <memory>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

std::string parse(std::string_view name, std::string_view sql) {
  std::string out;
  fe::append_parse(out, {name, sql});
  return out;
}
std::string execute(std::string_view name) {
  std::string out;
  fe::append_bind(out, {"", name});
  fe::append_describe(out, {'P', ""});
  fe::append_execute(out, {});
  return out;
}
std::string close_of(std::string_view name) {
  std::string out;
  fe::append_close(out, {'S', name});
  return out;
}
std::string sync() {
  std::string out;
  fe::append_sync(out);
  return out;
}

class PoolPrepared : public PoolTest {
 protected:
  static constexpr const char* kOneLink = "default_pool_size = 1\nworkers = 2\n";

  static std::string ask(RawClient& client, const std::string& messages) {
    client.send(messages);
    return client.read_until('Z');
  }
  // The first value of the answer to a simple query.
  static std::string value_of(RawClient& client, std::string_view sql) {
    return PoolTest::ask(client, sql);
  }
  // How often SHOW QUERIES says that a shape was called.
  std::string calls(const PoolProcess& pool, std::string_view shape) const {
    const pg::Rows rows = console(pool, "SHOW QUERIES");
    int text = -1;
    int count = -1;
    for (int i = 0; i < rows.columns(); ++i) {
      if (rows.column_name(i) == "query") text = i;
      if (rows.column_name(i) == "calls") count = i;
    }
    for (int row = 0; row < rows.size(); ++row) {
      if (rows[row].text(text) == shape) return std::string(rows[row].text(count));
    }
    return "none";
  }
  // The names on the only server link, as the server has them.
  std::string on_server(RawClient& client) const {
    client.send(query("select count(*) from pg_prepared_statements"));
    std::string text;
    while (true) {
      const auto message = client.read();
      if (message.type == 'D') text = message.body.substr(6);
      if (message.type == 'Z' || message.type == 0) return text;
    }
  }
};

TEST_F(PoolPrepared, StatementFollowsItsClientFromLinkToLink) {
  PoolProcess pool(ini("default_pool_size = 2\nworkers = 2\n"));
  auto client = client_of(pool);
  auto other = client_of(pool);
  EXPECT_EQ(ask(*client, parse("s", "select 1") + sync()), "1Z");
  // The other one takes the link that has the statement.
  ask(*other, query("begin"));

  EXPECT_EQ(ask(*client, execute("s") + sync()), "2TDCZ");
  ask(*other, query("end"));
  EXPECT_EQ(ask(*client, execute("s") + sync()), "2TDCZ");
}

TEST_F(PoolPrepared, ClientsShareOneStatementOfOneText) {
  PoolProcess pool(ini("default_pool_size = 1\nworkers = 1\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);

  EXPECT_EQ(ask(*one, parse("a", "select 1") + execute("a") + sync()), "12TDCZ");
  EXPECT_EQ(ask(*two, parse("b", "select 1") + execute("b") + sync()), "12TDCZ");

  EXPECT_EQ(on_server(*one), "1");
  const pg::Rows stats = console(pool, "SHOW STATS_TOTALS");
  for (int row = 0; row < stats.size(); ++row) {
    if (stats[row].text(0) != database()) continue;
    EXPECT_EQ(stats[row].text(9), "2");
    EXPECT_EQ(stats[row].text(10), "1");
    EXPECT_EQ(stats[row].text(11), "2");
  }
}

TEST_F(PoolPrepared, AnswersKeepTheirOrderInAPipeline) {
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);
  ask(*client, parse("s", "select 1") + sync());

  const std::string messages = execute("s") + parse("t", "select 1") + execute("t") +
                               close_of("s") + close_of("nothing") + parse("s", "select 2") +
                               execute("s") + sync();

  EXPECT_EQ(ask(*client, messages), "2TDC12TDC3312TDCZ");
}

TEST_F(PoolPrepared, MessagesMayComeByteByByte) {
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);
  const std::string messages =
      parse("slow", "select 1") + execute("slow") + close_of("slow") + sync();

  for (const char byte : messages) client->send(std::string_view(&byte, 1));

  EXPECT_EQ(client->read_until('Z'), "12TDC3Z");
}

TEST_F(PoolPrepared, RefusedParseLeavesNothingBehind) {
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);

  EXPECT_EQ(ask(*client, parse("s", "selec 1") + execute("s") + parse("t", "select 2") + sync()),
            "EZ");
  EXPECT_EQ(client->error_state(), "42601");
  EXPECT_EQ(ask(*client, parse("s", "select 1") + parse("t", "select 2") + execute("s") + sync()),
            "112TDCZ");
  EXPECT_EQ(ask(*client, execute("t") + sync()), "2TDCZ");
}

TEST_F(PoolPrepared, LongTextsAreHeldWholeAndShared) {
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);
  const std::string sql = cat("select 1 /*", std::string(200'000, 'x'), "*/");

  EXPECT_EQ(ask(*client, parse("long", sql) + sync()), "1Z");
  EXPECT_EQ(ask(*client, execute("long") + sync()), "2TDCZ");
}

TEST_F(PoolPrepared, LinkKeepsNoMoreThanItsShare) {
  PoolProcess pool(ini(cat(kOneLink, "max_prepared_statements = 2\n")));
  auto client = client_of(pool);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ask(*client, parse(cat("s", i), cat("select ", i)) + sync()), "1Z");
  }

  EXPECT_EQ(on_server(*client), "2");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ask(*client, execute(cat("s", i)) + sync()), "2TDCZ") << i;
  }
  EXPECT_EQ(on_server(*client), "2");
}

TEST_F(PoolPrepared, ForgottenAllAtOnceByDiscardAndDeallocate) {
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);
  for (const char* command : {"DISCARD ALL", "DEALLOCATE ALL"}) {
    EXPECT_EQ(ask(*client, parse("s", "select 1") + sync()), "1Z");
    ask(*client, query(command));
    EXPECT_EQ(ask(*client, parse("s", "select 2") + execute("s") + sync()), "12TDCZ") << command;
    EXPECT_EQ(ask(*client, close_of("s") + sync()), "3Z");
  }
}

TEST_F(PoolPrepared, UnknownAndUsedNamesCloseTheClientLikePgBouncer) {
  PoolProcess pool(ini(kOneLink));
  auto unknown = client_of(pool);
  auto used = client_of(pool);
  ask(*used, parse("s", "select 1") + sync());

  unknown->send(execute("nothing") + sync());
  used->send(parse("s", "select 2") + sync());

  EXPECT_EQ(unknown->read_until('Z'), "E.");
  EXPECT_EQ(unknown->error_text(), "prepared statement did not exist");
  EXPECT_EQ(used->read_until('Z'), "E.");
  EXPECT_EQ(used->error_text(), "prepared statement name is already in use");
}

TEST_F(PoolPrepared, UnknownAndUsedNamesAreTheServersErrorsWhereAsked) {
  PoolProcess pool(ini(cat(kOneLink, "statement_errors = postgres\n")));
  auto client = client_of(pool);
  ask(*client, parse("s", "select 1") + sync());
  ask(*client, query("begin"));

  EXPECT_EQ(ask(*client, execute("nothing") + sync()), "EZ");
  EXPECT_EQ(client->error_state(), "26000");
  EXPECT_EQ(client->error_text(), "prepared statement \"nothing\" does not exist");
  EXPECT_EQ(ask(*client, query("rollback")), "CZ");
  EXPECT_EQ(ask(*client, parse("s", "select 2") + sync()), "EZ");
  EXPECT_EQ(client->error_state(), "42P05");
  EXPECT_EQ(ask(*client, execute("s") + sync()), "2TDCZ");
}

TEST_F(PoolPrepared, SessionModeLeavesTheNamesToTheServer) {
  PoolProcess pool(ini(cat(kOneLink, "pool_mode = session\n")));
  {
    auto client = client_of(pool);
    EXPECT_EQ(ask(*client, parse("s", "select 7") + execute("s") + sync()), "12TDCZ");

    EXPECT_EQ(value_of(*client, "select name from pg_prepared_statements"), "s");
    EXPECT_EQ(value_of(*client, "execute s"), "7");
    EXPECT_EQ(ask(*client, query("deallocate s")), "CZ");
    EXPECT_EQ(ask(*client, execute("s") + sync()), "EZ");
    EXPECT_EQ(client->error_state(), "26000");
    EXPECT_EQ(ask(*client, parse("s", "select 8") + parse("t", "select 9") + sync()), "11Z");
    EXPECT_EQ(ask(*client, parse("t", "select 9") + sync()), "EZ");
    EXPECT_EQ(client->error_state(), "42P05");
  }
  auto next = client_of(pool);
  EXPECT_EQ(on_server(*next), "0");
}

TEST_F(PoolPrepared, NamesLeftToTheServerAreCountedByTheirTexts) {
  for (const char* settings : {"pool_mode = session\n", "max_prepared_statements = 0\n"}) {
    PoolProcess pool(ini(cat(kOneLink, settings)));
    auto client = client_of(pool);
    ask(*client, parse("s", "select 7") + parse("t", "select 'x' || 'y'") + sync());
    for (int i = 0; i < 3; ++i) ask(*client, execute("s") + execute("t") + execute("s") + sync());
    ask(*client, close_of("s") + parse("s", "select 7, 8") + execute("s") + sync());

    EXPECT_EQ(calls(pool, "select $1"), "6") << settings;
    EXPECT_EQ(calls(pool, "select $1 || $2"), "3") << settings;
    EXPECT_EQ(calls(pool, "select $1, $2"), "1") << settings;
  }
}

TEST_F(PoolPrepared, StatementOutdatedByASchemaChangeIsPreparedAgain) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)"));
  PoolProcess pool(ini(kOneLink));
  auto client = client_of(pool);
  EXPECT_EQ(ask(*client, parse("s", "select * from t") + execute("s") + sync()), "12TDCZ");
  must(direct.exec("ALTER TABLE t ADD b int"));

  EXPECT_EQ(ask(*client, execute("s") + sync()), "EZ");
  EXPECT_EQ(client->error_state(), "0A000");

  EXPECT_EQ(ask(*client, execute("s") + sync()), "2TDCZ");
}

TEST_F(PoolPrepared, ClientGoneInAPipelineCostsNoLink) {
  PoolProcess pool(ini(kOneLink));
  {
    auto gone = client_of(pool);
    ask(*gone, parse("s", "select pg_sleep(0.2)") + sync());
    gone->send(execute("s") + parse("t", "select pg_sleep(0.2)") + execute("t") + sync());
  }
  auto next = client_of(pool);

  EXPECT_EQ(ask(*next, parse("s", "select 1") + execute("s") + sync()), "12TDCZ");
}

TEST_F(PoolPrepared, PgbenchPreparedHasMoreClientsThanServers) {
  PoolProcess pool(ini("default_pool_size = 3\nworkers = 2\nmax_client_conn = 100\n"));
  Scratch scratch;
  // No transaction blocks: pgbench prepares synchronously, and would wait in one client for a link
  // that another client of the same thread holds.
  const std::string script =
      scratch.write("q.sql", "\\set a random(1, 100)\nselect :a + 1;\nselect :a + 2;\n");

  const auto outcome =
      run({"pgbench", "-n", "-M", "prepared", "-f", script, "-c", "24", "-j", "2", "-t", "40"},
          environment_of(through(pool)));

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("960/960"), std::string::npos) << outcome.out;
}

TEST_F(PoolPrepared, PsycopgPreparesAndForgetsAsItLikes) {
  PoolProcess pool(ini("default_pool_size = 2\nworkers = 2\n"));

  const auto outcome = python(pool, R"(
import psycopg
conns = [psycopg.connect(dsn, autocommit=True, prepare_threshold=1) for _ in range(6)]
for conn in conns:
    conn.prepared_max = 3
for i in range(60):
    for conn in conns:
        assert conn.execute(f"select %s + {i % 7}", (i,)).fetchone()[0] == i + i % 7
        try:
            conn.execute("select 1 / %s", (i % 2,))
        except psycopg.errors.DivisionByZero:
            pass
print("done")
)");

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "done\n");
}

}  // namespace
}  // namespace pgtend::e2e
