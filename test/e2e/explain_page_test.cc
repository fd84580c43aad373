// The page that --html writes, in a real browser: browser/explain_page.js opens it from its file
// and says what does not hold.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/text.h"
#include "e2e/support/database.h"
#include "e2e/support/plan_cases.h"
#include "explain/render_html.h"

namespace pgtend {
namespace {

using testing::HasSubstr;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";

// Offline: no server is asked, and none is there to be asked.
e2e::Outcome write_page(const std::string& plans, const std::string& page) {
  return e2e::run({kProgram, "explain", "--offline", "--plan", plans, "--html", page});
}

std::string file_text(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// Skips (fails where CI is set) without the browser or its driver.
class Browser {
 public:
  static e2e::Environment environment() {
    return {{"NODE_PATH", PGTEND_SOURCE_DIR "/deps/node_modules"}, {"NODE_NO_WARNINGS", "1"}};
  }
  static std::string missing() {
    if (!std::filesystem::exists("/usr/bin/chromium")) {
      return "chromium is missing: apt-get install chromium";
    }
    const auto probe = e2e::run({"node", "-e", "require('playwright-core')"}, environment());
    return probe.exit_code == 0 ? ""
                                : "playwright-core is missing: cd deps && npm ci --ignore-scripts";
  }
  static void shows(const std::string& scenario, const std::string& page) {
    const auto outcome =
        e2e::run({"node", PGTEND_SOURCE_DIR "/test/e2e/browser/explain_page.js", scenario, page},
                 environment(), "", seconds(300));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  }
};

class ExplainPage : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = Browser::missing();
    if (missing.empty()) return;
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << missing;
    GTEST_SKIP() << missing;
  }
  std::string page() const { return scratch_.path() + "/page.html"; }

