#include "explain/log_summary.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "base/text.h"
#include "explain/log_report.h"
#include "explain/plan_shape.h"
#include "golden/golden.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Plan plan_of(std::string_view text) {
  auto input = read_plans(text);
  EXPECT_TRUE(input) << text;
  return std::move(input->plans.at(0).plan);
}

uint64_t shape_of(std::string_view text) { return plan_shape(plan_of(text)); }

TEST(PlanShape, TellsNodesRelationsAndIndexesApartNotNumbers) {
  const uint64_t scan = shape_of("Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n");
  EXPECT_EQ(scan, shape_of("Seq Scan on t  (cost=0.00..9.00 rows=70 width=8)\n"));
  EXPECT_NE(scan, shape_of("Seq Scan on u  (cost=0.00..1.00 rows=1 width=4)\n"));
  EXPECT_NE(scan, shape_of("Index Scan using i on t  (cost=0.00..1.00 rows=1 width=4)\n"));
  EXPECT_NE(shape_of("Index Scan using i on t  (cost=0.00..1.00 rows=1 width=4)\n"),
            shape_of("Index Scan using j on t  (cost=0.00..1.00 rows=1 width=4)\n"));
  EXPECT_NE(scan, shape_of("Limit  (cost=0.00..1.00 rows=1 width=4)\n"
                           "  ->  Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n"));
}

TEST(PlanShape, TakesHoweverManyPartitionsAsOnePlan) {
  const std::string figures = "  (cost=0.00..1.00 rows=1 width=4)\n";
  const std::string one = cat("Aggregate", figures, "  ->  Seq Scan on p_202601 t", figures);
  const std::string two =
      cat("Aggregate", figures, "  ->  Append", figures, "        ->  Seq Scan on p_202602 t_1",
          figures, "        ->  Seq Scan on p_202603 t_2", figures);
  const std::string mixed =
      cat("Aggregate", figures, "  ->  Append", figures, "        ->  Seq Scan on p_202602 t_1",
          figures, "        ->  Index Scan using p_202603_i on p_202603 t_2", figures);
  EXPECT_EQ(shape_of(one), shape_of(two));
  EXPECT_NE(shape_of(one), shape_of(mixed));
}

TEST(PlanShape, ChangeNamesTheFirstNodeThatDiffers) {
  const std::string figures = "  (cost=0.00..1.00 rows=1 width=4)\n";
  const Plan before = plan_of(cat("Limit", figures, "  ->  Index Scan using i on t", figures));
  const Plan after = plan_of(cat("Limit", figures, "  ->  Seq Scan on t", figures));
  EXPECT_EQ(plan_change(before, after), "Seq Scan on t instead of Index Scan using i on t");
  EXPECT_EQ(plan_change(before, before), "");
}

TEST(TextKey, PassesOverNumbersAndLiteralsAlone) {
  const uint64_t key = text_key("Seq Scan on t  (cost=0.00..1.00 rows=1)\n  Filter: (a = 'x')\n");
  EXPECT_EQ(key, text_key("Seq Scan on t  (cost=0.00..25.50 rows=900)\n  Filter: (a = 'it''s')\n"));
  EXPECT_NE(key, text_key("Seq Scan on t1  (cost=0.00..1.00 rows=1)\n  Filter: (a = 'x')\n"));
  EXPECT_NE(key, text_key("Seq Scan on t  (cost=0.00..1.00 rows=1)\n  Filter: (b = 'x')\n"));
  EXPECT_NE(text_key("select t1.a"), text_key("select t2.a"));
  EXPECT_NE(text_key("select $1"), text_key("select $2"));
  EXPECT_NE(text_key("select \"c 1\""), text_key("select \"c 2\""));
}

TEST(TextKey, TakesListsOfAnyLengthAsOne) {
  EXPECT_EQ(text_key("a IN (1, 2)"), text_key("a IN (1,2,3, 'x')"));
  EXPECT_NE(text_key("f(1, a)"), text_key("f(1, b)"));
}

TEST(TextKey, QuotesThatDoNotEndSwallowNoLine) {
  EXPECT_NE(text_key("-- don't\nSeq Scan on t\n-- don't"), text_key("-- don't\nLimit\n-- don't"));
}

// A log in which the query with literal i ran with a plan over `node`.
std::string record(int i, double ms, const std::string& node) {
  return cat("2026-11-26 10:00:", 10 + i % 50, ".123 UTC [77] LOG:  duration: ", ms, " ms  plan:\n",
             "\tQuery Text: SELECT * FROM t\n\tWHERE a = ", i, "\n\t", node, "  (cost=0.00..", i,
             ".00 rows=1 width=4) (actual time=0.010..", ms,
             " rows=1 loops=1)\n\t  Filter: (a = ", i, ")\n");
}

