#include "partition/upkeep_policy.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::partition {
namespace {

// The error of one table's keys that stand from line 2 on.
Error error_of(const std::string& keys) {
  auto parsed = parse_policies(cat("[partition.\"public.t\"]\n", keys), "p.toml");
  EXPECT_FALSE(parsed) << keys;
  return parsed ? Error{} : std::move(parsed).error();
}

TEST(UpkeepPolicies, EveryKeyIsRead) {
  const auto policies = parse_policies(R"(
[partition."public.t_dlpdata"]
every = "1 month"
zone = "Europe/Berlin"
anchor = "2025-01-31"
ahead = 4
data_ahead = 20
create_max = 50
keep = "13 months"
retire = "archive"
folder = "/srv/archive"

[partition.'"Sélect"."t x"']
keep = "400 days"
retire = "move"
tablespace = "cold"
)",
                                       "pgtend.toml");

  ASSERT_TRUE(policies) << policies.error().message;
  ASSERT_EQ(policies->size(), 2U);
  EXPECT_EQ((*policies)[0], (UpkeepPolicy{.table = "public.t_dlpdata",
                                          .every = Width{Unit::Months, 1},
                                          .time_zone = "Europe/Berlin",
                                          .anchor = "2025-01-31",
                                          .ahead = 4,
                                          .data_ahead = 20,
                                          .create_max = 50,
                                          .keep = Width{Unit::Months, 13},
                                          .retire = Retire::Archive,
                                          .folder = "/srv/archive"}));
  EXPECT_EQ((*policies)[1].table, "\"Sélect\".\"t x\"");
  EXPECT_EQ((*policies)[1].tablespace, "cold");
}

TEST(UpkeepPolicies, TheyComeInTheOrderOfTheFile) {
  const auto policies = parse_policies("[partition.z]\n[partition.a]\n[partition.m]\n", "p");

  ASSERT_TRUE(policies);
  ASSERT_EQ(policies->size(), 3U);
  EXPECT_EQ((*policies)[0].table, "z");
  EXPECT_EQ((*policies)[2].table, "m");
}

TEST(UpkeepPolicies, UnknownKeysAreRefusedWithLineAndNearest) {
  const Error error = error_of("ahead = 3\nahed = 2\n");

  EXPECT_EQ(error.code, ErrorCode::Invalid);
  EXPECT_EQ(error.message, "p.toml:3: unknown key ahed");
  EXPECT_EQ(error.hint, "did you mean ahead?");
}

TEST(UpkeepPolicies, WrongValuesNameTheKeyAndWhatItTakes) {
  const Error kind = error_of("every = 5\n");
  const Error range = error_of("\nahead = -1\n");
  const Error interval = error_of("keep = \"1 fortnight\"\n");
  const Error retire = error_of("keep = \"1 day\"\nretire = \"burn\"\n");
  const Error real = error_of("ahead = 1.0\n");

  EXPECT_EQ(kind.message, "p.toml:2: public.t, key every: wrong kind of value");
  EXPECT_NE(kind.hint.find("'1 month'"), std::string::npos);
  EXPECT_EQ(range.message, "p.toml:3: public.t, key ahead: -1 is not from 0 to 1000");
  EXPECT_NE(interval.message.find("key keep: \"1 fortnight\" is no interval"), std::string::npos);
  EXPECT_NE(retire.message.find("p.toml:3"), std::string::npos);
  EXPECT_NE(real.message.find("wrong kind"), std::string::npos);
}

TEST(UpkeepPolicies, MembersThatDoNotAgreeAreRefused) {
  EXPECT_NE(error_of("keep = \"1 day\"\nretire = \"archive\"\n").message.find("needs a folder"),
            std::string::npos);
  EXPECT_NE(error_of("keep = \"1 day\"\nretire = \"move\"\n").message.find("needs a tablespace"),
            std::string::npos);
  EXPECT_NE(error_of("retire = \"drop\"\n").message.find("without an age"), std::string::npos);
  EXPECT_NE(error_of("anchor = \"2025-01-01\"\n").message.find("needs an interval"),
            std::string::npos);
  EXPECT_NE(error_of("folder = \"/x\"\n").message.find("archive alone"), std::string::npos);
}

TEST(UpkeepPolicies, BrokenFilesTellTheLine) {
  const auto syntax = parse_policies("[partition.t]\nahead = \n", "p.toml");
  const auto section = parse_policies("\n[pool]\nx = 1\n", "p.toml");
  const auto scalar = parse_policies("partition = 3\n", "p.toml");
  const auto list = parse_policies("[[partition.t]]\nahead = 1\n", "p.toml");
  const auto twice = parse_policies("[partition.t]\n[partition.t]\n", "p.toml");
  const auto escape = parse_policies("[partition.\"\"]\n", "p.toml");

  EXPECT_NE(syntax.error().message.find("p.toml:2: "), std::string::npos);
  EXPECT_NE(section.error().message.find("p.toml:2: unknown section pool"), std::string::npos);
  EXPECT_FALSE(scalar);
  EXPECT_FALSE(list);
  EXPECT_FALSE(twice);
  EXPECT_FALSE(escape);
  EXPECT_EQ(load_policies("/nonexistent/pgtend.toml").error().code, ErrorCode::NotFound);
}

TEST(UpkeepPolicies, TheExampleIsRead) {
  const auto read = load_policies(PGTEND_SOURCE_DIR "/examples/metering/pgtend.toml");

  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->at(0).table, "public.t_dlpdata");
  EXPECT_EQ(read->at(0).retire, Retire::Archive);
}

}  // namespace
}  // namespace pgtend::partition
