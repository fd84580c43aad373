#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace pgtend {
namespace {

TEST(Text, CatJoinsStringsNumbersAndCharacters) {
  EXPECT_EQ(cat("a", 1, ':', int64_t{-2}, ' ', 0.5), "a1:-2 0.5");
}

TEST(Text, SplitKeepsEmptyPieces) {
  EXPECT_THAT(split("a,,b,", ','), testing::ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), testing::ElementsAre(""));
}

TEST(Text, NumbersAreReadWholeOrNotAtAll) {
  EXPECT_EQ(*parse_int("-42"), -42);
  for (const char* bad : {"", "4 2", " 42", "42x", "+42", "9223372036854775808"}) {
    EXPECT_FALSE(parse_int(bad)) << bad;
  }
  EXPECT_TRUE(std::isnan(*parse_double("NaN")));
  EXPECT_EQ(*parse_double("1e3"), 1000);
  EXPECT_FALSE(parse_double("1e3 "));
}

TEST(Text, ControlCharactersBecomeVisible) {
  EXPECT_EQ(printable("a\x1b[31m\nb"), "a\\x1b[31m\\x0ab");
  EXPECT_EQ(printable("a\n\tb", true), "a\n\tb");
}

TEST(Text, NearestFindsATypingMistakeAndNothingElse) {
  EXPECT_EQ(nearest("default_pol_size", {"max_client_conn", "default_pool_size"}),
            "default_pool_size");
  EXPECT_EQ(nearest("zebra", {"max_client_conn"}), std::nullopt);
}

TEST(Text, ColumnsCountCodePointsNotBytes) { EXPECT_EQ(columns("aäé→"), 4U); }

TEST(Text, LongLinesBreakAtBlanksAndKeepTheirMargin) {
  EXPECT_EQ(wrapped("  one two three", 9, 2), "  one two\n    three");
  EXPECT_EQ(wrapped("short", 80, 4), "short");
  EXPECT_EQ(wrapped("aa  bb", 80, 0), "aa  bb");
  EXPECT_EQ(wrapped("unbreakable", 3, 1), "unbreakable");
  EXPECT_EQ(wrapped("", 10, 2), "");
}

TEST(Text, TrimTakesWhiteSpaceOffBothEnds) { EXPECT_EQ(trim(" \t a b\r\n"), "a b"); }

}  // namespace
}  // namespace pgtend
