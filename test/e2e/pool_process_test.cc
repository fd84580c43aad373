// pgtend-pool as a process: its log, its flags, its life in the background.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <regex>

#include "base/ini.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

class PoolProcessTest : public PoolTest {
 protected:
  static bool matches(const std::string& text, const std::string& pattern) {
    return std::regex_search(text, std::regex(pattern, std::regex::multiline));
  }
  static std::string text_of(const std::string& path) {
    auto text = read_text_file(path);
    return text ? *text : "";
  }
  // A file for run(), which has a pidfile and a logfile in `scratch_`.
  std::string write_ini(const std::string& settings) const {
    return scratch_.write("pool.ini", cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 0\n"
                                          "unix_socket_dir =\n",
                                          settings));
  }
  std::string in_background() const {
    return cat("pidfile = ", pidfile_, "\nlogfile = ", logfile_, "\n");
  }
  static Outcome start(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {PGTEND_BINARY_DIR "/pgtend-pool"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return run(words);
  }

  Scratch scratch_;
  std::string pidfile_ = scratch_.path() + "/pid";
  std::string logfile_ = scratch_.path() + "/pool.log";
};

TEST_F(PoolProcessTest, LogLinesAreThoseThatReadersOfPgBouncersKnow) {
  pg::Options by_tcp = options();
  by_tcp.set("host", "127.0.0.1");
  PoolProcess pool(cat(database_line(database(), by_tcp), "[pgbouncer]\nauth_type = trust\n"));
  {
    auto client = client_of(pool);
    expect_served(*client);
    auto stranger = RawClient(pool.port());
    stranger.log_in("app", "nosuch");
  }
  ASSERT_TRUE(wait_until([&] { return pool.log().find("unexpected eof") != std::string::npos; }));

  const std::string log = pool.log();
  const std::string head = R"(^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \w+ \[\d+\] )";
  const std::string client = cat("C-0x[0-9a-f]+: ", database(), R"(/app@127\.0\.0\.1:\d+ )");
  const std::string server = cat("S-0x[0-9a-f]+: ", database(), R"(/\w+@127\.0\.0\.1:\d+ )");
  EXPECT_TRUE(matches(log, head + R"(LOG kernel file descriptor limit: \d+)")) << log;
  EXPECT_TRUE(matches(log, head + R"(LOG listening on 127\.0\.0\.1:\d+$)")) << log;
  EXPECT_TRUE(matches(log, head + R"(LOG listening on unix:/.*/\.s\.PGSQL\.0$)")) << log;
  EXPECT_TRUE(matches(log, head + R"(LOG process up: )")) << log;
  EXPECT_TRUE(matches(log, cat(head, "LOG ", client, "login attempt: db=", database(),
                               " user=app tls=no replication=none$")))
      << log;
  EXPECT_TRUE(matches(
      log, cat(head, "LOG ", server, R"(new connection to server \(from 127\.0\.0\.1:\d+\)$)")))
      << log;
  EXPECT_TRUE(matches(log, cat(head, R"(WARNING C-0x[0-9a-f]+: nosuch/app@127\.0\.0\.1:\d+ )",
                               "pooler error: no such database: nosuch$")))
      << log;
  EXPECT_TRUE(matches(
      log, cat(head, "LOG ", client, R"(closing because: client unexpected eof \(age=\d+s\)$)")))
      << log;
}

TEST_F(PoolProcessTest, RefusedServerLoginIsLoggedWithTheServersWords) {
  pg::Options wrong = options();
  wrong.set("user", "nobody_at_all");
  PoolProcess pool(cat(database_line(database(), wrong), "[pgbouncer]\nauth_type = trust\n"));

  RawClient client(pool.port());
  client.log_in("app", database());

  EXPECT_TRUE(matches(pool.log(), "WARNING S-0x.*server login failed: FATAL .*nobody_at_all"))
      << pool.log();
}

// Its folders are this test's, and the end says where to listen.
TEST_F(PoolProcessTest, DebiansFileIsServedAsItIs) {
  std::string text =
      must(read_text_file(PGTEND_SOURCE_DIR "/test/golden/pool/debian/pgbouncer.ini"));
  text = std::regex_replace(text, std::regex("/var/(log|run)/postgresql|/etc/pgbouncer"),
                            scratch_.path());
  scratch_.write("userlist.txt", "\"app\" \"not-a-secret\"\n");
  PoolProcess pool(cat(database_line(database(), options()), text, "admin_users = app\n"),
                   scratch_.path() + "/pgbouncer.log");

  pg::Options client = through(pool);
  EXPECT_FALSE(pg::Connection::open(client));
  client.set("password", "not-a-secret");
  auto conn = must(pg::Connection::open(client));
  EXPECT_EQ(must(conn.query_simple("SELECT 42"))[0].text(0), "42");
  EXPECT_EQ(trim(text_of(scratch_.path() + "/pgbouncer.pid")), cat(pool.pid()));
  EXPECT_EQ(pool.log().find("not yet supported"), std::string::npos);
}

