// No word of a plan comes through, whatever it stands in and however it is shown; what is shown can
// still be diagnosed.
#include "explain/anonymize.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "base/json_writer.h"
#include "base/text.h"
#include "explain/compare.h"
#include "explain/explain.h"
#include "explain/parse_json.h"
#include "explain/parse_text.h"
#include "explain/plan_diff.h"
#include "explain/render_html.h"
#include "explain/render_term.h"
#include "explain/render_text.h"
#include "explain/report_json.h"
#include "golden/golden.h"

namespace pgtend::explain {
namespace {

using testing::HasSubstr;
using testing::Not;

Plan anonymous(const Plan& plan) {
  Pseudonyms pseudonyms;
  auto out = anonymous_plan(plan, pseudonyms);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Plan{};
}

std::vector<std::string> ids_of(const Plan& plan) {
  std::vector<std::string> out;
  for (const care::Finding& finding : examine_offline({.plan = plan}).findings) {
    out.push_back(finding.id);
  }
  std::ranges::sort(out);
  return out;
}

std::string all_outputs(const Plan& plan) {
  const Report report = examine_offline({.plan = plan});
  std::string out = render_term(report, {.width = 0, .fold = false});
  const auto text = render_text(report.plan);
  if (text) out += *text;
  JsonWriter writer;
  write_json(writer, report);
  out += std::move(writer).take();
  const Report reports[] = {report, report};
  out += render_html(reports);
  out += render_diff(report, report, {});
  return out;
}

class AnonymizedPlan : public golden::Test {};

TEST_P(AnonymizedPlan, GivesTheSameFindings) {
  const auto plan = parse_json_plan(file("plan.json"));
  ASSERT_TRUE(plan);

  EXPECT_EQ(ids_of(anonymous(*plan)), ids_of(*plan));
}

TEST_P(AnonymizedPlan, IsReadBackFromItsText) {
  const auto plan = parse_json_plan(file("plan.json"));
  ASSERT_TRUE(plan);
  const Plan hidden = anonymous(*plan);
  const auto text = render_text(hidden);
  ASSERT_TRUE(text);

  const auto again = parse_text_plan(*text);

  ASSERT_TRUE(again) << *text;
  EXPECT_EQ(render_text(*again).take(), *text);
  ASSERT_EQ(again->nodes.size(), plan->nodes.size());
  for (size_t i = 0; i < plan->nodes.size(); ++i) {
    EXPECT_EQ(again->nodes[i].depth, plan->nodes[i].depth);
    EXPECT_EQ(again->nodes[i].type, hidden.nodes[i].type);
    EXPECT_EQ(again->nodes[i].object.relation, hidden.nodes[i].object.relation);
    EXPECT_EQ(again->nodes[i].estimate.total_cost, plan->nodes[i].estimate.total_cost);
  }
}

TEST_P(AnonymizedPlan, KeepsNumbersAndTypes) {
  const auto plan = parse_json_plan(file("plan.json"));
  ASSERT_TRUE(plan);
  const Plan hidden = anonymous(*plan);

  for (size_t i = 0; i < plan->nodes.size(); ++i) {
    const Node &before = plan->nodes[i], &after = hidden.nodes[i];
    EXPECT_EQ(after.type, before.type);
    EXPECT_EQ(after.properties.size(), before.properties.size());
    EXPECT_EQ(after.relation, before.relation);
    EXPECT_EQ(after.object.relation.empty(), before.object.relation.empty());
    if (!before.object.relation.empty()) {
      EXPECT_NE(after.object.relation, before.object.relation);
    }
  }
  EXPECT_EQ(hidden.execution_ms, plan->execution_ms);
  EXPECT_EQ(hidden.triggers.size(), plan->triggers.size());
}

PGTEND_GOLDEN_CASES(AnonymizedPlan, "explain");

// Names and literals that hold a mark, in every shape that a server takes.
class Canaries {
 public:
  explicit Canaries(uint64_t seed) : random_(seed) {}

