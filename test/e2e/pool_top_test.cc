// pgtend pool top against a real pool, a stock PgBouncer, and on a real terminal.
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "e2e/support/pool.h"
#include "pg/account.h"

namespace pgtend::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";

class PoolTop : public PoolTest {
 protected:
  // As `user` at the pool's console.
  static Outcome top(const PoolProcess& pool, std::vector<std::string> words,
                     const std::string& user = "app") {
    const std::vector<std::string> all = {kProgram, "pool",           "top", "-h", "127.0.0.1",
                                          "-p",     cat(pool.port()), "-U",  user};
    words.insert(words.begin(), all.begin(), all.end());
    return run(words, {{"LC_ALL", "C.UTF-8"}, {"PGSSLMODE", "disable"}});
  }

  // Keeps asking until destroyed.
  class Load {
   public:
    Load(PoolTop& test, const PoolProcess& pool)
        : client_(test.client_of(pool)), thread_([this] {
            while (!done_) {
              client_->send(query("select 4711 as \"a\x1b[2J\""));
              client_->read_until('Z');
            }
          }) {}
    ~Load() {
      done_ = true;
      thread_.join();
    }

   private:
    std::unique_ptr<RawClient> client_;
    std::atomic<bool> done_ = false;
    std::thread thread_;
  };

  // Runs `pgtend pool top` on a pseudo terminal of 100 columns and 30 lines, and `script` beside
  // it. There: read_until(text), press(keys), resize(columns, lines), child, end() for its exit
  // code. Prints whether the terminal was given back.
  Outcome on_terminal(const PoolProcess& pool, const std::string& script) const;
};

constexpr const char* kTerminalScript = R"py(
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, time
master, slave = pty.openpty()
def resize(columns, lines):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))
resize(100, 30)
before = termios.tcgetattr(slave)
environment = {k: v for k, v in os.environ.items() if k != 'NO_COLOR'}
environment.update(TERM='xterm', LC_ALL='C.UTF-8', PGSSLMODE='disable')
def own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                         preexec_fn=own_terminal)
seen = b''
whole = b''
def more(limit):
    global seen, whole
    if select.select([master], [], [], limit)[0]:
        piece = os.read(master, 65536)
        seen += piece
        whole += piece
def read_until(text, limit=20):
    global seen
    deadline = time.monotonic() + limit
    while text.encode() not in seen:
        if time.monotonic() > deadline:
            print('never shown:', text, seen[-3000:])
            child.kill()
            sys.exit(1)
        more(0.2)
    seen = seen[seen.index(text.encode()) + len(text.encode()):]
def press(keys):
    os.write(master, keys.encode())
def end():
    global seen
    deadline = time.monotonic() + 10
    while child.poll() is None and time.monotonic() < deadline:
        more(0.05)
    more(0)
    print('exit code', child.poll())
    print('keys restored', termios.tcgetattr(slave) == before)
    print('page restored', whole.rstrip().endswith(b'\x1b[?7h\x1b[?25h\x1b[?1049l'))
)py";

Outcome PoolTop::on_terminal(const PoolProcess& pool, const std::string& script) const {
  const std::string command =
      cat("command = ['", kProgram, "', 'pool', 'top', '-h', '127.0.0.1', '-p', '", pool.port(),
          "', '-U', 'app', '--interval', '1']\n");
  return run({"/usr/bin/python3", "-c", cat(command, kTerminalScript, script)});
}

constexpr const char* kRestored = "keys restored True\npage restored True\n";

TEST_F(PoolTop, ASnapshotShowsWhatHappenedInItsInterval) {
  PoolProcess pool(ini("default_pool_size = 2\n"));
  const Load load(*this, pool);

  const auto outcome = top(pool, {"--once", "--interval", "1"});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("active   127.0.0.1:"));
  EXPECT_THAT(outcome.out, HasSubstr("pgtend-pool "));
  EXPECT_THAT(outcome.out, HasSubstr("rates of the 1.0"));
  EXPECT_THAT(outcome.out, HasSubstr(" before 20"));
  EXPECT_THAT(outcome.out, HasSubstr("select $1 as \"a\\x1b[2J\"\n"));
  EXPECT_THAT(outcome.out, HasSubstr(database()));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(outcome.out, Not(testing::ContainsRegex("[ :]-[0-9]")));
}

