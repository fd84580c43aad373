// What the pool tells of its work: shapes of queries, histograms, events.
#include <csignal>
#include <map>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

class PoolStatistics : public PoolTest {
 protected:
  using Row = std::map<std::string, std::string, std::less<>>;

  std::vector<Row> table(const PoolProcess& pool, const std::string& command) const {
    const pg::Rows rows = console(pool, command);
    std::vector<Row> all;
    for (int row = 0; row < rows.size(); ++row) {
      Row cells;
      for (int i = 0; i < rows.columns(); ++i) {
        cells[std::string(rows.column_name(i))] = rows[row].text(i);
      }
      all.push_back(std::move(cells));
    }
    return all;
  }
  // The row of a shape by its text.
  Row query_row(const PoolProcess& pool, std::string_view text) const {
    for (const Row& row : table(pool, "SHOW QUERIES")) {
      if (row.at("query") == text) return row;
    }
    return {};
  }
  int64_t calls_of_all(const PoolProcess& pool) const {
    int64_t calls = 0;
    for (const Row& row : table(pool, "SHOW QUERIES")) calls += must(parse_int(row.at("calls")));
    return calls;
  }
};

TEST_F(PoolStatistics, MemoryFollowsWhatClientsNeed) {
  PoolProcess pool(ini("default_pool_size = 3\nworkers = 2\n"));
  const auto used = [&](std::string_view name) { return shown(pool, "SHOW MEM", name, "used"); };
  EXPECT_EQ(used("client_cache"), "1");  // who asks
  EXPECT_EQ(used("server_cache"), "0");
  EXPECT_EQ(used("pool_cache"), "0");
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(client_of(pool));
  for (size_t i = 0; i < 3; ++i) begin(*clients[i]);
  std::string prepare;
  wire::frontend::append_parse(prepare, {"s", "select 1"});
  wire::frontend::append_sync(prepare);
  clients[0]->send(prepare);
  clients[0]->read_until('Z');
  // Who does not read has chunks of its own.
  clients[1]->send(query("select repeat('x', 1000) from generate_series(1, 50000)"));

  // A console connection that has just ended may still count.
  EXPECT_TRUE(wait_until([&] { return used("client_cache") == "6"; }));
  EXPECT_EQ(used("server_cache"), "3");
  EXPECT_EQ(used("server_prepared_statement_cache"), "1");
  EXPECT_TRUE(wait_until([&] { return used("iobuf_cache") != "0"; }));

  clients.clear();

  EXPECT_TRUE(wait_until([&] { return used("client_cache") == "1"; }));
  EXPECT_TRUE(wait_until([&] { return used("iobuf_cache") == "0"; }));
  EXPECT_EQ(used("server_prepared_statement_cache"), "0");
  for (const Row& row : table(pool, "SHOW MEM")) {
    const auto number = [&](const char* name) { return must(parse_int(row.at(name))); };
    EXPECT_GT(number("size"), 0) << row.at("name");
    EXPECT_EQ(number("memtotal"), number("size") * (number("used") + number("free")))
        << row.at("name");
  }
  EXPECT_NE(shown(pool, "SHOW MEM", "iobuf_cache", "free"), "0");
}

TEST_F(PoolStatistics, QueriesCountByShapeInEveryProtocol) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE readings (id int, value int)"));
  PoolProcess pool(ini("default_pool_size = 2\nworkers = 2\n"));
  const auto outcome =
      python(pool,
             "for i in range(4):\n"
             "  with connect() as c:\n"
             "    c.execute('insert into readings values (%s, %s), (%s, %s)', (i, 1, i, 2))\n"
             "    c.execute(f'select * from readings where id = {i}')\n"
             "    c.execute('select * from readings where id = %s', (i,), prepare=True)\n"
             "    try: c.execute('select 1 / 0 as broken')\n"
             "    except psycopg.Error: pass\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;

  const Row insert = query_row(pool, "insert into readings values ($1, $2)");
  ASSERT_FALSE(insert.empty());
  EXPECT_EQ(insert.at("calls"), "4");
  EXPECT_EQ(insert.at("rows"), "8");
  EXPECT_EQ(insert.at("database"), database());
  // Simple, extended and prepared: of one shape, whatever the driver makes of the values.
  const Row select = query_row(pool, "select * from readings where id = $1");
  ASSERT_FALSE(select.empty());
  EXPECT_EQ(select.at("calls"), "8");
  EXPECT_EQ(select.at("rows"), "16");
  EXPECT_EQ(select.at("errors"), "0");
  EXPECT_GT(must(parse_int(select.at("bytes"))), 16 * 20);
  EXPECT_GE(must(parse_int(select.at("max_time"))), must(parse_int(select.at("p50_time"))));
  const Row broken = query_row(pool, "select $1 / $2 as broken");
  ASSERT_FALSE(broken.empty());
  EXPECT_EQ(broken.at("calls"), "4");
  EXPECT_EQ(broken.at("errors"), "4");
}

