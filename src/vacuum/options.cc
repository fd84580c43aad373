#include "vacuum/options.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "vacuum/server_rules.h"
#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionBufferLimit = 160000;
constexpr int64_t kAgeOfEmergency = 1'000'000'000;
constexpr Bytes kFreezeSizeMin{64 << 20};
constexpr Bytes kMemoryMax{1 << 30};
constexpr Bytes kRingMin{2 << 20};
constexpr double kCostDelayMs = 2;
constexpr int64_t kCostLimitMax = 10'000;
constexpr double kPageBytes = 8192;

// Partitions beyond this share of the lock table are not locked beside: others need it.
constexpr double kLockShareMax = 0.25;

std::string megabytes(Bytes bytes) { return cat(bytes.count >> 20, "MB"); }

bool in_emergency(const facts::TableFacts& table) {
  return std::max(table.xid_age, table.mxid_age) >= kAgeOfEmergency;
}

// Why the table should be frozen now, "" if there is no reason.
std::string why_freeze(const facts::TableFacts& table, const facts::ServerSettings& settings) {
  const Triggers limits = triggers(table, settings);
  const auto half = [](int64_t age, int64_t limit) { return limit > 0 && age >= limit / 2; };
  if (half(table.xid_age, limits.xid_age)) {
    return cat("its oldest row is ", grouped(table.xid_age), " transactions old; at ",
               grouped(limits.xid_age),
               " autovacuum freezes it at a time of its own choice, and is not to be stopped");
  }
  if (half(table.mxid_age, limits.mxid_age)) {
    return cat("its oldest multixact is ", grouped(table.mxid_age), " multixacts old; at ",
               grouped(limits.mxid_age), " autovacuum freezes it at a time of its own choice");
  }
  const facts::TableCounters& counters = table.counters;
  const bool only_grows =
      counters.present && counters.inserted > 0 && counters.updated == 0 && counters.deleted == 0;
  if (only_grows && table.size.heap >= kFreezeSizeMin) {
    return cat(
        grouped(counters.inserted),
        " rows were inserted and none changed: frozen now, a page need not be visited again");
  }
  return "";
}

void choose_memory(const facts::TableFacts& table, const facts::ServerSettings& settings,
                   const facts::Upkeep& upkeep, const Means& means, Choice& out) {
  if (settings.version >= kVersionTidStore) return;
  const Bytes needed{table.counters.rows_dead * kTidBytes};
  const Bytes has{upkeep.costs.memory_kb * 1024};
  if (needed <= has || has.count <= 0) return;
  const Bytes most{std::min(kMemoryMax.count, upkeep.shared_buffers.count / 4 / means.jobs)};
  const Bytes wanted{std::min(needed.count + (1 << 20), most.count)};
  if (wanted <= has) return;
  const auto passes = [&](Bytes memory) { return (needed.count - 1) / memory.count + 1; };
  out.settings.push_back(
      {cat("maintenance_work_mem = '", megabytes(wanted), "'"),
       cat(grouped(table.counters.rows_dead), " dead rows then take ", passes(wanted),
           " instead of ", passes(has), " passes over the indexes")});
}

void choose_speed(const facts::Upkeep& upkeep, const Means& means, Choice& out) {
  if (means.io_mb_s <= 0) return;
  const double pages_s = static_cast<double>(means.io_mb_s) * 1e6 / kPageBytes;
  const double limit =
      pages_s * upkeep.costs.page_miss * kCostDelayMs / 1000 / static_cast<double>(means.jobs);
  const auto whole = std::clamp<int64_t>(static_cast<int64_t>(limit), 1, kCostLimitMax);
  out.settings.push_back({"vacuum_cost_delay = '2ms'", "the I/O limit is kept by short sleeps"});
  out.settings.push_back({cat("vacuum_cost_limit = ", whole),
                          cat("it reads at most ", means.io_mb_s, " MB/s",
                              means.jobs > 1 ? cat(", shared by ", means.jobs, " jobs") : "")});
}

