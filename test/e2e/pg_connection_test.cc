// Connecting in every way psql knows, and what a person is told when it fails.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

class PgConnection : public VersionTest {};

// Sets environment variables for one scope.
class WithEnvironment {
 public:
  explicit WithEnvironment(const Environment& variables) : names_(variables) {
    for (const auto& [variable, value] : variables) setenv(variable.c_str(), value.c_str(), 1);
  }
  WithEnvironment(const WithEnvironment&) = delete;
  WithEnvironment& operator=(const WithEnvironment&) = delete;
  ~WithEnvironment() {
    for (const auto& [variable, value] : names_) unsetenv(variable.c_str());
  }

 private:
  Environment names_;
};

class PgConnect : public DatabaseTest {
 protected:
  // The database a connection made with `options` is in.
  std::string where(const pg::Options& options) {
    auto conn = must(pg::Connection::open(options));
    return must(must(conn.query("SELECT current_database()")).scalar());
  }
  Error refused(const pg::Options& options, seconds timeout = seconds(10)) {
    auto conn = pg::Connection::open(options, timeout);
    CHECK(!conn);
    return std::move(conn).error();
  }
  std::string password() const { return options().get("password"); }
};

TEST_P(PgConnection, QueryReturnsTypedValuesOfAllKinds) {
  auto conn = connect();

  const auto rows = must(conn.query("SELECT $1::int + 1, 7000000000, 1.5::float8, true, NULL, $2",
                                    {"41", "it's \\ \"quoted\""}));

  ASSERT_EQ(rows.size(), 1);
  EXPECT_EQ(must(rows[0].get<int32_t>(0)), 42);
  EXPECT_EQ(must(rows[0].get<int64_t>(1)), 7'000'000'000);
  EXPECT_EQ(must(rows[0].get<double>(2)), 1.5);
  EXPECT_TRUE(must(rows[0].get<bool>(3)));
  EXPECT_EQ(must(rows[0].get<std::optional<std::string>>(4)), std::nullopt);
  EXPECT_EQ(rows[0].text(5), "it's \\ \"quoted\"");
  EXPECT_EQ(rows.tag(), "SELECT 1");
}

TEST_P(PgConnection, GuardsLimitStatementsOfTheSession) {
  auto conn = connect();

  must(conn.guard({.statement = milliseconds(50), .lock = milliseconds(20)}));
  const auto slow = conn.query("SELECT pg_sleep(20)");

  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::Timeout);
  EXPECT_EQ(slow.error().sqlstate, "57014");
  EXPECT_EQ(must(must(conn.query("SHOW lock_timeout")).scalar()), "20ms");
  EXPECT_EQ(must(must(conn.query("SHOW idle_in_transaction_session_timeout")).scalar()), "1min");
}

TEST_P(PgConnection, ErrorsSayWhatToDoByTheirSqlstate) {
  auto conn = connect();
  const auto code_of = [&](const std::string& sql) {
    const auto result = conn.query(sql);
    return result ? "none" : cat(traits(result.error().code).name, " ", result.error().sqlstate);
  };

  EXPECT_EQ(code_of("SELEC 1"), "invalid 42601");
  EXPECT_EQ(code_of("SELECT * FROM missing"), "not found 42P01");
  EXPECT_EQ(code_of("SELECT missing"), "not found 42703");
  EXPECT_EQ(code_of("SELECT missing()"), "not found 42883");
  EXPECT_EQ(code_of("CREATE TABLE missing.t ()"), "not found 3F000");
  EXPECT_EQ(code_of("SELECT 1/0"), "invalid 22012");
  EXPECT_EQ(code_of("SELECT 1; SELECT 2"), "invalid 42601");
  EXPECT_EQ(code_of("COPY pg_class TO STDOUT"), "invalid ");
  EXPECT_EQ(code_of("COPY pg_class FROM STDIN"), "invalid ");
  EXPECT_EQ(code_of("SELECT 1"), "none");
}

TEST_P(PgConnection, LockTimeoutIsAConflict) {
  auto holder = connect();
  auto other = connect();
  must(holder.exec("CREATE TABLE t ()"));
  must(holder.exec("BEGIN; LOCK t"));
  must(other.guard({.lock = milliseconds(20)}));
  must(other.exec("BEGIN"));

  const auto refused = other.query("LOCK t");

  ASSERT_FALSE(refused);
  EXPECT_EQ(traits(refused.error().code).exit_code, 6);
}

