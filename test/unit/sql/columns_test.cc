#include "sql/columns.h"

#include <gmock/gmock.h>

#include "sql/expression.h"

namespace pgtend::sql {
namespace {

std::vector<Predicate> of(std::string_view text) {
  const auto tree = parse_expression(text);
  EXPECT_TRUE(tree) << text << ": " << (tree ? "" : tree.error().message);
  return tree ? predicates(*tree) : std::vector<Predicate>{};
}

TEST(Columns, TimeWindowIsARangeRelativeToNow) {
  const auto list = of("(d.reading_timestamp > (now() - '1 day'::interval))");

  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].qualifier, "d");
  EXPECT_EQ(list[0].column, "reading_timestamp");
  EXPECT_EQ(list[0].operators, OperatorClass::Range);
  EXPECT_EQ(list[0].wrapping, Wrapping::None);
  EXPECT_EQ(list[0].other, OtherSide::Call);
  EXPECT_TRUE(list[0].relative_to_now);
  EXPECT_THAT(list[0].functions, testing::ElementsAre("now"));
}

TEST(Columns, ExchangedSidesTurnTheOperatorRound) {
  const auto list = of("('5'::numeric <= \"T x\".\"C\"\"y\")");

  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].column, "C\"y");
  EXPECT_EQ(list[0].op, ">=");
  EXPECT_EQ(list[0].operators, OperatorClass::Range);
  EXPECT_EQ(list[0].other, OtherSide::Constant);
}

TEST(Columns, WrappedColumnsSayWhatStandsAroundThem) {
  const auto list = of(
      "((date_trunc('day'::text, ts) > now()) AND ((ts)::date = CURRENT_DATE) AND ((id + 1) = 5) "
      "AND ((CASE WHEN (x = 1) THEN 1 ELSE 2 END) = 2))");

  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].wrapping, Wrapping::Function);
  EXPECT_EQ(list[0].wrapped_by, "date_trunc");
  EXPECT_EQ(list[1].wrapping, Wrapping::Cast);
  EXPECT_EQ(list[1].wrapped_by, "date");
  EXPECT_TRUE(list[1].relative_to_now);
  EXPECT_EQ(list[2].wrapping, Wrapping::Operator);
  EXPECT_EQ(list[3].wrapping, Wrapping::Expression);
}

TEST(Columns, OtherSideTellsWhatDiffersFromRowToRow) {
  const auto list =
      of("((a = b) AND (c = (SubPlan 1)) AND (d = $1) AND (e = (InitPlan 1).col1) AND (f = 'x'))");

  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0].other, OtherSide::PerRow);
  EXPECT_EQ(list[1].other, OtherSide::PerRow);
  EXPECT_EQ(list[2].other, OtherSide::Parameter);
  EXPECT_EQ(list[3].other, OtherSide::Parameter);
  EXPECT_EQ(list[4].other, OtherSide::Constant);
}

TEST(Columns, OperatorsThatNoBtreeSeeksAreOther) {
  const auto list =
      of("((a <> 1) AND (b ~~ 'x%'::text) AND (c IS NULL) AND ((d = 1) OR (e = 2)) AND (NOT f) AND "
         "(g = ANY ('{1,2}'::integer[])) AND (h OPERATOR(pg_catalog.=) 1) AND (i OPERATOR(mine.=) "
         "1))");

  ASSERT_EQ(list.size(), 8u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(list[i].operators, OperatorClass::Other) << i;
  EXPECT_EQ(list[5].operators, OperatorClass::Equality);
  EXPECT_EQ(list[6].operators, OperatorClass::Equality);
  EXPECT_EQ(list[7].operators, OperatorClass::Other);
}

TEST(Columns, VolatilityOfClocksIsKnown) {
  EXPECT_EQ(builtin_volatility("now"), Volatility::Stable);
  EXPECT_EQ(builtin_volatility("pg_catalog.clock_timestamp"), Volatility::Volatile);
  EXPECT_EQ(builtin_volatility("mine.now"), Volatility::Unknown);
}

}  // namespace
}  // namespace pgtend::sql
