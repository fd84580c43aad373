#include "explain/misestimate.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/conditions.h"

namespace pgtend::explain {
namespace {

constexpr double kFactorMin = 10;
constexpr double kFactorBelowMax = 3;
constexpr double kRowsMin = 100;       // met, where fewer were expected
constexpr double kExpectedMin = 1000;  // expected, where fewer were met
constexpr double kLoopsMin = 1000;     // B1

bool is_join_type(const Node& node) {
  return node.type == "Nested Loop" || node.type == "Hash Join" || node.type == "Merge Join";
}

// Nodes that hand on what they get: they have no estimate of their own.
bool passes_on(const Node& node) {
  return is_gather(node) || node.type == "Hash" || node.type == "Materialize" ||
         node.type == "Sort" || node.type == "Memoize" || node.type == "Incremental Sort" ||
         node.type == "Limit" || node.type == "Result" || node.type == "Append" ||
         node.type == "Merge Append" || node.type == "Subquery Scan" || node.type == "LockRows" ||
         node.type == "ModifyTable" || node.type.starts_with("Bitmap Index") ||
         node.type == "BitmapAnd" || node.type == "BitmapOr";
}

bool estimates(const Node& node) {
  return scans_table(node) || is_join_type(node) || node.type == "Aggregate" ||
         node.type == "Group" || node.type == "Unique";
}

bool wrong(const RowCount& rows) {
  if (!rows.excuse.empty() || rows.factor < kFactorMin) return false;
  // The rounding of the mean per loop may be all of it.
  if (rows.error >= rows.actual && rows.actual > 0) return false;
  return rows.over ? rows.estimate >= kExpectedMin : rows.actual >= kRowsMin;
}

// Whether what the node reads was estimated right.
bool right_below(const Plan& plan, int id) {
  std::vector<int> stack = at(plan, id).children;
  while (!stack.empty()) {
    const int child = stack.back();
    stack.pop_back();
    const Node& node = at(plan, child);
    if (passes_on(node)) {
      stack.insert(stack.end(), node.children.begin(), node.children.end());
      continue;
    }
    const RowCount rows = count_rows(plan, child);
    if (rows.excuse.empty() && rows.factor > kFactorBelowMax &&
        std::max(rows.actual, rows.estimate) >= kRowsMin) {
      return false;
    }
  }
  return true;
}

// What stands above and was chosen by the estimate.
void look_above(const Examination& in, Misestimate& out) {
  out.affected = out.node;
  for (int below = out.node, up = at(in.plan, below).parent; up != kNone;
       below = up, up = at(in.plan, up).parent) {
    const Node& node = at(in.plan, up);
    if (at(in.plan, below).relation != Relation::Child) break;
    const bool outer = at(in.plan, below).relationship == "Outer";
    if (node.type == "Nested Loop" && outer && out.loop == kNone && !out.rows.over &&
        node.children.size() > 1) {
      const Node& inner = at(in.plan, node.children.back());
      out.loops = inner.actual ? inner.actual->loops : 0;
      if (out.loops >= kLoopsMin) out.loop = up;
    }
    if (is_join_type(node) || node.type == "Sort" ||
        (node.type == "Aggregate" && node.text("Strategy") == "Hashed")) {
      out.affected = up;
    }
  }
  const NodeTime& time = in.timing.nodes[static_cast<size_t>(out.affected)];
  out.affected_ms = time.wall.low();
  out.affected_share =
      in.timing.total_ms > 0 ? std::min(out.affected_ms / in.timing.total_ms, 1.0) : 0;
}

void add_conditions(const Examination& in, Misestimate& out) {
  const Node& node = at(in.plan, out.node);
  if (!scans_table(node)) return;
  out.facts = in.facts.find(node.object.schema, node.object.relation);
  if (auto filter = conditions_of(in.plan, out.node, "Filter", out.node)) {
    out.predicates = *std::move(filter);
  }
  Sought sought = sought_by(in.plan, out.node);
  out.predicates.insert(out.predicates.end(), sought.predicates.begin(), sought.predicates.end());
}

std::string cause_key(const Plan& plan, const Misestimate& miss) {
  const Node& node = at(plan, miss.node);
  if (!scans_table(node)) return cat("#", miss.node);
  if (miss.facts && miss.facts->tree != kNone) return cat("tree ", miss.facts->tree);
  return cat(node.object.schema, "\n", node.object.relation);
}

}  // namespace

std::vector<Misestimate> lowest_misestimates(const Examination& in) {
  std::vector<Misestimate> out;
  if (!in.plan.timed()) return out;
  std::set<std::string> told;
  for (int id = 0; id < static_cast<int>(in.plan.nodes.size()); ++id) {
    const Node& node = at(in.plan, id);
    if (!estimates(node) || !node.actual || node.never_executed()) continue;
    Misestimate miss;
    miss.node = id;
    miss.rows = count_rows(in.plan, id);
    if (!wrong(miss.rows) || !right_below(in.plan, id)) continue;
    look_above(in, miss);
    if (miss.affected_share < in.policy.saving_share_min ||
        miss.affected_ms < in.policy.saving_ms_min) {
      continue;
    }
    add_conditions(in, miss);
    if (told.insert(cause_key(in.plan, miss)).second) out.push_back(std::move(miss));
  }
  return out;
}

}  // namespace pgtend::explain
