#include "explain/parse_text.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/compare.h"
#include "explain/parse_json.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Plan parsed(std::string_view text) {
  auto plan = parse_text_plan(text);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? std::move(plan).take() : Plan{.nodes = {Node{}}};
}

std::string refusal(std::string_view text, const ParseLimits& limits = {}) {
  const auto plan = parse_text_plan(text, limits);
  return plan ? std::string("parsed") : plan.error().message;
}

// A Limit over so many others.
std::string nested(size_t levels) {
  std::string out = "Limit\n";
  for (size_t i = 1; i < levels; ++i) out += cat(std::string(i, ' '), "->  Limit\n");
  return out;
}

TEST(ParseText, NodeLinesGiveTheNamesAndNumbersOfJson) {
  const Plan plan = parsed(
      R"(Index Scan Backward using "i x" on "S x".t a  (cost=0.28..8.30 rows=3 width=4) (actual time=0.011..0.012 rows=2.50 loops=4))");

  const Node& node = plan.root();
  EXPECT_EQ(node.type, "Index Scan");
  EXPECT_EQ(node.text("Scan Direction"), "Backward");
  EXPECT_EQ(node.object.index, "i x");
  EXPECT_EQ(node.object.schema, "S x");
  EXPECT_EQ(node.object.relation, "t");
  EXPECT_EQ(node.object.alias, "a");
  EXPECT_DOUBLE_EQ(node.estimate.total_cost, 8.30);
  ASSERT_TRUE(node.actual);
  EXPECT_DOUBLE_EQ(node.actual->rows, 2.5);
  EXPECT_DOUBLE_EQ(node.actual->total_ms.value_or(0), 0.012);
}

TEST(ParseText, TypesOfNodesAreThoseOfJson) {
  struct Row {
    const char* line;
    const char* type;
    const char* name;
    const char* value;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"Insert on t", "ModifyTable", "Operation", "Insert"},
           {"Foreign Update on t", "Foreign Scan", "Operation", "Update"},
           {"Async Foreign Scan on t", "Foreign Scan", "Operation", "Select"},
           {"Hash Right Anti Join", "Hash Join", "Join Type", "Right Anti"},
           {"Nested Loop", "Nested Loop", "Join Type", "Inner"},
           {"Partial HashAggregate", "Aggregate", "Partial Mode", "Partial"},
           {"Finalize GroupAggregate", "Aggregate", "Strategy", "Sorted"},
           {"HashSetOp Except All", "SetOp", "Command", "Except All"},
           {"Custom Scan (ChunkAppend) on t a", "Custom Scan", "Custom Plan Provider",
            "ChunkAppend"},
           {"Custom Scan (it's (cost=1))", "Custom Scan", "Custom Plan Provider", "it's (cost=1)"},
           {"CTE Scan on x y", "CTE Scan", "CTE Name", "x"},
           {"Bitmap Index Scan on \"on\"", "Bitmap Index Scan", "Index Name", "on"},
           {"Frobnicate Twice  (cost=0.00..1.00 rows=1 width=4)", "Frobnicate Twice", "Alias", ""},
       }) {
    const Plan plan = parsed(row.line);
    EXPECT_EQ(plan.root().type, row.type) << row.line;
    EXPECT_EQ(plan.root().text(row.name), row.value) << row.line;
  }
}

