// Starting, logging in, and being refused.
#include "base/text.h"
#include "e2e/support/pool.h"
#include "wire/frontend.h"

namespace pgtend::e2e {
namespace {

class PoolLogin : public PoolTest {
 protected:
  Outcome psql_as(const PoolProcess& pool, const std::string& user, const std::string& password,
                  const std::string& sql = "select current_user") const {
    auto options = through(pool);
    options.set("user", user).set("password", password);
    return psql(options, sql);
  }
  // A role that exists in the server with this password.
  std::string role(const std::string& password, const char* encryption) {
    auto direct = connect();
    auto made = create_role("pooled");
    must(direct.exec(cat("SET password_encryption = '", encryption, "'")));
    must(direct.exec(cat("ALTER ROLE ", made.get("user"), " PASSWORD '", password, "'")));
    return made.get("user");
  }
  std::string plain_ini(const std::string& auth, const std::string& users) const {
    return cat("[databases]\n", database(), " = host=", options().get("host"),
               " port=", options().get("port"), "\n[pgbouncer]\npool_mode = transaction\n",
               "auth_type = ", auth, "\nauth_file = ", users, "\n");
  }
};

TEST_F(PoolLogin, ScramIsSpokenOnBothSides) {
  const std::string user = role("s3same", "scram-sha-256");
  Scratch scratch;
  const auto users = scratch.write("users", cat('"', user, "\" \"s3same\"\n"));
  PoolProcess pool(plain_ini("scram-sha-256", users));

  const auto outcome = psql_as(pool, user, "s3same");

  EXPECT_EQ(outcome.out, user + "\n") << outcome.err << pool.log();
}

TEST_F(PoolLogin, StoredVerifierIsEnoughForBothSides) {
  const std::string user = role("s3same", "scram-sha-256");
  auto direct = connect();
  const auto rows =
      must(direct.query("SELECT rolpassword FROM pg_authid WHERE rolname = $1", {user}));
  Scratch scratch;
  const auto users = scratch.write("users", cat('"', user, "\" \"", rows[0].text(0), "\"\n"));
  PoolProcess pool(plain_ini("scram-sha-256", users));

  const auto outcome = psql_as(pool, user, "s3same");

  EXPECT_EQ(outcome.out, user + "\n") << outcome.err << pool.log();
}

TEST_F(PoolLogin, WrongPasswordLooksLikeAnUnknownUser) {
  Scratch scratch;
  const auto users = scratch.write("users", "\"ada\" \"sesame\"\n");
  for (const char* auth : {"scram-sha-256", "md5", "plain"}) {
    PoolProcess pool(plain_ini(auth, users));

    const auto wrong = psql_as(pool, "ada", "other");
    const auto unknown = psql_as(pool, "eve", "other");

    EXPECT_EQ(wrong.exit_code, 2);
    EXPECT_NE(wrong.err.find("authentication failed"), std::string::npos) << wrong.err;
    EXPECT_EQ(wrong.err, unknown.err);
  }
}

TEST_F(PoolLogin, RefusalOfTheServerReachesTheClient) {
  const std::string line = cat("host=", options().get("host"), " port=", options().get("port"),
                               " user=", options().get("user"), " password='",
                               options().get("password"), "' dbname=no_such_thing");
  PoolProcess pool(cat("[databases]\nghost = ", line, "\n[pgbouncer]\nauth_type = trust\n"));
  RawClient client(pool.port());

  EXPECT_EQ(client.log_in("app", "ghost"), "E.");

  EXPECT_EQ(client.error_state(), "3D000");
  EXPECT_NE(client.error_text().find("no_such_thing"), std::string::npos);
  RawClient next(pool.port());
  EXPECT_EQ(next.log_in("app", "ghost"), "E.");
  EXPECT_NE(next.error_text().find("server login has been failing, cached error"),
            std::string::npos);
  RawClient other(pool.port());
  EXPECT_EQ(other.log_in("app", "nowhere"), "E.");
  EXPECT_EQ(other.error_text(), "no such database: nowhere");
  EXPECT_EQ(other.error_state(), "08P01");
}

TEST_F(PoolLogin, EncryptionIsDeclinedAndBytesBehindItRefused) {
  PoolProcess pool(ini(""));
  RawClient polite(pool.port());
  std::string ssl;
  wire::append_ssl_request(ssl);
  std::string gss;
  wire::append_gss_request(gss);

  polite.send(ssl);
  EXPECT_EQ(polite.read_byte(), 'N');
  polite.send(gss);
  EXPECT_EQ(polite.read_byte(), 'N');
  EXPECT_EQ(polite.log_in("app", database()).back(), 'Z');

  RawClient hasty(pool.port());
  std::string out = ssl;
  wire::append_startup(out, wire::kProtocol30, {{"user", "app"}});
  hasty.send(out);
  EXPECT_EQ(hasty.read_until('Z'), "E.");
  EXPECT_EQ(hasty.error_text(), "received unencrypted data after SSL request");

  RawClient stubborn(pool.port());
  stubborn.send(ssl);
  EXPECT_EQ(stubborn.read_byte(), 'N');
  stubborn.send(ssl);
  EXPECT_EQ(stubborn.read_byte(), 'N');
  stubborn.send(ssl);
  EXPECT_EQ(stubborn.read_until('Z'), "E.");
}

TEST_F(PoolLogin, NewerProtocolsAreNegotiatedOnce) {
  PoolProcess pool(ini(""));
  RawClient old(pool.port());
  RawClient newer(pool.port());
  RawClient future(pool.port());

  EXPECT_EQ(old.log_in("app", database())[0], 'R');
  EXPECT_EQ(newer.log_in("app", database(), wire::kProtocol32)[0], 'R');
  EXPECT_EQ(future.log_in("app", database(), 3 << 16 | 9999).substr(0, 2), "vR");

  EXPECT_EQ(old.key().secret.size(), 4u);
  EXPECT_EQ(newer.key().secret.size(), 32u);
  EXPECT_GT(old.key().pid, 0);
}

TEST_F(PoolLogin, StartPacketMayComeByteByByte) {
  PoolProcess pool(ini(""));
  RawClient client(pool.port());
  std::string out;
  wire::append_startup(out, wire::kProtocol30, {{"user", "app"}, {"database", database()}});
  wire::frontend::append_query(out, "select 1");

  for (const char byte : out) client.send({&byte, 1});

  EXPECT_EQ(client.read_until('Z').back(), 'Z');
  EXPECT_EQ(client.read_until('Z'), "TDCZ");
}

TEST_F(PoolLogin, GarbageIsRefusedAndClosed) {
  PoolProcess pool(ini(""));
  for (const std::string_view garbage :
       {std::string_view("GET / HTTP/1.0\r\n\r\n"), std::string_view("\x16\x03\x01\x00\xff", 5)}) {
    RawClient client(pool.port());
    client.send(garbage);
    EXPECT_EQ(client.read_until('Z'), "E.");
  }
  RawClient early(pool.port());
  early.send(std::string_view("\0\0\0\x08\0\3\0\0", 8));
  EXPECT_EQ(early.read_until('Z'), "E.");
}

TEST_F(PoolLogin, ParametersThatCannotBeKeptAreRefused) {
  PoolProcess pool(ini("ignore_startup_parameters = extra_float_digits\n"));
  RawClient ignored(pool.port());
  RawClient refused(pool.port());
  std::string good;
  wire::append_startup(good, wire::kProtocol30,
                       {{"user", "app"}, {"database", database()}, {"extra_float_digits", "2"}});
  std::string bad;
  wire::append_startup(bad, wire::kProtocol30, {{"user", "app"}, {"work_mem", "1GB"}});

  ignored.send(good);
  refused.send(bad);

  EXPECT_EQ(ignored.read_until('Z').back(), 'Z');
  EXPECT_EQ(refused.read_until('Z'), "E.");
  EXPECT_EQ(refused.error_text(), "unsupported startup parameter: work_mem");
}

TEST_F(PoolLogin, TooManyClientsAreToldSo) {
  PoolProcess pool(ini("max_client_conn = 2\n"));
  RawClient one(pool.port());
  RawClient two(pool.port());
  RawClient three(pool.port());
  one.log_in("app", database());
  two.log_in("app", database());

  EXPECT_EQ(three.log_in("app", database()), "E.");
  EXPECT_EQ(three.error_text(), "no more connections allowed (max_client_conn)");
  RawClient console(pool.port());
  EXPECT_EQ(console.log_in("app", "pgbouncer").back(), 'Z');
}

TEST_F(PoolLogin, BadFileEndsTheProgramWithItsPlace) {
  Scratch scratch;
  const auto file = scratch.write("bad.ini", "[pgbouncer]\n\ndefault_pool_sise = 3\n");
  const std::string program = PGTEND_BINARY_DIR "/pgtend-pool";

  const auto bad = run({program, file});
  const auto missing = run({program, scratch.path() + "/none.ini"});
  const auto version = run({program, "--version"});

  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_NE(bad.err.find("bad.ini:3: "), std::string::npos) << bad.err;
  EXPECT_NE(bad.err.find("did you mean default_pool_size?"), std::string::npos) << bad.err;
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(run({program}).exit_code, 1);
  EXPECT_EQ(run({program, "--help"}).exit_code, 0);
}

}  // namespace
}  // namespace pgtend::e2e
