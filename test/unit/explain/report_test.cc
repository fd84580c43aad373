#include <gmock/gmock.h>

#include "explain/explain.h"
#include "explain/parse_json.h"
#include "explain/render_term.h"
#include "explain/report_json.h"
#include "explain/verify.h"

namespace pgtend::explain {
namespace {

constexpr const char* kHostile = R"json([{"Plan": {"Node Type": "Seq Scan", "Relation Name":
  "t\u001b[31m\nevil", "Alias": "t", "Actual Loops": 1, "Actual Total Time": 50.0, "Actual Rows": 1,
  "Rows Removed by Filter": 100000, "Shared Hit Blocks": 1000, "Shared Read Blocks": 0,
  "Filter": "(\"c\u001b]0;x\u0007\" = 'v\u001b[0m')"}, "Execution Time": 51.0}])json";

Report hostile_report() {
  auto plan = parse_json_plan(kHostile);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? examine_offline({.plan = std::move(plan).take()}) : Report{};
}

json::value written(const Report& report) {
  JsonWriter writer;
  write_json(writer, report);
  auto out = parse_json(writer.take());
  EXPECT_TRUE(out) << out.error().message;
  return out ? std::move(out).take() : json::value();
}

TEST(Report, ControlCharactersOfAPlanReachNoTerminal) {
  const Report report = hostile_report();

  const std::string text = render_term(report, {.color = false, .ascii = true});

  ASSERT_EQ(report.findings.size(), 1u);
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c != 0x7f)) << static_cast<int>(c);
  }
  EXPECT_THAT(text, testing::HasSubstr("\\x1b"));
}

TEST(Report, NarrowLinesAreCutWithAMark) {
  const Report report = hostile_report();

  const std::string text = render_term(report, {.ascii = true, .width = 60, .evidence = false});

  EXPECT_THAT(text, testing::HasSubstr("..."));
  EXPECT_LE(text.find('\n'), 60u);
}

TEST(Report, ColourIsOnlyWrittenWhenAskedFor) {
  const Report report = hostile_report();

  EXPECT_THAT(render_term(report, {.color = true}), testing::HasSubstr("\x1b[1;31m"));
  EXPECT_THAT(render_term(report, {}), testing::Not(testing::HasSubstr("\x1b[")));
}

TEST(Report, JsonHoldsTimesNodesAndFindings) {
  const Report report = hostile_report();

  const json::value out = written(report);

  EXPECT_EQ(out.at("total_ms").to_number<double>(), 51.0);
  EXPECT_EQ(out.at("nodes"), json::value(1));
  EXPECT_EQ(out.at("format"), json::value("json"));
  EXPECT_EQ(out.at("root").at("rows").at("actual").to_number<double>(), 1.0);
  const json::value& finding = out.at("findings").at(0);
  EXPECT_EQ(finding.at("id"), json::value("A1"));
  EXPECT_EQ(finding.at("level"), json::value("L0"));
  EXPECT_EQ(finding.at("node"), json::value(0));
  EXPECT_EQ(finding.at("cause"), finding.at("what"));
  EXPECT_TRUE(finding.at("saving").as_object().contains("predicted"));
  for (const char* member : {"planning_ms", "execution_ms", "warnings", "missing_rights"}) {
    EXPECT_TRUE(out.as_object().contains(member)) << member;
  }
}

TEST(Report, JsonTreeHoldsChildrenInsideTheirParents) {
  auto plan = parse_json_plan(R"({"Plan": {"Node Type": "A", "Plans": [{"Node Type": "B",
      "Plans": [{"Node Type": "C"}]}, {"Node Type": "D"}]}})");
  ASSERT_TRUE(plan);

  const json::value root = written(examine_offline({.plan = std::move(plan).take()})).at("root");

  EXPECT_EQ(root.at("children").at(0).at("children").at(0).at("type"), json::value("C"));
  EXPECT_EQ(root.at("children").at(1).at("type"), json::value("D"));
  EXPECT_EQ(root.at("children").as_array().size(), 2u);
}

TEST(Report, TwentyThousandLevelsAreTimedShownAndWritten) {
  std::string text, close;
  for (int i = 0; i < 20'000; ++i) {
    text += R"({"Node Type": "Append", "Plans": [)";
    close += "]}";
  }
  auto plan = parse_json_plan(text + R"({"Node Type": "Result"})" + close);
  ASSERT_TRUE(plan) << plan.error().message;

  const Report report = examine_offline({.plan = std::move(plan).take()});
  JsonWriter writer;
  write_json(writer, report);

  EXPECT_LT(writer.take().size(), 100u << 20);
  EXPECT_LT(render_term(report, {.ascii = true, .width = 100}).size(), 20u << 20);
}

TEST(Report, ComparisonLooksAtBuffersBeforeTime) {
  const Measurement before{
      .runs = 3, .median_ms = 100, .fastest_ms = 90, .slowest_ms = 110, .blocks = 1000};
  Measurement fewer = before, slower = before, same = before;
  fewer.blocks = 100;
  slower.blocks = 2000, slower.median_ms = 50, slower.slowest_ms = 60;
  same.median_ms = 95;

  EXPECT_TRUE(compare(before, fewer).better);
  EXPECT_FALSE(compare(before, slower).better);
  EXPECT_FALSE(compare(before, same).better);
  Measurement little = before, much = before;
  little.median_ms = 85, little.fastest_ms = 82, little.slowest_ms = 88;
  much.median_ms = 60, much.fastest_ms = 55, much.slowest_ms = 70;
  EXPECT_FALSE(compare(before, little).better);
  EXPECT_TRUE(compare(before, much).better);
  EXPECT_THAT(compare(before, fewer).text, testing::HasSubstr("1,000 -> 100"));
}

}  // namespace
}  // namespace pgtend::explain