TEST_P(PgConnection, NoticesAreCollectedOnce) {
  auto conn = connect();

  must(
      conn.exec("DO $$ BEGIN RAISE WARNING 'first' USING DETAIL = 'more'; RAISE NOTICE 'second';"
                " END $$"));
  const auto notices = conn.take_notices();

  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0].severity, "WARNING");
  EXPECT_EQ(notices[0].sqlstate, "01000");
  EXPECT_EQ(notices[0].message, "first");
  EXPECT_EQ(notices[0].detail, "more");
  EXPECT_EQ(notices[1].severity, "NOTICE");
  EXPECT_TRUE(conn.take_notices().empty());
}

TEST_P(PgConnection, NoticesAreBounded) {
  auto conn = connect();

  must(conn.exec("DO $$ BEGIN FOR i IN 1..12000 LOOP RAISE NOTICE '%', i; END LOOP; END $$"));
  const auto notices = conn.take_notices();

  ASSERT_EQ(notices.size(), 10'000U);
  EXPECT_EQ(notices.back().message, "12000");
}

TEST_P(PgConnection, HostileIdentifiersComeBackAsTheyWent) {
  auto conn = connect();
  for (const std::string table :
       {"plain", "Camel", "with space", "\"; DROP TABLE plain; --", "a'b", "back\\slash", "größe",
        "select", "1st", "$1", "tab\tand\nbreak"}) {
    must(conn.exec(cat("CREATE TABLE ", pg::ident(table), " ()")));
    EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM pg_tables WHERE tablename = $1", {table}))
                       .scalar()),
              "1")
        << table;
    EXPECT_EQ(must(must(conn.query(cat("SELECT ", pg::literal(table)))).scalar()), table);
    EXPECT_EQ(must(must(conn.query("SELECT quote_ident($1)", {table})).scalar()), pg::ident(table));
  }
}

TEST_P(PgConnection, KeywordsAreQuotedAsTheServerQuotesThem) {
  auto conn = connect();
  const auto words =
      must(conn.query("SELECT word, quote_ident(word), catcode FROM pg_get_keywords()"));

  ASSERT_GT(words.size(), 400);
  for (const pg::Row word : words) {
    // One word changed sides: unreserved in 16 only, so that quoting it there is merely needless.
    if (word.text(0) == "json" && version() == "16") continue;
    EXPECT_EQ(pg::ident(word.text(0)), word.text(1));
  }
}

TEST_P(PgConnection, LiteralsSurviveEitherSettingOfConformingStrings) {
  auto conn = connect();
  for (const char* conforming : {"on", "off"}) {
    must(conn.exec(cat("SET standard_conforming_strings = ", conforming)));
    for (const std::string value : {"", "plain", "it's", "back\\slash", "\\'; DROP", "äö\\"}) {
      EXPECT_EQ(must(must(conn.query(cat("SELECT ", pg::literal(value)))).scalar()), value);
    }
  }
}

PGTEND_ON_ALL_VERSIONS(PgConnection);

TEST_F(PgConnect, UriStringAndKeywordsLeadToTheSameDatabase) {
  const std::string port = cat(cluster().port());
  const std::string uri =
      cat("postgresql://postgres:", password(), "@127.0.0.1:", port, "/", database());
  const std::string keywords = cat("host=127.0.0.1 port=", port,
                                   " user=postgres password=", password(), " dbname=", database());

  EXPECT_EQ(where(must(pg::Options::parse(uri))), database());
  EXPECT_EQ(where(must(pg::Options::parse(keywords))), database());
  EXPECT_EQ(where(tcp_options()), database());
}

TEST_F(PgConnect, EnvironmentFillsWhatIsNotGiven) {
  const WithEnvironment environment(environment_of(options()));

  EXPECT_EQ(where(must(pg::Options::from({}))), database());
  EXPECT_EQ(where(must(pg::Options::from({.dbname = "postgres"}))), "postgres");
}

