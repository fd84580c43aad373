#include "explain/timing.h"

#include <gtest/gtest.h>

#include "explain/attribution.h"
#include "explain/parse_json.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

Plan plan_of(std::string_view text) {
  auto plan = parse_json_plan(text);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? std::move(plan).take() : Plan{};
}

double self(const Timing& timing, size_t node) { return timing.nodes[node].self.mid; }

// Three processes scanned for 144.4 ms each: the planted sleeps of 42 rows of 10 ms.
TEST(Timing, GatherDividesByTheParticipantsThatRan) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Gather", "Actual Loops": 1,
    "Actual Total Time": 150.0, "Actual Rows": 42, "Workers Planned": 2, "Plans": [
    {"Node Type": "Seq Scan", "Parallel Aware": true, "Parent Relationship": "Outer",
     "Actual Loops": 3, "Actual Total Time": 144.4, "Actual Rows": 14}]}})json");

  const Timing timing = measure_time(plan);

  EXPECT_NEAR(timing.nodes[1].process.mid, 433.2, 0.01);
  EXPECT_NEAR(self(timing, 1), 144.4, 0.01);
  EXPECT_NEAR(self(timing, 0), 5.6, 0.01);
  EXPECT_TRUE(timing.adds_up());
}

TEST(Timing, MissingLeaderIsNotCountedAsParticipant) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Gather", "Actual Loops": 1,
    "Actual Total Time": 230.0, "Workers Launched": 2, "Plans": [
    {"Node Type": "Seq Scan", "Parallel Aware": true, "Parent Relationship": "Outer",
     "Actual Loops": 2, "Actual Total Time": 226.0}]}})json");

  EXPECT_NEAR(self(measure_time(plan), 1), 226.0, 0.01);
}

TEST(Timing, RescannedGatherUsesLoopsPerExecution) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Nested Loop", "Actual Loops": 1,
    "Actual Total Time": 101.0, "Plans": [
    {"Node Type": "Gather", "Parent Relationship": "Inner", "Actual Loops": 5,
     "Actual Total Time": 20.0, "Plans": [
     {"Node Type": "Seq Scan", "Parallel Aware": true, "Parent Relationship": "Outer",
      "Actual Loops": 15, "Actual Total Time": 18.0}]}]}})json");

  const Timing timing = measure_time(plan);

  EXPECT_NEAR(self(timing, 2), 90.0, 0.01);
  EXPECT_NEAR(self(timing, 1), 10.0, 0.01);
  EXPECT_TRUE(timing.adds_up());
}

// Two nodes refer to the InitPlan, one had the time: only that one pays.
TEST(Timing, OnlyTheNodeThatHadTheTimePaysForAnInitPlan) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Hash Join", "Actual Loops": 1,
    "Actual Total Time": 64.2, "Plans": [
    {"Node Type": "Result", "Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 1 (returns $0)",
     "Actual Loops": 1, "Actual Total Time": 63.56},
    {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Filter": "(a < $0)", "Actual Loops": 1,
     "Actual Total Time": 0.22},
    {"Node Type": "Seq Scan", "Parent Relationship": "Inner", "Filter": "(b < $0)", "Actual Loops": 1,
     "Actual Total Time": 63.66}]}})json");

  const Timing timing = measure_time(plan);

  ASSERT_EQ(timing.charges.size(), 1u);
  EXPECT_EQ(timing.charges[0].payer, 3);
  EXPECT_NEAR(self(timing, 2), 0.22, 1e-6);
  EXPECT_NEAR(self(timing, 3), 0.10, 1e-6);
  EXPECT_TRUE(timing.adds_up());
}

TEST(Timing, InitPlanTenIsNotInitPlanOne) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Append", "Plans": [
    {"Node Type": "Result", "Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 1"},
    {"Node Type": "Result", "Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 10"},
    {"Node Type": "Seq Scan", "Parent Relationship": "Member", "Filter": "(a = (InitPlan 10).col1)"}]}})json");

  EXPECT_TRUE(init_plan_candidates(plan, 1).empty());
  EXPECT_EQ(init_plan_candidates(plan, 2), std::vector<int>{3});
}

