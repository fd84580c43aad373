// A6: an index that lacks few narrow columns, beside what it must not speak of.
#include <gmock/gmock.h>

#include "explain/index_rules.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBeside = "\"Execution Time\": 100";

// 5,000 rows on 5,000 pages of a table in memory.
std::string index_scan(const std::string& output, const std::string& more = "",
                       double pages = 5'000) {
  return node(cat(measured("Index Scan", 90, 5'000),
                  R"j(, "Relation Name": "t", "Schema": "app", "Alias": "t", "Index Name": "t_k",
                  "Index Cond": "(t.k > 5)", "Output": )j",
                  output, R"(, "Shared Hit Blocks": )", pages, more));
}
std::vector<std::string> said(const std::string& plan, const Facts& facts = facts_of_t()) {
  return ids(diagnosed(plan, kBeside, facts));
}

TEST(CoveringRules, FewNarrowColumnsAreIncludedInTheIndex) {
  const Diagnosis out = diagnosed(index_scan(R"(["t.k", "t.v"])"), kBeside, facts_of_t());

  ASSERT_THAT(ids(out), ElementsAre("A6"));
  const care::Finding& finding = out.entries[0].finding;
  ASSERT_EQ(finding.actions.size(), 1u);
  EXPECT_THAT(finding.actions[0].steps[0].sql, HasSubstr("USING btree (k) INCLUDE (v)"));
  EXPECT_EQ(out.entries[0].target, "app.t");
}

TEST(CoveringRules, RowsThatLieTogetherNeedNoCovering) {
  EXPECT_THAT(said(index_scan(R"(["t.k", "t.v"])", "", 60)), IsEmpty());
  EXPECT_THAT(said(index_scan(R"(["t.k", "t.v"])", "", 1'000)), IsEmpty());
}

TEST(CoveringRules, WideUnknownAndMissingColumnsAreLeftInTheTable) {
  Facts wide = facts_of_t();
  wide.relations[0].columns[1].stats->avg_width = 200;

  EXPECT_THAT(said(index_scan(R"(["t.k", "t.v"])"), wide), IsEmpty());
  EXPECT_THAT(said(index_scan(R"(["t.k", "t.ctid"])")), IsEmpty());
  EXPECT_THAT(said(index_scan(R"(["t.k"])")), IsEmpty());  // the planner has it in the index
}

TEST(CoveringRules, TableThatChangesOrIsNotVisibleIsLeftAlone) {
  Facts changed = facts_of_t(), unseen = facts_of_t();
  changed.relations[0].table->counters.updated = 50'000;
  unseen.relations[0].table->size.pages_visible = 100;

  EXPECT_THAT(said(index_scan(R"(["t.k", "t.v"])"), changed), IsEmpty());
  EXPECT_THAT(said(index_scan(R"(["t.k", "t.v"])"), unseen), IsEmpty());
}

// Below an aggregate a scan prints all columns of its table.
TEST(CoveringRules, ColumnsAreThoseThatTheNodesAboveName) {
  const auto counting = [](const std::string& counted) {
    return node(cat(measured("Aggregate", 95, 1), R"j(, "Strategy": "Plain", "Output": ["count()j",
                    counted, R"j()"])j"),
                index_scan(R"(["t.k", "t.v", "t.wide"])"));
  };

  EXPECT_THAT(said(counting("t.v")), ElementsAre("A6"));
  EXPECT_THAT(said(counting("t.wide")), IsEmpty());
  EXPECT_THAT(said(counting("t.k")), IsEmpty());
}

}  // namespace
}  // namespace pgtend::explain
