#include "explain/sampling.h"

#include <gmock/gmock.h>

#include "explain/generic_plan.h"

namespace pgtend::explain {
namespace {

using testing::HasSubstr;

facts::ColumnStats stats_of(std::vector<std::string> common, std::vector<double> frequencies,
                            std::vector<std::string> bounds) {
  facts::ColumnStats out;
  out.common_values = std::move(common);
  out.common_frequencies = std::move(frequencies);
  out.histogram_bounds = std::move(bounds);
  return out;
}

std::vector<std::string> numbers(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(std::to_string(i));
  return out;
}

sql::ParameterUse use_of(std::string op, bool list = false) {
  return {.number = 1, .column = "c", .op = std::move(op), .list = list};
}

TEST(Sampling, EqualityTakesTheCommonValuesOneAfterTheOther) {
  const auto stats = stats_of({"x", "y"}, {0.5, 0.25}, numbers(3));

  const auto first = sampled(stats, use_of("="), 0, false);
  const auto second = sampled(stats, use_of("="), 1, false);

  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->value, "x");
  EXPECT_EQ(first->origin, "the most common value (50 % of the rows)");
  EXPECT_EQ(second->value, "y");
  EXPECT_THAT(second->origin, HasSubstr("common value 2"));
}

TEST(Sampling, RangesTakeBoundsThatLeaveATenth) {
  const auto stats = stats_of({}, {}, numbers(101));

  EXPECT_EQ(sampled(stats, use_of(">"), 0, false)->value, "90");
  EXPECT_EQ(sampled(stats, use_of("<="), 0, false)->value, "10");
  EXPECT_EQ(sampled(stats, use_of(">="), 0, true)->value, "45");
  EXPECT_EQ(sampled(stats, use_of("<"), 0, true)->value, "55");
  EXPECT_EQ(sampled(stats, use_of("="), 0, false)->value, "50");
}

TEST(Sampling, ListsAndPatternsAreWrittenSoThatTheyMeanTheValue) {
  const auto stats = stats_of({"a\"b\\", "50%_", "x", "y"}, {}, {});

  EXPECT_EQ(sampled(stats, use_of("=", true), 0, false)->value, R"({"a\"b\\","50%_","x"})");
  EXPECT_EQ(sampled(stats, use_of("~~"), 1, false)->value, R"(50\%\_)");
}

TEST(Sampling, NothingIsGuessed) {
  const auto empty = stats_of({}, {}, {});
  EXPECT_FALSE(sampled(empty, use_of("="), 0, false));
  EXPECT_FALSE(sampled(stats_of({"x"}, {}, {}), use_of("@>"), 0, false));
  EXPECT_FALSE(sampled(stats_of({"x"}, {}, {}), use_of("+"), 0, false));
  facts::ColumnStats nulls = empty;
  nulls.null_frac = 1;
  EXPECT_EQ(sampled(nulls, use_of("="), 0, false)->value, std::nullopt);
}

TEST(Sampling, ValuesAreShownAsLiterals) {
  EXPECT_EQ(shown({"it's", ""}), "'it''s'");
  EXPECT_EQ(shown({std::nullopt, ""}), "NULL");
}

TEST(GenericPlan, IsKeptWhenItCostsLessThanPlanningAnew) {
  EXPECT_TRUE(would_keep_generic(104, 100, 1));  // planning is charged with 5
  EXPECT_FALSE(would_keep_generic(106, 100, 1));
  EXPECT_TRUE(would_keep_generic(107, 100, 2));
}

}  // namespace
}  // namespace pgtend::explain
