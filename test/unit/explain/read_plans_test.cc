// test/golden/explain_input/<case>/input: plans as people and servers give them (psql's own
// output, logs of real servers); want.txt: what must be read. Cases whose names begin alike hold
// the same plans in other wrappings.
#include "explain/read_plans.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/frames.h"
#include "explain/input_text.h"
#include "explain/log_records.h"
#include "golden/golden.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string nodes_of(const Plan& plan) {
  std::string out;
  for (const Node& node : plan.nodes) {
    out += cat(std::string(static_cast<size_t>(2 + 2 * node.depth), ' '), to_text(node.properties),
               "\n");
  }
  return out;
}

std::string described_input(const Result<PlanInput>& input) {
  if (!input) return cat("error: ", input.error().message, "\n");
  std::string out;
  for (const ReadPlan& read : input->plans) {
    out += cat(name(read.format), " plan in line ", read.line, "\n");
    if (read.plan.execution_ms) out += cat("  ", *read.plan.execution_ms, " ms\n");
    out += nodes_of(read.plan);
    for (const std::string& warning : read.plan.warnings) out += cat("  warning: ", warning, "\n");
  }
  for (const std::string& warning : input->warnings) out += cat("warning: ", warning, "\n");
  return out;
}

class PlanInputs : public golden::Test {};

TEST_P(PlanInputs, GiveThePlansWrittenDown) {
  expect_text(described_input(read_plans(file("input"))));
}

// Whatever is cut away, reading ends with plans or an error.
TEST_P(PlanInputs, CutAnywhereAreStillRead) {
  const std::string whole = file("input");
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 40) {
    (void)static_cast<bool>(read_plans(whole.substr(0, size)));
    (void)static_cast<bool>(read_plans(whole.substr(size)));
  }
}

PGTEND_GOLDEN_CASES(PlanInputs, "explain_input");

// The plans of all cases that begin with `prefix` and end with `suffix`, without their places.
void expect_equal_plans(const std::string& prefix, const std::string& suffix, size_t plans) {
  std::string first;
  for (const auto& folder : golden::cases("explain_input")) {
    const std::string name = folder.filename();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    std::ifstream in(folder / "input", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const auto input = read_plans(text);
    ASSERT_TRUE(input) << name << ": " << input.error().message;
    std::string all;
    for (const ReadPlan& read : input->plans) {
      all += cat(explain::name(read.format), "\n", nodes_of(read.plan));
      EXPECT_THAT(read.plan.warnings, ElementsAre()) << name;
    }
    EXPECT_EQ(input->plans.size(), plans) << name;
    if (first.empty()) first = all;
    EXPECT_EQ(all, first) << name;
  }
  EXPECT_NE(first, "");
}

TEST(ReadPlans, AnyFrameOfPsqlGivesTheSamePlans) { expect_equal_plans("psql-", "", 4); }

TEST(ReadPlans, AnyLogOfAServerGivesTheSamePlans) {
  expect_equal_plans("log-", "pg13", 12);
  expect_equal_plans("log-", "pg15", 12);
  expect_equal_plans("log-", "pg18", 12);
}

std::vector<std::string> types_in(std::string_view text) {
  std::vector<std::string> out;
  const auto input = read_plans(text);
  if (!input) return {input.error().message};
  for (const ReadPlan& read : input->plans) out.emplace_back(read.plan.root().type);
  return out;
}

TEST(ReadPlans, SeveralPlansAndProseBetweenThemAreRead) {
  EXPECT_THAT(
      types_in("Before:\n\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n"
               "  Filter: (a > 1)\n\nand it's after:\n\n"
               "Index Scan using i on t  (cost=0.00..1.00 rows=1 width=4)\n\n"
               "[{\"Plan\": {\"Node Type\": \"Result\"}}]\n[not one]\n{\"a\": [1, 2]}\n"
               "- Plan: \n    Node Type: \"Limit\"\n\n"
               "<explain><Query><Plan><Node-Type>Sort</Node-Type></Plan></Query></explain>"),
      ElementsAre("Seq Scan", "Index Scan", "Result", "Limit", "Sort"));
}

TEST(ReadPlans, LiteralsLookLikeNothingElse) {
  const auto input = read_plans(
      "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: (b = 'x\n\n"
      "Seq Scan on u  (cost=0.00..1.00 rows=1 width=4)\n(3 rows)\n'::text)\n\nHash Join\n");

  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->plans[0].plan.nodes.size(), 1u);
  EXPECT_THAT(std::string(input->plans[0].plan.root().text("Filter")), HasSubstr("(3 rows)"));
}

