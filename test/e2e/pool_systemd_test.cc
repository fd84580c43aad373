// pgtend-pool under a service manager: what it tells, and the sockets that it is handed.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "e2e/support/pool.h"
#include "net/address.h"
#include "net/socket.h"

namespace pgtend::e2e {
namespace {

constexpr milliseconds kPatience{10'000};

// The receiving end of NOTIFY_SOCKET: a path, or an abstract name after '@'.
class Manager {
 public:
  explicit Manager(std::string name)
      : name_(std::move(name)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const auto address = must(net::Address::unix_path(name_));
    CHECK(bind(socket_, address.raw(), address.size()) == 0);
  }
  ~Manager() { close(socket_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  Supervision supervision() const { return {.environment = environment()}; }
  Environment environment() const { return {{"NOTIFY_SOCKET", name_}}; }
  // The next message; "" when none comes in time.
  std::string hear(milliseconds limit = kPatience) {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(limit.count())) != 1) return "";
    char message[8192];
    const ssize_t size = recv(socket_, message, sizeof message, 0);
    return size < 0 ? "" : std::string(message, static_cast<size_t>(size));
  }

 private:
  std::string name_;
  int socket_;
};

// A listening socket of a service manager's.
class Listener {
 public:
  explicit Listener(const net::Address& address)
      : socket_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    CHECK(bind(socket_, address.raw(), address.size()) == 0 && listen(socket_, 10) == 0);
  }
  static Listener tcp() { return Listener(must(net::Address::ip("127.0.0.1", 0))); }
  static Listener unix_path(const std::string& path) {
    return Listener(must(net::Address::unix_path(path)));
  }
  ~Listener() { close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int descriptor() const { return socket_; }
  int port() const { return net::local_of(socket_).port(); }

 private:
  int socket_;
};

class PoolSystemd : public PoolTest {
 protected:
  static constexpr int kPort = 7777;  // of a unix socket's name alone
  std::string socket_path() const { return cat(scratch_.path(), "/.s.PGSQL.", kPort); }
  pg::Options through_socket() const {
    pg::Options options;
    options.set("host", scratch_.path()).set("port", cat(kPort)).set("user", "app");
    options.set("dbname", database());
    return options;
  }
  static size_t count(const std::string& text, std::string_view part) {
    size_t found = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
    return found;
  }
  // Runs the pool from a script that first makes descriptor 3 (and LISTEN_FDS, LISTEN_PID).
  Outcome start_after(const std::string& script, const std::vector<std::string>& flags = {}) const {
    const std::string file = scratch_.write(
        "pool.ini", cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 0\nunix_socket_dir = ",
                        scratch_.path(), "\n"));
    std::vector<std::string> words = {
        "/usr/bin/python3", "-c",
        cat("import os, socket, sys\nos.environ['LISTEN_PID'] = str(os.getpid())\n"
            "os.environ['LISTEN_FDS'] = '1'\n",
            script,
            "\ntry:\n    os.set_inheritable(3, True)\nexcept OSError:\n    pass\n"
            "os.execv(sys.argv[1], sys.argv[1:])"),
        PGTEND_BINARY_DIR "/pgtend-pool"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.push_back(file);
    return run(words);
  }

  Scratch scratch_;
};

// --- what it tells

TEST_F(PoolSystemd, ManagerHearsOfStartReloadAndEnd) {
  for (const std::string& name : {scratch_.path() + "/notify", cat("@", scratch_.path())}) {
    Manager manager(name);
    PoolProcess pool(ini(""), "", 0, manager.supervision());
    const std::string listening =
        cat("READY=1\nSTATUS=listening on 127.0.0.1:", pool.port(), ", unix:", pool.unix_socket());
    EXPECT_EQ(manager.hear(), listening);

    const auto micros = [] {
      return std::chrono::duration_cast<microseconds>(system_clock().steady().time_since_epoch())
          .count();
    };
    const int64_t before = micros();
    pool.reload(ini("default_pool_size = 3\n"));
    const std::string reloading = manager.hear();
    constexpr std::string_view kHead = "RELOADING=1\nMONOTONIC_USEC=";
    ASSERT_TRUE(reloading.starts_with(kHead)) << reloading;
    const int64_t since = must(parse_int(std::string_view(reloading).substr(kHead.size())));
    EXPECT_GE(since, before);
    EXPECT_LE(since, micros());
    EXPECT_EQ(manager.hear(), listening);
    EXPECT_EQ(shown(pool, "SHOW CONFIG", "default_pool_size", "value"), "3");

    pool.signal(SIGTERM);
    EXPECT_EQ(manager.hear(), "STOPPING=1");
    EXPECT_EQ(pool.wait_for_end(), 0);
  }
}

TEST_F(PoolSystemd, FailedReloadIsOverToo) {
  Manager manager(scratch_.path() + "/notify");
  PoolProcess pool(ini(""), "", 0, manager.supervision());
  manager.hear();

  pool.reload(ini("default_pool_size = many\n"));

  EXPECT_TRUE(manager.hear().starts_with("RELOADING=1\n"));
  const std::string over = manager.hear();
  EXPECT_TRUE(over.starts_with("READY=1\nSTATUS=reload failed, the settings before it hold: "))
      << over;
  EXPECT_NE(over.find("default_pool_size"), std::string::npos) << over;
}

TEST_F(PoolSystemd, EndByTheConsoleIsToldAsWell) {
  Manager manager(scratch_.path() + "/notify");
  PoolProcess pool(ini(""), "", 0, manager.supervision());
  manager.hear();
  auto admin = through(pool);
  admin.set("dbname", "pgbouncer");

  auto conn = must(pg::Connection::open(admin));
  (void)conn.query_simple("SHUTDOWN");

  EXPECT_EQ(manager.hear(), "STOPPING=1");
  EXPECT_EQ(pool.wait_for_end(), 0);
}

TEST_F(PoolSystemd, StartThatFailsIsNeverReady) {
  Manager manager(scratch_.path() + "/notify");
  const auto taken = Listener::tcp();
  const std::string file =
      scratch_.write("taken.ini", cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\n"
                                      "listen_port = ",
                                      taken.port(), "\n"));

  const Outcome failed = run({PGTEND_BINARY_DIR "/pgtend-pool", file}, manager.environment());

  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(manager.hear(milliseconds(0)), "");
}

TEST_F(PoolSystemd, ManagerThatIsGoneIsLoggedAndNoMore) {
  PoolProcess pool(ini(""), "", 0,
                   {.environment = {{"NOTIFY_SOCKET", scratch_.path() + "/nobody"}}});

  EXPECT_TRUE(wait_until(
      [&] { return pool.log().find("the service manager cannot be told") != std::string::npos; }));
  auto client = client_of(pool);
  expect_served(*client);
}

// --- the sockets that it is handed

TEST_F(PoolSystemd, HandedSocketsReplaceAllOfItsOwn) {
  const auto tcp = Listener::tcp();
  const auto local = Listener::unix_path(socket_path());
  PoolProcess pool(ini(""), "", 0, {.sockets = {tcp.descriptor(), local.descriptor()}});

  EXPECT_EQ(pool.port(), tcp.port());
  EXPECT_EQ(count(pool.log(), "LOG listening on "), 2u) << pool.log();
  EXPECT_FALSE(std::filesystem::exists(pool.unix_socket()));
  for (int i = 0; i < 2; ++i) {
    auto client = client_of(pool);
    expect_served(*client);
    const Outcome by_socket = psql(through_socket(), "SELECT 42");
    EXPECT_EQ(by_socket.out, "42\n") << by_socket.err;
  }
}

TEST_F(PoolSystemd, WhoComesBetweenTwoProcessesIsServedByTheSecond) {
  const auto tcp = Listener::tcp();
  const auto local = Listener::unix_path(socket_path());
  const Supervision handed = {.sockets = {tcp.descriptor(), local.descriptor()}};
  {
    PoolProcess first(ini(""), "", 0, handed);
    auto client = client_of(first);
    expect_served(*client);
    first.signal(SIGQUIT);
    EXPECT_EQ(first.wait_for_end(), 0);
  }
  RawClient early(tcp.port());

  PoolProcess second(ini(""), "", 0, handed);

  EXPECT_NE(early.log_in("app", database()).find('Z'), std::string::npos);
  expect_served(early);
  // Nobody has removed its file.
  EXPECT_EQ(psql(through_socket(), "SELECT 42").out, "42\n");
}

TEST_F(PoolSystemd, HandedSocketsAreNotGivenToAnotherProcess) {
  const auto tcp = Listener::tcp();
  const auto local = Listener::unix_path(socket_path());
  PoolProcess pool(ini(""), "", 0, {.sockets = {tcp.descriptor(), local.descriptor()}});
  auto client = client_of(pool);
  const std::string file =
      scratch_.write("next.ini", cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ", kPort,
                                     "\nunix_socket_dir = ", scratch_.path(), "\n"));