TEST_F(PoolTop, JsonIsADocumentForEachReading) {
  PoolProcess pool(ini("default_pool_size = 2\n"));
  const Load load(*this, pool);

  const auto outcome = top(pool, {"--json", "--count", "2", "--interval", "1"});

  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const size_t end = outcome.out.find("\n}\n") + 3;
  for (const std::string& text : {outcome.out.substr(0, end), outcome.out.substr(end)}) {
    const auto document = parse_json(text);
    ASSERT_TRUE(document) << document.error().message << text;
    EXPECT_EQ(document->at("schema"), "pgtend.pool.top/1");
    const json::value& data = document->at("data");
    EXPECT_EQ(data.at("state"), "active");
    EXPECT_GT(data.at("rates").at("queries_per_s").to_number<double>(), 0);
    const json::value& shape = data.at("queries").at(0);
    EXPECT_EQ(shape.at("query"), "select $1 as \"a\\x1b[2J\"");
    EXPECT_EQ(shape.at("database").as_string(), database());
    EXPECT_EQ(shape.at("rows"), shape.at("calls"));
    EXPECT_EQ(shape.at("errors"), 0);
    EXPECT_GT(data.at("pools").at(0).at("query").at("count").to_number<int64_t>(), 0);
  }
}

TEST_F(PoolTop, AUserForStatisticsIsEnoughAndAnotherIsRefused) {
  PoolProcess pool(ini("stats_users = watcher\n"));

  const auto allowed = top(pool, {"--once", "--interval", "1"}, "watcher");
  const auto refused = top(pool, {"--once"}, "stranger");
  const auto refused_table = run({kProgram, "pool", "-h", "127.0.0.1", "-p", cat(pool.port()), "-U",
                                  "stranger", "-d", "dbname=pgbouncer sslmode=disable"});

  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  for (const Outcome& outcome : {refused, refused_table}) {
    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("stats_users"));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(PoolTop, NoPoolerIsExitThreeAndAServerIsToldApart) {
  Scratch nothing;
  const auto none = run({kProgram, "pool", "top", "--once", "-h", nothing.path()});
  const auto server =
      run({kProgram, "pool", "top", "--once", "-d", "pgbouncer"}, environment_of(options()));

  EXPECT_EQ(none.exit_code, 3) << none.err;
  EXPECT_THAT(none.err, HasSubstr("next: "));
  EXPECT_EQ(server.exit_code, 2) << server.err;
  EXPECT_THAT(server.err, HasSubstr("not a pooler"));
}

TEST_F(PoolTop, APoolerThatDoesNotAnswerIsGivenUp) {
  PoolProcess pool(ini(""));
  pool.signal(SIGSTOP);

  const auto outcome = top(pool, {"--once"});
  pool.signal(SIGCONT);

  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("no answer within 5 s"));
}

TEST_F(PoolTop, WrongOptionsAreUsageErrors) {
  PoolProcess pool(ini(""));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--sort", "tme"},
                                                {"--interval", "0"},
                                                {"--once", "--count", "2"},
                                                {"--count", "-1"}}) {
    EXPECT_EQ(top(pool, words).exit_code, 2) << words[0];
  }
  EXPECT_THAT(top(pool, {"--sort", "tme"}).err, HasSubstr("did you mean time?"));
}

TEST_F(PoolTop, TheViewObeysKeysAndGivesTheTerminalBack) {
  PoolProcess pool(ini(""));
  const Load load(*this, pool);

  const auto outcome = on_terminal(pool, R"py(
read_until('\x1b[?1049h')
read_until('queries/s')
read_until('select $1 as "a\\x1b[2J"')
press('c'); read_until('by calls')
press('s'); read_until('by mean')
press('?'); read_until('scroll by a row')
press('\x1b'); read_until('select $1')
press('p'); read_until('paused: p goes on')
press(' '); read_until('select $1')
press('\t\t\t'); read_until('\x1b[5;1H\x1b[1mtime')
press('\t'); read_until('query p95')
resize(20, 5); read_until('\x1b[5;1H\x1b[2mq quit  ? help  t c…')
resize(100, 30); read_until('\x1b[30;1H')
press('+'); read_until('every 2 s')
press('q')
end()
)py");

  EXPECT_EQ(outcome.out, cat("exit code 0\n", kRestored)) << outcome.err;
}

TEST_F(PoolTop, InterruptsGiveTheTerminalBackToo) {
  PoolProcess pool(ini(""));
  for (const char* stop : {"press('\\x03')", "child.send_signal(signal.SIGTERM)",
                           "child.send_signal(signal.SIGINT)"}) {
    const auto outcome = on_terminal(pool, cat("read_until('queries/s')\n", stop, "\nend()\n"));

    EXPECT_EQ(outcome.out, cat("exit code 130\n", kRestored)) << stop << outcome.err;
  }
}

// The system does not stop a process whose session has nobody to continue it, as here: the view
// comes back at once.
TEST_F(PoolTop, SuspendingGivesTheTerminalBackAndTakesItAgain) {
  PoolProcess pool(ini(""));

  const auto outcome = on_terminal(pool, R"py(
read_until('queries/s')
press('\x1a')
read_until('\x1b[?1049l')
read_until('\x1b[?1049h')
read_until('queries/s')
press('q')
end()
)py");

  EXPECT_EQ(outcome.out, cat("exit code 0\n", kRestored)) << outcome.err;
}

