#include "sql/conditions.h"

#include <gmock/gmock.h>

#include <string>

#include "base/text.h"
#include "sql/expression.h"

namespace pgtend::sql {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

ConditionShape shape(const std::string& text) {
  const auto tree = parse_expression(text);
  EXPECT_TRUE(tree) << text;
  return tree ? shape_of(*tree) : ConditionShape{};
}

TEST(Conditions, NotInIsANegatedConditionInEachVersionsWords) {
  for (const std::string text :
       {"(NOT (hashed SubPlan 1))", "((a = 1) AND (NOT (hashed SubPlan 1)))",
        "(NOT (ANY (a = (hashed SubPlan 1).col1)))"}) {
    const auto uses = shape(text).sub_plans;
    ASSERT_EQ(uses.size(), 1U) << text;
    EXPECT_EQ(uses[0].name, "SubPlan 1");
    EXPECT_TRUE(uses[0].hashed && uses[0].negated && uses[0].condition && !uses[0].alternative)
        << text;
  }
}

TEST(Conditions, SubPlanThatIsComparedIsAValue) {
  const auto uses = shape("(x > (SubPlan 2))").sub_plans;

  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].name, "SubPlan 2");
  EXPECT_FALSE(uses[0].condition || uses[0].hashed || uses[0].negated);
}

TEST(Conditions, ExistsBesideOrIsAnAlternative) {
  for (const std::string text : {"((SubPlan 1) OR (x = 2))", "(EXISTS(SubPlan 1) OR (x = 2))"}) {
    const auto uses = shape(text).sub_plans;
    ASSERT_EQ(uses.size(), 1U) << text;
    EXPECT_TRUE(uses[0].alternative && uses[0].condition) << text;
  }
}

TEST(Conditions, BothFormsOfOneExistsAreNoOr) {
  const ConditionShape both = shape("(alternatives: SubPlan 1 or hashed SubPlan 2)");

  ASSERT_EQ(both.sub_plans.size(), 2U);
  EXPECT_FALSE(both.sub_plans[0].alternative || both.sub_plans[1].alternative || both.has_or);
}

TEST(Conditions, OrOverColumnsNeedsSidesThatAnIndexCouldServe) {
  EXPECT_TRUE(shape("((a = 1) OR (b = 2))").or_of_columns);
  EXPECT_FALSE(shape("((a = 1) OR (a = 2))").or_of_columns);
  EXPECT_FALSE(shape("((a = b) OR (c = 2))").or_of_columns);
  EXPECT_FALSE(shape("((a = 1) AND (b = 2))").or_of_columns);
  EXPECT_FALSE(shape("((lower(a) = 'x') OR (b = 2))").or_of_columns);
}

TEST(Conditions, EqualityOfTwoRelationsMustHoldAlways) {
  EXPECT_TRUE(shape("((t.a = u.b) AND (t.c < 3))").equates_relations);
  EXPECT_FALSE(shape("((t.a = u.b) OR (t.c < 3))").equates_relations);
  EXPECT_FALSE(shape("(t.a = t.b)").equates_relations);
  EXPECT_THAT(shape("((t.a = u.b) AND (\"v w\".c < 3))").qualifiers,
              UnorderedElementsAre("t", "u", "v w"));
}

TEST(Conditions, ListsAreCountedWithQuotesAndCommasInside) {
  EXPECT_EQ(shape("(a = ANY ('{1,2,3}'::integer[]))").elements_max, 3U);
  EXPECT_EQ(shape(R"((a = ANY ('{x,"y,z","q\"r,"}'::text[])))").elements_max, 3U);
  EXPECT_EQ(shape("(a = 'b,c')").elements_max, 0U);
}

TEST(Conditions, AggregateOverOrderedRowsIsSeen) {
  EXPECT_TRUE(shape("count(DISTINCT a)").sorts_in_aggregate);
  EXPECT_TRUE(shape("string_agg(a, ','::text ORDER BY b)").sorts_in_aggregate);
  EXPECT_FALSE(shape("sum(a)").sorts_in_aggregate);
}

TEST(Conditions, DeepNestingIsWalkedWithoutRecursion) {
  std::string text = "(a = 1)";
  for (int i = 0; i < 60; ++i) text = cat("(NOT ", text, ")");

  EXPECT_FALSE(shape(text).has_or);
}

}  // namespace
}  // namespace pgtend::sql
