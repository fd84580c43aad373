// Memory, parallel query, planning, I/O, WAL, the whole statement: each fault beside its twin.
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

std::string grouped(const std::string& output, double groups) {
  return node(cat(measured("Aggregate", 98, groups), R"(, "Strategy": "Sorted",
                  "Group Key": ["t.k"], "Output": ["t.k", ")",
                  output, R"("])"),
              node(cat(measured("Sort", 90, 100'000), R"(, "Sort Method": "external merge",
                       "Sort Space Used": 9000, "Sort Space Type": "Disk")"),
                   scan(20, 100'000)));
}

TEST(EffortRules, SortForFewGroupsIsBetterHashed) {
  EXPECT_THAT(ids(grouped("sum(t.v)", 5'000)), ElementsAre("E3"));
  EXPECT_THAT(ids(grouped("sum(t.v)", 90'000)), ElementsAre("E1"));
  EXPECT_THAT(ids(grouped("count(DISTINCT t.v)", 5'000)), ElementsAre("E1"));
}

TEST(EffortRules, IncrementalSortOfFewGroupsIsAFullSort) {
  const auto sorted = [](double groups) {
    return ids(node(cat(measured("Incremental Sort", 95, 100'000), R"(, "Full-sort Groups":
                        {"Group Count": )",
                        groups, R"(}, "Pre-sorted Groups": {"Group Count": )", groups, "}"),
                    scan(20, 100'000)));
  };

  EXPECT_THAT(sorted(3), ElementsAre("E4"));
  EXPECT_THAT(sorted(9), ElementsAre("E4"));
  EXPECT_THAT(sorted(3'000), IsEmpty());
}

TEST(EffortRules, TemporaryFilesAreToldWhereNothingElseTells) {
  const auto temp = [](const std::string& more) {
    return ids(node(cat(measured("Function Scan", 95, 10), R"(, "Alias": "g",
                        "Shared Hit Blocks": 0, "Shared Read Blocks": 0)",
                        more)));
  };

  EXPECT_THAT(temp(R"(, "Temp Read Blocks": 900, "Temp Written Blocks": 900)"), ElementsAre("E6"));
  EXPECT_THAT(temp(R"(, "Temp Read Blocks": 9, "Temp Written Blocks": 9)"), IsEmpty());
  EXPECT_THAT(temp(R"(, "Temp Read Blocks": 900, "Temp Written Blocks": 900, "Storage": "Disk",
                      "Maximum Storage": 9000)"),
              ElementsAre("E5"));
}

std::string serial(const std::string& settings, double pages = 9'000) {
  return node(cat(measured("Aggregate", 195, 1)),
              node(cat(measured("Seq Scan", 190, 300'000), R"(, "Relation Name": "t", "Alias": "t",
                       "Shared Read Blocks": 0, "Shared Hit Blocks": )",
                       pages))) +
         cat(R"(, "Execution Time": 200, "Settings": {)", settings, "}");
}

TEST(EffortRules, SerialScanIsToldWithItsCause) {
  const auto said = [](const std::string& both) {
    const size_t cut = both.find(R"(, "Execution Time")");
    return ids(both.substr(0, cut), both.substr(cut + 2));
  };

  EXPECT_THAT(said(serial(R"("max_parallel_workers_per_gather": "0")")), ElementsAre("F2"));
  EXPECT_THAT(said(serial(R"("work_mem": "8MB")")), IsEmpty());
  EXPECT_THAT(said(serial(R"("max_parallel_workers_per_gather": "0")", 200)), IsEmpty());
}

// Three processes below a Gather that share two parts, each run by one of them alone.
std::string gathered(double rows, double first, double second, const std::string& how = "") {
  const auto part = [&](double ms) {
    return node(cat(R"("Node Type": "Seq Scan", "Parent Relationship": "Member",
                    "Relation Name": "t", "Alias": "t", "Plan Rows": 9, "Plan Width": 8,
                    "Total Cost": 9, "Actual Startup Time": 0, "Actual Rows": 9, "Actual Loops": 1,
                    "Actual Total Time": )",
                    ms, how));
  };
  return node(cat(measured("Gather", 95, rows), R"(, "Workers Planned": 2, "Workers Launched": 2)"),
              node(cat(measured("Append", (first + second) / 3, rows / 3, 3),
                       R"(, "Parallel Aware": true)"),
                   cat(part(first), ", ", part(second))));
}

TEST(EffortRules, OnePartThatOneProcessRunsAlone) {
  EXPECT_THAT(ids(gathered(300, 90, 5)), Contains("F3"));
  EXPECT_THAT(ids(gathered(300, 50, 50)), Not(Contains("F3")));
  // What all share is dealt out: whoever did most of it came first.
  EXPECT_THAT(ids(gathered(300, 90, 5, R"(, "Parallel Aware": true)")), Not(Contains("F3")));
}

TEST(EffortRules, MillionsOfRowsThroughGather) {
  EXPECT_THAT(ids(gathered(3'000'000, 50, 50)), Contains("F5"));
  EXPECT_THAT(ids(gathered(3'000, 50, 50)), Not(Contains("F5")));
}

TEST(EffortRules, PlanningThatReadsTheCatalog) {
  const auto planned = [](double blocks, double ms) {
    return ids(scan(90, 9), cat(R"("Planning": {"Shared Hit Blocks": )", blocks,
                                R"(, "Shared Read Blocks": 5}, "Execution Time": 95,
                                "Planning Time": )",
                                ms));
  };

  EXPECT_THAT(planned(5'000, 20), ElementsAre("G3"));
  EXPECT_THAT(planned(50, 20), IsEmpty());
  EXPECT_THAT(planned(5'000, 200), ElementsAre("G2"));  // one cause, one finding
}

TEST(EffortRules, PlanningNamesWhatThereIsMuchOf) {
  std::string joined = scan(0.1, 1);
  for (int i = 0; i < 9; ++i) {
    joined = node(measured("Nested Loop", 1, 1), cat(joined, ", ", scan(0.01, 1)));
  }
  std::string members;
  for (int i = 0; i < 600; ++i) members += cat(i > 0 ? ", " : "", scan(0.001, 0));
  const std::string planning = R"("Planning Time": 50, "Execution Time": 5)";

  EXPECT_THAT(ids(joined, planning), Contains("B13"));
  EXPECT_THAT(ids(node(measured("Append", 4, 0), members), planning), Contains("I3"));
}

TEST(EffortRules, ReadingTheClockIsMostOfIt) {
  const auto nested = [](double rows) {
    std::string below = scan(60, rows);
    for (int i = 0; i < 4; ++i) below = node(measured("Limit", 100 + 40 * i, rows), below);
    return ids(below, R"("Execution Time": 225)");
  };

  EXPECT_THAT(nested(600'000), Contains("G7"));
  EXPECT_THAT(nested(60'000), IsEmpty());
}

std::string with_blocks(const std::string& members) {
  return node(cat(measured("Seq Scan", 95, 9), R"(, "Relation Name": "t", "Schema": "app",
                  "Alias": "t", )",
                  members));
}

TEST(IoRules, ColdOrSlowReads) {
  const auto reads = [](const std::string& time) {
    return ids(with_blocks(cat(R"("Shared Hit Blocks": 5, "Shared Read Blocks": 900, )", time)));
  };

  EXPECT_THAT(reads(R"("I/O Read Time": 60)"), ElementsAre("H1"));
  EXPECT_THAT(reads(R"("Shared I/O Read Time": 60)"), ElementsAre("H1"));
  EXPECT_THAT(reads(R"("I/O Read Time": 3)"), IsEmpty());
  EXPECT_THAT(ids(with_blocks(R"("Shared Hit Blocks": 5, "Shared Read Blocks": 50,
                                 "I/O Read Time": 90)")),
              ElementsAre("H2"));
}

TEST(IoRules, ReaderThatWrites) {
  const auto dirtied = [](double blocks) {
    return diagnosed(with_blocks(cat(R"("Shared Hit Blocks": 900, "Shared Read Blocks": 0,
                                        "Shared Dirtied Blocks": )",
                                     blocks)));
  };

  ASSERT_THAT(ids(dirtied(800)), ElementsAre("H3"));
  EXPECT_THAT(dirtied(800).entries[0].finding.statements, ElementsAre("VACUUM (ANALYZE) app.t"));
  EXPECT_THAT(ids(dirtied(20)), IsEmpty());
}

TEST(IoRules, WalOfPageImagesAndFullBuffers) {
  EXPECT_THAT(ids(with_blocks(R"("WAL Records": 900, "WAL FPI": 500, "WAL Bytes": 4000000)")),
              ElementsAre("H5"));
  EXPECT_THAT(ids(with_blocks(R"("WAL Records": 9000, "WAL FPI": 5, "WAL Bytes": 4000000,
                                 "WAL Buffers Full": 0)")),
              IsEmpty());
  EXPECT_THAT(ids(with_blocks(R"("WAL Records": 9000, "WAL FPI": 5, "WAL Bytes": 4000000,
                                 "WAL Buffers Full": 7)")),
              ElementsAre("H6"));
}

TEST(IoRules, TemporaryTableBeyondItsCache) {
  EXPECT_THAT(ids(with_blocks(R"("Local Hit Blocks": 5, "Local Read Blocks": 4000)")),
              ElementsAre("H7"));
  EXPECT_THAT(ids(with_blocks(R"("Local Hit Blocks": 4000, "Local Read Blocks": 5)")), IsEmpty());
}

TEST(ShapeRules, PartitionsJoinedAsAWhole) {
  const auto appended = [](const std::string& name, int count) {
    std::string members;
    for (int i = 1; i <= count; ++i) {
      members +=
          cat(i > 1 ? ", " : "", node(cat(measured("Seq Scan", 1, 90), R"(, "Relation Name": ")",
                                          name, i, R"(", "Alias": ")", name, "_", i, "\"")));
    }
    return node(measured("Append", 20, 900), members);
  };
  const auto joined = [&](int right) {
    return ids(
        node(cat(measured("Hash Join", 95, 9), R"(, "Join Type": "Left")"),
             cat(appended("a", 4), ", ", node(measured("Hash", 40, 900), appended("b", right)))));
  };

  EXPECT_THAT(joined(4), ElementsAre("I4"));
  EXPECT_THAT(joined(3), IsEmpty());
}

TEST(ShapeRules, RandomOrderSortsEverything) {
  const auto by = [](const std::string& key) {
    return ids(
        node(cat(measured("Sort", 95, 10), R"(, "Sort Key": [")", key, R"("])"), scan(20, 90'000)));
  };

  EXPECT_THAT(by("(random())"), ElementsAre("K2"));
  EXPECT_THAT(by("t.random"), IsEmpty());
}

TEST(ShapeRules, MillionRowsForAClient) {
  EXPECT_THAT(ids(scan(90, 2'000'000)), Contains("K3"));
  EXPECT_THAT(ids(scan(90, 2'000)), IsEmpty());
}

TEST(ShapeRules, ParametersThatNoInitPlanFills) {
  const auto said = [](const std::string& condition, const std::string& returns) {
    return ids(node(cat(measured("Seq Scan", 95, 9), R"(, "Relation Name": "t", "Alias": "t",
                        "Filter": ")",
                        condition, "\""),
                    node(cat(R"("Node Type": "Result", "Parent Relationship": "InitPlan",
                             "Plan Rows": 1, "Plan Width": 8, "Total Cost": 1,
                             "Actual Startup Time": 0, "Actual Total Time": 0.1, "Actual Rows": 1,
                             "Actual Loops": 1, "Subplan Name": ")",
                             returns, "\""))));
  };

  EXPECT_THAT(said("(t.k > $1)", "InitPlan 1 (returns $0)"), ElementsAre("K7"));
  EXPECT_THAT(said("(t.k > $1)", "InitPlan 1 (returns $1)"), IsEmpty());
  EXPECT_THAT(said("(t.k > (InitPlan 1).col1)", "InitPlan 1"), IsEmpty());
  EXPECT_THAT(
      ids(node(cat(measured("ModifyTable", 95, 0), R"(, "Conflict Arbiter Indexes": ["$1_key"])"))),
      IsEmpty());  // a name
}

TEST(ShapeRules, SettingsOfTestsAreTold) {
  const auto with = [](const std::string& settings) {
    return ids(scan(90, 9), cat(R"("Execution Time": 95, "Settings": {)", settings, "}"));
  };

  EXPECT_THAT(with(R"("join_collapse_limit": "1")"), ElementsAre("K5"));
  EXPECT_THAT(with(R"("debug_parallel_query": "on")"), ElementsAre("K5"));
  EXPECT_THAT(with(R"("join_collapse_limit": "12", "random_page_cost": "1.1")"), IsEmpty());
}

// 1,000 outer rows look `blocks` pages up.
std::string looking_up(double loops, double blocks) {
  const std::string inner =
      node(cat(R"("Node Type": "Index Scan", "Parent Relationship": "Inner", "Plan Rows": 1,
               "Plan Width": 8, "Total Cost": 1, "Actual Startup Time": 0, "Actual Rows": 1,
               "Actual Total Time": )",
               80 / loops, R"(, "Actual Loops": )", loops,
               R"j(, "Relation Name": "t", "Schema": "app", "Alias": "t", "Index Name": "t_k",
               "Index Cond": "(t.k = o.k)", "Shared Hit Blocks": )j",
               blocks));
  return node(cat(measured("Nested Loop", 95, loops),
                  R"(, "Join Type": "Inner", "Shared Hit Blocks": )", blocks),
              cat(node(cat(measured("Seq Scan", 5, loops),
                           R"(, "Relation Name": "o", "Schema": "app", "Alias": "o")")),
                  ", ", inner));
}

TEST(EffortRules, LookUpsThatMeetTheSamePagesAgainWantAHash) {
  const auto said = [](double blocks) {
    return ids(diagnosed(looking_up(50'000, blocks), "\"Execution Time\": 100", facts_of_t()));
  };

  EXPECT_THAT(said(150'000), ElementsAre("H4"));
  EXPECT_THAT(said(20'000), IsEmpty());  // the table has 2,000 pages, the index 300
  EXPECT_THAT(ids(looking_up(50'000, 150'000)), IsEmpty());  // nobody knows how many there are
}

std::string starting_late(double startup, const std::string& more = "") {
  std::string text = node(cat(measured("Seq Scan", 90, 1'000), R"(, "Relation Name": "t",
                              "Schema": "app", "Alias": "t")",
                              more));
  const std::string before = R"("Actual Startup Time": 0)";
  return text.replace(text.find(before), before.size(), cat(R"("Actual Startup Time": )", startup));
}

TEST(EffortRules, FirstRowThatComesLateWithoutReasonIsTold) {
  EXPECT_THAT(ids(starting_late(40)), ElementsAre("G9"));
  EXPECT_THAT(ids(starting_late(0.02)), IsEmpty());
  EXPECT_THAT(ids(starting_late(40, R"j(, "Filter": "(t.k > 5)", "Rows Removed by Filter": 10)j")),
              IsEmpty());
  EXPECT_THAT(ids(starting_late(40), R"("Execution Time": 100, "JIT": {"Timing": {"Total": 5}})"),
              Not(Contains("G9")));
}

// An InitPlan of 60 ms that the scan below `gather` ("" for none) needs.
std::string needing_sub_select(const std::string& gather, const std::string& in_init_plan = "") {
  std::string init =
      node(cat(measured("Aggregate", 60, 1), R"(, "Subplan Name": "InitPlan 1")"),
           in_init_plan.empty() ? scan(55, 9'000)
                                : node(measured(in_init_plan, 58, 9'000), scan(55, 9'000)));
  const std::string before = R"("Parent Relationship": "Outer")";
  init.replace(init.find(before), before.size(), R"("Parent Relationship": "InitPlan")");
  const std::string filtered =
      node(cat(measured("Seq Scan", gather.empty() ? 90 : 20, 900, gather.empty() ? 1 : 3),
               R"j(, "Relation Name": "u", "Alias": "u", "Filter": "(u.a > (InitPlan 1).col1)",
                   "Rows Removed by Filter": 10)j"));
  if (gather.empty()) return node(measured("Aggregate", 95, 1), cat(init, ", ", filtered));
  return node(cat(measured(gather, 95, 900), R"(, "Workers Planned": 2, "Workers Launched": 2)"),
              cat(init, ", ", filtered));
}

TEST(EffortRules, WorkersThatWaitForASubSelectAreTold) {
  EXPECT_THAT(ids(needing_sub_select("")), ElementsAre("C8"));
  EXPECT_THAT(ids(needing_sub_select("Gather")), ElementsAre("F6"));
  // The sub-select has workers of its own.
  EXPECT_THAT(ids(needing_sub_select("Gather", "Gather")), Contains("C8"));
}

std::string self_update(const std::string& condition, const std::string& between = "") {
  const auto side = [](const std::string& alias, const std::string& filter) {
    return node(cat(measured("Seq Scan", 30, 1'000), R"(, "Relation Name": "t", "Schema": "app",
                    "Alias": ")",
                    alias, "\"", filter));
  };
  const std::string inner =
      side("t_1", R"j(, "Filter": "(t_1.v = 5)", "Rows Removed by Filter": 10)j");
  const std::string hash =
      node(measured("Hash", 35, 1'000),
           between.empty() ? inner : node(measured(between, 33, 1'000), inner));
  return node(cat(measured("ModifyTable", 95, 0), R"(, "Operation": "Update", "Relation Name": "t",
                  "Schema": "app", "Alias": "t")"),
              node(cat(measured("Hash Join", 80, 1'000), R"(, "Join Type": "Semi", "Hash Cond": ")",
                       condition, "\""),
                   cat(side("t", ""), ", ", hash)));
}

TEST(EffortRules, ChangeThatJoinsItsTableByItsKeyIsTold) {
  const auto said = [](const std::string& plan) {
    return ids(diagnosed(plan, "\"Execution Time\": 100", facts_of_t()));
  };

  EXPECT_THAT(said(self_update("(t.k = t_1.k)")), ElementsAre("J6"));
  EXPECT_THAT(said(self_update("(t.v = t_1.v)")), IsEmpty());           // no key
  EXPECT_THAT(said(self_update("(t.k = t_1.v)")), IsEmpty());           // another row
  EXPECT_THAT(said(self_update("(t.k = t_1.k)", "Limit")), IsEmpty());  // it chooses some
  EXPECT_THAT(ids(self_update("(t.k = t_1.k)")), IsEmpty());            // nobody knows the key
}

}  // namespace
}  // namespace pgtend::explain
