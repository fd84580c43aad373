#include "vacuum/autoanalyze.h"

#include <utility>

#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

constexpr double kNear = 0.5;  // of the limit
constexpr size_t kKeptMax = 200;
constexpr size_t kKeptBytesMax = 64UL << 20U;
constexpr size_t kKeptALook = 20;  // tables that are read at one look

size_t bytes_of(const Statistics& statistics) {
  size_t out = 0;
  for (const facts::KeptColumn& column : statistics.kept) out += column.bytes();
  for (const facts::ColumnFacts& column : statistics.columns) {
    if (!column.stats) continue;
    for (const auto* list : {&column.stats->common_values, &column.stats->histogram_bounds}) {
      for (const std::string& value : *list) out += sizeof(value) + value.size();
    }
  }
  return out;
}

}  // namespace

void Autoanalyses::tables(const std::vector<facts::TableFacts>& tables,
                          const facts::ServerSettings& settings) {
  limited_.clear();
  for (const facts::TableFacts& table : tables) {
    const Triggers limits = triggers(table, settings);
    if (!limits.visited || !limits.enabled || !limits.changes) continue;
    if (!settings.autovacuum.enabled) continue;
    limited_[table.oid] = {.table = table, .limit = *limits.changes};
  }
}

Status Autoanalyses::keep(pg::Connection& conn, const std::vector<uint32_t>& oids) {
  if (oids.empty()) return ok();
  // Counts first: an ANALYZE between the two readings gives nothing to compare, and no wrong jump.
  const auto counts = TRY(facts::load_analyze_counts(conn, oids));
  for (const uint32_t oid : oids) {
    const auto counted = counts.find(oid);
    if (counted == counts.end()) continue;
    Kept kept{.what = {.table = limited_[oid].table}, .counts = counted->second};
    kept.what.before = TRY(statistics_of(conn, oid));
    kept.bytes = bytes_of(kept.what.before);
    if (bytes_ + kept.bytes > kKeptBytesMax) continue;
    bytes_ += kept.bytes;
    kept_[oid] = std::move(kept);
  }
  return ok();
}

Result<std::vector<Replaced>> Autoanalyses::look(pg::Connection& conn,
                                                 const std::vector<facts::TableChanges>& tables) {
  std::vector<uint32_t> oids;
  for (const auto& [oid, kept] : kept_) oids.push_back(oid);
  const auto counts = TRY(facts::load_analyze_counts(conn, oids));
  std::vector<Replaced> out;
  for (const uint32_t oid : oids) {
    Kept& kept = kept_[oid];
    const auto counted = counts.find(oid);
    const bool gone = counted == counts.end();
    const bool replaced = !gone && counted->second.by_autovacuum != kept.counts.by_autovacuum;
    const bool others = !gone && counted->second.by_hand != kept.counts.by_hand;
    if (!gone && !replaced && !others) continue;
    if (replaced && !others) out.push_back(std::move(kept.what));
    bytes_ -= kept.bytes;
    kept_.erase(oid);
  }
  std::vector<uint32_t> near;
  for (const facts::TableChanges& table : tables) {
    const auto limited = limited_.find(table.oid);
    if (limited == limited_.end() || !table.maintain) continue;
    if (const auto kept = kept_.find(table.oid); kept != kept_.end()) {
      // As of the last look before the ANALYZE.
      kept->second.what.table.counters.modified_since_analyze = table.modified;
      continue;
    }
    const bool full = kept_.size() + near.size() >= kKeptMax || near.size() >= kKeptALook;
    if (full || static_cast<double>(table.modified) < kNear * limited->second.limit) continue;
    limited->second.table.counters.modified_since_analyze = table.modified;
    near.push_back(table.oid);
  }
  TRY(keep(conn, near));
  return out;
}

}  // namespace pgtend::vacuum