TEST_F(PgConnect, ServiceFileIsHonoured) {
  const Scratch scratch;
  const std::string file = scratch.write(
      "services", cat("[mine]\nhost=127.0.0.1\nport=", cluster().port(),
                      "\nuser=postgres\ndbname=", database(), "\npassword=", password(), "\n"));
  const WithEnvironment environment(Environment{{"PGSERVICEFILE", file}});

  EXPECT_EQ(where(must(pg::Options::parse("service=mine"))), database());
  const auto error = refused(must(pg::Options::parse("service=other")));
  EXPECT_EQ(error.code, ErrorCode::NotFound);
  EXPECT_FALSE(error.hint.empty());
}

TEST_F(PgConnect, PasswordFileIsHonoured) {
  const Scratch scratch;
  const std::string file = scratch.write(
      "pgpass", cat("127.0.0.1:", cluster().port(), ":*:postgres:", password(), "\n"));
  const WithEnvironment environment(Environment{{"PGPASSFILE", file}});

  EXPECT_EQ(where(must(pg::Options::from({.host = "127.0.0.1",
                                          .port = cat(cluster().port()),
                                          .user = "postgres",
                                          .dbname = database()}))),
            database());
}

// psql lets the connection string win over -h, -p and -U, so do we: both are asked.
TEST_F(PgConnect, PrecedenceOfStringAndSwitchesIsThatOfPsql) {
  const std::string text = cat("host=127.0.0.1 port=", cluster().port(), " dbname=", database());
  const auto outcome = run({"psql", "-X", "-A", "-t", "-h", "203.0.113.1", "-p", "1", "-U",
                            "postgres", "-d", text, "-c", "SELECT current_database()"},
                           {{"PGPASSWORD", password()}});
  const WithEnvironment environment(Environment{{"PGPASSWORD", password()}});

  EXPECT_EQ(outcome.out, database() + "\n") << outcome.err;
  EXPECT_EQ(where(must(pg::Options::from(
                {.host = "203.0.113.1", .port = "1", .user = "postgres", .dbname = text}))),
            database());
}

TEST_F(PgConnect, ApplicationNameIsOursUnlessGiven) {
  auto ours = connect();
  pg::Options named = options();
  auto theirs = connect(named.set("application_name", "pgtend/17"));
  const WithEnvironment environment(Environment{{"PGAPPNAME", "from the environment"}});
  auto outside = connect();

  EXPECT_EQ(must(must(ours.query("SHOW application_name")).scalar()), "pgtend");
  EXPECT_EQ(must(must(theirs.query("SHOW application_name")).scalar()), "pgtend/17");
  EXPECT_EQ(must(must(outside.query("SHOW application_name")).scalar()), "from the environment");
}

TEST_F(PgConnect, SessionSpeaksUtf8WhateverTheOptionsSay) {
  pg::Options asked = options();

  auto conn = connect(asked.set("client_encoding", "SJIS"));

  EXPECT_EQ(conn.parameter("client_encoding"), "UTF8");
}