TEST(ParseText, LiteralsAndNamesNeverLookLikeStructure) {
  const Plan plan = parsed(R"plan(Seq Scan on "a  (cost=1.00..2.00 rows=3 width=4)"
  Filter: ((v = 'x
  ->  Seq Scan on evil  (cost=0.00..1.00 rows=1 width=4)
Execution Time: 1.000 ms'::text) AND ("it's
" = E'a\\''
'))
  Rows Removed by Filter: 7
Execution Time: 2.000 ms)plan");

  ASSERT_EQ(plan.nodes.size(), 1u);
  EXPECT_EQ(plan.root().object.relation, "a  (cost=1.00..2.00 rows=3 width=4)");
  EXPECT_EQ(plan.root().number("Rows Removed by Filter"), 7);
  EXPECT_EQ(plan.execution_ms, 2.0);
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(ParseText, IndentTellsWhoseChildANodeIs) {
  const Plan plan = parsed(R"(Nested Loop
  InitPlan 1 (returns $0)
    ->  Result
  CTE it's "x"
    ->  Append
          ->  Seq Scan on a
          ->  Seq Scan on b
  ->  Seq Scan on c
        Filter: (SubPlan 2)
        SubPlan 2
          ->  Limit
                ->  Seq Scan on d
  ->  Materialize
        ->  Seq Scan on e)");

  ASSERT_EQ(plan.nodes.size(), 10u);
  EXPECT_THAT(plan.root().children, ElementsAre(1, 2, 5, 8));
  EXPECT_EQ(plan.nodes[1].relation, Relation::InitPlan);
  EXPECT_EQ(plan.nodes[2].relation, Relation::Cte);
  EXPECT_EQ(plan.nodes[2].subplan_name, "CTE it's \"x\"");
  EXPECT_EQ(plan.nodes[4].relationship, "Member");
  EXPECT_EQ(plan.nodes[5].relationship, "Outer");
  EXPECT_EQ(plan.nodes[6].relation, Relation::SubPlan);
  EXPECT_EQ(plan.nodes[8].relationship, "Inner");
}

TEST(ParseText, GroupedLinesGiveTheSameTreeAsJson) {
  const Plan text = parsed(R"(Sort  (cost=1.00..2.00 rows=5 width=4) (actual rows=5 loops=1)
  Sort Key: a, (b || ', '::text) DESC
  Sort Method: external merge  Disk: 120kB
  Buffers: shared hit=3 written=1, temp read=7
  I/O Timings: shared/local read=0.250, temp write=1.500
  Worker 0:  actual rows=2 loops=1
    Sort Method: quicksort  Memory: 25kB
  ->  Seq Scan on t  (cost=0.00..1.00 rows=5 width=4) (never executed)
Settings: search_path = '"it''s", public', work_mem = '64kB'
Planning:
  Buffers: shared hit=2
Planning Time: 0.100 ms
Trigger for constraint fk: time=0.036 calls=5
JIT:
  Functions: 3
  Options: Inlining false, Optimization false, Expressions true, Deforming true
  Timing: Generation 0.500 ms, Inlining 0.000 ms, Optimization 0.100 ms, Emission 1.000 ms, Total 1.600 ms
Execution Time: 2.000 ms)");
  const auto json = parse_json_plan(R"([{"Plan": {"Node Type": "Sort", "Parallel Aware": false,
    "Startup Cost": 1.00, "Total Cost": 2.00, "Plan Rows": 5, "Plan Width": 4, "Actual Rows": 5,
    "Actual Loops": 1, "Sort Key": ["a", "(b || ', '::text) DESC"],
    "Sort Method": "external merge", "Sort Space Used": 120, "Sort Space Type": "Disk",
    "Shared Hit Blocks": 3, "Shared Read Blocks": 0, "Shared Written Blocks": 1,
    "Temp Read Blocks": 7, "I/O Read Time": 0.250, "Temp I/O Read Time": 0.000,
    "Temp I/O Write Time": 1.500, "Workers": [{"Worker Number": 0, "Actual Rows": 2,
      "Actual Loops": 1, "Sort Method": "quicksort", "Sort Space Used": 25,
      "Sort Space Type": "Memory"}, {"Worker Number": 1}],
    "Plans": [{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "t",
      "Alias": "t", "Startup Cost": 0.00, "Total Cost": 1.00, "Plan Rows": 5, "Plan Width": 4,
      "Actual Rows": 0, "Actual Loops": 0, "Shared Hit Blocks": 0}]},
    "Settings": {"search_path": "\"it''s\", public", "work_mem": "64kB"},
    "Planning": {"Shared Hit Blocks": 2}, "Planning Time": 0.100,
    "Triggers": [{"Trigger Name": "RI_1", "Constraint Name": "fk", "Relation": "t",
      "Time": 0.036, "Calls": 5}],
    "JIT": {"Functions": 3, "Options": {"Inlining": false, "Optimization": false,
      "Expressions": true, "Deforming": true}, "Timing": {"Generation": 0.500, "Inlining": 0.000,
      "Optimization": 0.100, "Emission": 1.000, "Total": 1.600}},
    "Execution Time": 2.000}])");
  ASSERT_TRUE(json) << json.error().message;

  EXPECT_EQ(describe_difference(text, *json), "");
  EXPECT_EQ(text.jit_ms, 1.6);
  ASSERT_TRUE(text.nodes[1].blocks);
  EXPECT_EQ(text.nodes[1].blocks->hit, 0);
  EXPECT_TRUE(text.nodes[1].never_executed());
}

TEST(ParseText, MaskedNumbersAreUnknown) {
  const Plan plan = parsed(R"(Sort (actual rows=N loops=N)
  Sort Method: quicksort  Memory: NkB
  ->  Seq Scan on t  (cost=N.N..N.N rows=N width=N) (actual rows=N.N loops=1)
Planning Time: N.N ms)");

  EXPECT_FALSE(plan.root().number("Actual Rows"));
  EXPECT_EQ(plan.root().text("Sort Space Used"), "N");
  EXPECT_FALSE(plan.planning_ms);
  EXPECT_TRUE(plan.nodes[1].actual);
}

TEST(ParseText, UnknownLinesAreKeptInOrder) {
  const Plan plan = parsed(R"(Custom Scan (X)
  Task Count: 32
  Tasks Shown: One of 32
  -- a remark
  Nested:
    Deep:
      Flag: false
RTI 1 (relation, in-from-clause):
  Eref: t (id, v))");

  std::vector<std::string> names;
  for (const auto& entry : plan.root().properties) names.emplace_back(entry.key);
  EXPECT_THAT(std::vector(names.end() - 4, names.end()),
              ElementsAre("Task Count", "Tasks Shown", "-- a remark", "Nested"));
  EXPECT_EQ(plan.root().number("Task Count"), 32);
  EXPECT_EQ(to_text(*plan.root().properties.if_contains("Nested")), R"({"Deep":{"Flag":false}})");
  EXPECT_TRUE(plan.properties.contains("RTI 1 (relation, in-from-clause)"));
}

