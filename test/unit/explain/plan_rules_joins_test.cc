// Joins: each fault beside its healthy twin, as plan text.
#include <gmock/gmock.h>

#include "explain/plan_rules.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// A scan of `table` on one side of a join.
std::string side(const std::string& relationship, const std::string& table, double ms, double rows,
                 double loops = 1, const std::string& more = "", double expected = -1) {
  return node(cat(R"("Node Type": "Seq Scan", "Parent Relationship": ")", relationship,
                  R"(", "Plan Rows": )", expected < 0 ? rows : expected,
                  R"(, "Plan Width": 8, "Total Cost": 9, "Actual Startup Time": 0,
                  "Actual Total Time": )",
                  ms, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )", loops,
                  R"(, "Relation Name": ")", table, R"(", "Alias": ")", table, "\"", more));
}

std::string loop(double rows, const std::string& more, const std::string& inner) {
  return node(cat(measured("Nested Loop", 95, rows), R"(, "Join Type": "Inner")", more),
              cat(side("Outer", "a", 5, 1'000), ", ", inner));
}

TEST(JoinRules, FilterThatDropsMostPairs) {
  const auto joined = [](const std::string& filter, double removed) {
    return ids(loop(
        100, cat(R"(, "Join Filter": ")", filter, R"(", "Rows Removed by Join Filter": )", removed),
        side("Inner", "b", 0.05, 1'000, 1'000)));
  };

  EXPECT_THAT(joined("(a.x < b.y)", 999'900), ElementsAre("B3"));
  EXPECT_THAT(joined("(a.x < b.y)", 500), IsEmpty());
  // An equality wants an index: another rule's.
  EXPECT_THAT(joined("(a.x = b.y)", 999'900), Not(Contains("B3")));
}

TEST(JoinRules, AllWithAllIsAsked) {
  const std::string inner = side("Inner", "b", 0.05, 500, 1'000);

  EXPECT_THAT(ids(loop(500'000, "", inner)), ElementsAre("B4"));
  EXPECT_THAT(ids(loop(500'000, "",
                       side("Inner", "b", 0.05, 500, 1'000, R"j(, "Filter": "(b.y < a.x)")j"))),
              IsEmpty());
  EXPECT_THAT(ids(loop(900, "", inner)), IsEmpty());
  EXPECT_THAT(ids(loop(1'000, "", side("Inner", "b", 0.05, 1, 1'000))), IsEmpty());
}

TEST(JoinRules, SidesPinnedToOneValueAreJoinedByIt) {
  const auto pinned = [](const std::string& left, const std::string& right) {
    return ids(
        node(cat(measured("Nested Loop", 95, 500'000), R"(, "Join Type": "Inner")"),
             cat(side("Outer", "a", 5, 1'000, 1, cat(R"(, "Filter": ")", left, "\"")), ", ",
                 side("Inner", "b", 0.05, 500, 1'000, cat(R"(, "Filter": ")", right, "\"")))));
  };

  EXPECT_THAT(pinned("(a.x = 5)", "(b.y = 5)"), IsEmpty());
  EXPECT_THAT(pinned("(a.x > 5)", "(b.y > 5)"), ElementsAre("B4"));
}

std::string hash_of(double rows, double expected, const std::string& more = "", double loops = 1,
                    double ms = 60) {
  return node(cat(R"("Node Type": "Hash", "Parent Relationship": "Inner", "Plan Rows": )", expected,
                  R"(, "Plan Width": 40, "Total Cost": 1, "Actual Startup Time": 0,
                  "Actual Total Time": )",
                  ms, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )", loops, more),
              side("Outer", "b", ms / 4, rows, loops, "", expected));
}

std::string hash_join(double probing, const std::string& hash) {
  return node(cat(measured("Hash Join", 95, 100), R"(, "Join Type": "Inner")"),
              cat(side("Outer", "a", 5, probing), ", ", hash));
}

TEST(JoinRules, LargerSideIsHashedBySurprise) {
  EXPECT_THAT(ids(hash_join(500, hash_of(50'000, 100))), ElementsAre("B8"));
  EXPECT_THAT(ids(hash_join(500, hash_of(50'000, 50'000))), IsEmpty());  // as planned
  EXPECT_THAT(ids(hash_join(40'000, hash_of(50'000, 100))), IsEmpty());
}

TEST(JoinRules, OneFrequentKeyIsSkewNotLackOfMemory) {
  const auto batches = [](double memory) {
    return ids(hash_join(90'000, hash_of(60'000, 60'000,
                                         cat(R"(, "Hash Batches": 64, "Original Hash Batches": 16,
                                             "Peak Memory Usage": )",
                                             memory))));
  };

  EXPECT_THAT(batches(2'000), ElementsAre("B7"));
  EXPECT_THAT(batches(60), ElementsAre("B5"));
}

TEST(JoinRules, SortOnDiskBelowAMergeJoinIsTheJoins) {
  const auto merged = [](const std::string& how) {
    return ids(node(
        cat(measured("Merge Join", 95, 100), R"(, "Join Type": "Inner")"),
        cat(node(cat(measured("Sort", 80, 10'000), R"(, "Sort Method": "x", "Sort Space Used": 9000,
                     "Sort Space Type": ")",
                     how, "\""),
                 side("Outer", "a", 5, 10'000)),
            ", ", side("Inner", "b", 5, 100))));
  };

  EXPECT_THAT(merged("Disk"), ElementsAre("B9"));
  EXPECT_THAT(merged("Memory"), IsEmpty());
}

TEST(JoinRules, MillionsReadAgainFromMaterialize) {
  const auto again = [](double rows, double loops) {
    return ids(
        loop(5'000, R"j(, "Join Filter": "(a.x < b.y)", "Rows Removed by Join Filter": 100)j",
             node(cat(R"("Node Type": "Materialize", "Parent Relationship": "Inner",
                             "Plan Rows": 9, "Plan Width": 8, "Total Cost": 9,
                             "Actual Startup Time": 0, "Actual Total Time": )",
                      70 / loops, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )", loops),
                  side("Outer", "b", 1, rows))));
  };

  EXPECT_THAT(again(2'000, 1'000), ElementsAre("B11"));
  EXPECT_THAT(again(20, 1'000), IsEmpty());
}

std::string grouped_join(const std::string& output, double made) {
  return node(cat(measured("Aggregate", 95, 500), R"(, "Strategy": "Hashed",
                  "Group Key": ["a.x"], "Output": [)",
                  output, "]"),
              node(cat(measured("Hash Join", 60, made), R"(, "Join Type": "Inner")"),
                   cat(side("Outer", "a", 5, 500), ", ", side("Inner", "b", 5, made))));
}

TEST(JoinRules, DistinctOverAFanOutIsExists) {
  EXPECT_THAT(ids(grouped_join(R"("a.x")", 50'000)), ElementsAre("B15"));
  EXPECT_THAT(ids(grouped_join(R"j("a.x", "count(*)")j", 50'000)), IsEmpty());
  EXPECT_THAT(ids(grouped_join(R"("a.x")", 900)), IsEmpty());
}

TEST(JoinRules, ForeignRowsDroppedHere) {
  const auto foreign = [](double removed) {
    return ids(node(cat(measured("Foreign Scan", 95, 100), R"j(, "Relation Name": "f",
                        "Alias": "f", "Filter": "(f(x) = 1)", "Rows Removed by Filter": )j",
                        removed)));
  };

  EXPECT_THAT(foreign(90'000), Contains("B16"));
  EXPECT_THAT(foreign(100), Not(Contains("B16")));
}

TEST(JoinRules, HashTableOfEachWorkerIsBuiltSeveralTimes) {
  const auto gathered = [](const std::string& aware) {
    const std::string join =
        node(cat(measured("Hash Join", 90, 100, 3), R"(, "Join Type": "Inner")"),
             cat(side("Outer", "a", 20, 10'000, 3), ", ", hash_of(50'000, 50'000, aware, 3, 60)));
    return ids(node(cat(measured("Gather", 95, 300), R"(, "Workers Planned": 2,
                        "Workers Launched": 2)"),
                    join));
  };

  EXPECT_THAT(gathered(""), ElementsAre("B17"));
  EXPECT_THAT(gathered(R"(, "Parallel Aware": true)"), IsEmpty());
}

}  // namespace
}  // namespace pgtend::explain
