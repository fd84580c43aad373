// Rules that an index may cure: each fault beside its healthy twin, as plan text and facts.
#include "explain/index_rules.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"
#include "unit/explain/plan_text.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

facts::ColumnFacts column(std::string name, std::string type = "integer") {
  facts::ColumnFacts out{.name = std::move(name),
                         .type = std::move(type),
                         .btree = true,
                         .brin = true,
                         .deduplicates = true};
  out.stats = facts::ColumnStats{.n_distinct = -0.01, .correlation = 0.1, .avg_width = 8};
  return out;
}

// app.t with 100,000 rows on 2,000 pages.
RelationFacts table_facts() {
  RelationFacts out;
  out.schema = "app";
  out.name = "t";
  out.table.emplace();
  out.table->schema = "app";
  out.table->name = "t";
  out.table->reltuples = 100'000;
  out.table->size.pages = 2'000;
  out.columns = {column("id"),
                 column("k"),
                 column("ts", "timestamp without time zone"),
                 column("v", "text"),
                 column("doc", "jsonb"),
                 column("tags", "integer[]"),
                 column("gone", "timestamp with time zone"),
                 column("c", "character varying")};
  out.columns[3].byte_order = false;
  out.columns[4].btree = false;
  return out;
}

// A node about app.t with times, rows and blocks.
struct Node1 {
  std::string type = "Seq Scan";
  std::string more = {};  // further members, with a comma in front
  double ms = 90;
  double rows = 10;
  double loops = 1;
  double blocks = 2'000;
  std::string parent = "Outer";
  double plan_rows = 10;

  std::string text(const std::string& children = "") const {
    const bool scan = type.ends_with("Scan") && !type.starts_with("Bitmap Index");
    return cat(R"({"Node Type": ")", type, R"(", "Parent Relationship": ")", parent, "\"",
               scan ? R"(, "Schema": "app", "Relation Name": "t", "Alias": "t")" : "",
               R"(, "Plan Rows": )", plan_rows,
               R"(, "Plan Width": 40, "Total Cost": 100, "Actual Startup Time": 0, )",
               R"("Actual Total Time": )", ms, R"(, "Actual Rows": )", rows,
               R"(, "Actual Loops": )", loops, R"(, "Shared Hit Blocks": )", blocks, more,
               children.empty() ? "" : cat(", \"Plans\": [", children, "]"), "}");
  }
};

std::string filter(const std::string& condition, double removed) {
  return cat(R"(, "Filter": )", to_text(json::value(condition)), R"(, "Rows Removed by Filter": )",
             removed);
}

Diagnosis examined(const std::string& root, const RelationFacts& relation = table_facts()) {
  const auto plan = parse_json_plan(cat("{\"Plan\": ", root, R"(, "Execution Time": 100})"));
  EXPECT_TRUE(plan) << plan.error().message;
  Facts known;
  known.relations = {relation};
  known.version = 150'000;
  known.trigrams = "public";
  return diagnose({*plan, measure_time(*plan), known, {}});
}

std::string first_sql(const Diagnosis& diagnosis) {
  if (diagnosis.entries.empty() || diagnosis.entries[0].finding.actions.empty()) return "";
  return diagnosis.entries[0].finding.actions[0].steps[0].sql;
}

facts::IndexFacts btree(std::string name, std::vector<std::string> keys) {
  return {.name = std::move(name), .method = "btree", .keys = std::move(keys)};
}

std::string index_scan(const std::string& condition, const std::string& dropped, double removed,
                       double rows = 10) {
  return Node1{.type = "Index Scan",
               .more = cat(R"(, "Index Name": "t_k")",
                           condition.empty() ? "" : cat(R"(, "Index Cond": ")", condition, "\""),
                           dropped.empty() ? "" : filter(dropped, removed)),
               .rows = rows,
               .plan_rows = rows}
      .text();
}

