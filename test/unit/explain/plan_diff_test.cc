#include "explain/plan_diff.h"

#include <gmock/gmock.h>

#include <tuple>

#include "base/text.h"
#include "explain/folding.h"
#include "explain/plan_shape.h"
#include "explain/render_term.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Lines of a plan with figures: "Seq Scan on t | 5" took 5 ms in all.
Report report_on(std::string_view outline) {
  std::string text;
  for (const std::string_view line : split(outline, '\n')) {
    const size_t bar = line.find(" | ");
    text += cat(line.substr(0, bar));
    if (bar != line.npos) {
      text += cat("  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..", line.substr(bar + 3),
                  ".000 rows=1 loops=1)");
    }
    text += '\n';
  }
  auto input = read_plans(text);
  EXPECT_TRUE(input) << text;
  return examine_offline(std::move(input->plans.at(0)));
}

std::vector<std::string> told(const Report& before, const Report& after) {
  std::vector<std::string> out;
  for (const NodePair& pair : match_plans(before.plan, after.plan)) {
    const auto words = [](const Report& report, int id) {
      return id == kNone ? std::string("nothing") : node_words(at(report.plan, id));
    };
    out.push_back(cat(words(before, pair.before), " > ", words(after, pair.after)));
  }
  return out;
}

TEST(MatchPlans, EqualPlansMatchNodeByNode) {
  const Report report = report_on(
      "Limit | 9\n  ->  Hash Join | 8\n        ->  Seq Scan on a | 1\n"
      "        ->  Hash | 1\n              ->  Seq Scan on b | 1");
  for (const NodePair& pair : match_plans(report.plan, report.plan)) {
    EXPECT_EQ(pair.before, pair.after);
    EXPECT_EQ(pair.change, NodeChange::Same);
  }
}

TEST(MatchPlans, WhatIsPutInBetweenMovesNothing) {
  EXPECT_THAT(told(report_on("Limit | 9\n  ->  Seq Scan on a | 8"),
                   report_on("Limit | 9\n  ->  Sort | 8\n        ->  Seq Scan on a | 7")),
              ElementsAre("Limit > Limit", "nothing > Sort", "Seq Scan on a > Seq Scan on a"));
}

TEST(MatchPlans, ScansAndJoinsThatAreDoneInAnotherWayAreTheSameStep) {
  EXPECT_THAT(told(report_on("Hash Join | 9\n  ->  Seq Scan on a | 1\n  ->  Hash | 1\n"
                             "        ->  Seq Scan on b | 1"),
                   report_on("Nested Loop | 9\n  ->  Seq Scan on b | 1\n"
                             "  ->  Index Scan using i on a | 1")),
              ElementsAre("Hash Join > Nested Loop", "Seq Scan on b > Seq Scan on b",
                          "Seq Scan on a > Index Scan using i on a", "Hash > nothing"));
}

TEST(MatchPlans, RelationsReadTwiceAreTakenInTheirOrder) {
  const std::string twice = "Append | 9\n  ->  Seq Scan on a | 1\n  ->  Seq Scan on a a_1 | 1";
  EXPECT_THAT(told(report_on(twice), report_on(twice)),
              ElementsAre("Append > Append", "Seq Scan on a > Seq Scan on a",
                          "Seq Scan on a > Seq Scan on a"));
}

TEST(MatchPlans, PlansWithNothingInCommonAreNewAndGone) {
  EXPECT_THAT(told(report_on("Seq Scan on a | 1"), report_on("Seq Scan on b | 1")),
              ElementsAre("nothing > Seq Scan on b", "Seq Scan on a > nothing"));
}

TEST(MatchPlans, EveryNodeOfBothStandsOnce) {
  std::string before = "Append | 9", after = "Append | 9";
  for (int i = 0; i < 3000; ++i) {
    before += "\n  ->  Result | 1";
    after += i % 3 == 0 ? "\n  ->  Limit | 1\n        ->  Result | 1" : "\n  ->  Result | 1";
  }
  const Report a = report_on(before), b = report_on(after);
  std::vector<int> seen_before(a.plan.nodes.size()), seen_after(b.plan.nodes.size());
  for (const NodePair& pair : match_plans(a.plan, b.plan)) {
    if (pair.before != kNone) ++seen_before[static_cast<size_t>(pair.before)];
    if (pair.after != kNone) ++seen_after[static_cast<size_t>(pair.after)];
  }
  EXPECT_THAT(seen_before, testing::Each(1));
  EXPECT_THAT(seen_after, testing::Each(1));
}

TEST(RenderDiff, TellsTimesChangesAndWhatIsGone) {
  const std::string text = render_diff(report_on("Sort | 100\n  ->  Seq Scan on a | 90"),
                                       report_on("Index Scan using i on a | 10"), {});
  EXPECT_THAT(text, HasSubstr("100 ms → 10 ms, 10 times faster"));
  EXPECT_THAT(text, HasSubstr("Index Scan using i on a  (was Seq Scan on a)"));
  EXPECT_THAT(text, HasSubstr("no longer in the plan:\n- "));
}

std::string partitions(int count, int slow) {
  std::string out = "Append | 100";
  for (int i = 0; i < count; ++i) {
    out += cat("\n  ->  Seq Scan on p_", i, " | ", i == slow ? 50 : 1);
  }
  return out;
}

TEST(FoldPlan, PartitionsThatDidTheSameAreOneLine) {
  const Report report = report_on(partitions(12, 5));
  const auto folds = fold_plan(report);
  EXPECT_FALSE(folds[6].hidden);
  EXPECT_EQ(folds[6].alike, 11);
  EXPECT_NEAR(folds[6].alike_ms, 11, 0.1);
  EXPECT_TRUE(folds[1].hidden);
  const std::string text = render_term(report, {});
  EXPECT_THAT(text, HasSubstr("└─ Seq Scan on p_5  ⋯ and 11 alike, 11"));
  EXPECT_THAT(text, Not(HasSubstr("p_4")));
  EXPECT_THAT(render_term(report, {.fold = false}), HasSubstr("p_4"));
}

TEST(FoldPlan, ThreeAlikeAreShown) {
  for (const Fold& fold : fold_plan(report_on(partitions(3, 0)))) EXPECT_FALSE(fold.hidden);
}

TEST(FoldPlan, WhatAFindingIsAboutIsShown) {
  Report report = report_on(partitions(12, 5));
  report.findings.emplace_back();
  report.places = {{3, 4, 5}};
  const auto folds = fold_plan(report);
  EXPECT_FALSE(folds[3].hidden);
  EXPECT_EQ(folds[3].alike, 11);
  EXPECT_TRUE(folds[4].hidden);
}

TEST(FoldPlan, SmallSubtreesOfLargePlansAreFoldedLargeOnesAreNot) {
  std::string outline = "Hash Join | 1000\n  ->  Seq Scan on a | 900\n  ->  Hash | 5";
  std::string indent = "        ";
  for (int i = 0; i < 60; ++i) {
    outline += cat("\n", indent, "->  Materialize | 4");
    indent += "      ";
  }
  const auto folds = fold_plan(report_on(outline));
  EXPECT_FALSE(folds[1].hidden);
  EXPECT_FALSE(folds[2].hidden);
  EXPECT_EQ(folds[2].below, 60);
  EXPECT_TRUE(folds[3].hidden);
}

}  // namespace
}  // namespace pgtend::explain