  const Outcome refused = run({PGTEND_BINARY_DIR "/pgtend-pool", "-R", file});

  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("restart the service"), std::string::npos) << refused.err;
  expect_served(*client);
  auto other = client_of(pool);
  expect_served(*other);
}

TEST_F(PoolSystemd, SocketThatDoesNotListenIsRefusedByItsNumber) {
  const std::pair<const char*, const char*> cases[] = {
      {"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); os.dup2(s.fileno(), 3)",
       "descriptor 3 from the service manager is no listening stream socket"},
      {"s = socket.socket(); os.dup2(s.fileno(), 3)",
       "descriptor 3 from the service manager is no listening stream socket"},
      {"os.dup2(os.open('/dev/null', os.O_RDONLY), 3)",
       "descriptor 3 from the service manager is no listening stream socket"},
      {"os.environ['LISTEN_FDS'] = '2147483647'", "LISTEN_FDS does not fit"},
      {"os.environ['LISTEN_FDS'] = '300'", "LISTEN_FDS does not fit"},
      {"os.environ['LISTEN_FDS'] = '1; x'", "LISTEN_FDS does not fit"},
      {"os.environ['LISTEN_FDS'] = '-1'", "LISTEN_FDS does not fit"},
  };
  for (const auto& [script, reason] : cases) {
    const Outcome refused = start_after(script);
    EXPECT_EQ(refused.exit_code, 1) << script;
    EXPECT_NE(refused.err.find(reason), std::string::npos) << script << refused.err;
  }
}