TEST(IndexRules, HeavyFilterBehindAnIndexWantsItsColumnToo) {
  RelationFacts known = table_facts();
  known.indexes = {btree("t_k", {"k"})};

  const Diagnosis out = examined(index_scan("(t.k = 5)", "(t.id = 7)", 50'000), known);

  ASSERT_THAT(ids(out), ElementsAre("A3"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k, id)"));
}

TEST(IndexRules, UniqueSearchAndServedFilterAreLeftAlone) {
  RelationFacts unique = table_facts(), served = table_facts();
  unique.indexes = {btree("t_k", {"k"})};
  unique.indexes[0].unique = true;
  served.indexes = {btree("t_k", {"k"}), btree("both", {"id", "k"})};

  EXPECT_THAT(ids(examined(index_scan("(t.k = 5)", "(t.id = 7)", 50'000), unique)), IsEmpty());
  EXPECT_THAT(ids(examined(index_scan("(t.k = 5)", "(t.id = 7)", 50'000), served)), IsEmpty());
  EXPECT_THAT(ids(examined(index_scan("(t.k = 5)", "(t.id = 7)", 50))), IsEmpty());
}

std::string limited(const std::string& below) {
  return Node1{.type = "Limit", .ms = 91}.text(below);
}

TEST(IndexRules, IndexChosenForTheOrderOfLimit) {
  RelationFacts known = table_facts();
  known.indexes = {btree("t_k", {"id"}), btree("other", {"k"})};

  const Diagnosis out = examined(limited(index_scan("", "(t.k = 5)", 95'000)), known);

  ASSERT_THAT(ids(out), ElementsAre("A10"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k, id)"));
  EXPECT_THAT(ids(examined(limited(index_scan("", "(t.k = 5)", 500)), known)), IsEmpty());
}

std::string top_n(double sorted, const std::string& key = "t.ts DESC") {
  return limited(
      Node1{.type = "Sort", .more = cat(R"(, "Sort Key": [")", key, "\"]"), .ms = 90, .rows = 10}
          .text(Node1{
              .more = filter("(t.k = 5)", 1'000), .ms = 80, .rows = sorted, .plan_rows = sorted}
                    .text()));
}

TEST(IndexRules, SortForALimitWantsAnIndexInItsOrder) {
  const Diagnosis out = examined(top_n(50'000));
  RelationFacts there = table_facts();
  there.indexes = {btree("i", {"k", "ts"})};

  ASSERT_THAT(ids(out), ElementsAre("A11"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k, ts)"));
  EXPECT_THAT(first_sql(examined(top_n(50'000, "t.ts DESC NULLS LAST"))),
              HasSubstr("(k, ts DESC NULLS LAST)"));
  EXPECT_THAT(ids(examined(top_n(5'000))), IsEmpty());
  EXPECT_THAT(ids(examined(top_n(50'000), there)), IsEmpty());
}

std::string nested(double inner_rows, double loops) {
  return Node1{.type = "Nested Loop",
               .more = R"j(, "Join Type": "Inner", "Join Filter": "(o.id = t.k)")j",
               .ms = 95,
               .rows = loops,
               .plan_rows = loops}
      .text(cat(R"({"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "o",
                   "Alias": "o", "Plan Rows": )",
                loops, R"(, "Plan Width": 8, "Total Cost": 1, "Actual Startup Time": 0,
                   "Actual Total Time": 1, "Actual Loops": 1, "Actual Rows": )",
                loops, "}, ",
                Node1{.ms = 80 / loops,
                      .rows = inner_rows,
                      .loops = loops,
                      .parent = "Inner",
                      .plan_rows = inner_rows}
                    .text()));
}

TEST(IndexRules, InnerSideReadFromEndToEndWantsItsJoinKey) {
  const Diagnosis out = examined(nested(5'000, 500));

  ASSERT_THAT(ids(out), ElementsAre("B2"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k)"));
  EXPECT_THAT(ids(examined(nested(50, 500))), IsEmpty());
  EXPECT_THAT(ids(examined(nested(5'000, 5))), IsEmpty());
}

std::string bitmaps(double each) {
  const auto part = [&](const char* condition) {
    return Node1{.type = "Bitmap Index Scan",
                 .more = cat(R"(, "Index Name": "i", "Index Cond": ")", condition, "\""),
                 .ms = 20,
                 .rows = each,
                 .plan_rows = each}
        .text();
  };
  return Node1{.type = "Bitmap Heap Scan", .plan_rows = 10}.text(
      Node1{.type = "BitmapAnd", .ms = 60, .rows = 0}.text(
          cat(part("(t.k = 5)"), ", ", part("(t.id = 7)"))));
}

TEST(IndexRules, IntersectedBitmapsWantOneIndex) {
  const Diagnosis out = examined(bitmaps(20'000));

  ASSERT_THAT(ids(out), ElementsAre("A8"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k, id)"));
  EXPECT_THAT(ids(examined(bitmaps(50))), IsEmpty());
}

TEST(IndexRules, SearchWithoutTheFirstColumnReadsTheWholeIndex) {
  RelationFacts trailing = table_facts(), leading = table_facts();
  trailing.indexes = {btree("t_k", {"id", "k"})};
  leading.indexes = {btree("t_k", {"k", "id"})};

  const Diagnosis out = examined(index_scan("(t.k = 5)", "", 0), trailing);

  ASSERT_THAT(ids(out), ElementsAre("A16"));
  EXPECT_THAT(first_sql(out), HasSubstr("USING btree (k)"));
  // With its first column it is dead rows that the scan crawls over.
  EXPECT_THAT(ids(examined(index_scan("(t.k = 5)", "", 0), leading)), ElementsAre("A23"));
}

std::string scan(const std::string& condition, double rows = 100, double plan_rows = 100) {
  return Node1{.more = filter(condition, 99'900), .rows = rows, .plan_rows = plan_rows}.text();
}

struct Condition {
  const char* text;
  const char* id;
  const char* index;  // part of the statement, "" when none is proposed
};

TEST(IndexRules, EachConditionGetsItsKindOfIndex) {
  const Condition all[] = {
      {"(t.k = 5)", "A1", "USING btree (k)"},
      {"(lower(t.v) = 'x'::text)", "A12", "USING btree ((lower(v)))"},
      {"((t.id + 1) = 5)", "A12", "USING btree ((id + 1))"},
      {"((t.ts)::date = '2024-01-01'::date)", "A12", "USING btree (((ts)::date))"},
      {"(date_trunc('day'::text, t.gone) = '2024-01-01'::date)", "A12", ""},
      {"((t.id)::numeric = 37.0)", "A13", ""},
      {"(t.v ~~ 'abc%'::text)", "A14", "USING btree (v text_pattern_ops)"},
      {"((t.c)::text ~~ 'abc%'::text)", "A14", "USING btree (c)"},
      {"(t.v ~~ '%abc%'::text)", "A14", "USING gin (v public.gin_trgm_ops)"},
      {"(t.v ~~ '%a%'::text)", "A14", ""},
      {"(t.doc @> '{\"a\": 1}'::jsonb)", "A15", "USING gin (doc jsonb_path_ops)"},
      {"((t.doc ->> 'a'::text) = 'x'::text)", "A15", "USING btree ((doc ->> 'a'::text))"},
      {"(t.tags && '{1,2}'::integer[])", "A15", "USING gin (tags)"},
      {"(t.gone IS NULL)", "A17", "WHERE gone IS NULL"},
  };
  for (const Condition& condition : all) {
    const Diagnosis out = examined(scan(condition.text));
    ASSERT_THAT(ids(out), ElementsAre(condition.id)) << condition.text;
    EXPECT_EQ(first_sql(out).empty(), std::string_view(condition.index).empty())
        << condition.text << ": " << first_sql(out);
    EXPECT_THAT(first_sql(out), HasSubstr(condition.index)) << condition.text;
  }
}

TEST(IndexRules, NoneIsProposedAgainWhenItExists) {
  RelationFacts known = table_facts();
  known.indexes = {{.name = "e", .method = "btree", .keys = {""}, .expressions = {"lower(v)"}},
                   {.name = "g", .method = "gin", .keys = {"doc"}, .default_classes = false},
                   {.name = "p", .method = "btree", .keys = {"id"}, .predicate = "(gone IS NULL)"}};

  for (const char* condition :
       {"(lower(t.v) = 'x'::text)", "(t.doc @> '{}'::jsonb)", "(t.gone IS NULL)"}) {
    EXPECT_THAT(ids(examined(scan(condition, 100, 90'000), known)), IsEmpty()) << condition;
  }
}

TEST(IndexRules, IndexThatCannotServeIsNamedWithTheReason) {
  const std::pair<facts::IndexFacts, const char*> all[] = {
      {{.name = "i", .method = "btree", .keys = {"k"}, .predicate = "(id > 5)"}, "holds only"},
      {{.name = "i", .method = "btree", .keys = {"k"}, .default_classes = false}, "operator class"},
      {{.name = "i", .method = "btree", .keys = {"k"}, .default_collations = false}, "collation"},
      {{.name = "i", .method = "btree", .keys = {"k"}, .valid = false}, ""},
  };
  for (const auto& [index, why] : all) {
    RelationFacts known = table_facts();
    known.indexes = {index};
    const Diagnosis out = examined(scan("(t.k = 5)"), known);
    ASSERT_THAT(ids(out), ElementsAre("A19")) << why;
    if (*why == '\0') {
      EXPECT_THAT(out.entries[0].finding.statements,
                  ElementsAre("REINDEX INDEX CONCURRENTLY app.i"));
      continue;
    }
    const auto& evidence = out.entries[0].finding.evidence;
    EXPECT_TRUE(std::ranges::any_of(evidence, [&](const care::Evidence& entry) {
      return entry.name == "existing" && entry.value.find(why) != std::string::npos;
    })) << why;
  }
}

TEST(IndexRules, PartialIndexServesWhatImpliesItsPredicate) {
  RelationFacts known = table_facts();
  known.indexes = {{.name = "i", .method = "btree", .keys = {"k"}, .predicate = "(gone IS NULL)"}};

  EXPECT_THAT(ids(examined(scan("((t.k = 5) AND (t.gone IS NULL))", 100, 90'000), known)),
              IsEmpty());
  EXPECT_THAT(ids(examined(scan("(t.k = 5)"), known)), ElementsAre("A19"));
}

TEST(IndexRules, RareValueGetsAPartialIndexAsSecondChoice) {
  RelationFacts known = table_facts();
  known.columns[1].stats->n_distinct = 4;
  known.columns[1].stats->common_values = {"1", "2", "3", "5"};
  known.columns[1].stats->common_frequencies = {0.6, 0.3, 0.099, 0.001};

  const Diagnosis out = examined(scan("(t.k = 5)"), known);

  ASSERT_THAT(ids(out), ElementsAre("A1"));
  ASSERT_EQ(out.entries[0].finding.actions.size(), 2u);
  EXPECT_THAT(out.entries[0].finding.actions[1].steps[0].sql, HasSubstr("WHERE k = 5"));
}

TEST(IndexRules, ServingIndexLeftUnusedIsAMatterOfThePriceOfRandomReads) {
  RelationFacts known = table_facts();
  known.indexes = {btree("i", {"k"})};

  const Diagnosis believed = examined(scan("(t.k = 5)"), known);

  ASSERT_THAT(ids(believed), ElementsAre("A18"));
  EXPECT_EQ(believed.entries[0].trial.index, "i");
  // Had the planner known how few they are, it would use the index.
  EXPECT_THAT(ids(examined(scan("(t.k = 5)", 100, 50'000), known)),
              testing::Not(testing::Contains("A18")));
}

TEST(IndexRules, ChangedRowsAreFoundBySequentialScan) {
  const std::string update = cat(
      R"({"Node Type": "ModifyTable", "Operation": "Update", "Relation Name": "t", "Schema": "app",
         "Alias": "t", "Plan Rows": 0, "Plan Width": 0, "Total Cost": 100, "Actual Startup Time": 0,
         "Actual Total Time": 95, "Actual Rows": 0, "Actual Loops": 1, "Plans": [)",
      scan("(t.k = 5)"), "]}");

  EXPECT_THAT(ids(examined(update)), ElementsAre("J2"));
}

TEST(IndexRules, HostileNamesStayNamesInTheIndex) {
  RelationFacts known = table_facts();
  known.columns.push_back(column("a\"; DROP TABLE t; --", "text"));

  const Diagnosis out = examined(scan("(lower(t.\"a\"\"; DROP TABLE t; --\") = 'x'::text)"), known);

  ASSERT_THAT(ids(out), ElementsAre("A12"));
  EXPECT_THAT(first_sql(out), HasSubstr("((lower(\"a\"\"; DROP TABLE t; --\")))"));
}

}  // namespace
}  // namespace pgtend::explain
