#include "pool/statistics.h"

#include "pool/pools.h"

namespace pgtend::pool {
namespace {

uint64_t ratio(uint64_t amount, uint64_t count) { return count == 0 ? 0 : amount / count; }

// What happened between two samples: counts a second, times per transaction, query, assignment.
Counters average(const Counters& now, const Counters& before, double seconds_passed) {
  Counters delta;
#define PGTEND_DELTA(field, name) delta.field = now.field - before.field;
  PGTEND_POOL_COUNTERS(PGTEND_DELTA)
#undef PGTEND_DELTA
  Counters out;
#define PGTEND_RATE(field, name) \
  out.field = static_cast<uint64_t>(static_cast<double>(delta.field) / seconds_passed);
  PGTEND_POOL_COUNTERS(PGTEND_RATE)
#undef PGTEND_RATE
  out.xact_time = ratio(delta.xact_time, delta.xact_count);
  out.query_time = ratio(delta.query_time, delta.query_count);
  return out;
}

}  // namespace

std::map<std::string, Counters> Statistics::totals(Pools& pools) const {
  std::map<std::string, Counters> sums;
  sums["pgbouncer"] = console_;
  pools.each([&](Pool& pool) { sums[pool.database().name].add(pool.counters()); });
  return sums;
}

void Statistics::sample(Pools& pools, SteadyTime now, microseconds period) {
  if (sampled_at_ == SteadyTime{}) sampled_at_ = now;
  if (now - sampled_at_ < period || period.count() == 0) return;
  const double passed = std::chrono::duration<double>(now - sampled_at_).count();
  auto current = totals(pools);
  average_.clear();
  for (const auto& [name, counters] : current) {
    average_[name] = average(counters, before_[name], passed);
  }
  before_ = std::move(current);
  sampled_at_ = now;
}

std::map<std::string, Statistics::Entry> Statistics::by_database(Pools& pools) const {
  std::map<std::string, Entry> entries;
  for (const auto& [name, counters] : totals(pools)) {
    const auto found = average_.find(name);
    entries[name] = {counters, found == average_.end() ? Counters{} : found->second};
  }
  return entries;
}

}  // namespace pgtend::pool
