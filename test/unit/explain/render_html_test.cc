#include "explain/render_html.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/report_json.h"

namespace pgtend::explain {
namespace {

using testing::HasSubstr;

constexpr std::string_view kBegin = "<script type=\"application/json\" class=\"plan\">";

Report report_of(std::string_view text) {
  auto plan = parse_json_plan(text);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? examine_offline({.plan = std::move(plan).take()}) : Report{};
}

// The texts of the data of all plans in `page`.
std::vector<std::string> data_texts(const std::string& page) {
  std::vector<std::string> out;
  for (size_t at = page.find(kBegin); at != page.npos; at = page.find(kBegin, at)) {
    at += kBegin.size();
    out.push_back(page.substr(at, page.find("</script>", at) - at));
  }
  return out;
}

json::value data_of(const Report& report) {
  const auto texts = data_texts(render_html({&report, 1}));
  EXPECT_EQ(texts.size(), 1u);
  auto out = parse_json(texts.empty() ? "" : texts[0]);
  EXPECT_TRUE(out) << out.error().message;
  return out ? std::move(out).take() : json::value();
}

constexpr const char* kDay =
    R"json({"Query Text": "SELECT '\u00e9\ud83d\ude00' FROM t WHERE ts > now()",
  "Plan": {"Node Type": "Limit", "Actual Loops": 1, "Actual Total Time": 50.5, "Actual Rows": 1,
  "Plan Rows": 1, "Plans": [{"Node Type": "Seq Scan", "Schema": "s", "Relation Name": "t", "Alias":
  "t", "Actual Loops": 1, "Actual Total Time": 50.0, "Actual Rows": 1, "Plan Rows": 10,
  "Rows Removed by Filter": 100000, "Shared Hit Blocks": 1000, "Shared Read Blocks": 5,
  "Filter": "(ts > now())"}]}, "Execution Time": 51.0, "Triggers": [{"Trigger Name": "a",
  "Relation": "t", "Time": 3.5, "Calls": 2}]})json";

TEST(RenderHtml, ThePageHoldsWhatJsonSays) {
  const Report report = report_of(kDay);

  const json::value data = data_of(report);

  for (const json::object& part : {summary_json(report), findings_json(report)}) {
    for (const auto& member : part) {
      EXPECT_EQ(to_text(data.at(member.key())), to_text(member.value())) << member.key();
    }
  }
  ASSERT_EQ(data.at("findings").as_array().size(), 1u);
  EXPECT_EQ(data.at("outside").at(0).at(0), json::value("trigger a on t, calls: 2"));
  EXPECT_THAT(std::string(data.at("text").as_string()), HasSubstr("->  Seq Scan on s.t"));
}

TEST(RenderHtml, EveryColumnHasAnEntryForEachNode) {
  const json::value data = data_of(report_of(kDay));

  const json::object& columns = data.at("columns").as_object();
  EXPECT_GE(columns.size(), 20u);
  for (const auto& column : columns) {
    EXPECT_EQ(column.value().as_array().size(), 2u) << column.key();
  }
  EXPECT_EQ(columns.at("depth").at(1).to_number<int>(), 1);
  EXPECT_EQ(columns.at("self_ms").at(1).to_number<double>(), 50.0);
  EXPECT_EQ(columns.at("self_blocks").at(1).to_number<double>(), 1005.0);
  const auto name = columns.at("relation").at(1).to_number<size_t>();
  EXPECT_EQ(data.at("names").at(name), json::value("t"));
  const json::value& row = data.at("node_properties").at(1);
  const json::array& names = data.at("shapes").at(row.at(0).to_number<size_t>()).as_array();
  ASSERT_EQ(names.size() + 1, row.as_array().size());
  EXPECT_EQ(names.back(), json::value("Filter"));
  EXPECT_EQ(row.as_array().back(), json::value("(ts > now())"));
}

TEST(RenderHtml, SpansCountAsTheBrowserDoes) {
  const json::value data = data_of(report_of(kDay));

  // é is one unit, the face two: the condition begins at unit 26 of the text, at byte 29.
  ASSERT_EQ(data.at("spans").as_array().size(), 1u);
  EXPECT_EQ(to_text(data.at("spans").at(0)), "[0,26,36]");
}

TEST(RenderHtml, NothingInThePlanIsMarkup) {
  const std::string evil =
      "</script><!--<script>&amp;\xE2\x80\xA8\xE2\x80\xA9]]>'\\u003c\\\"</SCRIPT >";
  Report report = report_of(kDay);
  report.plan.query_text = evil;
  report.plan.nodes[0].type = evil;
  report.plan.nodes[1].object.relation = evil;
  report.plan.nodes[1].properties.emplace(evil, std::string_view(evil));
  report.findings[0].what = evil;
  report.findings[0].statements = {evil};
  report.warnings = {evil};

  const std::string page = render_html({&report, 1});

  const auto texts = data_texts(page);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].find_first_of("<>&"), texts[0].npos);
  EXPECT_EQ(texts[0].find("\xE2\x80\xA8"), texts[0].npos);
  const auto data = parse_json(texts[0]);
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->at("query"), json::value(evil));
  EXPECT_EQ(data->at("findings").at(0).at("what"), json::value(evil));
}

TEST(RenderHtml, BytesThatAreNoUtf8LeaveTheQueryUnmarked) {
  Report report = report_of(kDay);
  report.plan.query_text = "SELECT '\xE2\x80' FROM t WHERE ts > now()";

  const auto texts = data_texts(render_html({&report, 1}));
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_THAT(texts[0], HasSubstr("\"spans\":[]"));
}

TEST(RenderHtml, ThePolicyAllowsTheTwoInsidesAlone) {
  const Report report = report_of(kDay);

  const std::string page = render_html({&report, 1});

  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(page, HasSubstr("require-trusted-types-for 'script'; trusted-types 'none'\""));
  for (const char* never :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
        "http://", "https://", "@DATA@", "@SCRIPT@", "unsafe-"}) {
    EXPECT_THAT(page, testing::Not(HasSubstr(never)));
  }
}

TEST(RenderHtml, SeveralPlansAreOnePage) {
  const std::vector<Report> reports = {report_of(kDay), report_of(kDay), report_of(kDay)};

  EXPECT_EQ(data_texts(render_html(reports)).size(), 3u);
}

TEST(RenderHtml, DeepPlansAreFlatAndTheirTextIsLeftOut) {
  constexpr int kDeep = 20'000;
  std::string text = "{\"Plan\": ";
  for (int i = 0; i < kDeep; ++i) text += "{\"Node Type\": \"Append\", \"Plans\": [";
  text += "{\"Node Type\": \"Result\"}";
  for (int i = 0; i < kDeep; ++i) text += "]}";
  const Report report = report_of(text + "}");

  const json::value data = data_of(report);

  EXPECT_EQ(data.at("columns").at("depth").as_array().size(), kDeep + 1u);
  EXPECT_TRUE(data.at("text").is_null());
}

}  // namespace
}  // namespace pgtend::explain
