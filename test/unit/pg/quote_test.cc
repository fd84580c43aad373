#include "pg/quote.h"

#include <gtest/gtest.h>

namespace pgtend::pg {
namespace {

TEST(PgQuote, PlainLowerCaseNamesStayBare) {
  EXPECT_EQ(ident("t_dlpdata"), "t_dlpdata");
  EXPECT_EQ(ident("_x9"), "_x9");
}

TEST(PgQuote, AnythingElseIsQuoted) {
  EXPECT_EQ(ident("Camel"), "\"Camel\"");
  EXPECT_EQ(ident("9x"), "\"9x\"");
  EXPECT_EQ(ident("a-b"), "\"a-b\"");
  EXPECT_EQ(ident("a$b"), "\"a$b\"");
  EXPECT_EQ(ident("größe"), "\"größe\"");
  EXPECT_EQ(ident(""), "\"\"");
}

TEST(PgQuote, QuotesInsideAreDoubledSoThatNothingEscapes) {
  EXPECT_EQ(ident("\"; DROP TABLE t; --"), "\"\"\"; DROP TABLE t; --\"");
  EXPECT_EQ(literal("'; DROP TABLE t; --"), "'''; DROP TABLE t; --'");
}

TEST(PgQuote, KeywordsAreQuotedUnlessUnreserved) {
  EXPECT_EQ(ident("select"), "\"select\"");
  EXPECT_EQ(ident("between"), "\"between\"");
  EXPECT_EQ(ident("left"), "\"left\"");
  EXPECT_EQ(ident("merge_action"), "\"merge_action\"");
  EXPECT_EQ(ident("partition"), "partition");
  EXPECT_EQ(ident("vacuum"), "vacuum");
}

TEST(PgQuote, QualifiedQuotesEachPartOnItsOwn) {
  EXPECT_EQ(qualified("public", "Order"), "public.\"Order\"");
  EXPECT_EQ(qualified("a.b", "c"), "\"a.b\".c");
}

TEST(PgQuote, BackslashMakesAnEscapeLiteral) {
  EXPECT_EQ(literal("plain"), "'plain'");
  EXPECT_EQ(literal("a\\b"), "E'a\\\\b'");
  EXPECT_EQ(literal("\\'"), "E'\\\\'''");
  EXPECT_EQ(literal(""), "''");
}

}  // namespace
}  // namespace pgtend::pg
