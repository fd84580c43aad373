#include "demo/load_login.h"

#include <gtest/gtest.h>

#include <string>

#include "demo/load.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/md5.h"
#include "wire/startup.h"

namespace pgtend::demo {
namespace {

using wire::backend::Authentication;
using wire::backend::AuthKind;

LoadTarget target(const std::string& password) {
  LoadTarget where;
  where.user = "reader";
  where.password = password;
  where.dbname = "metering";
  where.application_name = "pgtend load";
  return where;
}

std::string body_of(const Authentication& request) {
  std::string message;
  wire::backend::append_authentication(message, request);
  return message.substr(wire::kHeadBytes);
}

// The body of the only message in `bytes`.
std::string body_of(const std::string& bytes) {
  std::string_view rest = bytes;
  const auto frame = wire::next_frame(rest);
  EXPECT_TRUE(frame && *frame && rest.empty());
  return std::string((*frame)->body);
}

TEST(Login, TheStartPacketNamesUserAndDatabase) {
  LoadTarget where = target("");
  const std::string packet = Login(where).start();
  std::string_view rest = packet;
  const auto read = wire::next_startup(rest);

  ASSERT_TRUE(read && *read);
  const wire::StartupParameters wanted = {{"user", "reader"},
                                          {"database", "metering"},
                                          {"application_name", "pgtend load"},
                                          {"client_encoding", "UTF8"}};
  EXPECT_EQ((*read)->parameters, wanted);
}

TEST(Login, TrustNeedsNoAnswer) {
  LoadTarget where = target("");
  Login login(where);
  std::string out;

  EXPECT_TRUE(login.on_authentication(body_of(Authentication{AuthKind::Ok, {}}), out));
  EXPECT_TRUE(login.accepted());
  EXPECT_TRUE(out.empty());
}

TEST(Login, PasswordsAndMd5AreAnswered) {
  LoadTarget where = target("secret");
  std::string out;
  ASSERT_TRUE(Login(where).on_authentication(
      body_of(Authentication{AuthKind::CleartextPassword, {}}), out));
  EXPECT_EQ(*wire::frontend::read_password(body_of(out)), "secret");

  out.clear();
  ASSERT_TRUE(Login(where).on_authentication(
      body_of(Authentication{.kind = AuthKind::Md5Password, .data = "salt"}), out));
  const auto answer = wire::md5_answer(*wire::md5_secret("reader", "secret"), "salt");
  EXPECT_EQ(*wire::frontend::read_password(body_of(out)), *answer);
}

TEST(Login, AMissingPasswordIsDeniedWithANextStep) {
  LoadTarget where = target("");
  std::string out;
  for (const AuthKind kind : {AuthKind::CleartextPassword, AuthKind::Md5Password}) {
    const auto answered =
        Login(where).on_authentication(body_of(Authentication{.kind = kind, .data = "salt"}), out);
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().code, ErrorCode::Denied);
    EXPECT_NE(answered.error().hint.find("PGPASSWORD"), std::string::npos);
  }
}

// The server's side of SCRAM for one login; returns what the client made of its last message.
Status scram_login(LoadTarget& where, const std::string& server_password, bool honest) {
  const auto verifier = wire::make_verifier(server_password, "0123456789abcdef", 4096);
  wire::ScramServer server(verifier, wire::scram_nonce());
  Login login(where);
  std::string out;
  TRY(login.on_authentication(body_of(Authentication{AuthKind::Sasl, {}, {wire::kScramSha256}}),
                              out));
  const std::string first = body_of(out);
  const auto initial = TRY(wire::frontend::read_sasl_initial(first));
  const std::string challenge = TRY(server.challenge(initial.data));
  out.clear();
  TRY(login.on_authentication(
      body_of(Authentication{.kind = AuthKind::SaslContinue, .data = challenge}), out));
  if (honest) {
    const std::string proof = TRY(server.finish(body_of(out)));
    TRY(login.on_authentication(body_of(Authentication{.kind = AuthKind::SaslFinal, .data = proof}),
                                out));
  }
  TRY(login.on_authentication(body_of(Authentication{AuthKind::Ok, {}}), out));
  EXPECT_TRUE(login.accepted());
  return ok();
}

TEST(Login, ScramProvesBothSides) {
  LoadTarget where = target("secret");

  EXPECT_TRUE(scram_login(where, "secret", true));
  EXPECT_EQ(where.challenge.iterations, 4096);
  EXPECT_TRUE(scram_login(where, "secret", true));  // with the keys of the first
  EXPECT_FALSE(scram_login(where, "other", true));
}

TEST(Login, AServerThatProvesNothingIsDenied) {
  LoadTarget where = target("secret");
  const auto login = scram_login(where, "secret", false);

  ASSERT_FALSE(login);
  EXPECT_EQ(login.error().code, ErrorCode::Denied);
}

TEST(Login, UnknownMethodsAreDeniedByNumber) {
  LoadTarget where = target("secret");
  std::string out;
  const auto gss = Login(where).on_authentication(body_of(Authentication{AuthKind::Gss, {}}), out);

  ASSERT_FALSE(gss);
  EXPECT_EQ(gss.error().code, ErrorCode::Denied);
  EXPECT_NE(gss.error().message.find("7"), std::string::npos);
}

TEST(LoadTarget, TlsAndSeveralHostsAreRefused) {
  const auto code = [](const char* key, const char* value) {
    pg::Options options;
    options.set("host", "127.0.0.1").set("user", "u").set(key, value);
    const auto found = load_target(options);
    return found ? std::optional<ErrorCode>{} : found.error().code;
  };
  EXPECT_EQ(code("sslmode", "require"), ErrorCode::Invalid);
  EXPECT_EQ(code("sslmode", "verify-full"), ErrorCode::Invalid);
  EXPECT_EQ(code("host", "a,b"), ErrorCode::Invalid);
  EXPECT_EQ(code("port", "0"), ErrorCode::Invalid);
  EXPECT_EQ(code("port", "x"), ErrorCode::Invalid);
  EXPECT_EQ(code("port", "6543"), std::nullopt);
}

TEST(LoadTarget, TheDatabaseIsNamedLikeTheUserByDefault) {
  pg::Options options;
  options.set("host", "/run/nowhere").set("port", "6543").set("user", "reader");
  const auto found = load_target(options);

  ASSERT_TRUE(found);
  EXPECT_EQ(found->dbname, "reader");
  EXPECT_EQ(found->address.text(), "/run/nowhere/.s.PGSQL.6543");
}

TEST(LoadResult, JsonHoldsErrorsAndKindsThatHappened) {
  LoadResult result;
  result.clients = 3;
  result.transactions = 2;
  result.elapsed = seconds(4);
  result.refused = 1;
  result.errors["53300"] = 1;
  result.kinds[1].transactions = 2;
  result.kinds[1].latency_us.record(1'500, 2);
  result.latency_us.record(1'500, 2);
  const json::object made = to_json(result);

  EXPECT_EQ(made.at("tps").as_double(), 0.5);
  EXPECT_EQ(made.at("errors").at("53300").as_int64(), 1);
  ASSERT_EQ(made.at("kinds").as_array().size(), 1U);
  EXPECT_EQ(made.at("kinds").at(0).at("kind").as_string(), "one-day profile");
  EXPECT_NEAR(made.at("latency").at("p95_ms").as_double(), 1.5, 0.05);
}

}  // namespace
}  // namespace pgtend::demo
