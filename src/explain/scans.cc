#include "explain/scans.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/rows.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

// Scanned again and again for an outer side: another cause (an inner side without an index).
bool rescanned(const Plan& plan, int id) {
  const Node& node = at(plan, id);
  if (!node.actual) return false;
  const int gather = at(plan, id).gather;
  if (gather == kNone) return node.actual->loops > 1;
  const Node& above = at(plan, gather);
  const double launched = above.number("Workers Launched").value_or(0);
  return node.actual->loops >
         (launched + 1) * std::max(above.actual ? above.actual->loops : 1, 1.0);
}

std::string display_name(const Node& node) {
  const Object& object = node.object;
  return object.schema.empty() ? object.relation : cat(object.schema, ".", object.relation);
}

// Pages the scan has read, or holds.
void set_pages(WastefulScan& scan, const Examination& in, int id) {
  const Node& node = at(in.plan, id);
  if (node.blocks && node.actual) {
    scan.pages = in.timing.nodes[static_cast<size_t>(id)].self_blocks;
  } else if (scan.facts && scan.facts->table && scan.facts->table->size.pages > 0) {
    scan.pages = static_cast<double>(scan.facts->table->size.pages);
  } else {
    constexpr double kTupleOverhead = 28, kPage = 8192;
    scan.pages =
        std::ceil((scan.kept + scan.removed) * (node.estimate.width + kTupleOverhead) / kPage);
    scan.pages_estimated = true;
  }
}

// Share of the statement that the node alone costs: by time, by blocks, or by the planner's cost.
double weight_of(const Examination& in, int id) {
  const NodeTime& time = in.timing.nodes[static_cast<size_t>(id)];
  const Node& root = in.plan.root();
  if (in.plan.timed()) return in.timing.total_ms > 0 ? time.self.low() / in.timing.total_ms : 0;
  if (in.plan.analyzed() && root.blocks && root.blocks->shared() > 0) {
    return time.self_blocks / root.blocks->shared();
  }
  if (root.estimate.total_cost <= 0) return 0;
  return std::min(at(in.plan, id).estimate.total_cost / root.estimate.total_cost, 1.0);
}

// The scan at `id` on its own; nullopt when it is none of ours or cannot be judged.
std::optional<WastefulScan> scan_at(const Examination& in, int id,
                                    std::vector<std::string>& warnings) {
  const Node& node = at(in.plan, id);
  if (node.type != "Seq Scan" || node.object.relation.empty()) return {};
  if (node.text("Filter").empty() || node.never_executed() || rescanned(in.plan, id)) return {};
  WastefulScan out;
  out.nodes = {id};
  out.relations = {display_name(node)};
  out.facts = in.facts.find(node.object.schema, node.object.relation);
  out.measured = node.actual.has_value();
  out.timed = in.plan.timed();
  const RowCount rows = count_rows(in.plan, id);
  if (out.measured) {
    out.kept = rows.actual;
    out.removed = removed_rows(in.plan, id, "Rows Removed by Filter").total;
  } else if (out.facts && out.facts->table && out.facts->table->rows() > 0) {
    out.kept = rows.estimate;
    out.removed = std::max(out.facts->table->rows() - rows.estimate, 0.0);
  } else {
    warnings.push_back(cat("how much the scan of ", printable(display_name(node)),
                           " throws away is unknown without ANALYZE and without its row count"));
    return {};
  }
  set_pages(out, in, id);
  const auto filter = sql::parse_expression(node.text("Filter"));
  if (!filter) {
    warnings.push_back(cat(
        "the filter on ", printable(display_name(node)),
        " cannot be parsed, so no index is proposed for it: ", printable(filter.error().message)));
    return {};
  }
  out.predicates = sql::predicates(*filter);
  const NodeTime& time = in.timing.nodes[static_cast<size_t>(id)];
  out.self_ms = time.self.mid;
  out.self_low_ms = time.self.low();
  out.time_share = weight_of(in, id);
  return out;
}

// What makes two scans one cause.
std::string cause_of(const Plan& plan, const WastefulScan& scan) {
  const Node& node = at(plan, scan.nodes[0]);
  std::string out = scan.facts && scan.facts->tree != kNone
                        ? cat("tree ", scan.facts->tree)
                        : cat(node.object.schema, "\n", node.object.relation);
  for (const sql::Predicate& predicate : scan.predicates) {
    out += cat("\n", predicate.column, "\n", static_cast<int>(predicate.operators));
  }
  return out;
}

void merge(WastefulScan& into, const WastefulScan& other) {
  into.nodes.push_back(other.nodes[0]);
  if (std::ranges::find(into.relations, other.relations[0]) == into.relations.end()) {
    into.relations.push_back(other.relations[0]);
  }
  into.kept += other.kept;
  into.removed += other.removed;
  into.pages += other.pages;
  into.self_ms += other.self_ms;
  into.self_low_ms += other.self_low_ms;
  into.time_share += other.time_share;
}

bool worth_it(const WastefulScan& scan, const Policy& policy) {
  const double removed_share = 1 - scan.kept_share();
  if (removed_share < policy.removed_share_min || scan.pages < policy.pages_min) return false;
  const double saved_share = scan.time_share * removed_share;
  if (scan.timed) {
    return saved_share >= policy.saving_share_min &&
           scan.self_low_ms * removed_share >= policy.saving_ms_min;
  }
  return saved_share >= (scan.measured ? policy.blocks_share_min : policy.saving_share_min);
}

}  // namespace

std::vector<WastefulScan> wasteful_scans(const Examination& examination,
                                         std::vector<std::string>& warnings) {
  std::vector<WastefulScan> causes;
  std::map<std::string, size_t> places;
  for (int id = 0; id < static_cast<int>(examination.plan.nodes.size()); ++id) {
    auto scan = scan_at(examination, id, warnings);
    if (!scan) continue;
    const auto [place, added] = places.emplace(cause_of(examination.plan, *scan), causes.size());
    if (added) {
      causes.push_back(std::move(*scan));
    } else {
      merge(causes[place->second], *scan);
    }
  }
  std::erase_if(causes,
                [&](const WastefulScan& scan) { return !worth_it(scan, examination.policy); });
  return causes;
}

}  // namespace pgtend::explain