TEST_F(PgConnect, ClosedPortIsUnavailableAndAsksForTheServer) {
  pg::Options nowhere = tcp_options();

  const auto error = refused(nowhere.set("port", "1"));

  EXPECT_EQ(error.code, ErrorCode::Unavailable);
  EXPECT_NE(error.message.find("127.0.0.1"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("port 1"), std::string::npos) << error.message;
  EXPECT_EQ(error.hint, "is the server running there? check -h and -p");
}

// A listener that never answers.
class SilentServer {
 public:
  SilentServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(fd_, 5) == 0);
    CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { close(fd_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  int port() const { return port_; }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
};

TEST_F(PgConnect, SilentServerIsUnavailableWhenTheTimeIsOver) {
  const SilentServer server;
  pg::Options nowhere = tcp_options();
  nowhere.set("port", cat(server.port()));

  const auto ours = refused(nowhere, seconds(1));
  const auto asked = refused(nowhere.set("connect_timeout", "1"), seconds(60));

  for (const Error& error : {ours, asked}) {
    EXPECT_EQ(error.code, ErrorCode::Unavailable);
    EXPECT_NE(error.message.find("no answer within 1 s"), std::string::npos) << error.message;
    EXPECT_EQ(error.hint, "is the server running there? check -h and -p");
  }
}

TEST_F(PgConnect, MissingSocketIsUnavailable) {
  pg::Options nowhere = options();

  const auto error = refused(nowhere.set("host", "/nonexistent/folder"));

  EXPECT_EQ(error.code, ErrorCode::Unavailable);
  EXPECT_FALSE(error.hint.empty());
}

TEST_F(PgConnect, UnknownHostIsUnavailableAndNamesIt) {
  pg::Options nowhere = tcp_options();

  const auto error = refused(nowhere.set("host", "no-such-host.invalid"), seconds(30));

  EXPECT_EQ(error.code, ErrorCode::Unavailable);
  EXPECT_NE(error.message.find("no-such-host.invalid"), std::string::npos) << error.message;
  EXPECT_EQ(error.hint, "check the host name (-h)");
}

TEST_F(PgConnect, WrongPasswordIsDeniedAndNotShown) {
  pg::Options wrong = options();

  const auto error = refused(wrong.set("password", "hunter2"));

  EXPECT_EQ(error.code, ErrorCode::Denied);
  EXPECT_EQ(error.sqlstate, "28P01");
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
  EXPECT_NE(error.message.find("\"postgres\""), std::string::npos) << error.message;
  EXPECT_NE(error.hint.find(".pgpass"), std::string::npos);
}

TEST_F(PgConnect, MissingPasswordIsDenied) {
  pg::Options none = options();
  const Scratch scratch;
  const WithEnvironment environment(Environment{{"PGPASSFILE", scratch.path() + "/none"}});

  const auto error = refused(none.set("password", ""));

  EXPECT_EQ(error.code, ErrorCode::Denied);
  EXPECT_NE(error.hint.find("PGPASSWORD"), std::string::npos);
}

TEST_F(PgConnect, UnknownDatabaseIsNotFound) {
  pg::Options wrong = options();

  const auto error = refused(wrong.set("dbname", "no_such_database"));

  EXPECT_EQ(error.code, ErrorCode::NotFound);
  EXPECT_EQ(error.sqlstate, "3D000");
  EXPECT_NE(error.message.find("no_such_database"), std::string::npos);
  EXPECT_EQ(error.message.find("LOCATION"), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find("3D000"), std::string::npos) << error.message;
  EXPECT_NE(error.hint.find("psql -l"), std::string::npos);
}

TEST_F(PgConnect, MissingConnectRightIsDenied) {
  auto admin = connect();
  must(admin.exec(cat("REVOKE CONNECT ON DATABASE ", pg::ident(database()), " FROM PUBLIC")));

  const auto error = refused(create_role());

  EXPECT_EQ(error.code, ErrorCode::Denied);
  EXPECT_EQ(error.sqlstate, "42501");
}

TEST_F(PgConnect, NonsensePortIsInvalid) {
  pg::Options wrong = options();

  const auto error = refused(wrong.set("port", "five"));

  EXPECT_EQ(error.code, ErrorCode::Invalid);
  EXPECT_NE(error.message.find("five"), std::string::npos) << error.message;
}

TEST_F(PgConnect, FullServerIsALimit) {
  auto admin = connect();
  const pg::Options login = create_role();
  must(admin.exec(cat("ALTER ROLE ", pg::ident(login.get("user")), " CONNECTION LIMIT 1")));
  auto first = connect(login);

  const auto error = refused(login);

  EXPECT_EQ(error.code, ErrorCode::Limit);
  EXPECT_EQ(error.sqlstate, "53300");
}

TEST_F(PgConnect, TerminatedSessionIsUnavailableAndDead) {
  auto conn = connect();
  auto admin = connect();

  must(admin.query("SELECT pg_terminate_backend($1)", {cat(conn.backend_pid())}));
  const auto first = conn.query("SELECT 1");
  const auto second = conn.query("SELECT 1");

  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(first.error().sqlstate, "57P01");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
  EXPECT_FALSE(conn.alive());
}

TEST_F(PgConnect, NulBytesAreRefusedBeforeTheyCutAStatement) {
  auto conn = connect();
  const std::string nul("SELECT 1\0; DROP TABLE t", 23);

  EXPECT_EQ(conn.query(nul).error().code, ErrorCode::Invalid);
  EXPECT_EQ(conn.exec(nul).error().code, ErrorCode::Invalid);
  EXPECT_EQ(conn.query("SELECT $1", {nul}).error().code, ErrorCode::Invalid);
  EXPECT_EQ(refused(pg::Options().set("dbname", nul)).code, ErrorCode::Invalid);
}

}  // namespace
}  // namespace pgtend::e2e
