#include "pg/options.h"

#include <gtest/gtest.h>

namespace pgtend::pg {
namespace {

Options parsed(const std::string& text) {
  auto options = Options::parse(text);
  CHECK(options);
  return std::move(options).take();
}

TEST(PgOptions, PlainTextIsADatabaseName) {
  EXPECT_EQ(parsed("metering").get("dbname"), "metering");
  EXPECT_EQ(parsed("a name with spaces").get("dbname"), "a name with spaces");
  EXPECT_TRUE(parsed("").pairs().empty());
}

TEST(PgOptions, UriIsTakenApart) {
  const Options options = parsed(
      "postgresql://me:p%40ss@db.example:6543/metering?sslmode=require&target_session_attrs="
      "read-write");

  EXPECT_EQ(options.get("host"), "db.example");
  EXPECT_EQ(options.get("port"), "6543");
  EXPECT_EQ(options.get("user"), "me");
  EXPECT_EQ(options.get("password"), "p@ss");
  EXPECT_EQ(options.get("dbname"), "metering");
  EXPECT_EQ(options.get("sslmode"), "require");
  EXPECT_EQ(options.get("target_session_attrs"), "read-write");
}

TEST(PgOptions, SeveralHostsStayOneList) {
  const Options options = parsed("postgres://a:1,b:2/db");

  EXPECT_EQ(options.get("host"), "a,b");
  EXPECT_EQ(options.get("port"), "1,2");
}

TEST(PgOptions, KeywordsWithQuotedValuesAreTakenApart) {
  const Options options = parsed("host='/tmp/with space' password='it\\'s' service=mine");

  EXPECT_EQ(options.get("host"), "/tmp/with space");
  EXPECT_EQ(options.get("password"), "it's");
  EXPECT_EQ(options.get("service"), "mine");
}

TEST(PgOptions, MalformedTextIsInvalidWithLibpqsReason) {
  const auto unknown = Options::parse("hots=localhost");

  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::Invalid);
  EXPECT_NE(unknown.error().message.find("hots"), std::string::npos) << unknown.error().message;
  EXPECT_FALSE(unknown.error().hint.empty());
}

TEST(PgOptions, ErrorsDoNotShowAPassword) {
  for (const std::string text :
       {"host=a password=hun ter2", "postgresql://me:hunter2%zz@h/db",
        "postgresql://me:hunter2@[::1/d", "postgresql://me:hunter2@h:1x/db?nonsense=ter2",
        "password='hunter2", "hunter2= password=x"}) {
    const auto options = Options::parse(text);
    if (options) continue;
    EXPECT_EQ(options.error().message.find("ter2"), std::string::npos) << options.error().message;
  }
}

TEST(PgOptions, ConnectionStringWinsOverSwitchesAsInPsql) {
  const auto options = Options::from(
      {.host = "switch", .port = "1", .user = "me", .dbname = "host=string dbname=metering"});

  ASSERT_TRUE(options);
  EXPECT_EQ(options->get("host"), "string");
  EXPECT_EQ(options->get("port"), "1");
  EXPECT_EQ(options->get("user"), "me");
  EXPECT_EQ(options->get("dbname"), "metering");
}

TEST(PgOptions, SwitchesWithAPlainNameAllCount) {
  const auto options = Options::from({.host = "h", .port = "2", .user = "u", .dbname = "d"});

  ASSERT_TRUE(options);
  EXPECT_EQ(options->describe(), "u@h:2/d");
}

TEST(PgOptions, SetReplacesAnEarlierValue) {
  Options options;
  options.set("host", "a").set("host", "b");

  EXPECT_EQ(options.get("host"), "b");
  EXPECT_EQ(options.pairs().size(), 1U);
}

TEST(PgOptions, DescribeNamesThePlaceWithoutSecrets) {
  EXPECT_EQ(parsed("postgresql://me:secret@h:5/db").describe(), "me@h:5/db");
  EXPECT_EQ(parsed("service=mine").describe(), "service=mine");
  EXPECT_EQ(Options().describe(), "the default server");
  EXPECT_EQ(Options().set("dbname", "a\x1b[2J").describe(), "/a\\x1b[2J");
}

TEST(PgOptions, NulByteInTheTextIsInvalid) { EXPECT_FALSE(Options::parse(std::string("a\0b", 3))); }

}  // namespace
}  // namespace pgtend::pg
