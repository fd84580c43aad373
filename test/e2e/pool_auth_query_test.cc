// Users who are in no file: auth_query asks a database for their secrets.
#include "base/text.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

class PoolAuthQuery : public PoolTest {
 protected:
  Outcome psql_as(const PoolProcess& pool, const std::string& user,
                  const std::string& password) const {
    auto login = through(pool);
    login.set("user", user).set("password", password);
    return psql(login, "select current_user");
  }
  // A role that exists in the server with this password.
  std::string role(const std::string& password) {
    auto direct = connect();
    auto made = create_role("looked_up");
    must(direct.exec("SET password_encryption = 'scram-sha-256'"));
    must(direct.exec(cat("ALTER ROLE ", made.get("user"), " PASSWORD '", password, "'")));
    return made.get("user");
  }
  // Nobody but the superuser, who asks, is in the file.
  std::string ini_with(const std::string& settings, const std::string& words = "") {
    const pg::Options server = options();
    const auto users =
        scratch_.write("users", cat('"', server.get("user"), "\" \"", server.get("password"), '"'));
    return cat("[databases]\n", database(), " = host=", server.get("host"),
               " port=", server.get("port"), ' ', words, "\n[pgbouncer]\nauth_type = ",
               "scram-sha-256\npool_mode = transaction\nauth_file = ", users,
               "\nauth_user = ", server.get("user"), '\n', settings);
  }

  Scratch scratch_;
};

TEST_F(PoolAuthQuery, VerifierOfTheServerIsEnoughForBothSides) {
  const std::string user = role("s3same");
  PoolProcess pool(ini_with(""));

  const auto outcome = psql_as(pool, user, "s3same");

  EXPECT_EQ(outcome.out, user + "\n") << outcome.err << pool.log();
}

TEST_F(PoolAuthQuery, WrongPasswordLooksLikeAnUnknownUser) {
  const std::string user = role("s3same");
  PoolProcess pool(ini_with(""));

  const auto wrong = psql_as(pool, user, "other");
  const auto unknown = psql_as(pool, "eve", "other");

  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("SASL authentication failed"), std::string::npos) << wrong.err;
  EXPECT_EQ(wrong.err, unknown.err);
}

TEST_F(PoolAuthQuery, NewPasswordCountsFromTheNextLogin) {
  const std::string user = role("before");
  PoolProcess pool(ini_with(""));
  ASSERT_EQ(psql_as(pool, user, "before").exit_code, 0);
  must(connect().exec(cat("ALTER ROLE ", user, " PASSWORD 'after'")));

  EXPECT_EQ(psql_as(pool, user, "before").exit_code, 2);
  const auto outcome = psql_as(pool, user, "after");
  EXPECT_EQ(outcome.out, user + "\n") << outcome.err << pool.log();
}

TEST_F(PoolAuthQuery, DatabaseHasItsOwnQueryUserAndPlace) {
  auto direct = connect();
  must(direct.exec("CREATE TABLE people (name text, secret text)"));
  must(direct.exec("INSERT INTO people VALUES ('ada', 'sesame')"));
  const pg::Options server = options();
  const std::string forced =
      cat("user=", server.get("user"), " password='", server.get("password"), "'");
  PoolProcess pool(ini_with(
      cat("auth_query = select broken\n[databases]\nelsewhere = host=", server.get("host"),
          " port=", server.get("port"), " dbname=", database(), "\n"),
      cat(forced, " auth_dbname=elsewhere auth_query='select name, secret from people where ",
          "name = $1'")));

  const auto outcome = psql_as(pool, "ada", "sesame");

  EXPECT_EQ(outcome.out, server.get("user") + "\n") << outcome.err << pool.log();
}

TEST_F(PoolAuthQuery, FailureIsExplainedInTheLogAlone) {
  for (const char* query : {"select 1/0", "select 'ada'", "select 'bob', 'sesame'",
                            "select 'ada', 'x' from generate_series(1, 2)", "nonsense"}) {
    PoolProcess pool(ini_with(cat("auth_query = ", query, " where $1::text is not null\n")));

    const auto outcome = psql_as(pool, "ada", "sesame");

    EXPECT_NE(outcome.err.find("bouncer config error"), std::string::npos) << outcome.err;
    EXPECT_NE(pool.log().find("auth_query failed"), std::string::npos) << query;
  }
}

TEST_F(PoolAuthQuery, AnswerThatDoesNotComeHoldsUpNobodyElse) {
  auto direct = connect();
  const std::string user = role("s3same");
  PoolProcess pool(
      ini_with("default_pool_size = 1\nclient_login_timeout = 1\n"
               "auth_query = select rolname, rolpassword from pg_authid where rolname = $1 and "
               "(rolname <> 'slow' or pg_sleep(60) is null)\n"));
  must(
      direct.exec("DO $$BEGIN CREATE ROLE slow; EXCEPTION WHEN duplicate_object THEN NULL; END$$"));

  EXPECT_EQ(psql_as(pool, "slow", "x").exit_code, 2);

  // What was asked is cancelled, and the pool's only link serves the next question.
  EXPECT_TRUE(wait_until([&] { return psql_as(pool, user, "s3same").exit_code == 0; }))
      << pool.log();
  EXPECT_NE(pool.log().find("no answer within client_login_timeout"), std::string::npos);
}

TEST_F(PoolAuthQuery, ManyLoginsAtOnceAreAllAnsweredOverFewLinks) {
  auto direct = connect();
  const std::string user = role("s3same");
  PoolProcess pool(ini_with("default_pool_size = 2\n"));
  const std::string script =
      cat("def work():\n    for _ in range(5):\n        with connect(user='", user,
          "', password='s3same') as c:\n            assert c.execute('select 1').fetchone()[0] == "
          "1\nthreads = [threading.Thread(target=work) for _ in range(8)]\n"
          "[t.start() for t in threads]\n[t.join() for t in threads]\nprint('done')\n");

  const auto outcome = python(pool, script);

  EXPECT_EQ(outcome.out, "done\n") << outcome.err << pool.log();
  // Two for the asking user, two for the one looked up.
  EXPECT_LE(backends(direct), 4);
}

TEST_F(PoolAuthQuery, AnybodyIsLetInWhereTheServersUserIsForced) {
  PoolProcess pool(cat(ini(""), "auth_type = any\n[databases]\nfree = host=/tmp\n"));
  auto client = client_of(pool, "whoever");
  RawClient other(pool.port());

  EXPECT_EQ(ask(*client, "select current_user"), options().get("user"));
  EXPECT_EQ(other.log_in("whoever", "free").back(), '.');
  EXPECT_EQ(other.error_text(), "bouncer config error");
}

}  // namespace
}  // namespace pgtend::e2e
