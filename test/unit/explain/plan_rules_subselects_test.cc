// Sub-selects, CTEs and functions: each fault beside its healthy twin, as plan text.
#include <gmock/gmock.h>

#include "explain/plan_rules.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A node that hangs on its parent as `relationship` under `name`.
std::string sub_plan(const std::string& type, const std::string& relationship,
                     const std::string& name, double ms, double rows, double loops,
                     const std::string& more = "") {
  return cat(R"("Node Type": ")", type, R"(", "Parent Relationship": ")", relationship,
             R"(", "Subplan Name": ")", name,
             R"(", "Plan Rows": 9, "Plan Width": 8, "Total Cost": 9, "Actual Startup Time": 0,
             "Actual Total Time": )",
             ms, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )", loops, more);
}

std::string host(const std::string& filter, const std::string& below, double ms = 95) {
  return node(cat(measured("Seq Scan", ms, 5'000), R"(, "Relation Name": "o", "Alias": "o",
                  "Filter": ")",
                  filter, "\""),
              below);
}

std::string searched(const std::string& filter) {
  return host(filter, node(sub_plan("Materialize", "SubPlan", "SubPlan 1", 0.016, 900, 5'000),
                           scan(1, 900)));
}

TEST(SubselectRules, ListThatIsSearchedWantsMemoryOrAJoin) {
  const Diagnosis in = diagnosed(searched("((o.x > 5) AND (SubPlan 1))"));

  ASSERT_THAT(ids(in), ElementsAre("C2"));
  EXPECT_THAT(in.entries[0].finding.statements, ElementsAre("SET LOCAL work_mem = '8MB'"));
  EXPECT_THAT(ids(searched("(NOT (SubPlan 1))")), ElementsAre("B12"));
  EXPECT_THAT(ids(searched("(ANY (o.x = (SubPlan 1).col1))")), ElementsAre("C2"));
  EXPECT_THAT(ids(searched("(NOT (ANY (o.x = (SubPlan 1).col1)))")), ElementsAre("B12"));
}

TEST(SubselectRules, HashedNotInIsOnlyTold) {
  const auto hashed = [](const std::string& filter) {
    return diagnosed(host(filter, node(sub_plan("Seq Scan", "SubPlan", "SubPlan 1", 5, 900, 1))));
  };

  const Diagnosis out = hashed("(NOT (hashed SubPlan 1))");
  ASSERT_THAT(ids(out), ElementsAre("B12"));
  EXPECT_EQ(out.entries[0].finding.severity, care::Severity::Info);
  EXPECT_THAT(ids(hashed("(hashed SubPlan 1)")), IsEmpty());
}

std::string correlated(const std::string& filter) {
  return host(filter, node(sub_plan("Index Scan", "SubPlan", "SubPlan 1", 0.016, 1, 5'000)));
}

TEST(SubselectRules, ExistsBesideOrIsAUnionOthersAJoin) {
  EXPECT_THAT(ids(correlated("((SubPlan 1) OR (o.x = 2))")), ElementsAre("C7"));
  EXPECT_THAT(ids(correlated("(EXISTS(SubPlan 1) OR (o.x = 2))")), ElementsAre("C7"));
  EXPECT_THAT(ids(correlated("(o.x > (SubPlan 1))")), ElementsAre("C1"));
  EXPECT_THAT(ids(correlated("(((SubPlan 1) > 5) OR (o.x = 2))")), ElementsAre("C1"));
}

std::string cte(double removed, int scans, const std::string& made = "Seq Scan") {
  std::string below = node(sub_plan(made, "InitPlan", "CTE c", 80, 50'000, 1));
  std::string all;
  for (int i = 0; i < scans; ++i) {
    all += cat(all.empty() ? "" : ", ",
               node(cat(measured("CTE Scan", 40, 100), R"j(, "CTE Name": "c", "Alias": "c",
                        "Filter": "(c.k = 5)", "Rows Removed by Filter": )j",
                        removed)));
  }
  return node(measured("Append", 95, 100), cat(below, ", ", all));
}

TEST(SubselectRules, OnlyScanOfACteDropsMostRows) {
  EXPECT_THAT(ids(cte(49'900, 1)), Contains("C3"));
  EXPECT_THAT(ids(cte(100, 1)), Not(Contains("C3")));
  EXPECT_THAT(ids(cte(49'900, 2)), Not(Contains("C3")));
  EXPECT_THAT(ids(cte(49'900, 1, "Recursive Union")), Not(Contains("C3")));
}

std::string cte_in_loop(double loops, double rows) {
  return node(
      cat(measured("Nested Loop", 95, 100), R"j(, "Join Type": "Inner",
                  "Join Filter": "(a.x < c.y)", "Rows Removed by Join Filter": )j",
          loops * rows),
      cat(scan(5, loops), ", ",
          node(cat(R"("Node Type": "CTE Scan", "Parent Relationship": "Inner",
                           "CTE Name": "c", "Alias": "c", "Plan Rows": 9, "Plan Width": 8,
                           "Total Cost": 9, "Actual Startup Time": 0, "Actual Total Time": )",
                   60 / loops, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )", loops))));
}

TEST(SubselectRules, CteReadInALoopIsOneFinding) {
  EXPECT_THAT(ids(cte_in_loop(2'000, 1'000)), ElementsAre("C4"));
  EXPECT_THAT(ids(cte_in_loop(1, 1'000)), IsEmpty());
}

std::string function_join(double expected, double rows) {
  return node(cat(measured("Nested Loop", 95, 100), R"(, "Join Type": "Inner")"),
              cat(node(cat(R"("Node Type": "Function Scan", "Parent Relationship": "Outer",
                           "Function Name": "parts", "Alias": "g", "Plan Width": 8,
                           "Total Cost": 9, "Actual Startup Time": 0, "Actual Total Time": 9,
                           "Plan Rows": )",
                           expected, R"(, "Actual Loops": 1, "Actual Rows": )", rows)),
                  ", ", scan(0.002, 1, rows)));
}

TEST(SubselectRules, AssumedRowsOfAFunctionMisleadTheJoin) {
  const Diagnosis out = diagnosed(function_join(1'000, 40'000));

  ASSERT_THAT(ids(out), ElementsAre("C5"));
  EXPECT_THAT(out.entries[0].finding.prediction, HasSubstr("ROWS 40,000"));
  EXPECT_THAT(ids(function_join(1'000, 1'500)), IsEmpty());
  EXPECT_THAT(ids(function_join(40'000, 40'000)), IsEmpty());
}

std::string recursion(double kept) {
  const std::string made = node(sub_plan("Recursive Union", "InitPlan", "CTE r", 85, kept, 1),
                                cat(scan(1, 5), ", ", scan(60, 20'000)));
  return node(measured("Aggregate", 95, 1),
              cat(made, ", ",
                  node(cat(measured("CTE Scan", 90, kept), R"(, "CTE Name": "r", "Alias": "r")"))));
}

TEST(SubselectRules, RecursionThatGoesTheSameWaysAgain) {
  EXPECT_THAT(ids(recursion(50)), ElementsAre("C6"));
  EXPECT_THAT(ids(recursion(20'005)), IsEmpty());
}

std::string united(double kept, const std::string& first, const std::string& second) {
  const auto member = [](const std::string& alias) {
    return node(
        cat(R"("Node Type": "Seq Scan", "Parent Relationship": "Member", "Relation Name": ")",
            alias, R"(", "Alias": ")", alias,
            R"(", "Plan Rows": 9, "Plan Width": 8, "Total Cost": 9,
                    "Actual Startup Time": 0, "Actual Total Time": 9, "Actual Rows": 5000,
                    "Actual Loops": 1)"));
  };
  return node(cat(measured("Aggregate", 95, kept), R"(, "Strategy": "Hashed",
                  "Group Key": ["a.x"], "Output": ["a.x"])"),
              node(measured("Append", 20, 10'000), cat(member(first), ", ", member(second))));
}

TEST(SubselectRules, UnionThatFindsNoDuplicate) {
  EXPECT_THAT(ids(united(10'000, "a", "b")), ElementsAre("C9"));
  EXPECT_THAT(ids(united(9'000, "a", "b")), IsEmpty());
  EXPECT_THAT(ids(united(10'000, "t_1", "t_2")), IsEmpty());  // DISTINCT over partitions
}

TEST(SubselectRules, SlowFunctionIsNamed) {
  const auto filtered = [](const std::string& filter, double ms) {
    return diagnosed(host(filter, "", ms));
  };

  const Diagnosis out = filtered("(app.f(o.x) > 3)", 95);
  ASSERT_THAT(ids(out), ElementsAre("C10"));
  EXPECT_THAT(out.entries[0].finding.what, HasSubstr("app.f()"));
  EXPECT_THAT(ids(filtered("(app.f(o.x) > 3)", 20)), Not(Contains("C10")));
  EXPECT_THAT(ids(filtered("(o.x > 3)", 95)), IsEmpty());
}

TEST(SubselectRules, ConditionThatStaysOutsideAWindow) {
  const auto outside = [](double removed) {
    return ids(node(cat(measured("Subquery Scan", 95, 100), R"j(, "Alias": "w",
                        "Filter": "(w.v = 5)", "Rows Removed by Filter": )j",
                        removed),
                    node(measured("WindowAgg", 90, 20'000), scan(20, 20'000))));
  };

  EXPECT_THAT(outside(19'900), ElementsAre("C11"));
  EXPECT_THAT(outside(100), IsEmpty());
}

}  // namespace
}  // namespace pgtend::explain
