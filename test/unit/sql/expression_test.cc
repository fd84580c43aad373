#include "sql/expression.h"

#include <gmock/gmock.h>

#include "sql/columns.h"

namespace pgtend::sql {
namespace {

TEST(Expression, SubPlanFormsOfEveryVersionParse) {
  for (const char* text :
       {"(hashed SubPlan 1)", "(NOT (hashed SubPlan 1))", "(a = (SubPlan 2))",
        "(alternatives: SubPlan 1 or hashed SubPlan 2)", "(a = (InitPlan 1).col1)",
        "(a > (InitPlan expr_1).col1)", "(ANY (a = (hashed SubPlan 1).col1))",
        "(NOT (ANY (a = (hashed SubPlan any_1).col1)))", "EXISTS(SubPlan 1)",
        "(ALL (a > (SubPlan 1).col1))", "(a = ANY (ARRAY(SubPlan 1)))", "((rescan SubPlan 1) > 5)",
        "(a = $0)"}) {
    const auto tree = parse_expression(text);
    EXPECT_TRUE(tree) << text << ": " << (tree ? "" : tree.error().message);
  }
}

TEST(Expression, WordsInsideQuotesStayAsTheyAre) {
  const auto parsed = conditions("((\"SubPlan 1\" = 'hashed SubPlan 2') AND (\"InitPlan\" = 1))");

  ASSERT_TRUE(parsed);
  const std::vector<Predicate>& list = *parsed;
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].column, "SubPlan 1");
  EXPECT_EQ(list[0].other, OtherSide::Constant);
  EXPECT_EQ(list[1].column, "InitPlan");
}

TEST(Expression, MoreThanOneExpressionIsRefused) {
  for (const char* text : {"a = 1; DROP TABLE t", "a = 1 GROUP BY a", "a = 1 UNION SELECT 1", "",
                           "a DESC", "a = 1 FOR UPDATE", "a = 1 LIMIT 1", "a = 1 --"}) {
    const auto tree = parse_expression(text);
    EXPECT_EQ(static_cast<bool>(tree), std::string_view(text) == "a = 1 --") << text;
  }
}

TEST(Expression, InitPlanReferencesAreWholeTokens) {
  EXPECT_THAT(init_plan_references("(a = $12) AND b = '$1' AND (InitPlan 10).col1 > 1"),
              testing::ElementsAre("$12", "InitPlan 10"));
  EXPECT_THAT(init_plan_references("\"$1\" = 'InitPlan 1'"), testing::IsEmpty());
}

}  // namespace
}  // namespace pgtend::sql
