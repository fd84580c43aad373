#include "explain/access.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/access_signals.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

// What makes two accesses one cause.
std::string cause_of(const Plan& plan, const Access& access) {
  const Node& node = at(plan, access.nodes[0]);
  std::string out = access.facts && access.facts->tree != kNone
                        ? cat("tree ", access.facts->tree)
                        : cat(node.object.schema, "\n", node.object.relation);
  out += cat("\n", static_cast<int>(access.kind));
  for (const sql::Predicate& predicate : access.predicates) {
    out += cat("\n", predicate.column, "\n", static_cast<int>(predicate.operators));
  }
  for (const sql::SortKey& key : access.order)
    out += cat("\n", key.column, key.descending ? " down" : "");
  return out;
}

void merge(Access& into, const Access& other) {
  into.nodes.insert(into.nodes.end(), other.nodes.begin(), other.nodes.end());
  if (std::ranges::find(into.relations, other.relations[0]) == into.relations.end()) {
    into.relations.push_back(other.relations[0]);
    into.table_rows += other.table_rows;
    into.table_pages += other.table_pages;
  }
  into.kept += other.kept;
  into.removed += other.removed;
  into.wanted += other.wanted;
  into.pages += other.pages;
  into.self_ms += other.self_ms;
  into.self_low_ms += other.self_low_ms;
  into.time_share += other.time_share;
}

bool material(const Access& access, const Policy& policy) {
  const bool filters =
      access.kind == AccessKind::SequentialScan || access.kind == AccessKind::IndexScan;
  const double saved = filters ? 1 - access.kept_share() : 1;
  const double saved_share = access.time_share * saved;
  if (access.timed) {
    return saved_share >= policy.saving_share_min &&
           access.self_low_ms * saved >= policy.saving_ms_min;
  }
  return saved_share >= (access.measured ? policy.blocks_share_min : policy.saving_share_min);
}

bool worth_it(const Access& access, const Policy& policy) {
  if (!material(access, policy)) return false;
  switch (access.kind) {
    case AccessKind::SequentialScan:
    case AccessKind::IndexScan:
      return 1 - access.kept_share() >= policy.removed_share_min &&
             access.pages >= policy.pages_min;
    case AccessKind::LimitedOrder:
    case AccessKind::Sort:
    case AccessKind::TrailingKeys:
      return access.pages >= policy.pages_min;
    case AccessKind::Inner:
    case AccessKind::Bitmaps:
      return true;
  }
  return true;
}

}  // namespace

double Access::wanted_share() const {
  if (table_rows <= 0) return 1;
  return std::min(wanted / std::max(probes, 1.0) / table_rows, 1.0);
}

std::vector<Access> wasteful_accesses(const Examination& examination,
                                      std::vector<std::string>& warnings) {
  std::vector<Access> causes;
  std::map<std::string, size_t> places;
  std::set<int> taken;
  for (const AccessSignal signal : access_signals()) {
    for (int id = 0; id < static_cast<int>(examination.plan.nodes.size()); ++id) {
      auto access = signal(examination, id, warnings);
      if (!access ||
          std::ranges::any_of(access->nodes, [&](int node) { return taken.contains(node); })) {
        continue;
      }
      taken.insert(access->nodes.begin(), access->nodes.end());
      const auto [place, added] =
          places.emplace(cause_of(examination.plan, *access), causes.size());
      if (added) {
        causes.push_back(std::move(*access));
      } else {
        merge(causes[place->second], *access);
      }
    }
  }
  std::erase_if(causes,
                [&](const Access& access) { return !worth_it(access, examination.policy); });
  return causes;
}

}  // namespace pgtend::explain