  std::string word() {
    static constexpr const char* kShapes[] = {
        "zqx",        "zqx_%",      "Zqx %",        "zqx\"%", "zqx'%",         "zqx.%",
        "%zqx",       "zqx\n%",     "zqx (%)",      "zqx--%", "/*zqx%",        "zqx$%",
        "select zqx", "zqx::text%", "\xc3\xa4zqx%", "zqx, %", "a  (cost=zqx%", "zqx %% zqx"};
    std::string out = kShapes[random_() % std::size(kShapes)];
    const size_t at = out.find('%');
    if (at != out.npos) out.replace(at, 1, cat(random_() % 1000));
    return out;
  }
  std::string name() {  // as EXPLAIN writes it into expressions
    std::string out = "\"";
    for (const char c : word()) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
  }
  std::string literal() {
    std::string out = "'";
    for (const char c : word()) out += c == '\'' ? std::string("''") : std::string(1, c);
    return out + "'";
  }
  std::string expression() {
    switch (random_() % 8) {
      case 0:
        return cat("(", name(), ".", name(), " = ", literal(), "::text)");
      case 1:
        return cat("(zqx", random_() % 9, " > 774411", random_() % 9, ")");
      case 2:
        return cat("zqx_f(", name(), ") ~~ '%zqx%'::zqx_type");
      case 3:
        return cat("((", name(), " IS NULL) AND (x = ANY ('{zqx,\"zqx,zqx\"}'::text[])))");
      case 4:
        return cat("zqx.zqx.zqx OPERATOR(zqx.=) ", literal());
      case 5:
        return cat("zqx ( [", literal());
      case 6:
        return cat("(InitPlan zqx).col1 = (hashed SubPlan zqx) /* zqx */ -- zqx");
      default:
        return word();
    }
  }

  // A node with everything that a node may say, of which some.
  json::object node(int depth) {
    json::object out;
    out["Node Type"] = random_() % 8 == 0 ? word() : "Seq Scan";
    out["Parallel Aware"] = false;
    static constexpr const char* kNames[] = {"Parent Relationship",
                                             "Subplan Name",
                                             "Relation Name",
                                             "Schema",
                                             "Alias",
                                             "Index Name",
                                             "CTE Name",
                                             "Function Name",
                                             "Tuplestore Name",
                                             "Join Type",
                                             "Strategy",
                                             "Command",
                                             "Scan Direction",
                                             "Sort Method",
                                             "Conflict Resolution",
                                             "Custom Plan Provider",
                                             "Operation",
                                             "Partial Mode",
                                             "Cache Mode",
                                             "Sampling Method",
                                             "Foreign File",
                                             "Sort Space Type"};
    static constexpr const char* kTexts[] = {
        "Filter",        "Index Cond", "Hash Cond",       "Join Filter",   "Recheck Cond",
        "Cache Key",     "Remote SQL", "Relations",       "Function Call", "Window",
        "Run Condition", "Replaces",   "Query Identifier"};
    static constexpr const char* kLists[] = {
        "Output",          "Sort Key", "Group Key", "Presorted Key", "Conflict Arbiter Indexes",
        "Params Evaluated"};
    for (const char* name : kNames) {
      if (random_() % 2 == 0) out[name] = word();
    }
    if (random_() % 3 == 0) out["Subplan Name"] = cat("CTE ", word());
    for (const char* name : kTexts) {
      if (random_() % 3 == 0) out[name] = expression();
    }
    for (const char* name : kLists) {
      if (random_() % 3 == 0) out[name] = json::array{expression(), expression()};
    }
    out["Plan Rows"] = 10;
    out["Total Cost"] = 5;
    out["Startup Cost"] = 0;
    out["Plan Width"] = 8;
    out["Actual Rows"] = 10;
    out["Actual Loops"] = 1;
    out["Actual Total Time"] = 10;
    out["Actual Startup Time"] = 0;
    out["Rows Removed by Filter"] = 1'000'000;
    out[word()] = word();  // of an extension
    out["Zqx Thing"] = json::object{{word(), json::array{word(), json::object{{"zqx", word()}}}}};
    out["Workers"] = json::array{json::object{{"Worker Number", 0}, {word(), word()}}};
    if (depth < 3) {
      json::array below;
      for (uint64_t i = random_() % 3; i > 0; --i) below.push_back(node(depth + 1));
      if (!below.empty()) out["Plans"] = std::move(below);
    }
    return out;
  }

