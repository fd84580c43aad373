// Scans: each fault beside its healthy twin, as plan text.
#include <gmock/gmock.h>

#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string index_scan(const std::string& kind, double rows, double blocks, double read,
                       const std::string& more = "", double loops = 1) {
  return node(cat(measured(kind, 90 / loops, rows, loops),
                  R"(, "Relation Name": "t", "Schema": "app", "Alias": "t", "Index Name": "t_k",
                  "Shared Hit Blocks": )",
                  blocks - read, R"(, "Shared Read Blocks": )", read, more));
}

TEST(ScanRules, RowsOnPagesOfTheirOwnWantACoveringIndex) {
  EXPECT_THAT(ids(index_scan("Index Scan", 5'000, 4'900, 3'000)), ElementsAre("A4"));
  EXPECT_THAT(ids(index_scan("Index Scan", 5'000, 300, 200)), IsEmpty());
  EXPECT_THAT(ids(index_scan("Index Scan", 5'000, 4'900, 0)), IsEmpty());  // all cached
  // A look-up for each row of a join descends each time.
  EXPECT_THAT(ids(index_scan("Index Scan", 1, 15'000, 9'000, "", 5'000)), IsEmpty());
}

std::string filtered(const std::string& filter, double removed, double kept = 10) {
  return node(cat(measured("Seq Scan", 90, kept),
                  R"(, "Relation Name": "t", "Schema": "app", "Alias": "t",
                  "Shared Hit Blocks": 900, "Shared Read Blocks": 0, "Filter": ")",
                  filter, R"(", "Rows Removed by Filter": )", removed));
}

TEST(ScanRules, OrOverColumnsIsAUnion) {
  EXPECT_THAT(ids(filtered("((t.a = 1) OR (t.b = 2))", 90'000)), ElementsAre("A9"));
  EXPECT_THAT(ids(filtered("((t.a = 1) OR (t.a = 2))", 90'000)), Not(Contains("A9")));
  EXPECT_THAT(ids(filtered("((t.a = 1) OR (t.b = 2))", 500, 400)), IsEmpty());
}

std::string looped(const std::string& filter) {
  return node(cat(measured("Nested Loop", 95, 100), R"(, "Join Type": "Inner", "Join Filter": ")",
                  filter, R"(", "Rows Removed by Join Filter": 990000)"),
              cat(scan(5, 1'000), ", ", scan(0.05, 990, 1'000)));
}

TEST(ScanRules, JoinByOneEqualityOrAnotherIsAUnion) {
  EXPECT_THAT(ids(looped("((t.a = u.b) OR (t.c = u.d))")), ElementsAre("A9"));
  EXPECT_THAT(ids(looped("(t.a = u.b)")), Not(Contains("A9")));
}

std::string counting(const std::string& output, const std::string& below, double rows) {
  return node(cat(measured("Aggregate", 95, 1), R"(, "Strategy": "Plain", "Partial Mode": "Simple",
                  "Output": [")",
                  output, R"("])"),
              node(cat(measured("Seq Scan", 80, rows),
                       R"(, "Relation Name": "t", "Schema": "app", "Alias": "t")", below)));
}

TEST(ScanRules, CountOfAllRowsAsksWhetherAnEstimateWillDo) {
  const Diagnosis out = diagnosed(counting("count(*)", "", 200'000));

  ASSERT_THAT(ids(out), ElementsAre("A20"));
  EXPECT_EQ(out.entries[0].finding.severity, care::Severity::Notice);
  EXPECT_THAT(ids(counting("count(*)", R"j(, "Filter": "(t.a > 1)")j", 200'000)), IsEmpty());
  EXPECT_THAT(ids(counting("sum(t.a)", "", 200'000)), IsEmpty());
  EXPECT_THAT(ids(counting("count(*)", "", 2'000)), IsEmpty());
}

std::string whole_scan(double rows, double blocks) {
  return node(cat(measured("Seq Scan", 90, rows), R"(, "Relation Name": "t", "Schema": "app",
                  "Alias": "t", "Shared Hit Blocks": )",
                  blocks));
}

TEST(ScanRules, TableOfEmptyPagesIsVacuumed) {
  const Diagnosis out =
      diagnosed(whole_scan(20'000, 2'000), "\"Execution Time\": 100", facts_of_t());

  ASSERT_THAT(ids(out), ElementsAre("A21"));
  EXPECT_THAT(out.entries[0].finding.what, HasSubstr("about 318 would hold them"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("VACUUM (ANALYZE) app.t"));
}

TEST(ScanRules, PagesThatRowsOrTheFillFactorNeedAreNoBloat) {
  Facts wide = facts_of_t(), loose = facts_of_t(), unknown = facts_of_t();
  wide.relations[0].row_width = 500;
  loose.relations[0].table->options["fillfactor"] = "20";
  unknown.relations[0].row_width = 0;
  const auto said = [](const Facts& facts) {
    return ids(diagnosed(whole_scan(20'000, 2'000), "\"Execution Time\": 100", facts));
  };

  EXPECT_THAT(said(wide), IsEmpty());
  EXPECT_THAT(said(loose), IsEmpty());
  EXPECT_THAT(said(unknown), IsEmpty());
}

TEST(ScanRules, ScanThatLimitStopsShowsNoBloat) {
  const std::string limit = node(measured("Limit", 91, 10), whole_scan(10, 2'000));

  EXPECT_THAT(ids(diagnosed(limit, "\"Execution Time\": 100", facts_of_t())), Not(Contains("A21")));
}

TEST(ScanRules, IndexOfEmptyPagesIsRebuilt) {
  const Diagnosis out =
      diagnosed(index_scan("Index Only Scan", 2'000, 900, 0, R"(, "Heap Fetches": 0)"));

  ASSERT_THAT(ids(out), ElementsAre("A22"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("REINDEX INDEX CONCURRENTLY app.t_k"));
  EXPECT_THAT(ids(index_scan("Index Only Scan", 200'000, 900, 0, R"(, "Heap Fetches": 0)")),
              IsEmpty());
}

TEST(ScanRules, CrawlOverDeadRowsWantsVacuum) {
  const Diagnosis out = diagnosed(index_scan("Index Scan", 1, 4'000, 0));

  ASSERT_THAT(ids(out), ElementsAre("A23"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("VACUUM (ANALYZE) app.t"));
  EXPECT_THAT(ids(index_scan("Index Scan", 1, 4, 0)), IsEmpty());
  EXPECT_THAT(ids(index_scan("Index Scan", 900, 4'000, 0)), IsEmpty());
  EXPECT_THAT(ids(index_scan("Index Scan", 1, 4'000, 0, R"(, "Index Searches": 900)")), IsEmpty());
}

TEST(ScanRules, WideResultIsNotInThePlan) {
  const auto result = [](double rows, double width) {
    std::string text = scan(90, rows);
    const std::string before = R"("Plan Width": 8)";
    return ids(text.replace(text.find(before), before.size(), cat(R"("Plan Width": )", width)));
  };

  EXPECT_THAT(result(20'000, 3'000), ElementsAre("A24"));
  EXPECT_THAT(result(20'000, 300), IsEmpty());
  EXPECT_THAT(result(200, 3'000), IsEmpty());
}

TEST(ScanRules, ListOfThousandsOfValuesIsAJoin) {
  const auto with = [](int count) {
    std::string list = "1";
    for (int i = 2; i <= count; ++i) list += cat(",", i);
    return ids(
        index_scan("Index Scan", 500, 900, 0,
                   cat(R"(, "Index Cond": "(t.k = ANY ('{)", list, R"j(}'::integer[]))")j")));
  };

  EXPECT_THAT(with(2'000), ElementsAre("A25"));
  EXPECT_THAT(with(50), IsEmpty());
}

TEST(ScanRules, PlansWithoutTimesAreWeighedByPages) {
  const auto untimed = [](double scanned, double beside) {
    const std::string counts = R"(, "Plan Rows": 1, "Plan Width": 8, "Total Cost": 1,
                                  "Actual Rows": 1, "Actual Loops": 1, "Shared Read Blocks": 0,
                                  "Shared Hit Blocks": )";
    return diagnosed(
        node(cat(R"("Node Type": "Append")", counts, scanned + beside),
             cat(node(cat(R"("Node Type": "Index Scan", "Parent Relationship": "Member",
                          "Relation Name": "t", "Schema": "app", "Alias": "t")",
                          counts, scanned)),
                 ", ",
                 node(cat(R"("Node Type": "Seq Scan", "Parent Relationship": "Member",
                          "Relation Name": "u", "Alias": "u")",
                          counts, beside)))));
  };

  const Diagnosis out = untimed(4'000, 1'000);
  ASSERT_THAT(ids(out), ElementsAre("A23"));
  EXPECT_THAT(out.entries[0].finding.why, HasSubstr("4,000 pages"));
  EXPECT_THAT(ids(untimed(400, 90'000)), IsEmpty());  // less than a tenth
}

}  // namespace
}  // namespace pgtend::explain
