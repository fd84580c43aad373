#include "explain/rules.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"

namespace pgtend::explain {
namespace {

// One sequential scan on app.t with what is known about it.
struct Case {
  std::string filter = "(t.ts > (now() - '1 day'::interval))";
  double kept = 1'000;
  double removed = 99'000;
  double ms = 100;
  double total_ms = 110;
  double pages = 1'000;
  RelationFacts facts = {};

  Case() {
    facts.schema = "app";
    facts.name = "t";
    facts.table.emplace();
    facts.table->schema = "app";
    facts.table->name = "t";
    facts.columns = {column("ts", "timestamp with time zone", 0.2), column("id", "integer", 0.2),
                     column("name", "character varying", 0)};
  }
  static facts::ColumnFacts column(std::string name, std::string type, double correlation) {
    facts::ColumnFacts out{.name = std::move(name),
                           .type = std::move(type),
                           .btree = true,
                           .brin = true,
                           .deduplicates = true};
    out.stats = facts::ColumnStats{.n_distinct = -1, .correlation = correlation, .avg_width = 8};
    return out;
  }
  Diagnosis run() const {
    const std::string text = cat(
        R"({"Plan": {"Node Type": "Seq Scan", "Schema": "app", "Relation Name": "t", "Alias": "t",)",
        R"("Plan Rows": 10, "Plan Width": 10, "Actual Loops": 1, "Actual Total Time": )", ms,
        R"(, "Actual Rows": )", kept, R"(, "Rows Removed by Filter": )", removed,
        R"(, "Shared Hit Blocks": )", pages, R"(, "Filter": )", to_text(json::value(filter)),
        R"(}, "Execution Time": )", total_ms, "}");
    const auto plan = parse_json_plan(text);
    EXPECT_TRUE(plan) << plan.error().message;
    Facts known;
    known.relations = {facts};
    return diagnose({*plan, measure_time(*plan), known, {}});
  }
  std::string first_sql() const {
    const Diagnosis out = run();
    if (out.entries.size() != 1 || out.entries[0].finding.actions.empty()) return "";
    return out.entries[0].finding.actions[0].steps[0].sql;
  }
};

TEST(Rules, TimeWindowOnSortedRowsGetsBrin) {
  Case c;
  c.facts.columns[0].stats->correlation = 0.9999;

  EXPECT_EQ(c.run().entries.at(0).finding.id, "A2");
  EXPECT_THAT(c.first_sql(), testing::HasSubstr("USING brin (ts) WITH (pages_per_range = 16"));
}

TEST(Rules, TimeWindowOnMixedRowsGetsBtree) {
  EXPECT_THAT(Case().first_sql(), testing::HasSubstr("t_ts_idx ON app.t USING btree (ts)"));
}

TEST(Rules, UpdatedTableGetsNoBrin) {
  Case c;
  c.facts.columns[0].stats->correlation = 1;
  c.facts.table->counters = {.present = true, .inserted = 100'000, .updated = 50'000};

  EXPECT_THAT(c.first_sql(), testing::HasSubstr("USING btree"));
}

TEST(Rules, EqualityColumnsComeBeforeTheRange) {
  Case c;
  c.filter = "((t.ts > now()) AND (t.id = 5))";

  EXPECT_THAT(c.first_sql(), testing::HasSubstr("(id, ts)"));
}

TEST(Rules, WideWindowSmallTableAndSmallShareAreLeftAlone) {
  Case wide, small, cheap, quick;
  wide.kept = 50'000;
  small.pages = 50;
  cheap.total_ms = 100'000;
  quick.ms = 0.5, quick.total_ms = 0.6;

  EXPECT_TRUE(wide.run().entries.empty());
  EXPECT_TRUE(small.run().entries.empty());
  const Diagnosis mostly_elsewhere = cheap.run();
  ASSERT_EQ(mostly_elsewhere.entries.size(), 1u);
  EXPECT_EQ(mostly_elsewhere.entries[0].finding.id, "G6");
  EXPECT_TRUE(quick.run().entries.empty());
}

TEST(Rules, VolatileClockGetsAnExplanationAndNoIndex) {
  Case c;
  c.filter = "(t.ts > (clock_timestamp() - '1 day'::interval))";

  const Diagnosis out = c.run();

  ASSERT_EQ(out.entries.size(), 1u);
  EXPECT_TRUE(out.entries[0].finding.actions.empty());
  EXPECT_THAT(out.entries[0].finding.prediction, testing::HasSubstr("volatile"));
}

TEST(Rules, WrappedColumnGetsAnExplanationAndNoIndex) {
  for (const auto& [filter, id] : {std::pair{"((t.ts)::date > CURRENT_DATE)", "A12"},
                                   std::pair{"(date_trunc('day', t.ts) > now())", "A12"},
                                   std::pair{"((t.id)::numeric = 37.0)", "A13"}}) {
    Case c;
    c.filter = filter;
    const Diagnosis out = c.run();
    ASSERT_EQ(out.entries.size(), 1u) << filter;
    EXPECT_EQ(out.entries[0].finding.id, id) << filter;
    EXPECT_TRUE(out.entries[0].finding.actions.empty()) << filter;
    EXPECT_THAT(out.entries[0].finding.prediction, testing::HasSubstr("would not be used"))
        << filter;
  }
}

TEST(Rules, VarcharAsTextIsNoObstacle) {
  Case c;
  c.filter = "((t.name)::text = 'x'::text)";

  EXPECT_THAT(c.first_sql(), testing::HasSubstr("(name)"));
}

TEST(Rules, ColumnsComparedWithEachOtherGetNothing) {
  Case c;
  c.filter = "((t.ts > t.created) OR (t.id = 5))";

  EXPECT_TRUE(c.run().entries.empty());
}

TEST(Rules, UnreadableFilterIsAWarningNotAFinding) {
  Case c;
  c.filter = "(t.id ===== 5 NEW SYNTAX)";

  const Diagnosis out = c.run();

  EXPECT_TRUE(out.entries.empty());
  EXPECT_THAT(out.warnings, testing::ElementsAre(testing::HasSubstr("cannot be parsed")));
}

struct Existing {
  const char* about;
  facts::IndexFacts index;
  bool serves;
};

TEST(Rules, ExistingIndexThatServesIsNeverProposedAgain) {
  const Existing all[] = {
      {"the same", {.name = "i", .method = "btree", .keys = {"ts"}}, true},
      {"a longer one", {.name = "i", .method = "btree", .keys = {"ts", "id"}}, true},
      {"unique", {.name = "i", .method = "btree", .keys = {"ts"}, .unique = true}, true},
      {"brin", {.name = "i", .method = "brin", .keys = {"id", "ts"}}, true},
      {"a trailing column", {.name = "i", .method = "btree", .keys = {"id", "ts"}}, false},
      {"hash for a range", {.name = "i", .method = "hash", .keys = {"ts"}}, false},
      {"partial", {.name = "i", .method = "btree", .keys = {"ts"}, .predicate = "(id > 5)"}, false},
      {"expression", {.name = "i", .method = "btree", .keys = {""}}, false},
      {"another class",
       {.name = "i", .method = "btree", .keys = {"ts"}, .default_classes = false},
       false},
      {"gin", {.name = "i", .method = "gin", .keys = {"ts"}}, false},
  };
  for (const Existing& existing : all) {
    Case c;
    c.facts.indexes = {existing.index};
    EXPECT_EQ(c.run().entries.empty(), existing.serves) << existing.about;
  }
}

TEST(Rules, InvalidIndexIsToRepairNotToDouble) {
  Case c;
  c.facts.indexes = {{.name = "broken", .method = "btree", .keys = {"ts"}, .valid = false}};

  const Diagnosis out = c.run();

  ASSERT_EQ(out.entries.size(), 1u);
  EXPECT_TRUE(out.entries[0].finding.actions.empty());
  EXPECT_THAT(out.entries[0].finding.prediction, testing::HasSubstr("INVALID"));
}

TEST(Rules, EveryRuleHasItsTexts) {
  for (const Rule& rule : rules()) {
    EXPECT_FALSE(rule.id.empty() || rule.title.empty() || rule.signal.empty() || rule.fix.empty());
  }
}

}  // namespace
}  // namespace pgtend::explain
