// Ordinary work through the pool with real drivers: psql, pgbench, psycopg.
#include <algorithm>
#include <atomic>
#include <thread>

#include "base/text.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

class PoolQueries : public PoolTest {};

TEST_F(PoolQueries, ManyClientsShareExactlyThePoolSize) {
  auto direct = connect();
  PoolProcess pool(ini("default_pool_size = 3\nmax_client_conn = 200\n"));
  Scratch scratch;
  const std::string script = scratch.write("q.sql", "select pg_sleep(0.002);\n");
  const auto environment = environment_of(through(pool));
  int64_t most = 0;
  for (const char* mode : {"simple", "extended"}) {
    std::atomic<bool> done = false;
    Outcome outcome;
    std::thread load([&] {
      outcome = run({"pgbench", "-n", "-M", mode, "-f", script, "-c", "40", "-j", "2", "-t", "30"},
                    environment);
      done = true;
    });
    wait_until([&] {
      most = std::max(most, backends(direct));
      return done.load();
    });
    load.join();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("number of failed transactions: 0 "), std::string::npos)
        << outcome.out;
  }

  EXPECT_EQ(most, 3);
  EXPECT_EQ(backends(direct), 3);
}

TEST_F(PoolQueries, TransactionsOfManyClientsStayWhole) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE total (n int8); INSERT INTO total VALUES (0)"));
  PoolProcess pool(ini("default_pool_size = 4\n"));
  Scratch scratch;
  const std::string script = scratch.write(
      "q.sql", "begin;\nupdate total set n = n + 1;\nupdate total set n = n + 1;\nend;\n");

  const auto outcome = run({"pgbench", "-n", "-f", script, "-c", "20", "-j", "2", "-t", "20"},
                           environment_of(through(pool)));

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(must(must(direct.query("SELECT n FROM total"))[0].get<int64_t>(0)), 800);
}

TEST_F(PoolQueries, PipelinesAndTheirErrorsStayInStep) {
  PoolProcess pool(ini("default_pool_size = 2\n"));

  const auto outcome = python(pool, R"py(
conn = connect()
with conn.pipeline():
    cursors = [conn.execute('select %s::int', (i,)) for i in range(500)]
print(sum(cursor.fetchone()[0] for cursor in cursors))
try:
    with conn.pipeline():
        conn.execute('select 1'); conn.execute('select 1/0'); conn.execute('select 2')
except psycopg.errors.DivisionByZero as error:
    print(error.sqlstate)
print(conn.execute('select 5').fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "124750\n22012\n5\n") << outcome.err << pool.log();
}

TEST_F(PoolQueries, APipelineThatWasNotSyncedIsNotCommitted) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE kept (n int8)"));
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
conn = connect()
raw = conn.pgconn
raw.enter_pipeline_mode()
raw.send_query_params(b'insert into kept values (1) returning n', [])
raw.send_flush_request()
raw.flush()
while raw.is_busy():
    raw.consume_input()
print(raw.get_result().get_value(0, 0).decode())
raw.finish()
conn = connect()
print(conn.execute('select count(*) from kept').fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "1\n0\n") << outcome.err << pool.log();
  EXPECT_EQ(must(must(direct.query("SELECT count(*) FROM kept"))[0].get<int64_t>(0)), 0);
}

TEST_F(PoolQueries, CopyMovesMegabytesBothWays) {
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
conn = connect()
conn.execute('create table big (id int, t text)')
row = 'x' * 100
with conn.cursor() as cursor:
    with cursor.copy('copy big from stdin') as copy:
        for i in range(100000):
            copy.write(f'{i}\t{row}\n')
    print(cursor.execute('select count(*), sum(id) from big').fetchone())
    size = 0
    with cursor.copy('copy big to stdout') as copy:
        for block in copy:
            size += len(block)
    print(size)
    try:
        with cursor.copy('copy big from stdin') as copy:
            for i in range(100000):
                copy.write('bad\tbad\tbad\n')
    except psycopg.errors.BadCopyFileFormat as error:
        print(error.sqlstate)
print(conn.execute('select 6').fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "(100000, 4999950000)\n10688890\n22P04\n6\n") << outcome.err << pool.log();
}

TEST_F(PoolQueries, MessagesLargerThanAnyBufferStream) {
  PoolProcess pool(ini(""));

  const auto outcome = python(pool, R"py(
conn = connect()
print(len(conn.execute("select repeat('y', 30000000)").fetchone()[0]))
print(conn.execute('select length(%s)', ('z' * 20000000,)).fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "30000000\n20000000\n") << outcome.err << pool.log();
}

TEST_F(PoolQueries, SettingsFollowTheClientNotTheServer) {
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
sql = "select current_setting('timezone'), current_setting('application_name')"
one = connect(options='-c timezone=Europe/Rome', application_name='one')
two = connect(options='-c timezone=Asia/Tokyo', application_name='two')
for _ in range(2):
    print(one.execute(sql).fetchone(), two.execute(sql).fetchone())
one.execute("set timezone = 'America/Lima'")
print(two.execute(sql).fetchone()[0], one.execute(sql).fetchone()[0])
print(one.info.parameter_status('TimeZone'))
)py");

  EXPECT_EQ(outcome.out,
            "('Europe/Rome', 'one') ('Asia/Tokyo', 'two')\n"
            "('Europe/Rome', 'one') ('Asia/Tokyo', 'two')\n"
            "Asia/Tokyo America/Lima\nAmerica/Lima\n")
      << outcome.err << pool.log();
}

TEST_F(PoolQueries, RefusedParameterClosesOnlyItsClient) {
  PoolProcess pool(ini("default_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
good = connect()
good.execute('select 1')
try:
    connect(options='-c timezone=Nonsense').execute('select 1')
except psycopg.OperationalError as error:
    print('Nonsense' in str(error))
print(good.execute('select 7').fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "True\n7\n") << outcome.err << pool.log();
}

TEST_F(PoolQueries, SessionModeResetsWhatAClientLeft) {
  PoolProcess pool(ini("pool_mode = session\ndefault_pool_size = 1\n"));

  const auto outcome = python(pool, R"py(
one = connect()
one.execute('create temp table mine (a int)')
one.execute('set work_mem = 12345')
one.close()
two = connect()
print(two.execute('show work_mem').fetchone()[0] != '12345kB')
print(two.execute("select count(*) from pg_class where relname = 'mine'").fetchone()[0])
)py");

  EXPECT_EQ(outcome.out, "True\n0\n") << outcome.err << pool.log();
}

}  // namespace
}  // namespace pgtend::e2e
