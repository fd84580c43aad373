// Settings one by one: what each of them changes. And that none is without a test.
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <regex>
#include <set>

#include "base/ini.h"
#include "base/text.h"
#include "e2e/support/pool.h"
#include "net/socket.h"
#include "pool/config.h"
#include "wire/frontend.h"
#include "wire/scram.h"

namespace pgtend::e2e {
namespace {

namespace fe = wire::frontend;

class PoolSettings : public PoolTest {
 protected:
  static bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(PoolSettings, ClientThatDoesNotLogInIsClosedAfterClientLoginTimeout) {
  PoolProcess pool(ini("client_login_timeout = 0.3\n"));
  RawClient silent(pool.port());

  EXPECT_EQ(last_words(silent), "client_login_timeout");
}

TEST_F(PoolSettings, LogSwitchesSilenceTheirLines) {
  for (const bool on : {true, false}) {
    const std::string value = on ? "1" : "0";
    PoolProcess pool(ini(cat("log_connections = ", value, "\nlog_disconnections = ", value,
                             "\nlog_pooler_errors = ", value, "\nmax_client_conn = 1\n")));
    auto client = client_of(pool);
    RawClient refused(pool.port());
    refused.log_in("app", database());
    client->send(std::string("X\0\0\0\4", 5));
    EXPECT_EQ(client->read().type, 0);

    const std::string log = pool.log();
    EXPECT_EQ(contains(log, "login attempt"), on) << log;
    EXPECT_EQ(contains(log, "client close request"), on) << log;
    EXPECT_EQ(contains(log, "pooler error"), on) << log;
  }
}

TEST_F(PoolSettings, LogfileAndPidfileAreWritten) {
  Scratch scratch;
  const std::string logfile = scratch.path() + "/pool.log";
  const std::string pidfile = scratch.path() + "/pool.pid";
  {
    PoolProcess pool(ini(cat("logfile = ", logfile, "\npidfile = ", pidfile, "\nverbose = 1\n")),
                     logfile);
    auto client = client_of(pool);

    EXPECT_TRUE(contains(must(read_text_file(logfile)), "login attempt"));
    EXPECT_EQ(trim(must(read_text_file(pidfile))), cat(pool.pid()));
  }
  EXPECT_FALSE(std::filesystem::exists(pidfile));
}

TEST_F(PoolSettings, LargerMessageThanMaxPacketSizeClosesItsClient) {
  PoolProcess pool(ini("max_packet_size = 1000\n"));
  auto small = client_of(pool);
  auto large = client_of(pool);

  expect_served(*small);
  large->send(query(std::string(2000, ' ')));
  EXPECT_EQ(last_words(*large), "bad packet header");
}

TEST_F(PoolSettings, ScramIterationsAreAskedForOfClearTextSecrets) {
  Scratch scratch;
  const auto users = scratch.write("users", "\"ada\" \"sesame\"\n");
  PoolProcess pool(cat(
      ini(""), "auth_type = scram-sha-256\nscram_iterations = 5000\nauth_file = ", users, '\n'));
  RawClient client(pool.port());
  std::string out;
  wire::append_startup(out, wire::kProtocol30, {{"user", "ada"}, {"database", database()}});
  wire::ScramClient scram(wire::scram_nonce());
  client.send(out);
  client.read();
  out.clear();
  fe::append_sasl_initial(out, {wire::kScramSha256, scram.first()});
  client.send(out);

  const auto challenge = client.read();
  EXPECT_TRUE(challenge.body.ends_with(",i=5000")) << printable(challenge.body);
}

TEST_F(PoolSettings, ResetQueryRunsWhenASessionEnds) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE resets (id serial)"));
  PoolProcess pool(
      ini("pool_mode = session\nserver_reset_query = insert into resets default values\n"));
  for (int i = 0; i < 2; ++i) {
    auto client = client_of(pool);
    expect_served(*client);
  }

