#include "pool/userlist.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(Userlist, QuotesCommentsAndTrailersAreUnderstood) {
  const auto list =
      Userlist::parse("; comment\n\"ada\" \"se\"\"same\" ignored\n\n\"bob\" \"\"\r\n", "u.txt");

  ASSERT_TRUE(list);
  EXPECT_EQ(*list->secret("ada"), "se\"same");
  EXPECT_EQ(*list->secret("bob"), "");
  EXPECT_EQ(list->secret("eve"), nullptr);
}

TEST(Userlist, BrokenLinesAreNamed) {
  for (const auto* text : {"\"a\" \"b\"\nada sesame", "\"a\" \"b\"\n\"ada\"",
                           "\"a\" \"b\"\n\"ada\" \"sesame", "\"a\" \"b\"\n\"\" \"x\""}) {
    const auto list = Userlist::parse(text, "u.txt");
    ASSERT_FALSE(list) << text;
    EXPECT_TRUE(list.error().message.starts_with("u.txt:2: ")) << list.error().message;
  }
}

TEST(Userlist, LaterLineWins) {
  const auto list = Userlist::parse("\"a\" \"1\"\n\"a\" \"2\"\n", "u.txt");

  EXPECT_EQ(*list->secret("a"), "2");
}

TEST(Userlist, TooLongNamesAreRefused) {
  EXPECT_FALSE(Userlist::parse("\"" + std::string(200, 'x') + "\" \"s\"", "u.txt"));
}

}  // namespace
}  // namespace pgtend::pool
