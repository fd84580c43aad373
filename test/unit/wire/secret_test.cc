#include "wire/secret.h"

#include <gtest/gtest.h>

#include "wire/md5.h"

namespace pgtend::wire {
namespace {

TEST(Base64, AllLengthsReadBackAsWritten) {
  for (size_t size = 0; size < 70; ++size) {
    const std::string data = random_bytes(size);
    const auto read = base64_decode(base64_encode(data));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, data);
  }
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64_encode("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
}

TEST(Base64, OnlyTheCanonicalFormIsAccepted) {
  for (const auto* bad : {"A", "AA", "AAA", "AA=A", "====", "A===", "AA==AA==", "Zm9v Yg=",
                          "Zm9vYh==", "Zm9vYmF=", "Zm9vYg==\n", "Zm-_"}) {
    EXPECT_FALSE(base64_decode(bad)) << bad;
  }
}

TEST(Secret, DigestsMatchTheirPublishedExamples) {
  EXPECT_EQ(base64_encode(view(sha256("abc"))), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(*md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(Secret, ComparisonSeesEveryDifference) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

TEST(Secret, RandomPidsArePositive) {
  for (int i = 0; i < 1000; ++i) EXPECT_GT(random_pid(), 0);
}

TEST(Md5, AnswerIsThatOfPostgresClients) {
  const auto secret = md5_secret("ada", "sesame");

  ASSERT_TRUE(secret);
  EXPECT_TRUE(is_md5_secret(*secret));
  const auto inner = md5_hex("sesameada").take();
  EXPECT_EQ(*secret, "md5" + inner);
  EXPECT_EQ(*md5_answer(*secret, "salt"), "md5" + md5_hex(inner + "salt").take());
  EXPECT_FALSE(is_md5_secret("md5xyz"));
}

}  // namespace
}  // namespace pgtend::wire
