// Rules about partitions and foreign keys, whose evidence is in the catalog.
#include "explain/partition_rules.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kPartitions = 4;

// app.p by range of ts, with four partitions that are all scanned.
Facts partitioned() {
  Facts out;
  PartitionTree tree;
  tree.strategy = "range";
  tree.key = {"ts"};
  tree.members.push_back({.schema = "app", .name = "p", .kind = 'p'});
  for (int i = 0; i < kPartitions; ++i) {
    RelationFacts relation;
    relation.schema = "app";
    relation.name = cat("p", i);
    relation.table.emplace();
    relation.table->schema = "app";
    relation.table->name = relation.name;
    relation.table->size.pages = 1'000;
    relation.table->reltuples = 50'000;
    relation.tree = 0;
    tree.members.push_back({.schema = "app", .name = relation.name, .parent = 0});
    out.relations.push_back(std::move(relation));
  }
  out.trees.push_back(std::move(tree));
  return out;
}

// Only the last partition has rows for it.
Diagnosis examined(const std::string& condition, double ms_each = 20, int scanned = kPartitions,
                   const Facts& facts = partitioned(), const std::string& more = "") {
  std::string scans;
  for (int i = kPartitions - scanned; i < kPartitions; ++i) {
    scans += cat(scans.empty() ? "" : ", ",
                 R"({"Node Type": "Seq Scan", "Parent Relationship": "Member", "Schema": "app",
      "Relation Name": "p)",
                 i, R"(", "Alias": "p_)", i, R"(", "Filter": ")", condition,
                 R"(", "Plan Rows": 5000, "Plan Width": 8, "Total Cost": 10,
      "Actual Startup Time": 0, "Actual Total Time": )",
                 ms_each, R"(, "Actual Loops": 1, "Actual Rows": )",
                 i == kPartitions - 1 ? 9'000 : 0, R"(, "Rows Removed by Filter": 41000})");
  }
  const auto plan = parse_json_plan(
      cat(R"({"Plan": {"Node Type": "Append", "Plan Rows": 9000, "Plan Width": 8,
      "Total Cost": 50, "Actual Startup Time": 0, "Actual Total Time": )",
          ms_each * scanned + 1, R"(, "Actual Rows": 9000, "Actual Loops": 1)", more,
          R"(, "Plans": [)", scans, R"(]}, "Execution Time": )", ms_each * scanned + 2, "}"));
  EXPECT_TRUE(plan) << plan.error().message;
  return diagnose({*plan, measure_time(*plan), facts, {}});
}

TEST(PartitionRules, WrappedKeyKeepsAllPartitionsIn) {
  const Diagnosis out = examined("(date_trunc('day'::text, ts) = '2024-01-01')");

  ASSERT_THAT(ids(out), ElementsAre("I1"));
  EXPECT_EQ(out.entries[0].finding.object, "app.p");
  EXPECT_THAT(out.entries[0].finding.what, HasSubstr("all 4 partitions are scanned, and 3"));
  EXPECT_NEAR(out.entries[0].saving_ms, 60, 0.1);
}

TEST(PartitionRules, VolatileFunctionKeepsThemInToo) {
  EXPECT_THAT(ids(examined("(ts > clock_timestamp())")), ElementsAre("I1"));
}

TEST(PartitionRules, PruningAndConditionsWithoutTheKeyAreLeftAlone) {
  const std::string wrapped = "(date_trunc('day'::text, ts) = '2024-01-01')";

  EXPECT_THAT(ids(examined(wrapped, 20, 2)), Not(Contains("I1")));
  EXPECT_THAT(ids(examined("(v <> 5)")), IsEmpty());
  EXPECT_THAT(ids(examined(wrapped, 20, kPartitions, partitioned(), R"(, "Subplans Removed": 5)")),
              Not(Contains("I1")));
}

TEST(PartitionRules, OpenUpperBoundReadsTheFuture) {
  const Diagnosis out = examined("(ts >= '2024-01-01'::date)");

  ASSERT_THAT(ids(out), Contains("I5"));
  const auto told = std::ranges::find_if(
      out.entries, [](const Diagnosis::Entry& entry) { return entry.finding.id == "I5"; });
  EXPECT_THAT(told->finding.prediction, HasSubstr("AND ts <= now()"));
  EXPECT_THAT(ids(examined("((ts >= '2024-01-01'::date) AND (ts < '2024-02-01'::date))")),
              Not(Contains("I5")));
  EXPECT_THAT(ids(examined("(ts >= '2024-01-01'::date)", 0.1)), Not(Contains("I5")));
}

Diagnosis checked(double ms, double calls, const std::vector<ForeignKey>& keys) {
  const auto plan = parse_json_plan(cat(
      R"({"Plan": {"Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "t",
      "Alias": "t", "Plan Rows": 0, "Plan Width": 0, "Total Cost": 1, "Actual Startup Time": 0,
      "Actual Total Time": 1, "Actual Rows": 0, "Actual Loops": 1}, "Triggers": [{"Trigger Name":
      "RI_1", "Constraint Name": "child_fk", "Relation": "t", "Time": )",
      ms, R"(, "Calls": )", calls, R"(}], "Execution Time": )", ms + 1.1, "}"));
  EXPECT_TRUE(plan) << plan.error().message;
  Facts facts;
  facts.foreign_keys = keys;
  return diagnose({*plan, measure_time(*plan), facts, {}});
}

TEST(ForeignKeyRules, CatalogTellsTheTableAndTheColumns) {
  const ForeignKey key{.name = "child_fk",
                       .schema = "S x",
                       .table = "child",
                       .columns = {"a", "B c"},
                       .rows = 100'000,
                       .pages = 500,
                       .names_taken = {"child_a_B c_idx"}};

  const Diagnosis out = checked(80, 4, {key});

  ASSERT_THAT(ids(out), ElementsAre("G4"));
  EXPECT_EQ(out.entries[0].finding.actions.at(0).steps.at(0).sql,
            "CREATE INDEX CONCURRENTLY \"child_a_B c_idx1\" ON \"S x\".child USING btree (a, \"B "
            "c\")");
}

TEST(ForeignKeyRules, IndexedOrQuickOnesNeedNoIndex) {
  ForeignKey indexed{.name = "child_fk", .schema = "s", .table = "child", .columns = {"a"}};
  indexed.indexed = true;

  EXPECT_THAT(ids(checked(80, 4, {indexed})), IsEmpty());
  EXPECT_THAT(ids(checked(80, 10'000, {})), ElementsAre("J5"));  // information: many, not slow
  EXPECT_THAT(ids(checked(80, 4, {})), ElementsAre("G4"));
}

}  // namespace
}  // namespace pgtend::explain