LogSummary summary_of(std::string_view log, const SummaryLimits& limits = {}) {
  LogSummary summary(limits);
  LogReader reader([&](LoggedPlan& plan) { summary.add(plan); });
  summary.begin_file();
  reader.feed(log);
  reader.finish();
  return summary;
}

TEST(LogSummary, CountsRunsByQueryAndPlan) {
  std::string log;
  for (int i = 1; i <= 10; ++i) log += record(i, 2, "Seq Scan on t");
  log += record(11, 50, "Index Scan using i on t");
  const LogSummary summary = summary_of(log);
  EXPECT_EQ(summary.plans(), 11u);
  EXPECT_DOUBLE_EQ(summary.total_ms(), 70);
  EXPECT_EQ(summary.first(), "2026-11-26 10:00:11");
  EXPECT_EQ(summary.last(), "2026-11-26 10:00:21");
  const auto worst = summary.worst(5);
  ASSERT_THAT(worst, SizeIs(1));
  EXPECT_EQ(worst[0].text, "SELECT * FROM t\nWHERE a = $1");
  ASSERT_THAT(worst[0].shapes, SizeIs(2));
  EXPECT_EQ(worst[0].shapes[0].runs.calls, 1u);
  EXPECT_EQ(worst[0].shapes[1].runs.calls, 10u);
  EXPECT_DOUBLE_EQ(worst[0].shapes[1].runs.mean_ms(), 2);
}

TEST(LogSummary, KeepsTheSlowestRunOfEachPlan) {
  const std::string log =
      record(1, 2, "Seq Scan on t") + record(2, 9, "Seq Scan on t") + record(3, 4, "Seq Scan on t");
  const auto worst = summary_of(log).worst(1);
  ASSERT_THAT(worst, SizeIs(1));
  EXPECT_EQ(worst[0].shapes[0].slowest.line, 6u);
  EXPECT_THAT(worst[0].shapes[0].slowest.text, HasSubstr("a = 2"));
}

TEST(LogSummary, QueriesThatTheGrammarDoesNotKnowAreToldByTheirWords) {
  const std::string log =
      "x LOG:  duration: 1 ms  plan:\n\tQuery Text: FROB t 5\n"
      "\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n"
      "x LOG:  duration: 1 ms  plan:\n\tQuery Text: FROB   t 6\n"
      "\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n";
  const auto worst = summary_of(log).worst(9);
  ASSERT_THAT(worst, SizeIs(1));
  EXPECT_EQ(worst[0].text, "FROB t ?");
  EXPECT_EQ(worst[0].runs.calls, 2u);
}

TEST(LogSummary, RecordsWithoutAPlanAreCountedAndNamed) {
  const LogSummary summary =
      summary_of("x LOG:  duration: 1 ms  plan:\n\tQuery Text: SELECT 1\n\t\n");
  EXPECT_EQ(summary.plans(), 0u);
  EXPECT_EQ(summary.unread(), 1u);
  EXPECT_THAT(summary.first_problem(), HasSubstr("line 1"));
}

TEST(LogSummary, WhatCostsLeastIsCountedTogetherAndNothingIsLost) {
  std::string log;
  for (int i = 0; i < 50; ++i) {
    std::string name(1, static_cast<char>('a' + i % 26));
    name += static_cast<char>('a' + i / 26);
    log += cat("x LOG:  duration: ", i + 1, " ms  plan:\n\tQuery Text: SELECT * FROM ", name,
               "\n\tSeq Scan on ", name, "  (cost=0.00..1.00 rows=1 width=4)\n");
  }
  const LogSummary summary = summary_of(log, {.queries_max = 8, .shapes_max = 100, .keys_max = 5});
  double kept = 0;
  uint64_t calls = 0;
  const auto worst = summary.worst(100);
  for (const LoggedQuery& query : worst) {
    kept += query.runs.total_ms;
    calls += query.runs.calls;
  }
  EXPECT_LE(worst.size(), 8u);
  EXPECT_EQ(worst.at(0).text, "SELECT * FROM xb");
  EXPECT_EQ(calls + summary.other_calls(), 50u);
  EXPECT_DOUBLE_EQ(kept + summary.other_ms(), 50.0 * 51 / 2);
}

