#include "wire/scram.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::wire {
namespace {

// A whole login; the error of the side that refused it.
Status login(std::string_view password, const ScramVerifier& verifier) {
  ScramClient client(scram_nonce());
  ScramServer server(verifier, scram_nonce());
  const std::string server_first = TRY(server.challenge(client.first()));
  const ScramChallenge challenge = TRY(client.challenge(server_first));
  const std::string client_final = client.answer(derive_keys(password, challenge));
  return client.verify(TRY(server.finish(client_final)));
}

// The example of RFC 7677.
TEST(Scram, ServerComputesTheExampleOfTheRfc) {
  const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").take();
  ScramServer server(make_verifier("pencil", salt, 4096), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");

  const auto first = server.challenge("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const auto last = server.finish(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");

  ASSERT_TRUE(first && last);
  EXPECT_EQ(*first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  EXPECT_EQ(*last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(Scram, RightPasswordIsProvedByBothSides) {
  EXPECT_TRUE(login("sesame", make_verifier("sesame", "0123456789abcdef", 10)));
}

TEST(Scram, WrongPasswordIsDenied) {
  const auto status = login("sesam", make_verifier("sesame", "0123456789abcdef", 10));

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::Denied);
}

TEST(Scram, MockVerifierLooksStableAndFitsNoPassword) {
  const auto once = mock_verifier("ghost", "seed", 4096);
  const auto again = mock_verifier("ghost", "seed", 4096);
  const auto other = mock_verifier("ghoul", "seed", 4096);

  EXPECT_EQ(once.salt, again.salt);
  EXPECT_NE(once.salt, other.salt);
  EXPECT_EQ(once.salt.size(), 16u);
  EXPECT_EQ(once.iterations, 4096);
  EXPECT_EQ(login("", once).error().code, ErrorCode::Denied);
}

TEST(Scram, VerifierTextReadsBackAsWritten) {
  const auto verifier = make_verifier("sesame", "0123456789abcdef", 10);
  const std::string text = format_verifier(verifier);

  const auto read = parse_verifier(text);

  ASSERT_TRUE(read);
  EXPECT_EQ(read->salt, verifier.salt);
  EXPECT_EQ(read->stored_key, verifier.stored_key);
  EXPECT_EQ(read->server_key, verifier.server_key);
  EXPECT_TRUE(is_verifier(text));
  for (const auto* bad : {"", "SCRAM-SHA-256$", "md5abc", "SCRAM-SHA-256$0:AA==$AA==:AA=="}) {
    EXPECT_FALSE(is_verifier(bad)) << bad;
  }
  EXPECT_FALSE(is_verifier(text.substr(0, text.size() - 1)));
}

TEST(Scram, ClientKeyFromAProofOpensTheSameVerifier) {
  const auto verifier = make_verifier("sesame", "0123456789abcdef", 10);
  ScramClient client(scram_nonce());
  ScramServer server(verifier, scram_nonce());
  const auto challenge = client.challenge(*server.challenge(client.first())).take();
  const auto keys = derive_keys("sesame", challenge);

  ASSERT_TRUE(server.finish(client.answer(keys)));

  EXPECT_EQ(server.keys().client_key, keys.client_key);
  EXPECT_EQ(server.keys().server_key, keys.server_key);
}

TEST(Scram, MalformedClientMessagesAreRefused) {
  for (const auto* first : {"", "n", "p=tls-unique,,n=,r=abc", "n,a=admin,n=,r=abc", "n,,r=abc",
                            "n,,n=,r=", "n,,m=x,n=,r=abc", "n,,n=,r=a b"}) {
    ScramServer server(mock_verifier("u", "s", 10), "nonce");
    EXPECT_FALSE(server.challenge(first)) << first;
  }
  for (const auto* last : {"", "c=biws,r=abcnonce", "c=eSws,r=abcnonce,p=AA==",
                           "c=biws,r=abcother,p=AA==", "c=biws,r=abcnonce,p=AA=="}) {
    ScramServer server(mock_verifier("u", "s", 10), "nonce");
    ASSERT_TRUE(server.challenge("n,,n=,r=abc"));
    EXPECT_FALSE(server.finish(last)) << last;
  }
}

TEST(Scram, MessagesOutOfOrderAreRefused) {
  ScramServer server(mock_verifier("u", "s", 10), "nonce");

  EXPECT_FALSE(server.finish("c=biws,r=abcnonce,p=AA=="));
  ASSERT_TRUE(server.challenge("n,,n=,r=abc"));
  EXPECT_FALSE(server.challenge("n,,n=,r=abc"));
}

TEST(Scram, TooLongMessagesAreRefused) {
  ScramServer server(mock_verifier("u", "s", 10), "nonce");

  EXPECT_FALSE(server.challenge(cat("n,,n=,r=", std::string(kScramMessageMax, 'x'))));
}

TEST(Scram, ClientChecksTheServersMessages) {
  ScramClient client("abc");
  for (const auto* first :
       {"", "r=abc,s=AAAA,i=10", "r=xyz123,s=AAAA,i=10", "r=abc123,s=,i=10", "r=abc123,s=AAAA,i=0",
        "r=abc123,s=AAAA", "r=abc123,i=10,s=AAAA", "r=abc123,s=A,i=10"}) {
    EXPECT_FALSE(client.challenge(first)) << first;
  }
  EXPECT_EQ(client.challenge("r=abc123,s=AAAA,i=2000000").error().code, ErrorCode::Limit);
  ASSERT_TRUE(client.challenge("r=abc123,s=AAAA,i=10"));
  EXPECT_EQ(client.verify("e=other-error").error().code, ErrorCode::Denied);
  EXPECT_EQ(client.verify("v=AAAA").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(client.verify(cat("v=", base64_encode(std::string(32, 'x')))).error().code,
            ErrorCode::Denied);
}

}  // namespace
}  // namespace pgtend::wire
