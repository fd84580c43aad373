#include "facts/estimates.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

TEST(Estimates, GoThroughJsonUnchanged) {
  ColumnEstimate column{.name = "to\"ken", .unique = true, .rows = 1e6, .null_frac = 0.25};
  column.n_distinct = -0.5;
  column.set_distinct = -0.25;
  column.used_by = "index i";
  column.at_least = {{5000, "the unique index public.i"}};
  column.room = {{"public.i", 1e6, 4031, false}};
  column.rare = {{.condition = "(a = 'b'::text)", .index = "public.j", .rows = 3, .more = true}};
  column.counted = CountedValues{.low = 1, .best = 2, .high = 3, .how = "a count"};

  const json::object text = to_json(Estimates{{16384, {column}}});
  const auto back = estimates_from_json(text);

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_text(to_json(*back)), to_text(text));
  EXPECT_EQ(back->at(16384).at(0).counted->best, 2);
}

TEST(Estimates, MistakesAreNamed) {
  const auto read = [](const char* text) { return estimates_from_json(*parse_json(text)); };
  EXPECT_FALSE(read("[]"));
  EXPECT_FALSE(read(R"({"x": []})"));
  const auto unknown = read(R"({"1": [{"name": "a", "colour": 1}]})");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("colour"), std::string::npos);
}

TEST(Estimates, ShareOfTheRowsIsANumberOfValues) {
  ColumnEstimate column{.rows = 1000};
  column.n_distinct = -0.5;
  EXPECT_EQ(column.distinct(), 500);
  column.n_distinct = 7;
  EXPECT_EQ(column.distinct(), 7);
  column.n_distinct = 5000;
  EXPECT_EQ(column.distinct(), 1000) << "no more than rows";
}

}  // namespace
}  // namespace pgtend::facts
