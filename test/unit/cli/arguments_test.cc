#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgtend::cli {
namespace {

constexpr Parameter kParameters[] = {
    {"TABLE", "", "the table to work on"},
    {"[SQL]", "", "a statement"},
    {"--fail-on", "SEVERITY", "exit 1 at or above it"},
    {"--every", "INTERVAL", "how long a partition is"},
    {"--analyze", "", "run it"},
    {"--log", "FILE...", "logs to read"},
    {"--param", "VALUE", "a value", true},
};
constexpr Command kCommand = {"sample",          "run",       "Does a thing",
                              Needs::Connection, kParameters, nullptr};

TEST(Arguments, FlagsAndObjectsAreReadByTheirRows) {
  const auto parsed =
      parse_arguments(kCommand, {"app.t", "select 1", "--analyze", "--every", "1 month", "--json"});

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->args.get("TABLE"), "app.t");
  EXPECT_EQ(parsed->args.get("SQL"), "select 1");
  EXPECT_EQ(parsed->args.get("--every"), "1 month");
  EXPECT_TRUE(parsed->args.has("--analyze"));
  EXPECT_TRUE(parsed->json);
  EXPECT_FALSE(parsed->args.apply);
}

TEST(Arguments, AFlagOfSeveralWordsTakesAllUpToTheNextFlag) {
  const auto parsed = parse_arguments(
      kCommand, {"app.t", "--log", "a.log", "-", "b.log", "--every", "1 day", "--log", "c.log"});

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->args.list("--log"), (std::vector<std::string>{"a.log", "-", "b.log", "c.log"}));
  EXPECT_TRUE(parsed->args.list("--every").size() == 1 && parsed->args.list("--json").empty());
  EXPECT_FALSE(parse_arguments(kCommand, {"app.t", "--log"}));
}

TEST(Arguments, ARepeatedFlagTakesOneValueEachTimeWhateverItLooksLike) {
  const auto parsed = parse_arguments(
      kCommand, {"--param", "-5", "app.t", "--param=", "--param", "--json", "--param=a=b", "sql"});

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->args.list("--param"), (std::vector<std::string>{"-5", "", "--json", "a=b"}));
  EXPECT_EQ(parsed->args.get("TABLE"), "app.t");
  EXPECT_EQ(parsed->args.get("SQL"), "sql");
  EXPECT_FALSE(parsed->json);
}

TEST(Arguments, ConnectionWordsMeanWhatPsqlMeansByThem) {
  const auto parsed = parse_arguments(
      kCommand, {"t", "-h", "db.example", "-p", "5433", "-U", "ada", "-d", "meters"});

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->args.connection.get("host"), "db.example");
  EXPECT_EQ(parsed->args.connection.get("port"), "5433");
  EXPECT_EQ(parsed->args.connection.get("user"), "ada");
  EXPECT_EQ(parsed->args.connection.get("dbname"), "meters");
}

TEST(Arguments, LongFormsOfTheConnectionWordsWorkToo) {
  const auto parsed = parse_arguments(kCommand, {"t", "--host=a", "--username", "b"});

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->args.connection.get("host"), "a");
  EXPECT_EQ(parsed->args.connection.get("user"), "b");
}

TEST(Arguments, AMistypedFlagIsNamedWithTheNearestOne) {
  const auto parsed = parse_arguments(kCommand, {"t", "--analyse"});

  ASSERT_FALSE(parsed);
  EXPECT_EQ(exit_code(parsed.error()), 2);
  EXPECT_THAT(parsed.error().hint, testing::HasSubstr("--analyze"));
}

TEST(Arguments, AMissingObjectIsAskedForByName) {
  const auto parsed = parse_arguments(kCommand, {"--analyze"});

  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, testing::HasSubstr("TABLE"));
}

TEST(Arguments, HelpNeedsNoObjectAndListsEveryParameter) {
  const auto parsed = parse_arguments(kCommand, {"--help"});

  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->help);
  for (const Parameter& parameter : kParameters) {
    EXPECT_THAT(help_text(kCommand), testing::HasSubstr(std::string(parameter.help)));
  }
}

TEST(Arguments, NumbersOutsideTheirRangeAreRefused) {
  auto parsed = parse_arguments(kCommand, {"t", "--every", "12"});

  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed->args.number("--every", 5, 1, 12), 12);
  EXPECT_EQ(*parsed->args.number("--absent", 5, 1, 12), 5);
  EXPECT_EQ(parsed->args.number("--every", 5, 1, 11).error().code, ErrorCode::Invalid);
}

TEST(Commands, EveryRowHasASummaryAndADistinctName) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    names.push_back(std::string(command.area) + " " + std::string(command.verb));
    EXPECT_FALSE(command.summary.empty()) << names.back();
    EXPECT_NE(command.run, nullptr) << names.back();
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace pgtend::cli
