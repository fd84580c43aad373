// I, K: partitions, and the statement as a whole, as far as a plan shows them by itself.
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "sql/columns.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

constexpr double kClientRowsMin = 1'000'000;  // K3

// The partitions that a side of a join appends; 0 if it is not that.
size_t appended(const Plan& plan, int side) {
  int below = side;
  while (below != kNone && at(plan, below).type == "Hash") below = input_of(plan, below);
  if (below == kNone || at(plan, below).type != "Append") return 0;
  const auto& children = at(plan, below).children;
  const bool scans = std::ranges::all_of(
      children, [&](int child) { return !at(plan, child).object.relation.empty(); });
  return scans ? children.size() : 0;
}

void find_i4(const Examination& in, Diagnosis& out) {
  if (setting(in.plan, "enable_partitionwise_join") == "on") return;
  each_run(in, "Hash Join", [&](int id, const Node& node) {
    if (node.children.size() < 2) return;
    const size_t left = appended(in.plan, node.children[0]);
    const size_t right = appended(in.plan, node.children[1]);
    if (left < 2 || left != right) return;
    const auto weight = weigh(in, self_of(in, id) + self_of(in, node.children[1]));
    if (!weight) return;
    care::Finding& finding = add_hint(in, out, "I4", {id}, *weight);
    finding.what = cat("two tables of ", grouped(static_cast<int64_t>(left)),
                       " partitions each are joined as a whole");
    finding.prediction =
        "if both are partitioned alike by what they are joined on, each pair of partitions can be "
        "joined alone, in smaller hash tables, each with memory of its own";
    finding.statements = {"SET LOCAL enable_partitionwise_join = on"};
  });
}

// The scans of the table that `top` changes whose rows come there by way of joins alone. What
// limits, locks or groups them on the way chooses rows that the join then finds again.
std::vector<int> joined_scans(const Plan& plan, int top) {
  const Object& table = at(plan, top).object;
  std::vector<int> out, stack = {top};
  while (!stack.empty()) {
    const int id = stack.back();
    const Node& node = at(plan, id);
    stack.pop_back();
    if (scans_table(node)) {
      const bool same =
          node.object.relation == table.relation && node.object.schema == table.schema;
      if (same) out.push_back(id);
      continue;
    }
    const bool passes = id == top || is_join(node) || node.type == "Hash" ||
                        node.type == "Materialize" || node.type == "Sort" || node.type == "Memoize";
    if (!passes) continue;
    for (const int child : node.children) {
      if (at(plan, child).relation == Relation::Child) stack.push_back(child);
    }
  }
  return out;
}

// The column that both scans compare with each other; "" when there is none, or another condition.
std::string joined_column(const Plan& plan, int join, std::string_view a, std::string_view b) {
  std::string out;
  for (const std::string_view name : {"Hash Cond", "Merge Cond", "Join Filter"}) {
    const auto list = sql::conditions(at(plan, join).text(name), a);
    if (!list) continue;
    for (const sql::Predicate& predicate : *list) {
      const auto other = sql::used_columns(predicate.value);
      const bool same = predicate.op == "=" && predicate.wrapping == sql::Wrapping::None && other &&
                        *other == std::vector{sql::ColumnUse{std::string(b), predicate.column}};
      if (same) out = predicate.column;
    }
  }
  return out;
}

// The same where a nested loop looks each row up by an index.
std::string looked_up_column(const Plan& plan, int scan, std::string_view other) {
  const auto list = sql::conditions(at(plan, scan).text("Index Cond"), at(plan, scan).object.alias);
  if (!list || list->size() != 1 || (*list)[0].op != "=") return {};
  const auto used = sql::used_columns((*list)[0].value);
  const std::string& column = (*list)[0].column;
  return used && *used == std::vector{sql::ColumnUse{std::string(other), column}} ? column
                                                                                  : std::string();
}

// The scan that is not needed: the one without a condition of its own, else the cheaper one.
int spared_scan(const Examination& in, const std::vector<int>& scans) {
  const bool first = at(in.plan, scans[0]).text("Filter").empty();
  const bool second = at(in.plan, scans[1]).text("Filter").empty();
  if (first != second) return first ? scans[0] : scans[1];
  return whole_of(in, scans[0]).ms <= whole_of(in, scans[1]).ms ? scans[0] : scans[1];
}

bool is_key(const RelationFacts* facts, const std::string& column) {
  return facts && !column.empty() &&
         std::ranges::any_of(facts->indexes, [&](const facts::IndexFacts& index) {
           return index.unique && index.valid && index.predicate.empty() &&
                  index.keys == std::vector{column};
         });
}

