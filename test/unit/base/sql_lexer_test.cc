#include "base/sql_lexer.h"

#include <gmock/gmock.h>

namespace pgtend {
namespace {

std::vector<std::string_view> texts(std::string_view text) {
  std::vector<std::string_view> out;
  for (const SqlToken& token : sql_tokens(text)) out.push_back(token.text);
  return out;
}

TEST(SqlLexer, QuotesKeepWhateverTheyHold) {
  EXPECT_THAT(
      texts(R"('it''s -- no comment' "a""b" E'\'x' U&'d\0061')"),
      testing::ElementsAre("'it''s -- no comment'", "\"a\"\"b\"", "E'\\'x'", "U&'d\\0061'"));
}

TEST(SqlLexer, CommentsVanishAndBlocksNest) {
  EXPECT_THAT(texts("a -- b\n/* c /* d */ e */ f"), testing::ElementsAre("a", "f"));
}

TEST(SqlLexer, ParametersAndDollarQuotesAreToldApart) {
  EXPECT_THAT(texts("$12 $x$ '; $y$ $x$ $$a$$"),
              testing::ElementsAre("$12", "$x$ '; $y$ $x$", "$$a$$"));
}

TEST(SqlLexer, UnfinishedQuoteRunsToTheEnd) {
  EXPECT_THAT(texts("a 'b c"), testing::ElementsAre("a", "'b c"));
  EXPECT_THAT(texts("/* open"), testing::IsEmpty());
}

}  // namespace
}  // namespace pgtend
