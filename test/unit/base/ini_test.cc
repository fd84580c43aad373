#include "base/ini.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend {
namespace {

Result<std::string> no_files(const std::string& name) {
  return Error{ErrorCode::NotFound, cat("cannot open \"", name, "\"")};
}

Result<std::vector<IniEntry>> parse(std::string_view text) {
  return parse_ini(text, "pool.ini", no_files);
}

TEST(Ini, EntriesKeepSectionOrderAndPlace) {
  const auto entries =
      parse("; comment\n[databases]\n* = host=/tmp\n\n[pgbouncer]\r\nlisten_port=6432 \r\n");

  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].section, "databases");
  EXPECT_EQ((*entries)[0].key, "*");
  EXPECT_EQ((*entries)[0].value, "host=/tmp");
  EXPECT_EQ((*entries)[1].key, "listen_port");
  EXPECT_EQ((*entries)[1].value, "6432");
  EXPECT_EQ((*entries)[1].place(), "pool.ini:6");
}

TEST(Ini, SemicolonLaterInALineBelongsToTheValue) {
  const auto entries = parse("[pgbouncer]\nserver_reset_query = DISCARD ALL; # x");

  EXPECT_EQ((*entries)[0].value, "DISCARD ALL; # x");
}

TEST(Ini, NamesMayBeQuotedEitherWay) {
  const auto entries = parse("[databases]\n'my db' = a=b\n\"x\"\"y\" =\n");

  ASSERT_TRUE(entries);
  EXPECT_EQ((*entries)[0].key, "my db");
  EXPECT_EQ((*entries)[1].key, "x\"y");
  EXPECT_EQ((*entries)[1].value, "");
}

TEST(Ini, BadLinesAreNamedByFileAndLine) {
  for (const auto* text : {"[a]\nno value\n", "[a]\n= x", "[a\nb=c", "a=b", "[a]\n%import x",
                           "[a]\n'x = y", "[a]\n%includex"}) {
    const auto entries = parse(text);
    ASSERT_FALSE(entries) << text;
    EXPECT_EQ(entries.error().code, ErrorCode::Invalid);
    EXPECT_TRUE(entries.error().message.starts_with("pool.ini:")) << entries.error().message;
  }
}

TEST(Ini, IncludedFileStandsInItsPlaceAndSectionGoesOn) {
  const IniSource source = [](const std::string& name) -> Result<std::string> {
    return cat("b = from ", name, "\n[other]\n");
  };

  const auto entries = parse_ini("[one]\na=1\n%include two.ini\nc=3\n", "pool.ini", source);

  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[1].value, "from two.ini");
  EXPECT_EQ((*entries)[1].section, "one");
  EXPECT_EQ((*entries)[1].place(), "two.ini:1");
  EXPECT_EQ((*entries)[2].section, "other");
}

TEST(Ini, EndlessIncludeIsStopped) {
  const IniSource self = [](const std::string&) -> Result<std::string> {
    return std::string("%include pool.ini\n");
  };

  const auto entries = parse_ini("%include pool.ini\n", "pool.ini", self);

  ASSERT_FALSE(entries);
  EXPECT_NE(entries.error().message.find("deeper than 10"), std::string::npos);
}

TEST(Ini, MissingIncludeTellsWhereItIsWanted) {
  const auto entries = parse("[a]\n%include gone.ini");

  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::NotFound);
  EXPECT_TRUE(entries.error().message.starts_with("pool.ini:2: "));
}

TEST(ConnectionWords, QuotesAndSpacesAreUnderstood) {
  const auto words =
      parse_connection_words("host=/tmp  port = 5432 password='it''s a secret' user=");

  ASSERT_TRUE(words);
  ASSERT_EQ(words->size(), 4u);
  EXPECT_EQ((*words)[1].second, "5432");
  EXPECT_EQ((*words)[2].second, "it's a secret");
  EXPECT_EQ((*words)[3].second, "");
  EXPECT_TRUE(parse_connection_words("")->empty());
}

TEST(ConnectionWords, BrokenStringsAreRefused) {
  for (const auto* text : {"host", "=x", "host='x", "host=a b", "'a'=b"}) {
    EXPECT_FALSE(parse_connection_words(text)) << text;
  }
}

}  // namespace
}  // namespace pgtend