TEST(ReadPlans, RowsOfDriversHoldPlansToo) {
  EXPECT_THAT(types_in(R"x([{"QUERY PLAN": "Limit  (cost=0.00..0.03 rows=1 width=4)"},
                           {"QUERY PLAN": "  ->  Seq Scan on t  (cost=0.00..35.50 rows=1 width=4)"}])x"),
              ElementsAre("Limit"));
  EXPECT_THAT(types_in(R"([{"QUERY PLAN": [{"Plan": {"Node Type": "Result"}}]}])"),
              ElementsAre("Result"));
}

TEST(ReadPlans, PlansInStringsOfOtherJsonAreRead) {
  EXPECT_THAT(types_in(R"x({"id": 7, "explain": "[{\"Plan\": {\"Node Type\": \"Result\"}}]",
                           "note": "a \"Plan\" for [later]"})x"),
              ElementsAre("Result"));
  EXPECT_THAT(
      types_in(R"x([{"plan": "\nLimit  (cost=0.00..0.03 rows=1 width=4)\n  ->  Seq Scan on t"},
                           {"plan": "none"}])x"),
      ElementsAre("Limit"));
}

TEST(ReadPlans, RowsCopiedWithoutTheirFrameKeepTheirTree) {
  const auto input = read_plans(
      " Limit  (cost=0.00..0.03 rows=1 width=4)\n"
      "   ->  Seq Scan on t  (cost=0.00..35.50 rows=1 width=4)\n(2 rows)\n");

  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->plans[0].plan.nodes.size(), 2u);
}

TEST(ReadPlans, BrokenPlansAreToldWithTheirLine) {
  const auto input =
      read_plans("[{\"Plan\": {\"Node Type\": 3}}]\n[{\"Plan\": {\"Node Type\": \"Result\"}}]\n");

  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(input->plans.size(), 1u);
  EXPECT_THAT(input->warnings, ElementsAre(HasSubstr("line 1: not read: ")));
  EXPECT_THAT(types_in("[{\"Plan\": {\"Node Type\": 3}}]"), ElementsAre(HasSubstr("Node Type")));
  EXPECT_THAT(types_in("SELECT 1"), ElementsAre(HasSubstr("no plan")));
  EXPECT_EQ(read_plans("").error().code, ErrorCode::NotFound);
  EXPECT_EQ(read_plans("12345", {.bytes_max = 4}).error().code, ErrorCode::Limit);
}

TEST(InputText, EncodingsAndEscapesAreTakenOff) {
  EXPECT_EQ(plain_text(std::string_view("\xff\xfe"
                                        "a\0\xe9\0",
                                        6)),
            "aé");
  EXPECT_EQ(plain_text("\xef\xbb\xbf\x1b[1;31mSeq\x1b[0m \x1b]0;t\aScan\r\n\xc2\xa0 x\xe9"),
            "Seq Scan\n  xé");
  EXPECT_EQ(plain_text("a\n'b\r\n'"), "a\n'b\r\n'");
  EXPECT_EQ(unquoted("> > a\n> >   b\n> > c"), "a\n  b\nc");
  EXPECT_EQ(unquoted("a\n```sql\nb\n```\n> c"), "a\n\nb\n\n> c");
}

TEST(LogRecords, DurationsAndPlansAreFoundBehindAnyPrefix) {
  const auto plans = logged_plans(
      "x [7] LOG:  duration: 1.5 ms  plan:\n\tA\n\t\tb\nx [8] LOG:  statement: select\n\t1\n"
      "y [8] db=a,user=b LOG:  duration: 2 ms  plan:\n\tB\n");

  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans[0].text, "A\n\tb");
  EXPECT_EQ(plans[0].duration_ms, 1.5);
  EXPECT_EQ(plans[1].text, "B");
  EXPECT_EQ(plans[1].line, 6u);
  EXPECT_TRUE(logged_plans("LOG:  duration: x ms  plan:\n\tA\n").empty());
  EXPECT_FALSE(logged_plan("duration: 1 ms  statement: select 1"));
}

