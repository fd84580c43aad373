#include "explain/text_lines.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/text.h"

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

// What a reader knows of a text that grows is what it would know of all of it at once, wherever the
// steps end: in literals, names over several lines, blanks.
TEST(TextLines, ATextThatGrowsHasTheSameLines) {
  const std::string text =
      "Seq Scan on \"a\nb\" x\n  Filter: (v = 'one\n->  two''\n'::text)\n"
      "  CTE two\n  lines\n    ->  Result\n          Output: E'\\'\n'\n\n  CTE short\n"
      "    ->  Custom Scan (it's) on c\n  Remark: it's open\n  Buffers: shared hit=1\n"
      "Settings: work_mem = '1\n2'\nPlanning Time: 1 ms\n   \nExecution Time: 2 ms\n";
  const auto told = [](const std::vector<TextLine>& lines) {
    std::vector<std::string> out;
    for (const TextLine& line : lines) {
      out.push_back(cat(line.number, " ", line.indent, line.arrow ? " -> " : " ",
                        line.closed ? "" : "open ", line.text));
    }
    return out;
  };
  const std::vector<std::string> whole = told(read_text_lines(text));
  ASSERT_GT(whole.size(), 10u);

  for (size_t step = 1; step < text.size(); ++step) {
    TextLineReader reader;
    for (size_t size = step; size < text.size(); size += step) {
      reader.read(std::string_view(text).substr(0, size));
      ASSERT_LE(reader.settled(), reader.lines().size());
    }
    reader.read(text);
    ASSERT_EQ(told(reader.take()), whole) << "in steps of " << step;
  }
}

}  // namespace
}  // namespace pgtend::explain
