#include "explain/parse_json.h"

#include <gmock/gmock.h>

#include <string>

namespace pgtend::explain {
namespace {

std::string nested(int levels) {
  std::string out, close;
  for (int i = 0; i < levels; ++i) {
    out += R"({"Node Type": "Append", "Plans": [)";
    close += "]}";
  }
  return R"({"Plan": )" + out + R"({"Node Type": "Result"})" + close + "}";
}

TEST(ParseJson, ListAndSingleDocumentGiveTheSamePlan) {
  const std::string one = R"({"Query Text": "SELECT 1", "Plan": {"Node Type": "Result"}})";

  const auto single = parse_json_plan(one);
  const auto list = parse_json_plan(" [ " + one + " ]\n");

  ASSERT_TRUE(single && list);
  EXPECT_EQ(single->query_text, "SELECT 1");
  EXPECT_EQ(single->nodes.size(), 1u);
  EXPECT_EQ(list->root().type, "Result");
}

TEST(ParseJson, RootThatCallsItselfAnInitPlanIsARoot) {
  const auto plan = parse_json_plan(
      R"({"Plan": {"Node Type": "Result", "Parent Relationship": "InitPlan", "Actual Rows": 1,
          "Actual Loops": 1, "Actual Startup Time": 0.1, "Actual Total Time": 0.2}})");

  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->root().relation, Relation::Root);
}

TEST(ParseJson, UnknownNodesAndPropertiesAreKeptInOrder) {
  const auto plan = parse_json_plan(
      R"([{"Plan": {"Node Type": "Quantum Scan", "Zeta": 1, "Alpha": {"b": [1]}}, "New": true}])");

  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->root().type, "Quantum Scan");
  std::vector<std::string> names;
  for (const auto& entry : plan->root().properties) names.emplace_back(entry.key());
  EXPECT_THAT(names, testing::ElementsAre("Node Type", "Zeta", "Alpha"));
  EXPECT_TRUE(plan->properties.contains("New"));
}

TEST(ParseJson, ParentsStandBeforeChildrenInPrintedOrder) {
  const auto plan = parse_json_plan(R"({"Plan": {"Node Type": "A", "Plans": [
      {"Node Type": "B", "Parent Relationship": "Outer", "Plans": [{"Node Type": "C"}]},
      {"Node Type": "D", "Parent Relationship": "InitPlan", "Subplan Name": "CTE x"}]}})");

  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->nodes.size(), 4u);
  EXPECT_EQ(plan->nodes[2].type, "C");
  EXPECT_EQ(plan->nodes[2].parent, 1);
  EXPECT_EQ(plan->nodes[3].relation, Relation::Cte);
  EXPECT_THAT(plan->nodes[0].children, testing::ElementsAre(1, 3));
}

TEST(ParseJson, BrokenDocumentsNameWhatIsWrong) {
  const auto message = [](std::string_view text) {
    const auto plan = parse_json_plan(text);
    return plan ? std::string("parsed") : plan.error().message;
  };

  EXPECT_THAT(message("{}"), testing::HasSubstr("no \"Plan\""));
  EXPECT_THAT(message("[]"), testing::HasSubstr("holds 0"));
  EXPECT_THAT(message(R"({"Plan": {}})"), testing::HasSubstr("Node Type"));
  EXPECT_THAT(message(R"({"Plan": {"Node Type": "A", "Plan Rows": "x"}})"),
              testing::HasSubstr("Plan Rows"));
  EXPECT_THAT(message(R"({"Plan": {"Node Type": "A", "Actual Loops": -1}})"),
              testing::HasSubstr("out of range"));
  EXPECT_THAT(message(R"({"Plan": {"Node Type": "A", "Plans": [1]}})"),
              testing::HasSubstr("no node"));
  EXPECT_NE(message("Seq Scan on t  (cost=0..1)"), "parsed");
}

TEST(ParseJson, SizeDepthAndNodeCountAreBounded) {
  EXPECT_TRUE(parse_json_plan(nested(1000)));
  EXPECT_EQ(parse_json_plan(nested(5000)).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json_plan(nested(20), {.nodes_max = 10}).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json_plan(nested(20), {.bytes_max = 100}).error().code, ErrorCode::Limit);
}

}  // namespace
}  // namespace pgtend::explain
