#include "explain/text_lines.h"

#include <gmock/gmock.h>

namespace pgtend::explain {
namespace {

using testing::ElementsAre;

TEST(TextLines, ListsArePartedOutsideOfLiteralsNamesAndBrackets) {
  EXPECT_THAT(split_list(R"(a, 'b, ''c', "d, e", f(g, h), ARRAY[1, 2], E'\', i')"),
              ElementsAre("a", "'b, ''c'", "\"d, e\"", "f(g, h)", "ARRAY[1, 2]", R"(E'\', i')"));
  EXPECT_THAT(split_list(""), testing::IsEmpty());
  EXPECT_THAT(split_list("), a, 'b"), ElementsAre(")", "a", "'b"));
}

TEST(TextLines, LinesGoOnInsideOfQuotes) {
  const auto lines = read_text_lines("a 'x\ny'\r\n\n  ->  b \"\n\" c\n    CTE d\ne\n      ->  f\n");

  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].text, "a 'x\ny'");
  EXPECT_EQ(lines[1].text, "b \"\n\" c");
  EXPECT_TRUE(lines[1].arrow);
  EXPECT_EQ(lines[1].indent, 2u);
  EXPECT_EQ(lines[1].number, 4u);
  EXPECT_EQ(lines[2].text, "CTE d\ne");
  EXPECT_EQ(lines[3].number, 8u);
}

TEST(TextLines, OpenQuotesCostLinearTime) {
  std::string text = "Append\n";
  for (int i = 0; i < 200'000; ++i) text += "  Note: don't\"\n";
  text += "  ->  Result\n";

  EXPECT_GT(read_text_lines(text).size(), 50'000u);
}

}  // namespace
}  // namespace pgtend::explain