TEST_F(PoolStatistics, NoLiteralIsEverShown) {
  PoolProcess pool(ini(""));
  auto client = client_of(pool);
  ask(*client, "select 'canary-4711' as \"kept\", $$canary-4711$$ /* canary-4711 */");

  const Row row = query_row(pool, "select $1 as \"kept\", $2");
  EXPECT_FALSE(row.empty());
  for (const Row& each : table(pool, "SHOW QUERIES")) {
    EXPECT_EQ(each.at("query").find("canary"), std::string::npos);
  }
}

TEST_F(PoolStatistics, SumsStayExactWithMoreShapesThanAreKept) {
  PoolProcess pool(ini("workers = 1\n"));
  auto client = client_of(pool);
  std::string many;
  constexpr int kShapes = 1500;
  for (int i = 0; i < kShapes; ++i) many += query(cat("select 1 as c", i));
  client->send(many);
  for (int i = 0; i < kShapes; ++i) ASSERT_EQ(client->read_until('Z'), "TDCZ");

  EXPECT_EQ(calls_of_all(pool), kShapes);
  EXPECT_LE(table(pool, "SHOW QUERIES").size(), 1001u);
}

TEST_F(PoolStatistics, HistogramsCountWhatTheTotalsCount) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto one = client_of(pool);
  auto two = client_of(pool);
  begin(*one);
  two->send(query("select 1"));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "cl_waiting") == "1"; }));
  one->send(query("end"));
  one->read_until('Z');
  two->read_until('Z');

  std::map<std::string, Row> kinds;
  for (Row& row : table(pool, "SHOW HISTOGRAMS")) kinds[row.at("kind")] = row;
  EXPECT_EQ(kinds.at("query").at("count"), "3");
  EXPECT_EQ(kinds.at("transaction").at("count"), "2");
  EXPECT_EQ(kinds.at("wait").at("count"), "2");
  EXPECT_GT(must(parse_int(kinds.at("wait").at("max_time"))), 0);
  EXPECT_TRUE(kinds.at("wait").at("buckets").starts_with("0:1 ")) << kinds.at("wait").at("buckets");
}

TEST_F(PoolStatistics, LoadsSchemaChangesAndLostServersAreEvents) {
  PoolProcess pool(ini("default_pool_size = 1\n"));
  auto client = client_of(pool);
  for (const char* sql :
       {"create table loaded (id int)", "insert into loaded select generate_series(1, 2000)",
        "insert into loaded values (1)", "copy (select 1) to stdout"}) {
    client->send(query(sql));
    client->read_until('Z');
  }
  const std::string backend = ask(*client, "select pg_backend_pid()");
  must(connect().query("SELECT pg_terminate_backend($1::int)", {backend}));
  ASSERT_TRUE(wait_until([&] { return pools(pool, "sv_idle") == "0"; }));

  const auto events = table(pool, "SHOW EVENTS");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].at("kind") + ' ' + events[0].at("command") + ' ' + events[0].at("target"),
            "schema CREATE TABLE loaded");
  EXPECT_EQ(events[1].at("kind") + ' ' + events[1].at("command") + ' ' + events[1].at("target") +
                ' ' + events[1].at("rows"),
            "load INSERT loaded 2000");
  EXPECT_EQ(events[2].at("kind"), "failure");
}

}  // namespace
}  // namespace pgtend::e2e
