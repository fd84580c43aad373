// Bytes that arrive one by one, late or not at all, on both sides of the pool: every answer stays
// what it was, and what breaks breaks for its own client only.
#include <functional>
#include <memory>
#include <ostream>
#include <thread>

#include "base/text.h"
#include "e2e/support/pool.h"
#include "e2e/support/splitter.h"

namespace pgtend::e2e {
namespace {

// What clients say in each of the protocol's ways, and what they are told.
constexpr const char* kConversation = R"py(
import psycopg, threading, time

def state_of(call, *args):
    try:
        call(*args)
    except psycopg.Error as error:
        return error.sqlstate
    return 'none'

conn = psycopg.connect('', autocommit=True)
other = psycopg.connect('', autocommit=True)
raw = psycopg.ClientCursor(conn)

def rows(sql, *args, **how):
    return conn.execute(sql, args or None, **how).fetchall()

conn.execute('drop table if exists split')
conn.execute('create table split (id int primary key, name text)')
print('simple', raw.execute("select 1, 'two', null, repeat('x', 300)").fetchall())
print('several', raw.execute('select 1; select 2; select 3').nextset(), raw.fetchall())
print('extended', rows('select %s::int, %s::text', 7, 'ü' * 100))
print('prepared', [rows('select %s::int * 2', i, prepare=True)[0][0] for i in range(20)])
print('binary', conn.execute('select %b::bytea', (bytes(range(256)),), binary=True).fetchall())
with conn.cursor().copy('copy split from stdin') as copy:
    for i in range(200):
        copy.write_row((i, f'name {i}'))
with conn.cursor().copy('copy (select * from split order by id) to stdout') as copy:
    print('copy', b''.join(copy))
def broken():
    with conn.cursor().copy('copy split from stdin') as copy:
        copy.write('1\tno\n')
print('broken copy', state_of(broken), rows('select count(*) from split'))
with conn.pipeline() as pipe:
    curs = [conn.execute('select %s::int + 1', (i,), prepare=True) for i in range(20)]
    pipe.sync()
    curs += [conn.execute('select %s::text', (f't{i}',)) for i in range(5)]
print('pipeline', [cur.fetchone()[0] for cur in curs])
def broken_pipeline():
    with conn.pipeline():
        conn.execute('insert into split values (900)')
        conn.execute('select 1 / %s::int', (0,))
        conn.execute('insert into split values (901)')
print('broken pipeline', state_of(broken_pipeline), rows('select count(*) from split'))
print('big', len(rows('select %s::text', 'y' * 40000)[0][0]), rows("select repeat('z', 40000)"))
print('errors', [state_of(conn.execute, sql) for sql in
                 ('selec 1', 'select 1/0', 'insert into split values (1)')], rows('select 1'))
with conn.transaction():
    print('transaction', rows('select count(*) from split'), state_of(lambda: None))
def napping():
    return other.execute("select count(*) from pg_stat_activity where wait_event = 'PgSleep' "
                         "and datname = current_database()").fetchone()[0]
def cancel():
    while not napping():
        pass
    conn.cancel()
thread = threading.Thread(target=cancel)
thread.start()
print('cancel', state_of(conn.execute, 'select pg_sleep(60)'))
thread.join()
print('after it', rows('select 1'))
conn.execute("set timezone = 'Asia/Tokyo'")
print('time zone', [rows('show timezone') for _ in range(4)], conn.info.timezone)
)py";

// Clients that each ask with tags of their own, and begin again when their connection breaks.
// Prints how many answers and breaks there were; an answer that is not its question's ends it.
constexpr const char* kTaggedLoad = R"py(
import psycopg, threading, sys

count = {'right': 0, 'broken': 0}
wrong = []
lock = threading.Lock()

def one_life(me, turn):
    with psycopg.connect('', autocommit=True, connect_timeout=20) as conn:
        conn.execute(f"set application_name = 'tag{me}'")
        for i in range(12):
            tag = f'{me}.{turn}.{i}.' + 'x' * (i * 300)
            if i % 4 == 3:
                with conn.transaction():
                    conn.execute('select %s::text', (tag,), prepare=True)
                    got = conn.execute("select %s::text, current_setting('application_name')",
                                       (tag,), prepare=True).fetchall()
            elif i % 4 == 2:
                with conn.cursor().copy(f"copy (select '{tag}'::text, "
                                        "current_setting('application_name')) to stdout") as copy:
                    got = [tuple(b''.join(copy).decode().rstrip('\n').split('\t'))]
            else:
                got = conn.execute("select %s::text, current_setting('application_name')", (tag,),
                                   prepare=i % 2 == 0).fetchall()
            if got != [(tag, f'tag{me}')]:
                wrong.append((me, turn, i, got))
            with lock:
                count['right'] += 1

def client(me):
    for turn in range(12):
        try:
            one_life(me, turn)
        except psycopg.OperationalError:
            with lock:
                count['broken'] += 1
        except BaseException as error:
            wrong.append((me, turn, repr(error)))

threads = [threading.Thread(target=client, args=(me,)) for me in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(count['right'], count['broken'])
sys.exit(repr(wrong[:3]) if wrong else 0)
)py";

class PoolSplitter : public PoolTest {
 protected:
  Settings settings() const override { return {{"jit", "off"}}; }

