#include "vacuum/loads.h"

#include <algorithm>

namespace pgtend::vacuum {
namespace {

constexpr int kLevelsMax = 64;        // of partitions: a loop in what the server tells ends
constexpr seconds kCountersLate{60};  // they come within 10 s; up to 14 by way of a collector

}  // namespace

// Both tell of the same rows: the counters late, the pooler only of what went through it.
int64_t Loads::Known::changed() const { return std::max({table.modified - old_news, told, below}); }

int64_t Loads::Known::fresh() const {
  return std::min(changed(), std::max({table.inserted - inserted_at, told, below_new}));
}

double Loads::Known::rows() const { return std::max(table.rows, rows_below); }

int64_t Loads::new_among(Known& known, int64_t changes, SteadyTime now) {
  if (now >= known.late_until) known.late = 0;
  const int64_t old = std::clamp<int64_t>(changes, 0, known.late);
  known.late -= old;
  return changes - old;
}

void Loads::add_below(uint32_t parent, const Step& step, SteadyTime now) {
  for (int level = 0; parent != 0 && level < kLevelsMax; ++level) {
    const auto found = known_.find(parent);
    if (found == known_.end()) return;
    const int64_t changes = new_among(found->second, step.changes, now);
    found->second.below += changes;
    found->second.below_new += std::min(changes, step.inserts);
    parent = found->second.table.parent;
  }
}

void Loads::look(const std::vector<facts::TableChanges>& tables, SteadyTime now) {
  std::map<uint32_t, Step> steps;
  for (auto& [oid, known] : known_) {
    known.looked = false;
    known.rows_below = 0;
  }
  for (const facts::TableChanges& table : tables) {
    const auto [at, added] = known_.try_emplace(table.oid);
    Known& known = at->second;
    // A counter that went back was reset by an ANALYZE: what it shows now is new.
    const bool reset = table.modified < known.table.modified;
    if (reset) known.told = known.old_news = 0;
    const int64_t changes = table.modified - (reset ? 0 : known.table.modified);
    // What came since the ANALYZE may all be inserts.
    if (added || reset) known.inserted_at = table.inserted - table.modified;
    if (!added) {
      steps[table.oid] = {.changes = changes, .inserts = table.inserted - known.table.inserted};
      known.old_news += changes - new_among(known, changes, now);
    }
    known.table = table;
    known.looked = true;
  }
  std::erase_if(known_, [](const auto& each) { return !each.second.looked; });
  for (const facts::TableChanges& table : tables) {
    const auto step = steps.find(table.oid);
    if (step != steps.end()) add_below(table.parent, step->second, now);
    uint32_t above = table.partitioned ? 0 : table.parent;
    for (int level = 0; above != 0 && level < kLevelsMax; ++level) {
      const auto found = known_.find(above);
      if (found == known_.end()) break;
      found->second.rows_below += table.rows;
      above = found->second.table.parent;
    }
  }
}

void Loads::loaded(uint32_t oid, int64_t rows) {
  const auto found = known_.find(oid);
  if (found == known_.end()) return;
  Known& known = found->second;
  known.told = known.changed() + rows;
}

void Loads::analysed(uint32_t oid, milliseconds took, bool well, SteadyTime now) {
  const auto found = known_.find(oid);
  if (found == known_.end()) return;
  Known& known = found->second;
  known.rest_until = now + std::max(policy_.pause_min, took * policy_.duty);
  if (!well) return;
  const int64_t counted = std::max(known.table.modified - known.old_news, known.below);
  known.late = std::max<int64_t>(known.told - counted, 0);
  known.late_until = now + kCountersLate;
  known.told = known.below = known.below_new = known.old_news = 0;
  known.table.modified = 0;
  known.inserted_at = known.table.inserted + known.late;
}

std::vector<facts::TableChanges> Loads::due(SteadyTime now, const Rises& rises) const {
  std::vector<std::pair<double, const Known*>> found;
  for (const auto& [oid, known] : known_) {
    const int64_t changed = known.changed();
    if (!known.table.maintain || now < known.rest_until || changed < policy_.rows_min) continue;
    const double rows = std::max(known.rows(), 1.0);
    const double share = static_cast<double>(changed) / rows;
    const auto fresh = static_cast<double>(known.fresh());
    const bool many_new = fresh >= static_cast<double>(policy_.rows_min) &&
                          fresh > policy_.new_share_min * rows && share <= policy_.share_min;
    if (share > policy_.share_min || (many_new && rises(oid))) found.emplace_back(share, &known);
  }
  std::ranges::stable_sort(found, std::ranges::greater{}, &std::pair<double, const Known*>::first);
  std::vector<facts::TableChanges> out;
  for (const auto& [share, known] : found) out.push_back(known->table);
  return out;
}

}  // namespace pgtend::vacuum
