#include <gmock/gmock.h>

#include "explain/explain.h"
#include "explain/render_term.h"
#include "explain/verify.h"

namespace pgtend::explain {
namespace {

constexpr const char* kHostile = R"json([{"Plan": {"Node Type": "Seq Scan", "Relation Name":
  "t\u001b[31m\nevil", "Alias": "t", "Actual Loops": 1, "Actual Total Time": 50.0, "Actual Rows": 1,
  "Rows Removed by Filter": 100000, "Shared Hit Blocks": 1000, "Shared Read Blocks": 0,
  "Filter": "(\"c\u001b]0;x\u0007\" = 'v\u001b[0m')"}, "Execution Time": 51.0}])json";

TEST(Report, ControlCharactersOfAPlanReachNoTerminal) {
  const auto report = examine_offline(kHostile);
  ASSERT_TRUE(report);

  const std::string text = render_term(*report, {.color = false, .ascii = true});

  ASSERT_EQ(report->findings.size(), 1u);
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c != 0x7f)) << static_cast<int>(c);
  }
  EXPECT_THAT(text, testing::HasSubstr("\\x1b"));
}

TEST(Report, NarrowLinesAreCutWithAMark) {
  const auto report = examine_offline(kHostile);
  ASSERT_TRUE(report);

  const std::string text = render_term(*report, {.ascii = true, .width = 60, .evidence = false});

  EXPECT_THAT(text, testing::HasSubstr("..."));
  EXPECT_LE(text.find('\n'), 60u);
}

TEST(Report, ColourIsOnlyWrittenWhenAskedFor) {
  const auto report = examine_offline(kHostile);
  ASSERT_TRUE(report);

  EXPECT_THAT(render_term(*report, {.color = true}), testing::HasSubstr("\x1b[1;31m"));
  EXPECT_THAT(render_term(*report, {}), testing::Not(testing::HasSubstr("\x1b[")));
}

TEST(Report, JsonHoldsTimesNodesAndFindings) {
  const auto report = examine_offline(kHostile);
  ASSERT_TRUE(report);

  const json::object out = to_json(*report);

  EXPECT_EQ(out.at("statement").at("total_ms").to_number<double>(), 51.0);
  EXPECT_EQ(out.at("nodes").as_array().size(), 1u);
  EXPECT_EQ(out.at("nodes").at(0).at("rows").at("actual").to_number<double>(), 1.0);
  EXPECT_EQ(out.at("findings").at(0).at("id"), json::value("A1"));
  EXPECT_EQ(out.at("findings").at(0).at("nodes").at(0), json::value(0));
  EXPECT_TRUE(out.contains("warnings") && out.contains("missing_rights"));
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
  EXPECT_THAT(compare(before, fewer).text, testing::HasSubstr("1,000 -> 100"));
}

}  // namespace
}  // namespace pgtend::explain
