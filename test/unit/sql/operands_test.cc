#include "sql/operands.h"

#include <gmock/gmock.h>

namespace pgtend::sql {
namespace {

OperandTexts around(std::string_view sql, std::string_view op, std::string_view qualifier = "t") {
  return Operands(sql).around(sql.find(op), qualifier);
}

TEST(Operands, BothSidesEndWhereTheConditionEnds) {
  const OperandTexts both = around("((t.a = 1) AND (lower(t.b) <= 'x AND y') AND c)", "<=");

  EXPECT_EQ(both.left, "lower(b)");
  EXPECT_EQ(both.right, "'x AND y'");
  EXPECT_EQ(around("t.a = 1 AND t.b > 2 OR c", ">").left, "b");
  EXPECT_EQ(around("t.a = 1 AND t.b > 2 OR c", ">").right, "2");
}

TEST(Operands, OnlyTheQualifierOfColumnsGoes) {
  EXPECT_EQ(around("(t.f(t.a) = t.b.c)", "=").left, "t.f(a)");
  EXPECT_EQ(around("(\"T x\".\"a\" = 1)", "=", "T x").left, "\"a\"");
  EXPECT_EQ(around("(T.a = 1)", "=").left, "a");
  EXPECT_EQ(around("(u.a = 1)", "=").left, "u.a");
}

TEST(Operands, OperatorsOfAnySpellingAreFound) {
  EXPECT_EQ(around("(t.a OPERATOR(s.@>) '{}'::jsonb)", "OPERATOR").right, "'{}'::jsonb");
  EXPECT_EQ(around("(t.a ->> 'k'::text)", "->>").left, "a");
  EXPECT_EQ(around("(((t.a)) = (1))", "=").left, "a");
}

TEST(Operands, PlacesWithoutAnOperatorGiveNothing) {
  EXPECT_EQ(Operands("(a = 1)").around(1, "").left, "");
  EXPECT_EQ(Operands("(a = 1)").around(999, "").left, "");
  EXPECT_EQ(Operands("").around(0, "").left, "");
  EXPECT_EQ(around("))) = (((", "=").right, "(((");  // no grammar takes it: no crash is all
}

}  // namespace
}  // namespace pgtend::sql
