#include "pool/statistics.h"

#include <algorithm>

#include "base/text.h"
#include "pool/pools.h"

namespace pgtend::pool {
namespace {

uint64_t ratio(uint64_t amount, uint64_t count) { return count == 0 ? 0 : amount / count; }

Counters difference(const Counters& now, const Counters& before) {
  Counters delta;
#define PGTEND_DELTA(field, name) delta.field = now.field - before.field;
  PGTEND_POOL_COUNTERS(PGTEND_DELTA)
#undef PGTEND_DELTA
  return delta;
}

}  // namespace

void Statistics::Sums::add(const Sums& other) {
  total.add(other.total);
  period.add(other.period);
  seconds = std::max(seconds, other.seconds);
}

Counters Statistics::Sums::average() const {
  Counters out;
  if (seconds <= 0) return out;
#define PGTEND_RATE(field, name) \
  out.field = static_cast<uint64_t>(static_cast<double>(period.field) / seconds);
  PGTEND_POOL_COUNTERS(PGTEND_RATE)
#undef PGTEND_RATE
  out.xact_time = ratio(period.xact_time, period.xact_count);
  out.query_time = ratio(period.query_time, period.query_count);
  return out;
}

std::map<std::string, Counters> Statistics::totals(Pools& pools) const {
  std::map<std::string, Counters> sums = past_;
  sums["pgbouncer"] = console_;
  pools.each([&](Pool& pool) { sums[pool.database().name].add(pool.counters()); });
  return sums;
}

void Statistics::keep(Pool& pool) { past_[pool.database().name].add(pool.counters()); }

bool Statistics::sample(Pools& pools, SteadyTime now, microseconds period) {
  if (sampled_at_ == SteadyTime{}) sampled_at_ = now;
  if (now - sampled_at_ < period || period.count() == 0) return false;
  const double passed = std::chrono::duration<double>(now - sampled_at_).count();
  auto current = totals(pools);
  period_.clear();
  for (const auto& [name, counters] : current) {
    period_[name] = difference(counters, before_[name]);
  }
  period_seconds_ = passed;
  before_ = std::move(current);
  sampled_at_ = now;
  return period_seconds_ > 0;
}

// PgBouncer's words, which log readers know.
std::string Statistics::line_of(const Counters& average) {
  return cat("stats: ", average.xact_count, " xacts/s, ", average.query_count, " queries/s, ",
             average.client_parse_count, " client parses/s, ", average.server_parse_count,
             " server parses/s, ", average.bind_count, " binds/s, ", average.client_login_count,
             " client logins/s, in ", average.bytes_received, " B/s, out ", average.bytes_sent,
             " B/s, xact ", average.xact_time, " us, query ", average.query_time, " us, wait ",
             average.wait_time, " us");
}

std::map<std::string, Statistics::Sums> Statistics::by_database(Pools& pools) const {
  std::map<std::string, Sums> sums;
  for (const auto& [name, counters] : totals(pools)) {
    const auto found = period_.find(name);
    sums[name] = {counters, found == period_.end() ? Counters{} : found->second, period_seconds_};
  }
  return sums;
}

}  // namespace pgtend::pool
