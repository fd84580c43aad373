// Rules about wrong estimates: the lowest is blamed, by what the catalog knows of its table.
#include "explain/estimate_rules.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Case {
  std::string condition = "((t.a = 5) AND (t.b = 5))";
  double expected = 10;
  double met = 5'000;
  RelationFacts facts = {};
  int version = 150'000;

  Case() {
    facts.schema = "app";
    facts.name = "t";
    facts.table.emplace();
    facts.table->schema = "app";
    facts.table->name = "t";
    facts.table->reltuples = 100'000;
    facts.table->size.pages = 1'000;
    facts.table->rights.select = true;
    facts.table->age.analyze = 60;
    facts.table->counters.present = true;
    for (const char* name : {"a", "b"}) {
      facts::ColumnFacts column{.name = name, .type = "integer", .btree = true};
      column.stats = facts::ColumnStats{.n_distinct = 100, .correlation = 0.1, .avg_width = 4};
      facts.columns.push_back(column);
    }
    facts.indexes = {{.name = "t_a", .method = "btree", .keys = {"a", "b"}}};
  }
  std::string scan() const {
    return cat(R"({"Node Type": "Index Scan", "Parent Relationship": "Outer", "Schema": "app",
      "Relation Name": "t", "Alias": "t", "Index Name": "t_a", "Index Cond": )",
               to_text(json::value(condition)), R"(, "Plan Rows": )", expected,
               R"(, "Plan Width": 8, "Total Cost": 10, "Actual Startup Time": 0,
      "Actual Total Time": 10, "Actual Loops": 1, "Actual Rows": )",
               met, "}");
  }
  // A nested loop that looks a row up for each row of the scan.
  std::string loop() const {
    return cat(R"({"Node Type": "Nested Loop", "Join Type": "Inner", "Plan Rows": )", expected,
               R"(, "Plan Width": 8, "Total Cost": 50, "Actual Startup Time": 0,
      "Actual Total Time": 95, "Actual Loops": 1, "Actual Rows": )",
               met, R"(, "Plans": [)", scan(),
               R"j(, {"Node Type": "Index Scan", "Parent Relationship": "Inner",
      "Relation Name": "o", "Alias": "o", "Index Name": "o_pkey", "Index Cond": "(o.id = t.a)",
      "Plan Rows": 1, "Plan Width": 8, "Total Cost": 1, "Actual Startup Time": 0,
      "Actual Total Time": 0.016, "Actual Rows": 1, "Actual Loops": )j",
               met, "}]}");
  }
  Diagnosis run() const {
    const auto plan = parse_json_plan(cat("{\"Plan\": ", loop(), R"(, "Execution Time": 96})"));
    EXPECT_TRUE(plan) << plan.error().message;
    Facts known;
    known.relations = {facts};
    known.version = version;
    return diagnose({*plan, measure_time(*plan), known, {}});
  }
};

std::vector<std::string> ids(const Case& c) { return ids(c.run()); }

TEST(EstimateRules, ConditionsTakenForIndependentGetStatistics) {
  const Diagnosis out = Case().run();

  ASSERT_THAT(ids(out), ElementsAre("D2"));
  const care::Finding& finding = out.entries[0].finding;
  EXPECT_THAT(finding.what, HasSubstr("expected 10 rows"));
  EXPECT_THAT(finding.what, HasSubstr("met 5,000"));
  EXPECT_THAT(finding.statements,
              ElementsAre("CREATE STATISTICS t_correlated_stats (dependencies, mcv) ON a, b FROM "
                          "app.t",
                          "ANALYZE app.t"));
  EXPECT_EQ(out.entries[0].nodes, (std::vector{1, 0}));
  EXPECT_GT(out.entries[0].saving_ms, 50);
}

TEST(EstimateRules, RightEstimatesAndStatisticsThatExistAreLeftAlone) {
  Case right, covered;
  right.expected = 4'000;
  covered.facts.statistics = {{.name = "s", .columns = {"a", "b"}, .kinds = "f"}};

  EXPECT_THAT(ids(right), IsEmpty());
  EXPECT_THAT(ids(covered), ElementsAre("B1"));  // the cause is another one
}

TEST(EstimateRules, OneColumnGetsMoreStatistics) {
  Case c;
  c.condition = "(t.a = 5)";

  const Diagnosis out = c.run();

  ASSERT_THAT(ids(out), ElementsAre("D1"));
  EXPECT_THAT(
      out.entries[0].finding.statements,
      ElementsAre("ALTER TABLE app.t ALTER COLUMN a SET STATISTICS 1000", "ANALYZE app.t (a)"));
}

TEST(EstimateRules, ExpressionGetsStatisticsWhereTheServerHasThem) {
  Case c, old;
  old.condition = c.condition = "((t.a % 10) = 5)";
  old.version = 130'000;

  const Diagnosis out = c.run(), before = old.run();

  ASSERT_THAT(ids(out), ElementsAre("D3"));
  EXPECT_THAT(out.entries[0].finding.statements[0],
              HasSubstr("CREATE STATISTICS t_expr_stats ON (a % 10) FROM app.t"));
  ASSERT_THAT(ids(before), ElementsAre("D3"));
  EXPECT_THAT(before.entries[0].finding.statements, IsEmpty());
}

TEST(EstimateRules, OldMissingAndTemporaryStatisticsAreToldApart) {
  Case old, never, temporary;
  old.facts.table->counters.modified_since_analyze = 5'000;
  never.facts.table->reltuples = -1;
  temporary.facts.table->reltuples = -1;
  temporary.facts.table->schema = "pg_temp_3";

  EXPECT_THAT(ids(old), ElementsAre("D5"));
  EXPECT_THAT(old.run().entries[0].finding.statements[0], "ANALYZE app.t");
  EXPECT_THAT(ids(never), ElementsAre("D6"));
  EXPECT_THAT(ids(temporary), ElementsAre("D8"));
}