TEST(ParseText, LinesBelowANodeDoNotChangeItsOwn) {
  const Plan plan = parsed(R"(Seq Scan on t
  Node Type: 5
  Node Type
  Subplan Name: InitPlan 7
  Relation Name:
    Alias: x
  ->  Result)");

  EXPECT_EQ(plan.root().type, "Seq Scan");
  EXPECT_EQ(plan.root().subplan_name, "");
  EXPECT_EQ(plan.root().object.relation, "t");
  EXPECT_EQ(plan.root().object.alias, "t");
}

TEST(ParseText, CutOffPlansGiveTheTreeAndAWarning) {
  const std::string_view whole = R"(Hash Join  (cost=1.00..2.00 rows=5 width=4)
  Hash Cond: (a.x = b.x)
  ->  Seq Scan on a  (cost=0.00..1.00 rows=5 width=4)
        Filter: (v = 'long'::text)
  ->  Hash  (cost=0.00..1.00 rows=5 width=4)
        ->  Seq Scan on b  (cost=0.00..1.00 rows=5 width=4)
)";
  EXPECT_THAT(parsed(whole).warnings, IsEmpty());
  for (const std::string_view end : {"Hash Cond: (a", "width=4)\n  ->  Seq Scan on a  (co",
                                     "Filter: (v = 'lo", "->  Hash  (cost"}) {
    const std::string_view part = whole.substr(0, whole.find(end) + end.size());
    EXPECT_THAT(parsed(part).warnings, testing::Contains(HasSubstr("plan is cut off after line")))
        << part;
  }
}

TEST(ParseText, StrayQuoteCostsOneLineOnly) {
  const Plan plan = parsed(R"(Append
  Note: don't
  ->  Seq Scan on a
  ->  Seq Scan on b)");

  EXPECT_EQ(plan.nodes.size(), 3u);
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("line 2 does not end")));
}

TEST(ParseText, QueryTextEndsWhereThePlanBegins) {
  const Plan plan = parsed(
      "Query Text: SELECT 'x\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)'\n  FROM t; -- it's\n"
      "Query Parameters: $1 = '3', $2 = 'o''clock'\n"
      "Result  (cost=0.00..0.01 rows=1 width=32)\n  Output: 'x'::text");

  EXPECT_EQ(plan.root().type, "Result");
  EXPECT_THAT(plan.query_text, testing::EndsWith("FROM t; -- it's"));
  EXPECT_TRUE(plan.properties.contains("Query Parameters"));
}

TEST(ParseText, WhatIsNoPlanIsRefusedWithTheLine) {
  EXPECT_THAT(refusal(""), HasSubstr("no plan"));
  EXPECT_THAT(refusal("hello world\nthere"), HasSubstr("line 1 is no plan node"));
  EXPECT_THAT(refusal("Limit\n  ->  Result\nPlanning Time: 1 ms\n  ->  Result\n"),
              HasSubstr("line 4"));
  EXPECT_THAT(refusal(nested(20), {.nodes_max = 10}), HasSubstr("10 nodes"));
  EXPECT_THAT(refusal(nested(20), {.bytes_max = 10}), HasSubstr("10 bytes"));
}

TEST(ParseText, RepeatedLinesCostLinearTime) {
  std::string text = "Update on t\n";
  for (int i = 0; i < 50'000; ++i) text += "  Note: x\n  bare\n";
  for (int i = 0; i < 20'000; ++i) text += cat("  Update on t_", i, "\n");
  for (int i = 0; i < 50'000; ++i) text += cat("  Name ", i, ": x\n");

  const Plan plan = parsed(text);

  EXPECT_EQ(plan.root().properties.if_contains("Note")->get_array().size(), 50'000u);
  EXPECT_EQ(plan.root().properties.if_contains("Target Tables")->get_array().size(), 20'000u);
}

TEST(ParseText, DeepPlansNeedNoStack) {
  const Plan plan = parsed(nested(5000));

  EXPECT_EQ(plan.nodes.size(), 5000u);
  EXPECT_EQ(plan.nodes.back().depth, 4999);
}

TEST(ParseText, SeveralPlansAreSplitAtTheirRoots) {
  const std::string_view text =
      "\nInsert on t\n  ->  Result\n        Filter: 'x\n\nResult'\n \nInsert on u\n  ->  "
      "Result\n\n";

  EXPECT_THAT(split_text_plans(text),
              ElementsAre("Insert on t\n  ->  Result\n        Filter: 'x\n\nResult'",
                          "Insert on u\n  ->  Result"));
}

}  // namespace
}  // namespace pgtend::explain