TEST_F(PoolSystemd, TakeoverWithHandedSocketsIsRefused) {
  const Outcome refused = start_after(
      "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); os.dup2(s.fileno(), 3)", {"-R"});

  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("-R under a service manager"), std::string::npos) << refused.err;
}

TEST_F(PoolSystemd, SocketsForAnotherProcessAreLeftAlone) {
  PoolProcess pool(ini(""), "", 0, {.environment = {{"LISTEN_FDS", "1"}, {"LISTEN_PID", "1"}}});

  EXPECT_TRUE(std::filesystem::exists(pool.unix_socket()));
  auto client = client_of(pool);
  expect_served(*client);
}

TEST_F(PoolSystemd, StartsUnderSocketActivateWithoutAnAddressOfItsOwn) {
  const std::string activate = "/usr/bin/systemd-socket-activate";
  if (!std::filesystem::exists(activate)) GTEST_SKIP() << "no " << activate << " here";
  const std::string program = PGTEND_BINARY_DIR "/pgtend-pool";
  const std::string path = socket_path();
  const std::string file =
      scratch_.write("pool.ini", cat(ini(""), "listen_addr =\nunix_socket_dir =\n"));
  const pid_t pid = fork();
  if (pid == 0) {
    execl(activate.c_str(), activate.c_str(), "-l", path.c_str(), program.c_str(), file.c_str(),
          nullptr);
    _exit(127);
  }
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(path); }));

  const Outcome first = psql(through_socket(), "SELECT 42");

  EXPECT_EQ(first.out, "42\n") << first.err;
  kill(pid, SIGTERM);
  int status = 0;
  EXPECT_TRUE(wait_until([&] { return waitpid(pid, &status, WNOHANG) == pid; }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(PoolSystemd, WithoutAnyPlaceToListenTheStartFails) {
  const std::string file =
      scratch_.write("pool.ini", "[pgbouncer]\nlisten_addr =\nunix_socket_dir =\n");

  const Outcome refused = run({PGTEND_BINARY_DIR "/pgtend-pool", file});

  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("neither listen_addr nor unix_socket_dir is set"), std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace pgtend::e2e