TEST(Timing, ReferenceBelowAGatherIsPaidByTheGather) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Aggregate", "Plans": [
    {"Node Type": "Result", "Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 1 (returns $0)"},
    {"Node Type": "Gather", "Parent Relationship": "Outer", "Plans": [
      {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Filter": "(g = $0)"}]}]}})json");

  EXPECT_EQ(init_plan_candidates(plan, 1), std::vector<int>{2});
}

TEST(Timing, SubPlanTimeIsInsideItsHost) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Seq Scan", "Actual Loops": 1,
    "Actual Total Time": 105.8, "Plans": [
    {"Node Type": "Result", "Parent Relationship": "SubPlan", "Subplan Name": "SubPlan 1",
     "Actual Loops": 5, "Actual Total Time": 21.0}]}})json");

  EXPECT_NEAR(self(measure_time(plan), 0), 0.8, 1e-6);
}

TEST(Timing, MillionsOfLoopsWidenTheErrorInsteadOfGoingNegative) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Nested Loop", "Actual Loops": 1,
    "Actual Total Time": 900.0, "Plans": [
    {"Node Type": "Index Scan", "Parent Relationship": "Inner", "Actual Loops": 1000000,
     "Actual Total Time": 0.001}]}})json");

  const Timing timing = measure_time(plan);

  EXPECT_EQ(timing.nodes[0].self.low(), 0);
  EXPECT_NEAR(timing.nodes[0].self.high(), 400, 0.1);
  EXPECT_TRUE(timing.adds_up());
}

TEST(Timing, DoubleCountingBreaksTheInvariant) {
  // The child claims more than its parent: no real plan does.
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "A", "Actual Loops": 1,
    "Actual Total Time": 10.0, "Plans": [{"Node Type": "B", "Parent Relationship": "Outer",
    "Actual Loops": 1, "Actual Total Time": 50.0}]}})json");

  EXPECT_FALSE(measure_time(plan).adds_up());
}

TEST(Rows, PartialEstimateIsMultipliedByTheDivisorNotTheLoops) {
  EXPECT_DOUBLE_EQ(parallel_divisor(2, true), 2.4);
  EXPECT_DOUBLE_EQ(parallel_divisor(4, true), 4.0);
  EXPECT_DOUBLE_EQ(parallel_divisor(2, false), 2.0);
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Gather", "Workers Planned": 2,
    "Actual Loops": 1, "Actual Rows": 60000, "Plans": [
    {"Node Type": "Seq Scan", "Parallel Aware": true, "Parent Relationship": "Outer", "Plan Rows": 25000,
     "Actual Loops": 3, "Actual Rows": 20000}]}})json");

  const RowCount rows = count_rows(plan, 1);

  EXPECT_DOUBLE_EQ(rows.estimate, 60000);
  EXPECT_DOUBLE_EQ(rows.actual, 60000);
  EXPECT_DOUBLE_EQ(rows.factor, 1);
}

TEST(Rows, RemovedRowsAreAMeanPerLoop) {
  const Plan plan = plan_of(R"json({"Plan": {"Node Type": "Seq Scan", "Rows Removed by Filter": 100,
    "Actual Loops": 3, "Actual Rows": 1}})json");

  const RemovedRows removed = removed_rows(plan, 0, "Rows Removed by Filter");

  EXPECT_DOUBLE_EQ(removed.total, 300);
  EXPECT_DOUBLE_EQ(removed.error, 1.5);
}

TEST(Rows, RowsUnderALimitAreNoMisestimate) {
  const Plan plan =
      plan_of(R"json({"Plan": {"Node Type": "Limit", "Actual Loops": 1, "Actual Rows": 1,
    "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 1000,
    "Actual Loops": 1, "Actual Rows": 1}]}})json");

  EXPECT_EQ(count_rows(plan, 1).excuse, "under LIMIT");
}

}  // namespace
}  // namespace pgtend::explain
