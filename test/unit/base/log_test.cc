#include "base/log.h"

#include <gtest/gtest.h>

namespace pgtend::log {
namespace {

TEST(Log, FieldsAreQuotedWhenTheyNeedIt) {
  EXPECT_EQ(line("client refused", {kv("pool", "app/app"), kv("why", "too many"), kv("n", 3)}),
            R"(client refused pool=app/app why="too many" n=3)");
}

TEST(Log, AHostileValueStaysOnOneLine) {
  EXPECT_EQ(line("x", {kv("name", "a\nlevel=error \"q\"")}),
            "x name=\"a\\x0alevel=error \\\"q\\\"\"");
}

TEST(Log, AnUnknownLevelIsRefusedByName) {
  const auto level = level_from("loud");

  ASSERT_FALSE(level);
  EXPECT_NE(level.error().message.find("loud"), std::string::npos);
}

TEST(Log, WhatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(direct({.file = "/proc/none/x.log"}));
  const auto facility = direct({.to_syslog = true, .syslog_facility = "kitchen"});
  ASSERT_FALSE(facility);
  EXPECT_NE(facility.error().message.find("kitchen"), std::string::npos);
}

}  // namespace
}  // namespace pgtend::log