std::vector<std::string> told(const std::vector<LoggedPlan>& plans) {
  std::vector<std::string> out;
  for (const LoggedPlan& plan : plans) {
    out.push_back(cat(plan.line, " ", plan.time, " ", plan.duration_ms, " ", plan.text));
  }
  return out;
}

// The plans of `log` handed over in pieces of `size` bytes, by their lines.
std::vector<std::string> told_in_pieces(std::string_view log, size_t size) {
  std::vector<LoggedPlan> plans;
  LogReader reader([&](LoggedPlan& plan) { plans.push_back(std::move(plan)); });
  for (size_t at = 0; at < log.size(); at += size) reader.feed(log.substr(at, size));
  reader.finish();
  std::ranges::sort(plans, {}, &LoggedPlan::line);
  return told(plans);
}

TEST_P(PlanInputs, AreTheSameLogInPiecesOfAnySize) {
  const std::string log = file("input");
  const std::vector<std::string> whole = told(logged_plans(log));
  for (const size_t size : {1, 7, 1000}) {
    EXPECT_EQ(told_in_pieces(log, size), whole) << size;
  }
}

TEST(LogRecords, TellWhenTheyWereWritten) {
  const auto plans = logged_plans(
      "2026-11-26 12:23:23.293 UTC [7] LOG:  duration: 1.5 ms  plan:\n\tA\n"
      "{\"timestamp\":\"2026-11-26T13:00:00.1Z\",\"message\":\"duration: 2 ms  plan:\\nB\"}\n"
      "[7] LOG:  duration: 1.5 ms  plan:\n\tC\n");
  ASSERT_EQ(plans.size(), 3u);
  EXPECT_EQ(plans[0].time, "2026-11-26 12:23:23");
  EXPECT_EQ(plans[1].time, "2026-11-26 13:00:00");
  EXPECT_EQ(plans[2].time, "");
}

TEST(LogRecords, LinesAndRecordsOverTheLimitAreCountedAndPassedOver) {
  std::vector<std::string> texts;
  LogReader reader([&](LoggedPlan& plan) { texts.push_back(plan.text); },
                   {.line_bytes_max = 100, .record_bytes_max = 200});
  const std::string head = "[7] LOG:  duration: 1 ms  plan:\n";
  reader.feed(head + "\tA\n" + std::string(500, 'x') + "\n" + head);
  for (int i = 0; i < 9; ++i) reader.feed("\t" + std::string(50, 'y') + "\n");
  reader.feed(head + "\tB\n");
  reader.finish();
  EXPECT_THAT(texts, ElementsAre("A", "B"));
  EXPECT_EQ(reader.too_long(), 2u);
}

TEST(LogRecords, APlanInJsonIsNoRecordThoughItsQueryLooksLikeOne) {
  EXPECT_TRUE(logged_plans("{\"Query Text\": \"select 'duration: 1 ms  plan:\\n'\", "
                           "\"Plan\": {\"Node Type\": \"Result\"}}\n")
                  .empty());
}

TEST(LogRecords, CutOffRecordOfACsvLogEndsWhereTheNextBegins) {
  const std::string head =
      "2026-11-26 12:23:23.293 UTC,\"u\",\"d\",1,\"[local]\",a.b,1,\"S\","
      "2026-11-26 12:23:23 UTC,1/1,0,LOG,00000,\"duration: 1 ms  plan:\n";
  const auto plans = logged_plans("rest of one\"\n" + head + "A ''\"\"x\"\"\n" + head + "B\",,\n");

  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans[0].text, "A ''\"x\"");
  EXPECT_EQ(plans[1].text, "B");
  EXPECT_EQ(plans[1].line, 4u);
}

TEST(Frames, MarkdownTablesAndDbeaverAreFrames) {
  const auto markdown =
      unframed("| QUERY PLAN |\n|------------|\n| Result     |\n|   x: 1     |\n");
  const auto dbeaver = unframed("QUERY PLAN|\n----------+\nResult    |\n  x: 1    |\n");

  ASSERT_TRUE(markdown.size() == 1 && dbeaver.size() == 1);
  EXPECT_EQ(markdown[0].text(), "Result\n  x: 1");
  EXPECT_EQ(dbeaver[0].text(), "Result\n  x: 1");
}

}  // namespace
}  // namespace pgtend::explain
