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
  EXPECT_EQ(printable("zähler → 😀"), "zähler → 😀");
}

// C1 controls are escape sequences of one character to a terminal, also when encoded as UTF-8.
TEST(Text, HiddenControlsAndBrokenUtf8BecomeVisible) {
  EXPECT_EQ(printable("a\xc2\x9b"
                      "2J"),
            "a\\xc2\\x9b2J");
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b\xe2\x80\xa8"
                      "c\xe2\x81\xa6"),
            "a\\xe2\\x80\\xaeb\\xe2\\x80\\xa8c\\xe2\\x81\\xa6");
  EXPECT_EQ(printable("\x9b"
                      "2J\xff"),
            "\\x9b2J\\xff");
  EXPECT_EQ(printable("cut \xe2\x82"), "cut \\xe2\\x82");
  EXPECT_EQ(printable("\xc0\xaf\xe0\x80\x80\xed\xa0\x80\xf5\x80\x80\x80"),
            "\\xc0\\xaf\\xe0\\x80\\x80\\xed\\xa0\\x80\\xf5\\x80\\x80\\x80");
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