void find_j6(const Examination& in, Diagnosis& out) {
  each_run(in, "ModifyTable", [&](int id, const Node& node) {
    const std::string_view operation = node.text("Operation");
    if (operation != "Update" && operation != "Delete") return;
    const std::vector<int> scans = joined_scans(in.plan, id);
    if (scans.size() != 2) return;
    int join = scans[1];
    while (join != id && !(is_join(at(in.plan, join)) && in.plan.below(scans[0], join))) {
      join = at(in.plan, join).parent;
    }
    if (join == id) return;
    const Object &a = at(in.plan, scans[0]).object, &b = at(in.plan, scans[1]).object;
    std::string column = joined_column(in.plan, join, a.alias, b.alias);
    if (column.empty()) column = looked_up_column(in.plan, scans[0], b.alias);
    if (column.empty()) column = looked_up_column(in.plan, scans[1], a.alias);
    if (!is_key(in.facts.find(a.schema, a.relation), column)) return;
    const auto weight = weigh(in, self_of(in, join) + whole_of(in, spared_scan(in, scans)));
    if (!weight) return;
    care::Finding& finding = add_question(in, out, "J6", {join, scans[0], scans[1]}, *weight);
    finding.what =
        cat("the statement changes ", printable(table_name(node)),
            " and joins it with itself by its key ", printable(column), ": each row finds itself");
    finding.prediction =
        "put the conditions on the rows to change into WHERE; values that differ from row to row "
        "come by UPDATE … FROM (VALUES …). Compare both in a transaction that is rolled back";
  });
}

void find_k2(const Examination& in, Diagnosis& out) {
  each_run(in, "Sort", [&](int id, const Node& node) {
    const Value* keys = find_member(node.properties, "Sort Key");
    if (keys == nullptr || !keys->is_array()) return;
    const bool random = std::ranges::any_of(keys->get_array(), [](const Value& key) {
      if (!key.is_string()) return false;
      const auto tree = sql::parse_expression(key.get_string());
      if (!tree) return false;
      const auto functions = sql::called_functions(*tree);
      return std::ranges::find(functions, "random") != functions.end();
    });
    if (!random) return;
    const auto weight = weigh(in, whole_of(in, id));
    if (!weight) return;
    const int below = input_of(in.plan, id);
    const double rows = below == kNone ? 0 : rows_total(at(in.plan, below));
    care::Finding& finding = add_finding(in, out, "K2", {id}, *weight);
    finding.what = cat("all ", counted(rows), " rows get a random number and are sorted by it");
    finding.prediction =
        "TABLESAMPLE reads some of the pages only; or jump to a random key: WHERE id >= … ORDER BY "
        "id LIMIT 1";
  });
}

void find_k3(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  const double rows = rows_total(root);
  if (rows < kClientRowsMin || root.type == "ModifyTable") return;
  care::Finding& finding = add_hint(in, out, "K3", {0}, {});
  finding.what = cat("the statement returns ", counted(rows), " rows");
  finding.why = "nobody reads so many, and a client that fetches all at once needs memory for them";
  finding.prediction =
      "LIMIT, an aggregate in the statement, or a cursor; COPY if they are really exported";
}

// Parameters that InitPlans fill, up to PostgreSQL 16: "InitPlan 1 (returns $0,$1)".
std::set<std::string> filled_parameters(const Plan& plan) {
  std::set<std::string> out;
  for (const Node& node : plan.nodes) {
    for (std::string& name : sql::init_plan_references(node.subplan_name)) {
      out.insert(std::move(name));
    }
  }
  return out;
}

// A plan with $1 in it was made without looking at the values.
void find_k7(const Examination& in, Diagnosis& out) {
  if (has_spoken(out, "D10")) return;
  const std::set<std::string> filled = filled_parameters(in.plan);
  constexpr std::array<std::string_view, 7> kHolding = {
      "Index Cond",  "Recheck Cond", "Filter",  "One-Time Filter",
      "Join Filter", "Hash Cond",    "TID Cond"};
  for (size_t id = 0; id < in.plan.nodes.size(); ++id) {
    for (const std::string_view property : kHolding) {
      const std::string_view text = in.plan.nodes[id].text(property);
      if (text.find('$') == std::string_view::npos) continue;
      for (const std::string& name : sql::init_plan_references(text)) {
        if (!name.starts_with("$") || name == "$0" || filled.contains(name)) continue;
        care::Finding& finding = add_hint(in, out, "K7", {static_cast<int>(id)}, {});
        finding.what = cat("the plan holds parameters (", name, "): it was made for any value");
        finding.why =
            "with the values the planner may choose another: up to its fifth run, a prepared "
            "statement gets such a plan of its own";
        finding.prediction =
            "explain it with the values of a slow call (auto_explain.log_parameter_max_length "
            "shows them), or compare both by plan_cache_mode";
        finding.statements = {"SET LOCAL plan_cache_mode = force_custom_plan"};
        return;
      }
    }
  }
}

constexpr Rule kShapeRules[] = {
    {"I4", "Partition-wise join is off",
     "two tables of as many partitions are joined by one hash join, and the join takes 5 % or more",
     "one large hash table instead of many small", "enable_partitionwise_join", find_i4},
    {"J6", "Change through a self-join",
     "UPDATE or DELETE joins its table with itself by a unique key, at 5 % of the statement or "
     "more",
     "each row is looked up to find itself", "the conditions in WHERE, FROM (VALUES …)", find_j6},
    {"K2", "ORDER BY random()", "a sort by random() takes 5 % of the statement or more",
     "all rows are read and sorted to take some", "TABLESAMPLE, a random key", find_k2},
    {"K3", "Very many rows", "a million rows or more are returned", "no client reads so many",
     "LIMIT, an aggregate, a cursor", find_k3},
    {"K7", "Plan without its values", "conditions hold parameters ($1) that no InitPlan fills",
     "the plan was made for any value", "the values of a slow call", find_k7},
};

}  // namespace

std::span<const Rule> shape_rules() { return kShapeRules; }

}  // namespace pgtend::explain
