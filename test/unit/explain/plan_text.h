// Plans as JSON text for tests of rules, and what the rules say to them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/relations.h"
#include "explain/rules.h"

namespace pgtend::explain {

// A node with these members, and `children` as its "Plans".
inline std::string node(const std::string& members, const std::string& children = "") {
  return cat("{", members, children.empty() ? "" : cat(", \"Plans\": [", children, "]"), "}");
}
inline std::string measured(const std::string& type, double ms, double rows, double loops = 1) {
  return cat(R"("Node Type": ")", type, R"(", "Parent Relationship": "Outer", "Plan Rows": )", rows,
             R"(, "Plan Width": 8, "Total Cost": 100, "Actual Startup Time": 0, )",
             R"("Actual Total Time": )", ms, R"(, "Actual Rows": )", rows, R"(, "Actual Loops": )",
             loops);
}
inline std::string scan(double ms, double rows, double loops = 1) {
  return node(cat(measured("Seq Scan", ms, rows, loops),
                  R"(, "Relation Name": "t", "Schema": "app", "Alias": "t")"));
}

// A plan whose only node has the property "V" with this value in JSON.
inline Plan plan_with_value(std::string_view json) {
  auto plan = parse_json_plan(cat(R"({"Plan": {"Node Type": "X", "V": )", json, "}}"));
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? std::move(plan).take() : Plan{.nodes = {Node{}}};
}

inline Diagnosis diagnosed(const std::string& root,
                           const std::string& beside = "\"Execution Time\": 100",
                           const Facts& facts = {}) {
  const auto plan = parse_json_plan(cat("{\"Plan\": ", root, ", ", beside, "}"));
  EXPECT_TRUE(plan) << plan.error().message;
  return diagnose({*plan, measure_time(*plan), facts, {}});
}

inline std::vector<std::string> ids(const Diagnosis& diagnosis) {
  std::vector<std::string> all;
  for (const auto& entry : diagnosis.entries) all.push_back(entry.finding.id);
  return all;
}
inline std::vector<std::string> ids(const std::string& root,
                                    const std::string& beside = "\"Execution Time\": 100") {
  return ids(diagnosed(root, beside));
}

// What a server knows of app.t: 100,000 rows in 2,000 pages, all visible, with integer columns k
// and v and a unique index t_k on k.
inline Facts facts_of_t() {
  RelationFacts t{.schema = "app", .name = "t"};
  t.table.emplace();
  t.table->schema = "app";
  t.table->name = "t";
  t.table->reltuples = 100'000;
  t.table->size.pages = t.table->size.pages_visible = 2'000;
  t.row_width = 100;
  for (const char* name : {"k", "v"}) {
    t.columns.push_back({.name = name, .type = "integer", .btree = true});
    t.columns.back().stats = facts::ColumnStats{.n_distinct = -1, .avg_width = 4};
  }
  t.indexes = {{.name = "t_k", .method = "btree", .keys = {"k"}, .unique = true}};
  t.indexes[0].size.count = 300 * 8192;
  Facts out;
  out.relations = {t};
  return out;
}

}  // namespace pgtend::explain