void choose_vacuum(const facts::TableFacts& table, const facts::ServerSettings& settings,
                   const facts::Upkeep& upkeep, const Means& means, Choice& out) {
  const std::string freeze = why_freeze(table, settings);
  if (!freeze.empty()) out.options.push_back({"FREEZE", freeze});
  const auto found = upkeep.indexes_big.find(table.oid);
  const int64_t indexes = found == upkeep.indexes_big.end() ? 0 : found->second;
  const int64_t workers = std::min(indexes - 1, upkeep.parallel_workers_max / means.jobs);
  if (indexes > 1) {
    if (means.quiet && workers > 0) {
      out.options.push_back(
          {cat("PARALLEL ", workers), cat(indexes, " indexes of at least ",
                                          human(upkeep.parallel_index_min), ", and quiet times")});
    } else {
      out.options.push_back({"PARALLEL 0", "the other cores are left to the clients"});
    }
  }
  if (in_emergency(table)) {
    const std::string why = cat("its age is ", grouped(std::max(table.xid_age, table.mxid_age)),
                                ": what counts is to freeze it soon");
    out.options.push_back({"INDEX_CLEANUP off", why});
    out.options.push_back({"TRUNCATE off", why});
  } else if (upkeep.standbys > 0 && !means.quiet) {
    out.options.push_back(
        {"TRUNCATE off", "standbys replay its ACCESS EXCLUSIVE lock, and cannot give way"});
  }
  if (means.quiet && means.io_mb_s <= 0 && settings.version >= kVersionBufferLimit) {
    const Bytes ring{upkeep.shared_buffers.count / 64 / means.jobs};
    if (ring > kRingMin) {
      out.options.push_back({cat("BUFFER_USAGE_LIMIT '", megabytes(ring), "'"),
                             "with a larger ring the WAL is flushed less often"});
    }
  }
  choose_memory(table, settings, upkeep, means, out);
}

bool parent_alone(const facts::TableFacts& table, const facts::ServerSettings& settings,
                  const facts::Upkeep& upkeep) {
  if (table.kind != 'p' || !upkeep.plpgsql || !table.rights.owner) return false;
  if (settings.version < kVersionParentTimes || settings.version >= kVersionAnalyzeOnly) {
    return false;
  }
  const double locks =
      static_cast<double>(settings.locks_per_transaction) *
      static_cast<double>(settings.connections_max + settings.prepared_transactions_max);
  return table.leaves <= kLockShareMax * locks;
}

}  // namespace

std::string_view name(Job job) {
  switch (job) {
    case Job::Vacuum:
      return "vacuum";
    case Job::Analyze:
      return "analyze";
    case Job::VacuumAnalyze:
      return "vacuum-analyze";
  }
  std::abort();
}

bool leaves_partitions_alone(const facts::TableFacts& table, Job job, int version,
                             const Choice& choice) {
  if (table.kind != 'p' || job != Job::Analyze) return false;
  return choice.parent_alone || version >= kVersionAnalyzeOnly;
}

Choice choose(const facts::TableFacts& table, Job job, const facts::ServerSettings& settings,
              const facts::Upkeep& upkeep, const Means& means) {
  Choice out;
  if (job != Job::Analyze) choose_vacuum(table, settings, upkeep, means, out);
  if (job == Job::Analyze) out.parent_alone = parent_alone(table, settings, upkeep);
  if (means.skip_locked && !out.parent_alone) {
    out.options.push_back({"SKIP_LOCKED", "a table that is locked now comes later"});
  }
  choose_speed(upkeep, means, out);
  return out;
}

json::array to_json(const std::vector<Option>& options) {
  json::array out;
  for (const Option& option : options) {
    out.emplace_back(json::object{{"sql", option.sql}, {"why", option.why}});
  }
  return out;
}

}  // namespace pgtend::vacuum