  EXPECT_TRUE(wait_until(
      [&] { return must(direct.query("SELECT count(*) FROM resets"))[0].text(0) == "2"; }));
}

TEST_F(PoolSettings, AveragesAreOfTheLastStatsPeriod) {
  PoolProcess pool(ini("stats_period = 1\n"));
  auto client = client_of(pool);

  EXPECT_TRUE(wait_until([&] {
    for (int i = 0; i < 20; ++i) expect_served(*client);
    return shown(pool, "SHOW STATS_AVERAGES", database(), "xact_count") != "0";
  }));
}

TEST_F(PoolSettings, TrackedParametersFollowTheirClientOthersDoNot) {
  for (const char* tracked : {"IntervalStyle", ""}) {
    PoolProcess pool(ini(cat("default_pool_size = 1\ntrack_extra_parameters = ", tracked, '\n')));
    auto one = client_of(pool);
    auto two = client_of(pool);
    ask(*one, "set intervalstyle = 'iso_8601'");

    const std::string seen = ask(*two, "show intervalstyle");

    EXPECT_EQ(seen, *tracked != '\0' ? "postgres" : "iso_8601");
  }
}

TEST_F(PoolSettings, DatabaseLineGivesStartParameters) {
  std::string file = ini("");
  file.insert(file.find('\n', file.find(" = host=")),
              " datestyle='SQL, DMY' timezone=Asia/Tokyo client_encoding=LATIN1 "
              "application_name=pooled");
  PoolProcess pool(file);
  auto client = client_of(pool);

  EXPECT_EQ(ask(*client, "show datestyle"), "SQL, DMY");
  EXPECT_EQ(ask(*client, "show timezone"), "Asia/Tokyo");
  EXPECT_EQ(ask(*client, "show client_encoding"), "LATIN1");
  EXPECT_EQ(ask(*client, "show application_name"), "pooled");
}

TEST_F(PoolSettings, UnixSocketHasItsMode) {
  Scratch scratch;
  PoolProcess pool(ini("unix_socket_mode = 0700\n"));
  const std::string path = pool.unix_socket();

  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0) << path;
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(PoolSettings, UnixSocketBelongsToItsGroup) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give a file to any group";
  PoolProcess pool(ini("unix_socket_group = daemon\n"));