  e2e::Scratch scratch_;
};

TEST_F(ExplainPage, TheDayQueryShowsItsFindingInEveryView) {
  const std::string plan =
      file_text(PGTEND_SOURCE_DIR "/test/golden/explain/day-query-pg16/plan.json");
  json::value document = e2e::must(parse_json(plan));
  document.as_array()[0].as_object()["Query Text"] =
      "SELECT c.first_name, m.msn, d.kwh_reading\nFROM m_customerinfo c\n"
      "JOIN m_meterinfo m ON c.customer_id = m.customer_id\n"
      "JOIN t_dlpdata d ON m.meter_id = d.meter_id\n"
      "WHERE d.reading_timestamp > NOW() - INTERVAL '1 day'";
  const auto outcome = write_page(scratch_.write("plan.json", to_text(document)), page());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;

  Browser::shows("day", page());
}

// What a text must not become, in every place where a plan has one.
std::vector<std::string> hostile_texts() {
  return {
      "\x1b[31m\x07\xC2\x9B"
      "2J\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\x8B\x7f",
      "</script><script>window.pwned=1</script>",
      "</SCRIPT ><svg/onload=window.pwned=1>",
      "<!--<script>",
      "--><script>window.pwned=1</script>",
      "]]><script>window.pwned=1</script>",
      "<img src=x onerror=window.pwned=1>",
      "\"><img src=x onerror=window.pwned=1>",
      "' onmouseover='window.pwned=1",
      "\" autofocus onfocus=\"window.pwned=1",
      "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
      "<iframe srcdoc=\"<script>parent.pwned=1</script>\">",
      "<style>*{background:url(http://127.0.0.1:9/x)}</style>",
      "<link rel=stylesheet href=http://127.0.0.1:9/x>",
      "<meta http-equiv=refresh content=\"0;url=http://127.0.0.1:9/\">",
      "<base href=http://127.0.0.1:9/>",
      "<a href=javascript:window.pwned=1>x</a>",
      "javascript:window.pwned=1",
      "<math><mi//xlink:href=\"data:x,<script>window.pwned=1</script>\">",
      "<template><script>window.pwned=1</script></template>",
      "<noscript><p title=\"</noscript><img src=x onerror=window.pwned=1>\">",
      "<textarea></textarea><xmp></xmp><plaintext>",
      "{{constructor.constructor('window.pwned=1')()}}",
      "${window.pwned=1}",
      "`;window.pwned=1;`",
      "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
      "&lt;script&gt;window.pwned=1&lt;/script&gt;",
      "&#x3c;img src=x onerror=window.pwned=1&#x3e;",
      "\xE2\x80\xA8window.pwned=1\xE2\x80\xA9",
      "\",\"findings\":[],\"x\":\"",
      "\\\",window.pwned=1,\\\"",
      "__proto__",
      "constructor",
      "toString",
      "@DATA@@SCRIPT@",
      "%3Cscript%3Ewindow.pwned=1%3C/script%3E",
      "+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-",
      "tree-0",
      "#node=1&plan=</script>",
      std::string("\0<script>window.pwned=1</script>", 32)};
}

// A plan with a finding, and with `text` in all of its texts.
json::object hostile_plan(const std::string& text) {
  const std::string quoted = cat("(\"", text, "\" = '", text, "'::text)");
  json::object scan{{"Node Type", "Seq Scan"},
                    {"Schema", text},
                    {"Relation Name", text},
                    {"Alias", text},
                    {"Actual Loops", 1},
                    {"Actual Total Time", 50.0},
                    {"Actual Rows", 1},
                    {"Plan Rows", 1},
                    {"Total Cost", 9.5},
                    {"Rows Removed by Filter", 100000},
                    {"Shared Hit Blocks", 1000},
                    {"Shared Read Blocks", 0},
                    {"Filter", quoted},
                    {"Output", json::array{text, quoted}},
                    {text, text},
                    {"Workers", json::array{{{text, text}}}}};
  json::object function{{"Node Type", text},    {"Function Name", text},
                        {"Index Name", text},   {"Parent Relationship", "SubPlan"},
                        {"Subplan Name", text}, {"Actual Loops", 0},
                        {"Actual Rows", 0},     {"Actual Total Time", 0}};
  json::object root{{"Node Type", "Limit"},
                    {"Actual Loops", 1},
                    {"Actual Total Time", 51.0},
                    {"Actual Rows", 1},
                    {"Plans", json::array{scan, function}}};
  return {{"Query Text", cat("SELECT '", text, "' AS \"", text, "\" FROM t /* ", text, " */")},
          {"Plan", root},
          {"Settings", {{"search_path", text}, {text, text}}},
          {"Triggers",
           json::array{{{"Trigger Name", text}, {"Relation", text}, {"Time", 2.5}, {"Calls", 1}}}},
          {text, text},
          {"Execution Time", 55.0}};
}

TEST_F(ExplainPage, HostileTextsStayTexts) {
  json::array plans;
  for (const std::string& text : hostile_texts()) plans.emplace_back(hostile_plan(text));
  const auto outcome = write_page(scratch_.write("plans.json", to_text(plans)), page());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;

  Browser::shows("hostile", page());
}

// A Nested Loop over an Append of 99,999 partitions.
explain::Report huge_report() {
  explain::Report report;
  constexpr int kParts = 99'999;
  report.plan.arena = std::make_shared<explain::Arena>();
  report.plan.execution_ms = kParts;
  const auto add = [&](int parent, const std::string& type, double ms) {
    explain::Node node;
    node.parent = parent;
    node.depth = parent + 1;
    node.type = report.plan.arena->name(type);
    node.relation = parent < 0 ? explain::Relation::Root : explain::Relation::Child;
    node.actual = {.startup_ms = 0.0, .total_ms = ms, .rows = 1, .loops = 1};
    node.properties = explain::Properties(*report.plan.arena);
    node.properties.emplace("Node Type", node.type);
    const int id = static_cast<int>(report.plan.nodes.size());
    if (parent >= 0) report.plan.nodes[static_cast<size_t>(parent)].children.push_back(id);
    report.plan.nodes.push_back(std::move(node));
  };
  add(explain::kNone, "Aggregate", kParts + 2);
  add(0, "Append", kParts + 1);
  for (int i = 0; i < kParts; ++i) {
    add(1, "Seq Scan", 1);
    explain::Node& node = report.plan.nodes.back();
    node.object.relation = report.plan.arena->copy(cat("part_", i));
    node.properties.emplace("Relation Name", node.object.relation);
    node.properties.emplace("Filter", "(tenant_id = 7)");
  }
  report.timing = explain::measure_time(report.plan);
  return report;
}

TEST_F(ExplainPage, AHundredThousandNodesStayUsable) {
  const explain::Report report = huge_report();
  ASSERT_EQ(report.plan.nodes.size(), 100'001u);
  scratch_.write("page.html", explain::render_html({&report, 1}));

  Browser::shows("huge", page());
}

class ExplainPageCorpus : public e2e::DatabaseTest {
 protected:
  // What the server prints for `each`, run where that is safe to repeat; "" when it has no plan.
  std::string printed(pg::Connection& conn, const e2e::plans::Case& each) {
    std::string out;
    const std::string options =
        each.is("noanalyze") || each.is("generic") ? "VERBOSE" : "ANALYZE, VERBOSE, BUFFERS";
    if (conn.exec(cat("BEGIN; ", each.setup))) {
      const auto rows =
          conn.query_simple(cat("EXPLAIN (", options, ", FORMAT JSON) ", each.statement));
      if (rows) {
        for (const pg::Row& row : *rows) out += cat(row.text(0), "\n");
      }
    }
    e2e::must(conn.exec("ROLLBACK; DEALLOCATE ALL"));
    return out;
  }

  e2e::Scratch scratch_;
};

TEST_F(ExplainPageCorpus, EveryPlanOfTheCorpusOpensInEveryView) {
  const std::string missing = Browser::missing();
  if (!missing.empty()) GTEST_SKIP() << missing;
  auto conn = connect();
  e2e::must(conn.exec(e2e::plans::schema()));
  std::string plans;
  for (const e2e::plans::Case& each : e2e::plans::all()) {
    if (each.runs_on(15)) plans += printed(conn, each);
  }
  const std::string page = scratch_.path() + "/page.html";
  const auto outcome = write_page(scratch_.write("plans.txt", plans), page);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;

  Browser::shows("corpus", page);
}

// Without a browser.

class ExplainPageFile : public ::testing::Test {
 protected:
  void SetUp() override {
    plan_ = scratch_.write("plan.json", R"([{"Plan": {"Node Type": "Result"}}])");
  }
  e2e::Scratch scratch_;
  std::string plan_;
};

TEST_F(ExplainPageFile, WhatCannotBeWrittenIsAnErrorBeforeAnyWork) {
  for (const std::string& path : {scratch_.path() + "/none/page.html", scratch_.path(),
                                  std::string("/proc/none/page.html")}) {
    const auto outcome = write_page(scratch_.path() + "/no_such_plan", path);

    EXPECT_NE(outcome.exit_code, 0) << path;
    EXPECT_THAT(outcome.err, HasSubstr(path));
    EXPECT_THAT(outcome.err, HasSubstr("next: "));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(ExplainPageFile, APageReplacesTheOneBeforeAsAWhole) {
  const std::string page = scratch_.write("page.html", "before");

  const auto failed = write_page(scratch_.path() + "/no_such_plan", page);
  EXPECT_NE(failed.exit_code, 0);
  EXPECT_EQ(file_text(page), "before");
  const auto outcome = write_page(plan_, page);

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(file_text(page), testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(outcome.err, HasSubstr("page written to " + page));
  EXPECT_THAT(outcome.out, HasSubstr("Result"));
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("page.html."));
  }
}

TEST_F(ExplainPageFile, OnStandardOutputThereIsThePageAlone) {
  const auto outcome = write_page(plan_, "-");

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(outcome.out, testing::EndsWith("</html>\n"));
  EXPECT_EQ(outcome.err, "");
  const auto both =
      e2e::run({kProgram, "explain", "--offline", "--json", "--plan", plan_, "--html", "-"});
  EXPECT_EQ(both.exit_code, 2) << both.err;
}

}  // namespace
}  // namespace pgtend
