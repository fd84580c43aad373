#include "base/json_writer.h"

#include <gtest/gtest.h>

namespace pgtend {
namespace {

TEST(JsonWriter, PiecesGiveTheTextOfTheWhole) {
  const auto value = parse_json(R"({"a": [1, {"b": []}, {}], "c\n": null, "d": "x"})");
  ASSERT_TRUE(value);
  JsonWriter writer;
  writer.begin_object();
  writer.key("a");
  writer.begin_list();
  writer.value(1);
  writer.begin_object();
  writer.key("b");
  writer.value(json::array());
  writer.end();
  writer.begin_object();
  writer.end();
  writer.end();
  writer.key("c\n");
  writer.value(nullptr);
  writer.key("d");
  writer.value("x");
  writer.end();

  EXPECT_EQ(writer.take() + "\n", to_pretty_text(*value));
}

TEST(JsonWriter, HundredThousandLevelsGrowLinearly) {
  constexpr size_t kLevels = 100'000;
  JsonWriter writer;
  for (size_t i = 0; i < kLevels; ++i) writer.begin_list();
  for (size_t i = 0; i < kLevels; ++i) writer.end();

  EXPECT_LT(writer.take().size(), 200 * kLevels);
}

}  // namespace
}  // namespace pgtend