  struct stat info {};
  ASSERT_EQ(stat(pool.unix_socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, getgrnam("daemon")->gr_gid);
}

TEST_F(PoolSettings, StatsAreLoggedOncePerPeriod) {
  for (const bool on : {true, false}) {
    PoolProcess pool(ini(cat("stats_period = 1\nlog_stats = ", on ? 1 : 0, '\n')));
    auto client = client_of(pool);
    const auto period_is_over = [&] {
      expect_served(*client);
      return shown(pool, "SHOW STATS_AVERAGES", database(), "xact_count") != "0";
    };
    ASSERT_TRUE(wait_until(period_is_over));
    const auto logged = [&] { return pool.log().find("stats: ") != std::string::npos; };

    EXPECT_TRUE(on ? wait_until(logged) : !logged()) << pool.log();
    EXPECT_EQ(contains(pool.log(), " xacts/s, "), on) << pool.log();
  }
}

TEST_F(PoolSettings, ConffileNamesWhatTheNextReloadReads) {
  Scratch scratch;
  const auto other =
      scratch.write("other.ini", ini("unix_socket_dir = /tmp\n"
                                     "login_notify_message = from the other file\n"));
  PoolProcess pool(ini(cat("conffile = ", other, '\n')));

  console(pool, "RELOAD");

  EXPECT_EQ(shown(pool, "SHOW CONFIG", "login_notify_message", "value"), "from the other file");
  // Without one the same file is read again.
  console(pool, "SET login_notify_message = changed");
  console(pool, "SET conffile = ''");
  console(pool, "RELOAD");
  EXPECT_EQ(shown(pool, "SHOW CONFIG", "login_notify_message", "value"), "from the other file");
}

TEST_F(PoolSettings, TwoPoolsShareAPortWithSoReuseport) {
  PoolProcess one(ini("so_reuseport = 1\n"));
  PoolProcess two(ini("so_reuseport = 1\n"), "", one.port());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(client_of(one));

  EXPECT_TRUE(contains(one.log(), "login attempt"));
  EXPECT_TRUE(contains(two.log(), "login attempt"));
}

TEST_F(PoolSettings, CancelRequestGivesUpAfterCancelWaitTimeout) {
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  PoolProcess pool(
      cat(database_line("postgres", cluster.options()),
          "[pgbouncer]\nauth_type = trust\npool_mode = transaction\ncancel_wait_timeout = 0.3\n"));
  RawClient client(pool.port());
  client.log_in("app", "postgres");
  const std::string text = ask(client, "select pg_read_file('postmaster.pid')");
  const auto postmaster = static_cast<pid_t>(std::stoi(text));
  client.send(query("select pg_sleep(60)"));
  // Stopped, it takes no cancel request; the backend goes on.
  kill(postmaster, SIGSTOP);
  RawClient canceler(pool.port());
  std::string out;
  wire::append_cancel(out, client.key());
  canceler.send(out);

  EXPECT_EQ(canceler.read().type, 0);

  kill(postmaster, SIGCONT);
}

TEST(PoolSettingsOfSockets, TcpKeysReachTheSocket) {
  const std::string text =
      "[pgbouncer]\ntcp_keepalive = 1\ntcp_keepidle = 61\ntcp_keepintvl = 62\ntcp_keepcnt = 7\n"
      "tcp_user_timeout = 63000\ntcp_socket_buffer = 65536\n";
  const auto entries = must(parse_ini(text, "pool.ini", {}));
  const net::SocketOptions options = must(pool::config_from(entries)).settings.socket;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto value_of = [socket](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    getsockopt(socket, level, name, &value, &size);
    return value;
  };

  net::apply_options(socket, must(net::Address::ip("127.0.0.1", 1)), options);

  EXPECT_EQ(value_of(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(value_of(IPPROTO_TCP, TCP_KEEPIDLE), 61);
  EXPECT_EQ(value_of(IPPROTO_TCP, TCP_KEEPINTVL), 62);
  EXPECT_EQ(value_of(IPPROTO_TCP, TCP_KEEPCNT), 7);
  EXPECT_EQ(value_of(IPPROTO_TCP, TCP_USER_TIMEOUT), 63000);
  EXPECT_EQ(value_of(SOL_SOCKET, SO_SNDBUF), 2 * 65536);  // the system doubles it
  EXPECT_EQ(value_of(SOL_SOCKET, SO_RCVBUF), 2 * 65536);
  close(socket);
}

TEST_F(PoolSettings, JobNameIsShownAndStays) {
  PoolProcess pool(ini("job_name = metering\n"));
  EXPECT_EQ(shown(pool, "SHOW CONFIG", "job_name", "value"), "metering");
  EXPECT_EQ(shown(pool, "SHOW CONFIG", "job_name", "default"), "pgbouncer");
  EXPECT_EQ(shown(pool, "SHOW CONFIG", "job_name", "changeable"), "no");
  EXPECT_FALSE(contains(pool.log(), "not yet supported"));

  pool.reload(ini("job_name = other\ndefault_pool_size = 3\n"));
  ASSERT_TRUE(
      wait_until([&] { return shown(pool, "SHOW CONFIG", "default_pool_size", "value") == "3"; }));

  EXPECT_EQ(shown(pool, "SHOW CONFIG", "job_name", "value"), "metering");
}

// A key that no end-to-end or simulated test names has no proof that it does anything.
TEST(PoolSettingsOfAllKinds, EveryKeyIsNamedByATest) {
  std::string sources;
  for (const char* folder : {"/test/e2e", "/test/sim"}) {
    for (const auto& file :
         std::filesystem::directory_iterator(std::string(PGTEND_SOURCE_DIR) + folder)) {
      if (file.is_regular_file()) sources += must(read_text_file(file.path().string()));
    }
  }
  // What the length of a queue of the system does cannot be seen from outside.
  const std::set<std::string_view> exempt = {"listen_backlog"};
  for (const pool::KeyInfo& key : pool::keys()) {
    if (exempt.contains(key.name)) continue;
    // Behind a line break in a text its n stands before the name.
    const std::regex name(cat("(^|[^a-z_]|\\\\n)", key.name, "($|[^a-z_])"));
    EXPECT_TRUE(std::regex_search(sources, name)) << key.name;
  }
}

// The silent one came first: it is not seen, or the other could not have been served before it.
TEST_F(PoolSettings, SilentConnectionIsNotSeenWhileAcceptsAreDeferred) {
  PoolProcess pool(ini("tcp_defer_accept = 30\n"));
  RawClient silent(pool.port());
  auto client = client_of(pool);
  EXPECT_EQ(shown(pool, "SHOW LISTS", "login_clients", "items"), "0");

  silent.log_in("app", database());
  expect_served(silent);
  pool.reload(ini("tcp_defer_accept = 0\n"));
  ASSERT_TRUE(
      wait_until([&] { return shown(pool, "SHOW CONFIG", "tcp_defer_accept", "value") == "0"; }));
  RawClient seen(pool.port());

  EXPECT_TRUE(
      wait_until([&] { return shown(pool, "SHOW LISTS", "login_clients", "items") == "1"; }));
}

}  // namespace
}  // namespace pgtend::e2e
