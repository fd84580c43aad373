#include "partition/words.h"

#include <gtest/gtest.h>

namespace pgtend::partition {
namespace {

TEST(PartitionWords, StandBetweenCommasWithoutTheBlanksAroundThem) {
  EXPECT_EQ(*words_of("a", '\''), (std::vector<Word>{{"a", false}}));
  EXPECT_EQ(*words_of(" a b ,\tc", '\''), (std::vector<Word>{{"a b", false}, {"c", false}}));
}

TEST(PartitionWords, QuotesKeepCommasBlanksAndThemselves) {
  EXPECT_EQ(*words_of("'a, b' , '', 'it''s',null", '\''),
            (std::vector<Word>{{"a, b", true}, {"", true}, {"it's", true}, {"null", false}}));
  EXPECT_EQ(*words_of(R"("a""b",c'd)", '"'), (std::vector<Word>{{"a\"b", true}, {"c'd", false}}));
}

TEST(PartitionWords, WhatIsNoListIsRefused) {
  for (const char* text : {"", ",", "a,", "a,,b", "'a", "'a' b", "a'b", "'a''"}) {
    const auto words = words_of(text, '\'');
    ASSERT_FALSE(words) << text;
    EXPECT_EQ(words.error().code, ErrorCode::Invalid) << text;
  }
}

TEST(PartitionGroups, HaveANameAndValues) {
  EXPECT_EQ(*group_of("eu=de,'a=b',null"),
            (ValueGroup{"eu", {{"de", false}, {"a=b", true}, {"null", false}}}));
  for (const char* text : {"", "eu", "=de", "EU=de", "e u=de", "\xc3\xbc=de", "eu=", "_=a"}) {
    EXPECT_FALSE(group_of(text)) << text;
  }
}

}  // namespace
}  // namespace pgtend::partition
