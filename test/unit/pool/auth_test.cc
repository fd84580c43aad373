#include "pool/auth.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/md5.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
using Step = ClientAuth::Step;

// The bodies of the messages in `bytes`.
std::vector<std::string> bodies(std::string_view bytes) {
  std::vector<std::string> all;
  while (true) {
    auto frame = wire::next_frame(bytes);
    EXPECT_TRUE(frame);
    if (!frame || !*frame) return all;
    all.emplace_back((*frame)->body);
  }
}

// Plays a login of ServerAuth (the client) against ClientAuth (the server) to its end.
Status login(ClientAuth& server, ServerAuth& client) {
  std::string questions;
  Step step = TRY(server.start(questions));
  for (int round = 0; round < 5; ++round) {
    std::string answers;
    for (const std::string& body : bodies(questions)) {
      const auto message = TRY(be::read_authentication(body));
      TRY(client.take(message, answers));
    }
    if (step == Step::Passed) return ok();
    questions.clear();
    for (const std::string& body : bodies(answers)) step = TRY(server.answer(body, questions));
  }
  return Error{ErrorCode::Internal, "the login never ends"};
}

Status login(AuthType type, const std::string* stored, const std::string& secret) {
  LoginCache cache;
  ClientAuth server(type, "ada", stored, 16, cache);
  ServerAuth client("ada", secret, false, cache);
  return login(server, client);
}

TEST(PoolAuth, RightPasswordPassesWithEveryMethodAndSecret) {
  const std::string clear = "sesame";
  const std::string md5 = wire::md5_secret("ada", clear).take();
  const std::string scram =
      wire::format_verifier(wire::make_verifier(clear, "saltsaltsaltsalt", 16));

  for (const AuthType type : {AuthType::Plain, AuthType::Md5, AuthType::ScramSha256}) {
    EXPECT_TRUE(login(type, &clear, clear));
  }
  EXPECT_TRUE(login(AuthType::Plain, &md5, clear));
  EXPECT_TRUE(login(AuthType::Plain, &scram, clear));
  EXPECT_TRUE(login(AuthType::Md5, &md5, clear));
  EXPECT_TRUE(login(AuthType::Md5, &scram, clear));
  EXPECT_TRUE(login(AuthType::Md5, &md5, md5));
  EXPECT_TRUE(login(AuthType::ScramSha256, &scram, clear));
}

TEST(PoolAuth, WrongPasswordAndUnknownUserGetTheSameAnswer) {
  const std::string clear = "sesame";
  const std::string empty;
  for (const AuthType type : {AuthType::Plain, AuthType::Md5, AuthType::ScramSha256}) {
    const auto wrong = login(type, &clear, "other");
    const auto unknown = login(type, nullptr, "other");
    const auto without = login(type, &empty, "other");
    ASSERT_FALSE(wrong);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(wrong.error().code, ErrorCode::Denied);
    EXPECT_EQ(wrong.error().message, unknown.error().message);
    EXPECT_EQ(wrong.error().message, without.error().message);
  }
}

TEST(PoolAuth, EmptyPasswordIsAFailureNotTrust) {
  LoginCache cache;
  const std::string empty;
  ClientAuth server(AuthType::Plain, "ada", &empty, 16, cache);
  std::string out;
  ASSERT_TRUE(server.start(out));

  const auto step = server.answer(std::string_view("\0", 1), out);

  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().message, "empty password returned by client");
}

TEST(PoolAuth, TrustNeedsAKnownUser) {
  EXPECT_FALSE(login(AuthType::Trust, nullptr, ""));
  const std::string empty;
  EXPECT_TRUE(login(AuthType::Trust, &empty, ""));
}

TEST(PoolAuth, ProvedKeysOpenTheSameVerifierElsewhere) {
  const std::string stored =
      wire::format_verifier(wire::make_verifier("sesame", "saltsaltsaltsalt", 16));
  LoginCache cache;
  ServerAuth early("ada", stored, false, cache);
  ClientAuth postgres(AuthType::ScramSha256, "ada", &stored, 16, cache);
  EXPECT_FALSE(login(postgres, early));

  ClientAuth pool(AuthType::ScramSha256, "ada", &stored, 16, cache);
  ServerAuth user("ada", "sesame", true, cache);
  ASSERT_TRUE(login(pool, user));
  ClientAuth again(AuthType::ScramSha256, "ada", &stored, 16, cache);
  ServerAuth passed_on("ada", stored, false, cache);

  EXPECT_TRUE(login(again, passed_on));
}

TEST(PoolAuth, ProvedKeysAreNotUsedForAnotherVerifierOrAForcedUser) {
  const std::string stored =
      wire::format_verifier(wire::make_verifier("sesame", "saltsaltsaltsalt", 16));
  const std::string other =
      wire::format_verifier(wire::make_verifier("sesame", "pepperpepperpepp", 16));
  LoginCache cache;
  ClientAuth pool(AuthType::ScramSha256, "ada", &stored, 16, cache);
  ServerAuth user("ada", "sesame", true, cache);
  ASSERT_TRUE(login(pool, user));

  ClientAuth elsewhere(AuthType::ScramSha256, "ada", &other, 16, cache);
  ServerAuth passed_on("ada", stored, false, cache);
  EXPECT_FALSE(login(elsewhere, passed_on));
  ClientAuth same(AuthType::ScramSha256, "ada", &stored, 16, cache);
  ServerAuth forced("ada", stored, true, cache);
  EXPECT_FALSE(login(same, forced));
}

TEST(PoolAuth, ServerThatSkipsItsProofIsRefused) {
  LoginCache cache;
  ServerAuth auth("ada", "sesame", false, cache);
  std::string out;
  ASSERT_TRUE(auth.take({be::AuthKind::Sasl, "", {"SCRAM-SHA-256"}}, out));

  const auto done = auth.take({be::AuthKind::Ok, ""}, out);

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Denied);
}

TEST(PoolAuth, MethodsWeDoNotSpeakAreNamed) {
  LoginCache cache;
  for (const auto kind : {be::AuthKind::Kerberos, be::AuthKind::Gss, be::AuthKind::Sspi}) {
    ServerAuth auth("ada", "sesame", false, cache);
    std::string out;
    const auto done = auth.take({kind, ""}, out);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("not supported"), std::string::npos);
  }
}

}  // namespace
}  // namespace pgtend::pool
