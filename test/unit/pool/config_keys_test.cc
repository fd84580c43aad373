#include "pool/config_keys.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(ConfigKeys, IntegersFollowCsRules) {
  int value = 0;
  EXPECT_TRUE(read_value("0777", value));
  EXPECT_EQ(value, 511);
  EXPECT_TRUE(read_value("0x1f", value));
  EXPECT_EQ(value, 31);
  EXPECT_TRUE(read_value("0", value));
  for (const auto* bad : {"", "on", "1.5", "08", "0x", "--1", "-1", "3000000000", "1 2"}) {
    EXPECT_FALSE(read_value(bad, value)) << bad;
  }
}

TEST(ConfigKeys, SwitchesAreZeroOrOne) {
  bool value = false;
  EXPECT_TRUE(read_value("1", value));
  EXPECT_TRUE(value);
  for (const auto* bad : {"yes", "on", "true", "2", ""}) EXPECT_FALSE(read_value(bad, value));
}

TEST(ConfigKeys, TimesAreSecondsWithFractions) {
  microseconds value{};
  EXPECT_TRUE(read_value("0.25", value));
  EXPECT_EQ(value, milliseconds(250));
  for (const auto* bad : {"-1", "nan", "inf", "1e30", "5s"}) EXPECT_FALSE(read_value(bad, value));
}

TEST(ConfigKeys, ListsLoseTheirSpaces) {
  std::vector<std::string> value = {"old"};
  EXPECT_TRUE(read_value(" a, b ,,c ", value));
  EXPECT_EQ(value, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(ConfigKeys, WordsIgnoreCaseAndNameTheirChoices) {
  PoolMode mode = PoolMode::Session;
  EXPECT_TRUE(read_value("TRANSACTION", mode));
  EXPECT_EQ(mode, PoolMode::Transaction);
  const auto bad = read_value("often", mode);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("session, transaction"), std::string::npos);
}

}  // namespace
}  // namespace pgtend::pool
