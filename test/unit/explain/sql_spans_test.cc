#include "explain/sql_spans.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// One sequential scan of `relation` with `filter`, below a Nested Loop with `more` nodes, of the
// statement `sql`; its finding is the only one.
Report scan_of(const std::string& sql, const std::string& relation, const std::string& alias,
               const std::string& filter, const std::string& more = "") {
  const std::string json = cat(
      R"({"Plan": {"Node Type": "Nested Loop", "Plans": [{"Node Type": "Seq Scan", "Schema": "public",
      "Relation Name": ")",
      relation, R"(", "Alias": ")", alias, R"(", "Filter": ")", filter, R"("})", more, "]}}");
  auto plan = parse_json_plan(json);
  EXPECT_TRUE(plan) << plan.error().message;
  Report report;
  if (plan) report.plan = std::move(plan).take();
  report.plan.query_text = sql;
  report.findings.emplace_back();
  report.places = {{1}};
  return report;
}

std::vector<std::string> marked(const Report& report) {
  std::vector<std::string> out;
  for (const SqlSpan& span : sql_spans(report)) {
    out.push_back(
        report.plan.query_text.substr(span.place.begin, span.place.end - span.place.begin));
  }
  return out;
}

TEST(SqlSpans, TheConditionOfAScanIsMarked) {
  const Report report = scan_of(
      "SELECT * FROM c JOIN t_dlpdata d ON c.i = d.i WHERE d.ts > NOW() - INTERVAL '1 day' AND c.x "
      "= 1",
      "t_dlpdata", "d", "(d.ts > (now() - '1 day'::interval))");

  EXPECT_THAT(marked(report), ElementsAre("d.ts > NOW() - INTERVAL '1 day'"));
}

TEST(SqlSpans, BothHalvesOfBetweenAreItsOneCondition) {
  const Report report =
      scan_of("SELECT * FROM t WHERE a BETWEEN 1 AND 9", "t", "t", "((a >= 1) AND (a <= 9))");

  EXPECT_THAT(marked(report), ElementsAre("a BETWEEN 1 AND 9"));
}

TEST(SqlSpans, WithoutItsConditionTheTableIsMarked) {
  const Report report = scan_of("SELECT * FROM public.t AS x, u WHERE x.a + u.b = 3", "t", "x", "");

  EXPECT_THAT(marked(report), ElementsAre("public.t"));
}

TEST(SqlSpans, AConditionThatCouldBeOneOfTwoIsNotGuessed) {
  const Report report = scan_of("SELECT * FROM t, u WHERE a > 1 AND a > 2", "t", "t", "(a > 2)");

  EXPECT_THAT(marked(report), ElementsAre("t"));
}

TEST(SqlSpans, AnotherTablesConditionIsNotTaken) {
  const Report report =
      scan_of("SELECT * FROM t JOIN u ON t.i = u.i WHERE u.a > 1", "t", "t", "(a > 1)");

  EXPECT_THAT(marked(report), ElementsAre("t"));
}

TEST(SqlSpans, ATableThatTheStatementDoesNotNameIsNotMarked) {
  EXPECT_THAT(marked(scan_of("SELECT * FROM view_of_t d WHERE a > 1", "t", "d", "(a > 1)")),
              IsEmpty());
  EXPECT_THAT(marked(scan_of("SELECT * FROM t d WHERE a > 1", "t_2024", "d_1", "(a > 1)")),
              IsEmpty());
}

TEST(SqlSpans, ATableThatAlsoStandsBehindAViewIsNotGuessed) {
  const Report report = scan_of(
      "SELECT * FROM t d, v WHERE d.a > 1", "t", "d", "(a > 1)",
      R"(, {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "t", "Alias": "d_1"})");

  EXPECT_THAT(marked(report), IsEmpty());
}

TEST(SqlSpans, WhatCannotBeParsedHasNoSpans) {
  EXPECT_THAT(marked(scan_of("SELECT FROM WHERE", "t", "t", "(a > 1)")), IsEmpty());
  EXPECT_THAT(marked(scan_of("", "t", "t", "(a > 1)")), IsEmpty());
  const std::string longer(200'000, ' ');
  EXPECT_THAT(marked(scan_of(cat("SELECT * FROM t WHERE a > 1", longer), "t", "t", "(a > 1)")),
              IsEmpty());
}

}  // namespace
}  // namespace pgtend::explain