TEST(EstimateRules, RowsThatAnalyzeHasSeenAreNotNewWhateverTheCounterSays) {
  Case late, more, vacuumed, reset;
  for (Case* c : {&late, &more, &vacuumed, &reset}) {
    c->facts.table->counters.inserted = 100'000;
    c->facts.table->counters.modified_since_analyze = 100'000;
  }
  more.facts.table->counters.inserted = 105'000;
  vacuumed.facts.table->age.vacuum = 30;  // it has counted the rows since
  reset.facts.table->counters.inserted = 20'000;
  reset.facts.table->counters.modified_since_analyze = 20'000;

  EXPECT_THAT(ids(late), ElementsAre("D2"));
  EXPECT_THAT(ids(reset), ElementsAre("D5"));
  EXPECT_THAT(ids(more), ElementsAre("D5"));
  EXPECT_THAT(ids(vacuumed), ElementsAre("D5"));
}

TEST(EstimateRules, ParameterMeansAGenericPlan) {
  Case c;
  c.condition = "(t.a = $1)";

  const Diagnosis out = c.run();

  ASSERT_THAT(ids(out), ElementsAre("D10"));
  EXPECT_THAT(out.entries[0].finding.statements,
              ElementsAre("SET LOCAL plan_cache_mode = force_custom_plan"));
}

TEST(EstimateRules, UnknownCauseIsToldByWhatItLedTo) {
  Case one, few;
  one.facts = few.facts = {};
  one.condition = few.condition = "(t.a <> 5)";
  one.expected = 1;

  EXPECT_THAT(ids(one), ElementsAre("D9"));
  EXPECT_THAT(ids(few), ElementsAre("B1"));
}

Diagnosis grouped(const std::string& keys, double expected, double met) {
  const Case c;
  const auto plan = parse_json_plan(
      cat(R"({"Plan": {"Node Type": "Aggregate", "Strategy": "Hashed", "Group Key": )", keys,
          R"(, "Plan Rows": )", expected,
          R"(, "Plan Width": 8, "Total Cost": 50, "Actual Startup Time": 0, "Actual Total Time": 95,
      "Actual Loops": 1, "Actual Rows": )",
          met,
          R"(, "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Schema": "app",
      "Relation Name": "t", "Alias": "t", "Plan Rows": 100000, "Plan Width": 8, "Total Cost": 10,
      "Actual Startup Time": 0, "Actual Total Time": 30, "Actual Loops": 1,
      "Actual Rows": 100000}]}, "Execution Time": 96})"));
  EXPECT_TRUE(plan) << plan.error().message;
  Facts known;
  known.relations = {c.facts};
  return diagnose({*plan, measure_time(*plan), known, {}});
}

TEST(EstimateRules, GroupsAreCountedByStatisticsOrByNumber) {
  const Diagnosis two = grouped(R"(["t.a", "t.b"])", 100'000, 500);
  const Diagnosis one = grouped(R"(["t.a"])", 200, 50'000);

  ASSERT_THAT(ids(two), ElementsAre("D4"));
  EXPECT_THAT(two.entries[0].finding.statements[0],
              "CREATE STATISTICS t_groups_stats (ndistinct) ON a, b FROM app.t");
  ASSERT_THAT(ids(one), ElementsAre("D4"));
  EXPECT_THAT(one.entries[0].finding.statements[0],
              "ALTER TABLE app.t ALTER COLUMN a SET (n_distinct = -0.5)");
  EXPECT_THAT(ids(grouped(R"(["t.a", "t.b"])", 600, 500)), IsEmpty());
}

TEST(EstimateRules, GroupsOfAPartitionedTableWantStatisticsOfTheWhole) {
  const auto plan = parse_json_plan(R"({"Plan": {"Node Type": "Aggregate", "Strategy": "Hashed",
      "Group Key": ["t.a"], "Plan Rows": 200, "Plan Width": 8, "Total Cost": 50,
      "Actual Startup Time": 0, "Actual Total Time": 95, "Actual Loops": 1, "Actual Rows": 50000,
      "Plans": [{"Node Type": "Append", "Parent Relationship": "Outer", "Plan Rows": 50000,
        "Plan Width": 8, "Total Cost": 10, "Actual Startup Time": 0, "Actual Total Time": 30,
        "Actual Loops": 1, "Actual Rows": 50000,
        "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Member", "Schema": "app",
          "Relation Name": "t_1", "Alias": "t_1", "Plan Rows": 50000, "Plan Width": 8,
          "Total Cost": 10, "Actual Startup Time": 0, "Actual Total Time": 30, "Actual Loops": 1,
          "Actual Rows": 50000}]}]}, "Execution Time": 96})");
  ASSERT_TRUE(plan) << plan.error().message;
  Facts known;
  PartitionTree tree;
  tree.members = {{.schema = "app", .name = "t", .kind = 'p'},
                  {.schema = "app", .name = "t_1", .parent = 0}};
  tree.members[0].table.emplace().statistics = false;
  known.trees = {tree};
  known.relations = {{.schema = "app", .name = "t_1", .tree = 0}};

  const Diagnosis out = diagnose({*plan, measure_time(*plan), known, {}});
  known.trees[0].members[0].table->statistics = true;
  const Diagnosis analyzed = diagnose({*plan, measure_time(*plan), known, {}});

  ASSERT_THAT(ids(out), ElementsAre("D7"));
  EXPECT_THAT(out.entries[0].finding.statements, ElementsAre("ANALYZE app.t"));
  EXPECT_THAT(ids(analyzed), IsEmpty());
}

}  // namespace
}  // namespace pgtend::explain
