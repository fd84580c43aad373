#include "sql/fingerprint.h"

#include <gtest/gtest.h>

namespace pgtend::sql {
namespace {

TEST(Fingerprint, LiteralsAndSpacesDoNotMatter) {
  const auto one = fingerprint("SELECT * FROM t WHERE a = 1 AND b IN (1, 2)");
  const auto two = fingerprint("select *\nfrom t where a = 77 and b in (3)  -- other");
  const auto three = fingerprint("SELECT * FROM u WHERE a = 1 AND b IN (1, 2)");

  ASSERT_TRUE(one && two && three);
  EXPECT_EQ(*one, *two);
  EXPECT_NE(*one, *three);
}

TEST(Fingerprint, NormalisedTextHasNoLiterals) {
  const auto text = normalise("SELECT 'secret' FROM t WHERE a = 5");

  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "SELECT $1 FROM t WHERE a = $2");
}

TEST(Fingerprint, NonsenseIsAnInvalidText) {
  EXPECT_EQ(fingerprint("SELEC 1").error().code, ErrorCode::Invalid);
  EXPECT_EQ(normalise("SELEC 'x").error().code, ErrorCode::Invalid);
}

}  // namespace
}  // namespace pgtend::sql