  // The pool's file, with `server` before the server.
  std::string ini_to(const Splitter& server, const std::string& settings) const {
    pg::Options options = tcp_options();
    options.set("port", cat(server.port()));
    return cat(database_line(database(), options),
               "[pgbouncer]\nauth_type = trust\nadmin_users = app\nserver_login_retry = 0.1\n"
               "workers = 2\nignore_startup_parameters = extra_float_digits\n",
               settings);
  }
  pg::Options through_port(const PoolProcess& pool, int port) const {
    return through(pool).set("port", cat(port));
  }
  int server_port() const { return std::stoi(tcp_options().get("port")); }
  static Outcome python_at(const pg::Options& options, const char* script) {
    return run({"/usr/bin/python3", "-c", script}, environment_of(options), "", seconds(120));
  }
};

TEST_F(PoolSplitter, BytesThatComeOneByOneChangeNoAnswer) {
  if (run({"/usr/bin/python3", "-c", "import psycopg"}).exit_code != 0) {
    GTEST_SKIP() << "psycopg is missing: apt-get install python3-psycopg";
  }
  const uint64_t seed = split_seed(1);
  const Outcome direct = python_at(tcp_options(), kConversation);
  ASSERT_EQ(direct.exit_code, 0) << direct.err;
  for (const std::string mode : {"session", "transaction"}) {
    Splitter server(server_port(), {.piece_max = 1}, seed);
    PoolProcess pool(
        ini_to(server, cat("pool_mode = ", mode, "\nserver_round_robin = 1\nmin_pool_size = 2\n")));
    Splitter client(pool.port(), {.piece_max = 1}, seed + 1);

    const Outcome split = python_at(through_port(pool, client.port()), kConversation);

    EXPECT_EQ(split.exit_code, 0) << split.err << pool.log();
    EXPECT_EQ(split.out, direct.out) << mode;
    EXPECT_GT(client.bytes(), 100'000u);
    EXPECT_EQ(client.bytes(), client.pieces());
    EXPECT_EQ(server.bytes(), server.pieces());
  }
}

TEST_F(PoolSplitter, PiecesAndPausesChangeNoAnswerOfThePrograms) {
  const uint64_t seed = split_seed(2);
  const std::string folder = PGTEND_SOURCE_DIR "/test/e2e/drivers";
  for (const std::string program : {"psql", "pgbench"}) {
    const auto matrix = [&](pg::Options options, const std::string& mode) {
      Environment environment = environment_of(options);
      environment.emplace_back("MATRIX_MODE", mode);
      return run({"sh", cat(folder, "/", program, "_matrix.sh")}, environment, "", seconds(120));
    };
    for (const std::string mode : {"session", "transaction"}) {
      const Outcome direct = matrix(tcp_options(), mode);
      ASSERT_EQ(direct.exit_code, 0) << direct.err;
      const Cuts cuts{.piece_max = 3000, .pauses = 2};
      Splitter server(server_port(), cuts, seed);
      PoolProcess pool(ini_to(
          server, cat("pool_mode = ", mode, "\ndefault_pool_size = 8\nmin_pool_size = 3\n")));
      Splitter client(pool.port(), cuts, seed + 1);

      const Outcome split = matrix(through_port(pool, client.port()), mode);

      EXPECT_EQ(split.exit_code, 0) << split.err << pool.log();
      EXPECT_EQ(split.out, direct.out) << program << ' ' << mode;
    }
  }
}

// On which sides connections are reset.
struct Sides {
  const char* name;
  bool client;
  bool server;
};

std::ostream& operator<<(std::ostream& out, const Sides& sides) { return out << sides.name; }

class PoolResets : public PoolSplitter, public ::testing::WithParamInterface<Sides> {};

TEST_P(PoolResets, AConnectionThatBreaksCostsNobodyElse) {
  if (run({"/usr/bin/python3", "-c", "import psycopg"}).exit_code != 0) {
    GTEST_SKIP() << "psycopg is missing: apt-get install python3-psycopg";
  }
  const uint64_t seed = split_seed(3);
  auto direct = connect();
  const auto cuts = [](bool resets) {
    return Cuts{.piece_max = 400, .pauses = 5, .reset_after_max = resets ? 20'000u : 0u};
  };
  Splitter server(server_port(), cuts(GetParam().server), seed);
  PoolProcess pool(ini_to(server, "pool_mode = transaction\ndefault_pool_size = 3\n"));
  Splitter client(pool.port(), cuts(GetParam().client), seed + 1);

  const Outcome load = python_at(through_port(pool, client.port()), kTaggedLoad);
  client.calm();
  server.calm();

  EXPECT_EQ(load.exit_code, 0) << load.err << pool.log();
  EXPECT_GT(std::stoi(load.out), 50) << load.out;
  EXPECT_EQ(GetParam().client, client.resets() > 0);
  EXPECT_EQ(GetParam().server, server.resets() > 0);
  // Nothing stays behind, and each slot still has its use.
  EXPECT_TRUE(wait_until([&] { return pools(pool, "sv_active") == "0"; }));
  EXPECT_EQ(pools(pool, "cl_active"), "0");
  EXPECT_EQ(pools(pool, "cl_waiting"), "0");
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(client_of(pool));
    begin(*clients.back());
  }
  EXPECT_EQ(pools(pool, "sv_active"), "3");
  EXPECT_TRUE(wait_until([&] { return backends(direct) == 3; }));
}

INSTANTIATE_TEST_SUITE_P(Sides, PoolResets,
                         ::testing::Values(Sides{"clients", true, false},
                                           Sides{"servers", false, true},
                                           Sides{"both", true, true}),
                         [](const auto& sides) { return std::string(sides.param.name); });

}  // namespace
}  // namespace pgtend::e2e