TEST_F(PoolProcessTest, ReloadOpensTheLogFileAnew) {
  PoolProcess pool(ini(cat("logfile = ", logfile_, "\n")), logfile_);
  const std::string moved = logfile_ + ".1";
  ASSERT_EQ(std::rename(logfile_.c_str(), moved.c_str()), 0);

  pool.reload(ini(cat("logfile = ", logfile_, "\nverbose = 1\n")));
  ASSERT_TRUE(wait_until([&] { return access(logfile_.c_str(), F_OK) == 0; }));
  auto client = client_of(pool);

  EXPECT_NE(text_of(logfile_).find("login attempt"), std::string::npos);
  EXPECT_EQ(text_of(moved).find("login attempt"), std::string::npos);
}

TEST_F(PoolProcessTest, ReloadWithALogThatCannotBeWrittenChangesNothing) {
  PoolProcess pool(ini(""));

  pool.reload(ini("default_pool_size = 3\nlogfile = /proc/none/log\n"));
  ASSERT_TRUE(wait_until([&] { return pool.log().find("reload failed") != std::string::npos; }));

  EXPECT_EQ(shown(pool, "SHOW CONFIG", "default_pool_size", "value"), "20");
}

TEST_F(PoolProcessTest, BackgroundProcessServesAndEndsWithoutATrace) {
  const std::string file = write_ini(in_background());

  const Outcome begun = start({"-d", file});

  ASSERT_EQ(begun.exit_code, 0) << begun.err;
  EXPECT_EQ(begun.err.find("process up"), std::string::npos);
  EXPECT_NE(text_of(logfile_).find("process up"), std::string::npos);
  const auto pid = static_cast<pid_t>(must(parse_int(trim(text_of(pidfile_)))));
  ASSERT_EQ(kill(pid, 0), 0);

  const Outcome second = start({"-d", file});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("is the pooler running already?"), std::string::npos);

  kill(pid, SIGTERM);
  EXPECT_TRUE(wait_until([&] { return access(pidfile_.c_str(), F_OK) != 0; }));
  EXPECT_TRUE(
      wait_until([&] { return text_of(logfile_).find("process down") != std::string::npos; }));
}

TEST_F(PoolProcessTest, StalePidfileIsReplaced) {
  scratch_.write("pid", "2147483647\n");  // more than any process has
  const std::string file = write_ini(in_background());

  ASSERT_EQ(start({"--daemon", file}).exit_code, 0);

  EXPECT_NE(text_of(logfile_).find("removed stale pidfile"), std::string::npos);
  const auto pid = static_cast<pid_t>(must(parse_int(trim(text_of(pidfile_)))));
  kill(pid, SIGQUIT);
  EXPECT_TRUE(wait_until([&] { return access(pidfile_.c_str(), F_OK) != 0; }));
}

TEST_F(PoolProcessTest, BackgroundWithoutTracesIsRefused) {
  for (const auto& settings :
       {std::string(), cat("logfile = ", logfile_, "\n"), cat("pidfile = ", pidfile_, "\n")}) {
    const Outcome refused = start({"-d", write_ini(settings)});

    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("-d needs the settings pidfile"), std::string::npos);
  }
}

TEST_F(PoolProcessTest, StartThatFailsInTheBackgroundIsToldAndFails) {
  PoolProcess other(ini(""));
  const std::string file = scratch_.write(
      "taken.ini", cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nlisten_port = ",
                       other.port(), "\n", in_background()));

  const Outcome failed = start({"-d", file});

  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(failed.err.find("in use"), std::string::npos) << failed.err;
  EXPECT_NE(access(pidfile_.c_str(), F_OK), 0);
}

TEST_F(PoolProcessTest, AccountMustExistAndBeAllowed) {
  const Outcome unknown = start({"-u", "no_such_account_here", write_ini("")});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_NE(unknown.err.find("there is no account \"no_such_account_here\""), std::string::npos);

  const Outcome other = start({write_ini("user = no_such_account_here\n")});
  EXPECT_EQ(other.exit_code, 1);
  if (geteuid() == 0) return;
  const Outcome root = start({"--user=root", write_ini("")});
  EXPECT_EQ(root.exit_code, 1);
  EXPECT_NE(root.err.find("start as root"), std::string::npos) << root.err;
}

TEST_F(PoolProcessTest, SyslogIsRefusedWithoutARealFacility) {
  const Outcome refused =
      start({write_ini("syslog = 1\nsyslog_ident = meter\nsyslog_facility = kitchen\n")});

  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("unknown syslog facility \"kitchen\""), std::string::npos);
}

TEST_F(PoolProcessTest, QuietIsSilentOnceThereIsALogFile) {
  PoolProcess other(ini(""));
  // It logs, and then its port is taken.
  const std::string settings =
      cat("[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nlisten_port = ", other.port());
  const std::string file =
      scratch_.write("taken.ini", cat(settings, "\nlogfile = ", logfile_, "\n"));
  constexpr const char* kLogged = "LOG kernel file descriptor limit";

  EXPECT_NE(start({file}).err.find(kLogged), std::string::npos);
  EXPECT_NE(text_of(logfile_).find(kLogged), std::string::npos);
  EXPECT_EQ(start({"-qv", file}).err.find(kLogged), std::string::npos);
  const std::string nowhere = scratch_.write("nowhere.ini", settings);
  EXPECT_NE(start({"-q", nowhere}).err.find(kLogged), std::string::npos);
}

}  // namespace
}  // namespace pgtend::e2e