  std::string plan() {
    json::object document;
    document["Plan"] = node(0);
    document["Query Text"] =
        cat("SELECT ", name(), " /* zqx */ FROM zqx.zqx AS zqx WHERE zqx = ", literal(), " -- zqx");
    document["Query Parameters"] = cat("$1 = ", literal());
    document["Settings"] = json::object{{"search_path", "zqx, public"},
                                        {"zqx.zqx", "zqx"},
                                        {"work_mem", "64MB"},
                                        {"TimeZone", word()}};
    document["Triggers"] = json::array{
        json::object{{"Trigger Name", word()}, {"Relation", word()}, {"Time", 1}, {"Calls", 1}}};
    document["Execution Time"] = 20;
    document[word()] = word();
    return to_text(document);
  }

 private:
  std::mt19937_64 random_;
};

TEST(Anonymize, NoCanaryIsInAnyOutput) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string source = Canaries(seed).plan();
    const auto plan = parse_json_plan(source);
    ASSERT_TRUE(plan) << seed << plan.error().message;

    const std::string out = lower(all_outputs(anonymous(*plan)));

    const size_t at = out.find("zqx");
    ASSERT_EQ(at, out.npos) << "seed " << seed << ": " << out.substr(at < 200 ? 0 : at - 200, 300)
                            << "\nof " << source;
    ASSERT_EQ(out.find("774411"), out.npos) << seed;
  }
}

TEST(Anonymize, TextWithUnknownLinesTellsNothing) {
  const auto plan = parse_text_plan(
      "Zqx Scan on zqx.zqx \"Zqx z\"  (cost=0.00..1.00 rows=1 width=4)\n"
      "  Zqx Label: zqx\n  zqx line\n  Filter: (zqx = 'zqx\n'::zqx)\n  Sort Method: zqx\n"
      "  ->  Custom Scan (ZqxAppend) on zqx  (cost=0.00..1.00 rows=1 width=4)\n"
      "Settings: zqx.zqx = 'zqx', work_mem = '4MB'\nTrigger zqx on zqx: time=1.000 calls=1\n");
  ASSERT_TRUE(plan) << plan.error().message;

  const std::string out = lower(all_outputs(anonymous(*plan)));

  EXPECT_THAT(out, Not(HasSubstr("zqx")));
  EXPECT_THAT(out, HasSubstr("4mb"));
}

TEST(Anonymize, TheSameInputGivesTheSameOutput) {
  const auto plan = parse_json_plan(Canaries(7).plan());
  ASSERT_TRUE(plan);

  EXPECT_EQ(all_outputs(anonymous(*plan)), all_outputs(anonymous(*plan)));
  EXPECT_EQ(describe_difference(anonymous(*plan), anonymous(*plan)), "");
}

TEST(Anonymize, FindingsAndTheirSqlSpeakOfTheSamePseudonyms) {
  const auto plan = parse_text_plan(
      "Seq Scan on app.customers c  (cost=0.00..5000.00 rows=10 width=4) (actual "
      "time=0.010..900.000 rows=10 loops=1)\n"
      "  Filter: (c.mail = 'ada@example.org'::text)\n"
      "  Rows Removed by Filter: 1000000\n"
      "  Buffers: shared hit=5000\n"
      "Execution Time: 901.000 ms\n");
  ASSERT_TRUE(plan) << plan.error().message;

  const Report report = examine_offline({.plan = anonymous(*plan)});

  ASSERT_FALSE(report.findings.empty());
  const std::string out = render_term(report, {.width = 0});
  EXPECT_THAT(out, HasSubstr("Seq Scan on s_"));
  EXPECT_THAT(out, HasSubstr(report.plan.root().object.relation));
  EXPECT_THAT(out, Not(HasSubstr("mail")));
}

}  // namespace
}  // namespace pgtend::explain
