#include "sql/columns.h"

#include <gmock/gmock.h>

#include "sql/expression.h"

namespace pgtend::sql {
namespace {

std::vector<Predicate> of(std::string_view text) {
  auto list = conditions(text);
  EXPECT_TRUE(list) << text << ": " << (list ? "" : list.error().message);
  return list ? *list : std::vector<Predicate>{};
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

TEST(Columns, BothSidesAreToldAsTheyWereWritten) {
  const auto list =
      of("((lower((t.\"E mail\")::text) = 'O''Neil AND x'::text) AND ('x%'::text OPERATOR(mine.~~) "
         "t.v) "
         "AND (((t.id + 1) * 2) >= 5) AND (t.g = ANY ('{1,2}'::integer[])))");

  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].expression, "lower((\"E mail\")::text)");
  EXPECT_EQ(list[0].value, "'O''Neil AND x'::text");
  EXPECT_EQ(list[0].literal, "O'Neil AND x");
  EXPECT_EQ(list[1].expression, "v");
  EXPECT_EQ(list[2].expression, "(id + 1) * 2");
  EXPECT_EQ(list[2].literal, "5");
  EXPECT_TRUE(list[3].any);
  EXPECT_FALSE(list[0].any);
}

TEST(Columns, ColumnsOfOtherRelationsAreValues) {
  const auto join = conditions("((o.k = i.k) AND (i.v > i.w) AND (o.a = o.b))", "i");

  ASSERT_TRUE(join);
  ASSERT_EQ(join->size(), 3u);
  EXPECT_EQ((*join)[0].column, "k");
  EXPECT_EQ((*join)[0].qualifier, "i");
  EXPECT_EQ((*join)[0].other, OtherSide::Parameter);
  EXPECT_EQ((*join)[1].other, OtherSide::PerRow);
  EXPECT_EQ((*join)[2].column, "");
}

TEST(Columns, TestsOfOneColumnHaveAName) {
  const auto list =
      of("((a IS NULL) AND (b IS NOT NULL) AND c AND (NOT d) AND (lower(e) IS NULL))");

  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0].op, "IS NULL");
  EXPECT_EQ(list[1].op, "IS NOT NULL");
  EXPECT_EQ(list[2].op, "IS TRUE");
  EXPECT_EQ(list[3].op, "NOT");
  EXPECT_EQ(list[4].op, "");
}

TEST(Columns, SortKeysTellDirectionAndWhereNullsGo) {
  const auto plain = sort_key("t.ts"), down = sort_key("t.\"T S\" DESC"),
             last = sort_key("ts DESC NULLS LAST"), other = sort_key("lower(t.v)");

  ASSERT_TRUE(plain && down && last && other);
  EXPECT_EQ(plain->column, "ts");
  EXPECT_FALSE(plain->descending || plain->nulls_first);
  EXPECT_EQ(down->column, "T S");
  EXPECT_TRUE(down->descending && down->nulls_first);
  EXPECT_TRUE(last->descending && !last->nulls_first);
  EXPECT_EQ(other->column, "");
  for (const char* text : {"a, b", "a; SELECT 1", "a LIMIT 1 OFFSET 2, b", ""}) {
    EXPECT_FALSE(sort_key(text)) << text;
  }
}

TEST(Columns, VolatilityOfClocksIsKnown) {
  EXPECT_EQ(builtin_volatility("now"), Volatility::Stable);
  EXPECT_EQ(builtin_volatility("pg_catalog.clock_timestamp"), Volatility::Volatile);
  EXPECT_EQ(builtin_volatility("mine.now"), Volatility::Unknown);
}

}  // namespace
}  // namespace pgtend::sql
