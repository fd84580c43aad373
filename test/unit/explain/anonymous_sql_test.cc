#include "explain/anonymous_sql.h"

#include <gmock/gmock.h>

namespace pgtend::explain {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string anonymous(std::string_view text) {
  Pseudonyms pseudonyms;
  return anonymous_sql(text, pseudonyms);
}

TEST(AnonymousSql, NamesAndLiteralsAreReplacedAndTheLanguageStays) {
  EXPECT_EQ(anonymous("((o.state = 'open'::text) AND (o.total > 100.5) AND (o.id = 1))"),
            "((a_a.c_b = 'v_a'::text) AND (a_a.c_c > 101.5) AND (a_a.c_d = 1))");
  EXPECT_EQ(anonymous("SELECT count(*) FROM app.orders o WHERE lower(o.mail) = $1"),
            "SELECT count(*) FROM a_a.c_b c_c WHERE lower(c_c.c_d) = $1");
  EXPECT_EQ(anonymous("(ts >= (now() - '1 day'::interval))"), "(c_a >= (now() - 'v_a'::interval))");
  EXPECT_EQ(anonymous("o.created DESC NULLS LAST"), "a_a.c_b DESC NULLS LAST");
  EXPECT_EQ(anonymous("(d)::timestamp without time zone"), "(c_a)::timestamp without time zone");
}

TEST(AnonymousSql, OneNameHasOnePseudonymInAllTexts) {
  Pseudonyms names;
  names.name("orders", NameKind::Table);

  EXPECT_EQ(anonymous_sql("orders.id", names), "t_a.c_b");
  EXPECT_EQ(anonymous_sql("\"orders\".\"id\" = ORDERS.Id", names), "t_a.c_b = t_a.c_b");
  EXPECT_EQ(names.name("orders", NameKind::Alias), "t_a");
}

TEST(AnonymousSql, NamesThatDifferInDigitsStayOneFamily) {
  Pseudonyms names;

  EXPECT_EQ(names.name("p_2024_01", NameKind::Table), "t_a1");
  EXPECT_EQ(names.name("p_2024_02", NameKind::Table), "t_a2");
  EXPECT_EQ(names.name("p", NameKind::Table), "t_b");
}

TEST(AnonymousSql, FunctionsAndTypesOfSomebodyAreNames) {
  EXPECT_EQ(anonymous("(app.secret(x) = y::hidden)"), "(a_a.f_b(c_c) = c_d::c_e)");
  EXPECT_EQ(anonymous("pg_catalog.lower(x)"), "pg_catalog.lower(c_a)");
  EXPECT_EQ(anonymous("x.pg_catalog.lower"), "a_a.a_b.c_c");
  EXPECT_THAT(anonymous("pg_catalog.secret"), Not(HasSubstr("secret")));
}

TEST(AnonymousSql, NamesThatWantQuotesAreNoKeywords) {
  EXPECT_EQ(anonymous("secret$name = 2 AND \"Secret name\" = secret$name"),
            "c_a = 101 AND c_b = c_a");
  EXPECT_EQ(anonymous("secret$name WHERE"), "c_a WHERE");  // no grammar knows what this is
}

// A word of the language that stands as a column is a name.
TEST(AnonymousSql, KeywordsThatAreColumnsAreNames) {
  EXPECT_EQ(anonymous("(date = 'x'::date)"), "(c_a = 'v_a'::date)");
  EXPECT_EQ(anonymous("(\"select\" = 2)"), "(c_a = 101)");
  EXPECT_EQ(anonymous("SELECT zone FROM t"), "SELECT c_a FROM c_b");
}

TEST(AnonymousSql, SubPlansAndParametersKeepTheirNumbers) {
  EXPECT_EQ(anonymous("(id = (InitPlan 2).col1)"), "(c_a = (InitPlan 2).col1)");
  EXPECT_EQ(anonymous("((NOT (hashed SubPlan 3)) AND (v = $12))"),
            "((NOT (hashed SubPlan 3)) AND (c_a = $12))");
}

// The lexer takes letters behind a number for a part of it.
TEST(AnonymousSql, NumbersWithLettersTellNothing) {
  for (const char* text : {"(a > 12zqx)", "SubPlan 12zqx", "(hashed SubPlan 9zqx)", "$1zqx = 2",
                           "(InitPlan 1zqx).col1", "(InitPlan 1).col1zqx"}) {
    EXPECT_THAT(anonymous(text), Not(HasSubstr("zqx"))) << text;
  }
}

TEST(AnonymousSql, StringsOfAllKindsAndCommentsGo) {
  const std::string out = anonymous(
      "SELECT E'zqx\\'zqx', $zqx$zqx'zqx$zqx$, U&'zqx', 'a''zqx', \"zqx\"\"zqx\", zqx$zqx -- zqx\n"
      "/* zqx /* zqx */ zqx */ FROM zqx");
  EXPECT_THAT(out, Not(HasSubstr("zqx")));
  for (const char* open :
       {"'zqx", "\"zqx", "$$zqx", "/* zqx", "zq\xc3\xa4zqx", "zqx(", "\xffzqx"}) {
    EXPECT_THAT(anonymous(open), Not(HasSubstr("zqx"))) << open;
  }
}

TEST(AnonymousSql, WhatDecidesAboutAnIndexStaysInALiteral) {
  EXPECT_EQ(anonymous("(a ~~ '%zqx%'::text) AND (b ~~ 'zqx%'::text)"),
            "(c_a ~~ '%v_a%'::text) AND (c_b ~~ 'v_a%'::text)");
  EXPECT_EQ(anonymous("(id = ANY ('{7,8,\"a,b\"}'::integer[]))"),
            "(c_a = ANY ('{v_a,v_b,v_c}'::integer[]))");
}

TEST(AnonymousSql, WhatTheGrammarDoesNotKnowIsNames) {
  const std::string out = anonymous("zqx ( SELECT zqx zqx first");
  EXPECT_THAT(out, Not(HasSubstr("zqx")));
  EXPECT_EQ(anonymous("w1 AS (PARTITION BY over)"), "c_a1 AS (c_b c_c c_d)");
}

}  // namespace
}  // namespace pgtend::explain