TEST(LogSummary, ExamplesAreDroppedBeforeTheyFillMemory) {
  std::string log;
  for (char c = 'a'; c <= 'z'; ++c) {
    log +=
        cat("x LOG:  duration: ", static_cast<int>(c), " ms  plan:\n\tQuery Text: SELECT * FROM ",
            c, "\n\tSeq Scan on ", c, "  (cost=0.00..1.00 rows=1 width=4)\n");
  }
  const auto worst = summary_of(log, {.examples_bytes_max = 500}).worst(26);
  size_t bytes = 0;
  for (const LoggedQuery& query : worst) bytes += query.shapes[0].slowest.text.size();
  EXPECT_LE(bytes, 500u);
  EXPECT_THAT(worst.at(0).shapes[0].slowest.text, Not(IsEmpty()));
}

// Logs of real servers, the same work in every form that logs have.
TEST(LogSummary, AnyFormOfALogGivesTheSameSums) {
  for (const std::string_view version : {"pg13", "pg15", "pg18"}) {
    std::string want;
    size_t forms = 0;
    for (const auto& folder : golden::cases("explain_input")) {
      const std::string name = folder.filename();
      if (!name.starts_with("log-") || !name.ends_with(version)) continue;
      std::ifstream in(folder / "input", std::ios::binary);
      const std::string log{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      std::string sums;
      for (const LoggedQuery& query : summary_of(log).worst(99)) {
        sums += cat(query.text, ": ", query.runs.calls, " runs, ", query.shapes.size(), " plans\n");
      }
      ++forms;
      if (want.empty()) want = sums;
      EXPECT_EQ(sums, want) << name;
    }
    EXPECT_GE(forms, 2u);
    EXPECT_THAT(want, HasSubstr("runs"));
  }
}

LogReport report_of(std::string_view log) {
  auto report = report_log(summary_of(log), 10, [](ReadPlan read) {
    return Result<Report>(examine_offline(std::move(read)));
  });
  EXPECT_TRUE(report);
  report->files = {"server.log"};
  return std::move(report).take();
}

TEST(LogReport, APlanThatIsSlowerThanAnotherOfTheQueryIsAFlip) {
  std::string log;
  for (int i = 0; i < 5; ++i) log += record(i, 1, "Index Scan using i on t");
  for (int i = 0; i < 3; ++i) log += record(i, 20, "Seq Scan on t");
  const LogReport report = report_of(log);
  ASSERT_TRUE(report.worst.at(0).flip);
  EXPECT_EQ(report.worst[0].flip->id, "G10");
  EXPECT_THAT(report.worst[0].flip->what,
              HasSubstr("Seq Scan on t instead of Index Scan using i on t"));
  const std::string text = render_log(report, {});
  EXPECT_THAT(text, HasSubstr("#1  100 %  65.0 ms in 8 runs"));
  EXPECT_THAT(text, HasSubstr("server.log:"));
  EXPECT_THAT(text, HasSubstr("G10"));
}

TEST(LogReport, PlansOfLikeSpeedAndSingleSlowRunsAreNone) {
  std::string log;
  for (int i = 0; i < 5; ++i) log += record(i, 10, "Index Scan using i on t");
  for (int i = 0; i < 5; ++i) log += record(i, 20, "Seq Scan on t");
  EXPECT_FALSE(report_of(log).worst.at(0).flip);
  log.clear();
  for (int i = 0; i < 5; ++i) log += record(i, 1, "Index Scan using i on t");
  EXPECT_FALSE(report_of(log + record(1, 100, "Seq Scan on t")).worst.at(0).flip);
}

TEST(LogReport, AFlipWithAsManyTimesMoreRowsIsInformation) {
  std::string log;
  for (int i = 0; i < 5; ++i) log += record(i, 1, "Index Scan using i on t");
  EXPECT_EQ(report_of(log + record(1, 20, "Seq Scan on t") + record(1, 20, "Seq Scan on t"))
                .worst.at(0)
                .flip->severity,
            care::Severity::Warning);
  std::string large = record(1, 20, "Seq Scan on t");
  large.replace(large.rfind("rows=1 "), 7, "rows=30 ");
  EXPECT_EQ(report_of(log + large + large).worst.at(0).flip->severity, care::Severity::Info);
}

TEST(LogReport, AnEmptyLogSaysHowToFillIt) {
  EXPECT_THAT(render_log(report_of("nothing here\n"), {}),
              HasSubstr("auto_explain.log_min_duration"));
}

}  // namespace
}  // namespace pgtend::explain
