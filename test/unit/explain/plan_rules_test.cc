// Rules whose evidence is in the plan: each fault beside its healthy twin.
#include "explain/plan_rules.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string sort(const std::string& how, double ms = 95, double below = 20) {
  return node(cat(measured("Sort", ms, 10'000), ", ", how), scan(below, 10'000));
}

TEST(PlanRules, SortOnDiskGetsTheMemoryItNeeds) {
  const Diagnosis out = diagnosed(sort(
      R"("Sort Method": "external merge", "Sort Space Used": 20000, "Sort Space Type": "Disk")"));

  ASSERT_THAT(ids(out), ElementsAre("E1"));
  const care::Finding& finding = out.entries[0].finding;
  EXPECT_THAT(finding.what, AllOf(HasSubstr("10,000 rows"), HasSubstr("19.5 MB")));
  EXPECT_THAT(finding.statements, ElementsAre("SET LOCAL work_mem = '32MB'"));
  EXPECT_THAT(out.entries[0].nodes, ElementsAre(0));
  EXPECT_NEAR(out.entries[0].saving_ms, 75, 0.1);
  EXPECT_THAT(ids(sort(R"("Sort Method": "quicksort", "Sort Space Used": 20000,
                          "Sort Space Type": "Memory")")),
              IsEmpty());
}

TEST(PlanRules, SortsOfWorkersAndOfGroupsCountToo) {
  EXPECT_THAT(ids(sort(R"("Sort Method": "quicksort", "Sort Space Used": 25,
                          "Sort Space Type": "Memory",
                          "Workers": [{"Worker Number": 0, "Sort Method": "external merge",
                                       "Sort Space Used": 9000, "Sort Space Type": "Disk"}])")),
              ElementsAre("E1"));
  EXPECT_THAT(ids(node(cat(measured("Incremental Sort", 95, 10'000),
                           R"(, "Pre-sorted Groups": {"Group Count": 2, "Sort Methods Used":
                              ["external merge"], "Sort Space Disk":
                              {"Average Sort Space Used": 90, "Peak Sort Space Used": 9000}})"),
                       scan(20, 10'000))),
              ElementsAre("E1"));
}

TEST(PlanRules, WhatIsTooLittleToMatterIsNotSaid) {
  const std::string spill =
      R"("Sort Method": "external merge", "Sort Space Used": 20000, "Sort Space Type": "Disk")";

  EXPECT_THAT(ids(sort(spill, 99, 96)), IsEmpty());  // 3 % of the statement
  EXPECT_THAT(ids(sort(spill, 5.5, 5), R"("Execution Time": 5.6)"), IsEmpty());  // half a ms
}

TEST(PlanRules, NodesThatWereNotRunSayNothing) {
  EXPECT_THAT(ids(node(measured("Append", 90, 1),
                       node(cat(measured("Sort", 0, 0, 0),
                                R"(, "Sort Space Used": 9000, "Sort Space Type": "Disk")")))),
              IsEmpty());
}

std::string aggregate(double disk) {
  return node(cat(measured("Aggregate", 95, 5'000), R"(, "Strategy": "Hashed", "HashAgg Batches": 5,
                  "Peak Memory Usage": 4000, "Disk Usage": )",
                  disk),
              scan(20, 10'000));
}

TEST(PlanRules, HashAggregationOnDiskNeedsMoreThanItReports) {
  const Diagnosis out = diagnosed(aggregate(8'000));

  ASSERT_THAT(ids(out), ElementsAre("E2"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("SET LOCAL work_mem = '64MB'"));
  EXPECT_THAT(ids(aggregate(0)), IsEmpty());
}

std::string hash_join(int batches, int planned, double expected_rows) {
  const std::string hash =
      cat(R"("Node Type": "Hash", "Parent Relationship": "Inner", "Plan Rows": )", expected_rows,
          R"(, "Plan Width": 8, "Total Cost": 1, "Actual Startup Time": 0, "Actual Total Time": 50,
         "Actual Rows": 100000, "Actual Loops": 1, "Hash Buckets": 65536, "Hash Batches": )",
          batches, R"(, "Original Hash Batches": )", planned, R"(, "Peak Memory Usage": 4000)");
  return node(cat(measured("Hash Join", 95, 1'000), R"(, "Join Type": "Inner")"),
              cat(scan(10, 1'000), ", ", node(hash, scan(20, 100'000))));
}

TEST(PlanRules, HashInBatchesIsMemoryOrAnEstimate) {
  const Diagnosis planned = diagnosed(hash_join(4, 4, 100'000));
  const Diagnosis surprised = diagnosed(hash_join(16, 1, 100));

  ASSERT_THAT(ids(planned), ElementsAre("B5"));
  EXPECT_THAT(planned.entries[0].finding.statements, ElementsAre("SET LOCAL work_mem = '16MB'"));
  ASSERT_THAT(ids(surprised), ElementsAre("B6"));
  EXPECT_THAT(surprised.entries[0].finding.what, HasSubstr("expected 100 rows and 1 batch"));
  EXPECT_THAT(ids(hash_join(1, 1, 100'000)), IsEmpty());
}

std::string memoize(double hits, double misses, double evictions) {
  return node(measured("Nested Loop", 95, 1'000),
              cat(scan(5, 1'000), ", ",
                  node(cat(measured("Memoize", 0.08, 1, 1'000), R"(, "Cache Key": "t.id",
                           "Cache Hits": )",
                           hits, R"(, "Cache Misses": )", misses, R"(, "Cache Evictions": )",
                           evictions, R"(, "Cache Overflows": 0, "Peak Memory Usage": 100)"),
                       scan(0.06, 1, misses))));
}

TEST(PlanRules, MemoizeThatNeverHitsOrForgets) {
  EXPECT_THAT(ids(memoize(10, 990, 0)), ElementsAre("B10"));
  const Diagnosis forgetful = diagnosed(memoize(300, 700, 600));
  ASSERT_THAT(ids(forgetful), ElementsAre("B10"));
  EXPECT_THAT(forgetful.entries[0].finding.what, HasSubstr("drops 600 entries"));
  EXPECT_THAT(ids(memoize(900, 100, 0)), IsEmpty());
}

std::string index_only(double rows, double fetches) {
  return node(cat(measured("Index Only Scan", 90, rows), R"(, "Index Name": "t_k",
                  "Relation Name": "t", "Schema": "app", "Alias": "t", "Heap Fetches": )",
                  fetches));
}

TEST(PlanRules, IndexOnlyScanThatVisitsTheTableWantsVacuum) {
  const Diagnosis out = diagnosed(index_only(10'000, 9'000));

  ASSERT_THAT(ids(out), ElementsAre("A5"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("VACUUM (ANALYZE) app.t"));
  EXPECT_THAT(ids(index_only(100'000, 2'000)), IsEmpty());
  EXPECT_THAT(ids(index_only(900, 900)), IsEmpty());
}

TEST(PlanRules, PartitionsOfOneScanAreOneFinding) {
  const Diagnosis out =
      diagnosed(node(measured("Append", 95, 20'000),
                     cat(index_only(10'000, 9'000), ", ", index_only(10'000, 9'000))));

  ASSERT_THAT(ids(out), ElementsAre("A5"));
  EXPECT_THAT(out.entries[0].nodes, ElementsAre(1, 2));
}

std::string bitmap(double exact, double lossy, double removed) {
  return node(
      cat(measured("Bitmap Heap Scan", 90, 1'000), R"(, "Relation Name": "t", "Alias": "t",
                  "Recheck Cond": "k > 1", "Rows Removed by Index Recheck": )",
          removed, R"(, "Exact Heap Blocks": )", exact, R"(, "Lossy Heap Blocks": )", lossy),
      node(cat(measured("Bitmap Index Scan", 5, 1'000), R"(, "Index Name": "t_k")")));
}

TEST(PlanRules, LossyBitmapIsMemoryUnlessItIsBrin) {
  EXPECT_THAT(ids(bitmap(100, 900, 50'000)), ElementsAre("A7"));
  EXPECT_THAT(ids(bitmap(0, 900, 50'000)), IsEmpty());
  EXPECT_THAT(ids(bitmap(1'000, 0, 0)), IsEmpty());
}

std::string with_sub_plan(double loops) {
  return node(cat(measured("Seq Scan", 95, 1'000), R"(, "Relation Name": "o", "Alias": "o")"),
              node(cat(R"("Node Type": "Aggregate", "Parent Relationship": "SubPlan",
                          "Subplan Name": "SubPlan 1", "Plan Rows": 1, "Plan Width": 8,
                          "Total Cost": 1, "Actual Startup Time": 0, "Actual Rows": 1,
                          "Actual Total Time": )",
                       80 / loops, R"(, "Actual Loops": )", loops)));
}

TEST(PlanRules, SubPlanForEachRow) {
  const Diagnosis out = diagnosed(with_sub_plan(1'000));

  ASSERT_THAT(ids(out), ElementsAre("C1"));
  EXPECT_THAT(out.entries[0].finding.what, HasSubstr("SubPlan 1 runs 1,000 times"));
  EXPECT_THAT(ids(with_sub_plan(1)), IsEmpty());
}

std::string gather(double ms, double below, int planned, int launched) {
  return node(cat(measured("Gather", ms, 1'000), R"(, "Workers Planned": )", planned,
                  R"(, "Workers Launched": )", launched),
              scan(below, 500, launched + 1));
}

TEST(PlanRules, WorkersThatAreMissingOrNotWorthIt) {
  EXPECT_THAT(ids(gather(95, 94, 4, 1)), ElementsAre("F1"));
  EXPECT_THAT(ids(gather(95, 94, 4, 4)), IsEmpty());
  EXPECT_THAT(ids(gather(20, 0.1, 2, 2), R"("Execution Time": 20.5)"), ElementsAre("F4"));
}

TEST(PlanRules, WhatLiesOutsideTheNodesIsNamed) {
  EXPECT_THAT(ids(scan(70, 1), R"("JIT": {"Functions": 9, "Timing": {"Total": 40}},
                                  "Execution Time": 75)"),
              ElementsAre("G1"));
  EXPECT_THAT(ids(scan(5, 1), R"("Planning Time": 40, "Execution Time": 5.1)"), ElementsAre("G2"));
  EXPECT_THAT(ids(scan(5, 1), R"("Execution Time": 50)"), ElementsAre("G6"));
  EXPECT_THAT(ids(scan(60, 1), R"("Serialization": {"Time": 39}, "Execution Time": 100)"),
              ElementsAre("G8"));
  EXPECT_THAT(ids(scan(95, 1), R"("Planning Time": 1, "Execution Time": 96,
                                  "JIT": {"Functions": 9, "Timing": {"Total": 4}})"),
              IsEmpty());
}

TEST(PlanRules, TriggersOfConstraintsWantAnIndexOthersAStatement) {
  const auto with = [](const std::string& name, double ms, double calls) {
    return ids(scan(100 - ms, 1),
               cat(R"("Triggers": [{)", name, R"(, "Relation": "t", "Time": )", ms,
                   R"(, "Calls": )", calls, R"(}], "Execution Time": 100.1)"));
  };

  EXPECT_THAT(with(R"("Trigger Name": "RI_1", "Constraint Name": "child_fk")", 80, 4),
              ElementsAre("G4"));
  EXPECT_THAT(with(R"("Trigger Name": "RI_1", "Constraint Name": "child_fk")", 80, 10'000),
              ElementsAre("J5"));
  EXPECT_THAT(with(R"("Trigger Name": "RI_1", "Constraint Name": "child_fk")", 10, 10'000),
              IsEmpty());
  EXPECT_THAT(with(R"("Trigger Name": "audit")", 80, 10'000), ElementsAre("G5"));
  EXPECT_THAT(with(R"("Trigger Name": "audit")", 10, 10'000), IsEmpty());
}

TEST(PlanRules, OffsetMakesRowsForNothing) {
  const auto limited = [](double read, double returned) {
    return ids(node(measured("Limit", 95, returned), scan(94, read)));
  };

  EXPECT_THAT(limited(5'010, 10), ElementsAre("K1"));
  EXPECT_THAT(limited(10, 10), IsEmpty());
  EXPECT_THAT(limited(5'010, 4'000), IsEmpty());
}

TEST(PlanRules, ConflictsAndRowLocks) {
  const auto inserted = [](double tuples, double conflicts) {
    return ids(node(cat(measured("ModifyTable", 95, 0), R"(, "Operation": "Insert",
                        "Relation Name": "t", "Alias": "t", "Conflict Resolution": "NOTHING",
                        "Tuples Inserted": )",
                        tuples, R"(, "Conflicting Tuples": )", conflicts),
                    scan(5, 1'000)));
  };

  EXPECT_THAT(inserted(100, 900), ElementsAre("J3"));
  EXPECT_THAT(inserted(900, 100), IsEmpty());
  EXPECT_THAT(ids(node(measured("LockRows", 95, 10), scan(5, 10))), ElementsAre("J4"));
  EXPECT_THAT(ids(node(measured("LockRows", 95, 10), scan(94, 10))), IsEmpty());
}

TEST(PlanRules, WhatIsSwitchedOffIsToldOnce) {
  const std::string flagged =
      node(cat(measured("Limit", 95, 10), R"(, "Disabled": true)"),
           node(cat(measured("Seq Scan", 95, 10),
                    R"(, "Disabled": true, "Relation Name": "t", "Alias": "t")")));
  std::string costly = scan(95, 10);
  costly.replace(costly.find("\"Total Cost\": 100"), 17, "\"Total Cost\": 10000000100");

  const Diagnosis told = diagnosed(
      flagged, R"("Settings": {"enable_seqscan": "off", "work_mem": "1GB"}, "Execution Time": 96)");

  ASSERT_THAT(ids(told), ElementsAre("K4"));
  EXPECT_THAT(told.entries[0].nodes, ElementsAre(1));
  EXPECT_THAT(told.entries[0].finding.statements, ElementsAre("RESET enable_seqscan"));
  EXPECT_THAT(ids(costly), ElementsAre("K4"));
  EXPECT_THAT(ids(scan(95, 10), R"("Settings": {"enable_hashjoin": "off"}, "Execution Time": 96)"),
              ElementsAre("K5"));
  EXPECT_THAT(ids(scan(95, 10), R"("Settings": {"work_mem": "1GB"}, "Execution Time": 96)"),
              IsEmpty());
}

TEST(PlanRules, FindingsAreInTheOrderOfWhatTheySave) {
  EXPECT_THAT(ids(node(cat(measured("Sort", 90, 10'000), R"(, "Sort Space Type": "Disk",
                           "Sort Space Used": 9000)"),
                       aggregate(8'000).replace(aggregate(8'000).find("95"), 2, "50")),
                  R"("Execution Time": 91)"),
              ElementsAre("E1", "E2"));
}

}  // namespace
}  // namespace pgtend::explain
