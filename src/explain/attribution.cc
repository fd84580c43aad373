#include "explain/attribution.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "sql/expression.h"

namespace pgtend::explain {
namespace {

// What expressions call the outputs of an InitPlan: "InitPlan 1 (returns $0,$1)" gives "$0", "$1";
// "InitPlan 1" and "InitPlan expr_1" name themselves.
std::vector<std::string> output_names(std::string_view subplan_name) {
  const size_t returns = subplan_name.find(" (returns ");
  if (returns == std::string_view::npos) return {std::string(subplan_name)};
  return sql::init_plan_references(subplan_name.substr(returns));
}

bool refers(const Node& node, const std::vector<std::string>& outputs) {
  for (const std::string_view text : node.expressions()) {
    for (const std::string& reference : sql::init_plan_references(text)) {
      if (std::ranges::find(outputs, reference) != outputs.end()) return true;
    }
  }
  return false;
}

// The outermost Gather on the way from `node` up to `owner`, both included; `node` if there is
// none.
int evaluated_by(const Plan& plan, int node, int owner) {
  int payer = node;
  for (int id = node; id != kNone; id = at(plan, id).parent) {
    if (is_gather(at(plan, id))) payer = id;
    if (id == owner) break;
  }
  return payer;
}

// Ids of the sub-tree of `root` in execution order: children before their parent.
std::vector<int> execution_order(const Plan& plan, int root) {
  struct Entry {
    int id;
    bool children_done;
  };
  std::vector<int> out;
  std::vector<Entry> stack{{root, false}};
  while (!stack.empty()) {
    const Entry entry = stack.back();
    stack.pop_back();
    if (entry.children_done) {
      out.push_back(entry.id);
      continue;
    }
    stack.push_back({entry.id, true});
    const std::vector<int>& children = at(plan, entry.id).children;
    for (auto it = children.rbegin(); it != children.rend(); ++it) stack.push_back({*it, false});
  }
  return out;
}

// The CTE named `name` that a scan at `scan` (which may own it) reads; kNone if the plan does not
// show it.
int cte_read_by(const Plan& plan, int scan, std::string_view name) {
  for (int owner = scan; owner != kNone; owner = at(plan, owner).parent) {
    for (const int child : at(plan, owner).children) {
      const Node& node = at(plan, child);
      const bool named =
          node.relation == Relation::Cte && std::string_view(node.subplan_name).substr(4) == name;
      if (named && !plan.below(scan, child)) return child;
    }
  }
  return kNone;
}

}  // namespace

int subtree_end(const Plan& plan, int node) {
  int end = node + 1;
  const int count = static_cast<int>(plan.nodes.size());
  while (end < count && at(plan, end).depth > at(plan, node).depth) ++end;
  return end;
}

std::vector<int> init_plan_candidates(const Plan& plan, int init_plan) {
  const int owner = at(plan, init_plan).parent;
  const std::vector<std::string> outputs = output_names(at(plan, init_plan).subplan_name);
  std::vector<int> out;
  if (owner == kNone) return out;
  for (const int id : execution_order(plan, owner)) {
    if (plan.below(id, init_plan) || !refers(at(plan, id), outputs)) continue;
    const int payer = evaluated_by(plan, id, owner);
    if (std::ranges::find(out, payer) == out.end()) out.push_back(payer);
  }
  return out;
}

std::vector<int> cte_scans(const Plan& plan, int cte) {
  const std::string_view name = std::string_view(at(plan, cte).subplan_name).substr(4);
  const int owner = at(plan, cte).parent;
  std::vector<int> out;
  if (owner == kNone) return out;
  for (int id = owner; id < subtree_end(plan, owner); ++id) {
    const Node& node = at(plan, id);
    if (node.type != "CTE Scan" || node.object.other != name) continue;
    if (cte_read_by(plan, id, name) == cte) out.push_back(id);
  }
  return out;
}

}  // namespace pgtend::explain
