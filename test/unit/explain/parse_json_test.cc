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
  for (const auto& entry : plan->root().properties) names.emplace_back(entry.key);
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

TEST(ParseJson, TwentyThousandLevelsAreReadAndForgotten) {
  const auto plan = parse_json_plan(nested(20'000));

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->nodes.size(), 20'001u);
  EXPECT_EQ(plan->nodes.back().depth, 20'000);
  EXPECT_EQ(plan->nodes.back().type, "Result");
}

TEST(ParseJson, HundredThousandSiblingsAreNodes) {
  std::string text = R"([{"Plan": {"Node Type": "Append", "Plans": [{"Node Type": "A"})";
  for (int i = 1; i < 100'000; ++i) text += R"(,{"Node Type": "A", "Alias": "a"})";

  const auto plan = parse_json_plan(text + "]}}]");

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->root().children.size(), 100'000u);
}

TEST(ParseJson, SizeDepthAndNodeCountAreBounded) {
  EXPECT_EQ(parse_json_plan(nested(20), {.depth_max = 20}).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json_plan(nested(20), {.nodes_max = 10}).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json_plan(nested(20), {.bytes_max = 100}).error().code, ErrorCode::Limit);
  const std::string deep(100'000, '[');
  EXPECT_EQ(parse_json_plan(deep).error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_json_plan(R"({"Plan": {"Node Type": "A", "X": )" + deep).error().code,
            ErrorCode::Limit);
}

TEST(ParseJson, CutOffPlanGivesWhatWasReadAndAWarning) {
  const std::string whole =
      "[\n {\n  \"Plan\": {\n   \"Node Type\": \"Limit\",\n   \"Plan Rows\": 123,\n   \"Plans\": "
      "[\n"
      "    {\n     \"Node Type\": \"Seq Scan\",\n     \"Filter\": \"(a > 1)\"\n    }\n   ]\n  },\n"
      "  \"Planning Time\": 0.5\n }\n]";
  size_t partial = 0;
  for (size_t size = whole.find("\"Limit\"") + 7; size < whole.size() - 2; ++size) {
    const auto plan = parse_json_plan(whole.substr(0, size));
    ASSERT_TRUE(plan) << whole.substr(0, size) << plan.error().message;
    EXPECT_EQ(plan->root().type, "Limit");
    EXPECT_THAT(plan->warnings, testing::ElementsAre(testing::HasSubstr("cut off after line")));
    partial += plan->nodes.size() == 2 ? 1 : 0;
  }
  EXPECT_GT(partial, 30u);
  EXPECT_TRUE(parse_json_plan(whole)->warnings.empty());
  EXPECT_THAT(parse_json_plan(whole.substr(0, whole.find(",\n     \"Fil")))->warnings,
              testing::ElementsAre("plan is cut off after line 8"));
}

TEST(ParseJson, NumbersBeyondADoubleKeepTheirDigits) {
  const auto plan = parse_json_plan(
      R"({"Plan": {"Node Type": "A", "Plan Rows": 12345678901234567890123, "Total Cost": 1e400,
          "Startup Cost": inf, "Actual Rows": 3.00, "Actual Loops": 9007199254740993}})");

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(to_text(plan->root().properties),
            R"({"Node Type":"A","Plan Rows":"12345678901234567890123","Total Cost":"1e400",)"
            R"("Startup Cost":"inf","Actual Rows":3E0,"Actual Loops":9007199254740993})");
  EXPECT_EQ(plan->root().estimate.rows, 12345678901234567890123.0);
  EXPECT_EQ(plan->root().estimate.total_cost, 1e100);
  EXPECT_EQ(plan->root().number("Plan Rows"), 12345678901234567890123.0);
}

TEST(ParseJson, StringsAreUnescapedAsJsonSays) {
  const auto plan = parse_json_plan(
      R"({"Plan": {"Node Type": "A", "Filter": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d."}})");

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->root().text("Filter"), "\"\\/\b\f\n\r\té😀\xef\xbf\xbd.");
  EXPECT_FALSE(parse_json_plan(R"({"Plan": {"Node Type": "A", "Filter": "\q"}})"));
}

TEST(ParseJson, PlansAreFoundInsideRowsAndByThemselves) {
  const auto row = parse_json_plan(
      R"([{"QUERY PLAN": [{"Plan": {"Node Type": "Limit"}, "Planning Time": 1.5}]}])");
  const auto bare = parse_json_plan(R"({"Node Type": "Limit", "Plans": [{"Node Type": "A"}]})");

  ASSERT_TRUE(row && bare);
  EXPECT_EQ(row->planning_ms, 1.5);
  EXPECT_EQ(bare->nodes.size(), 2u);
}

}  // namespace
}  // namespace pgtend::explain
