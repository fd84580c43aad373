#include "explain/rows.h"

#include <algorithm>
#include <array>

namespace pgtend::explain {
namespace {

// Whether the node's input is split over the participants of the Gather above it.
bool partial(const Plan& plan, int id) {
  for (int at_id = id; at_id != kNone;) {
    const Node& node = at(plan, at_id);
    if (node.parallel_aware && node.type.find("Scan") != std::string::npos) return true;
    if (node.parallel_aware && node.type == "Append") return true;
    int next = kNone;
    for (const int child : node.children) {
      const Node& below = at(plan, child);
      if (below.relation == Relation::Child && below.relationship != "Inner") {
        next = child;
        break;
      }
    }
    at_id = next;
  }
  return false;
}

bool leader_participates(const Plan& plan) {
  const Value* settings = plan.properties.if_contains("Settings");
  const Properties* object = settings ? settings->if_object() : nullptr;
  const Value* value = object ? object->if_contains("parallel_leader_participation") : nullptr;
  return !value || !(*value == "off");
}

bool blocks_rows(const Node& node) {
  static constexpr std::array<std::string_view, 5> kBlocking = {"Sort", "Hash", "Aggregate",
                                                                "Materialize", "WindowAgg"};
  return std::ranges::find(kBlocking, node.type) != kBlocking.end();
}

// Why the parent may not want all rows of a node; "" if it wants them.
std::string_view stops_early(const Plan& plan, int id) {
  for (int child = id, up = at(plan, id).parent; up != kNone;
       child = up, up = at(plan, up).parent) {
    const Node& parent = at(plan, up);
    if (at(plan, child).relation == Relation::SubPlan) return "a sub-plan may stop early";
    if (at(plan, child).relation != Relation::Child) return {};
    if (parent.type == "Limit") return "under LIMIT";
    if (parent.type == "Merge Join") return "a merge join may stop early or read again";
    const Value* unique = parent.properties.if_contains("Inner Unique");
    const std::string_view join = parent.text("Join Type");
    const bool inner = at(plan, child).relationship == "Inner";
    const bool first_only =
        join == "Semi" || join == "Anti" || (unique && unique->is_bool() && unique->get_bool());
    if (inner && first_only && parent.type == "Nested Loop")
      return "the join stops at the first match";
    if (blocks_rows(parent)) return {};
  }
  return {};
}

std::string_view excuse_of(const Plan& plan, int id) {
  const Node& node = at(plan, id);
  if (!node.actual) return "not executed";
  if (node.never_executed()) return "never executed";
  if (node.type == "BitmapAnd" || node.type == "BitmapOr") return "not counted";
  if (node.type == "ModifyTable") return "returns no rows";
  return stops_early(plan, id);
}

}  // namespace

double parallel_divisor(double workers, bool leader_participates) {
  return workers + (leader_participates ? std::max(0.0, 1 - 0.3 * workers) : 0.0);
}

RowCount count_rows(const Plan& plan, int id) {
  const Node& node = at(plan, id);
  RowCount out;
  out.excuse = excuse_of(plan, id);
  out.estimate = node.estimate.rows;
  const int gather = at(plan, id).gather;
  const bool split = gather != kNone && partial(plan, id);
  if (split) {
    const double workers = at(plan, gather).number("Workers Planned").value_or(0);
    const double divisor = parallel_divisor(workers, leader_participates(plan));
    const double loops =
        at(plan, gather).actual ? std::max(at(plan, gather).actual->loops, 1.0) : 1;
    out.estimate *= std::max(divisor, 1.0) * loops;
  } else if (node.actual) {
    // Run whole in every loop: rescans of an inner side, or copies of it in several workers.
    out.estimate *= std::max(node.actual->loops, 1.0);
  }
  if (!node.actual) return out;
  const double loops = node.actual->loops;
  const double unit = plan.rows_have_decimals ? 0.005 : 0.5;
  out.actual = node.actual->rows * loops;
  out.error = loops > 1 ? unit * loops : 0;
  const double per = split ? 1 : std::max(loops, 1.0);
  const double a = std::max(out.actual / per, 1.0), e = std::max(out.estimate / per, 1.0);
  out.factor = std::max(a, e) / std::min(a, e);
  out.over = e > a;
  return out;
}

RemovedRows removed_rows(const Plan& plan, int id, std::string_view property) {
  const Node& node = at(plan, id);
  const std::optional<double> mean = node.number(property);
  if (!mean || !node.actual) return {};
  const double loops = node.actual->loops;
  return {*mean * loops, loops > 1 ? 0.5 * loops : 0};
}

}  // namespace pgtend::explain
