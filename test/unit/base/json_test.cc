#include "base/json.h"

#include <gtest/gtest.h>

namespace pgtend {
namespace {

TEST(Json, MemberOrderSurvivesReadingAndWriting) {
  const auto value = parse_json(R"({"b": [1, 2.5], "a": {"x": null}, "e": []})");

  ASSERT_TRUE(value);
  EXPECT_EQ(to_text(*value), R"({"b":[1,2.5E0],"a":{"x":null},"e":[]})");
  EXPECT_EQ(to_pretty_text(json::value{{"k", json::array{1}}}), "{\n  \"k\": [\n    1\n  ]\n}\n");
}

TEST(Json, BrokenInputSaysWhere) {
  const auto value = parse_json(R"({"a": tru})");

  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::Invalid);
  EXPECT_NE(value.error().message.find("at byte"), std::string::npos);
}

TEST(Json, TextBehindTheDocumentIsRefused) { EXPECT_FALSE(parse_json("{} {}")); }

TEST(Json, TooDeepAndTooLargeAreLimits) {
  const std::string deep(5000, '[');

  EXPECT_EQ(parse_json(deep).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json("[1,2,3]", {.bytes_max = 3, .depth_max = 10}).error().code,
            ErrorCode::Limit);
}

}  // namespace
}  // namespace pgtend