TEST_F(PoolTop, AMutePoolerIsSaidAndTheKeysStillWork) {
  PoolProcess pool(ini(""));

  const auto outcome = on_terminal(pool, cat("pool = ", pool.pid(), R"py(
read_until('queries/s')
os.kill(pool, signal.SIGSTOP)
read_until('trying again: SHOW')
press('?'); read_until('scroll by a row')
press('?'); read_until('trying again')
os.kill(pool, signal.SIGCONT)
read_until('a first look')
read_until('queries/s')
os.kill(pool, signal.SIGSTOP)
started = time.monotonic()
press('q')
end()
os.kill(pool, signal.SIGCONT)
print('at once', time.monotonic() - started < 2)
)py"));

  EXPECT_EQ(outcome.out, cat("exit code 0\n", kRestored, "at once True\n")) << outcome.err;
}

TEST_F(PoolTop, ARestartedPoolIsAFreshStart) {
  Scratch scratch;
  auto pool = std::make_optional<PoolProcess>(ini(""));
  const int port = pool->port();
  const std::string ready = scratch.path() + "/ready";
  Outcome outcome;
  std::thread terminal([&, process = &*pool] {
    outcome = on_terminal(*process, cat("read_until('queries/s')\nopen('", ready, R"py(', 'w')
read_until('trying again')
read_until('a first look')
read_until('queries/s')
import re
print('negative', re.search(rb'[ :]-[0-9]', whole) is not None)
press('q')
end()
)py"));
  });

  EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(ready); }, seconds(30)));
  pool.reset();
  pool.emplace(ini(""), "", port);
  terminal.join();

  EXPECT_EQ(outcome.out, cat("negative False\nexit code 0\n", kRestored)) << outcome.err;
}

// Where the benchmark has unpacked one (./run bench pool); its socket needs no port.
TEST_F(PoolTop, AStockPgBouncerIsShownAsFarAsItTells) {
  const std::string peers = PGTEND_SOURCE_DIR "/build/peers";
  const std::string program = peers + "/usr/sbin/pgbouncer";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "no PgBouncer in build/peers";
  Scratch scratch;
  const std::string home = scratch.path() + "/run";
  std::filesystem::create_directory(home);
  std::filesystem::permissions(home, std::filesystem::perms::all);
  const std::string account = must(pg::server_account()).name;
  const std::string file =
      scratch.write("pgbouncer.ini", cat(database_line(database(), options()),
                                         "[pgbouncer]\nauth_type = any\nlisten_port = 6543\n",
                                         "unix_socket_dir = ", home,
                                         "\nstats_users = app\npool_mode = transaction\n"));
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(file, std::filesystem::perms(0644));

  const auto outcome = run({"/usr/bin/python3", "-c",
                            cat(R"py(
import glob, os, subprocess, sys, threading, time
)py",
                                "program, file, home, account, pgtend, database, peers = '",
                                program, "', '", file, "', '", home, "', '", account, "', '",
                                kProgram, "', '", database(), "', '", peers, "'\n",
                                R"py(
libraries = ':'.join({os.path.dirname(p) for p in glob.glob(peers + '/usr/lib/*/*.so*')})
user = ['-u', account] if os.geteuid() == 0 else []
pooler = subprocess.Popen([program, '-q', *user, file], env={**os.environ, 'LD_LIBRARY_PATH': libraries})
deadline = time.monotonic() + 10
while not os.path.exists(home + '/.s.PGSQL.6543') and time.monotonic() < deadline:
    pooler.poll()
import psycopg
busy = True
def load():
    with psycopg.connect(host=home, port=6543, user='app', dbname=database, autocommit=True) as c:
        while busy:
            c.execute('select 1')
thread = threading.Thread(target=load)
thread.start()
for more in [], ['--json']:
    subprocess.run([pgtend, 'pool', 'top', '--once', '--interval', '1', '-h', home, '-p', '6543',
                    '-U', 'app', *more])
busy = False
thread.join()
pooler.terminate()
pooler.wait()
)py")});

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("PgBouncer 1."));
  EXPECT_THAT(outcome.out, HasSubstr("need pgtend-pool"));
  const auto document = parse_json(outcome.out.substr(outcome.out.find("\n{\n") + 1));
  ASSERT_TRUE(document) << outcome.out << outcome.err;
  EXPECT_GT(document->at("data").at("rates").at("queries_per_s").to_number<double>(), 0);
  EXPECT_TRUE(document->at("data").at("queries").is_null());
  EXPECT_EQ(document->at("warnings").as_array().size(), 1U);
}

}  // namespace
}  // namespace pgtend::e2e
