// What counting a query by its shape costs the pool: nanoseconds a call, of one thread, median of
// rounds. Prints a section of bench/RESULTS.md.
//
// queries_bench [rounds]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/text.h"
#include "pool/queries.h"
#include "pool/shape.h"

namespace pgtend::pool {
namespace {

constexpr int kCalls = 200'000;

template <class Work>
double nanoseconds_a_call(int rounds, Work work) {
  std::vector<double> times;
  for (int round = 0; round <= rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) work(i);
    const std::chrono::duration<double, std::nano> passed =
        std::chrono::steady_clock::now() - start;
    if (round > 0) times.push_back(passed.count() / kCalls);  // the first warms the caches
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void run(int rounds) {
  std::vector<std::pair<std::string, std::string>> texts = {
      {"SELECT 1", "SELECT 1"},
      {"pgbench's SELECT", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;"},
      {"a join of 400 bytes",
       "SELECT c.customer_id, m.meter_id, date_trunc('day', d.reading_time) AS day, sum(d.value) "
       "AS total, count(*) FILTER (WHERE d.quality <> 'ok') AS bad FROM m_customerinfo c JOIN "
       "m_meterinfo m ON m.customer_id = c.customer_id JOIN t_dlpdata d ON d.meter_id = m.meter_id "
       "WHERE c.region = 'north' AND d.reading_time >= '2026-01-01' AND d.reading_time < "
       "'2026-02-01' AND m.kind IN ('gas', 'power', 'water') GROUP BY 1, 2, 3 ORDER BY total "
       "DESC"}};
  std::string rows = "INSERT INTO t_dlpdata VALUES (1, '2026-01-01', 2.5)";
  while (rows.size() < 100'000) rows += ", (1, '2026-01-01', 2.5)";
  texts.emplace_back("INSERT of 100 KB", rows);

  fmt::print(
      "## Queries by shape\n\nNanoseconds a call on one thread, median of {} rounds.\n\n"
      "| text | shape of a new text | of a known one | begin and end |\n|---|---|---|---|\n",
      rounds);
  Queries queries;
  const Queries::Owner owner("meter", "app");
  for (const auto& [name, sql] : texts) {
    uint64_t sum = 0;
    const double shape = nanoseconds_a_call(rounds, [&](int) { sum += shape_of(sql); });
    const double cached = nanoseconds_a_call(rounds, [&](int) { sum += queries.shape(sql); });
    const uint64_t known = shape_of(sql);
    const double count = nanoseconds_a_call(rounds, [&](int i) {
      const SteadyTime now{microseconds(i)};
      const uint64_t key = queries.begin(owner, known, sql, now);
      queries.end(owner, key, {.rows = sum & 1, .time = microseconds(i & 1023)}, now);
    });
    fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} |\n", name, shape, cached, count);
  }
}

}  // namespace
}  // namespace pgtend::pool

int main(int argc, char** argv) {
  const auto rounds = argc > 1 ? pgtend::parse_int(argv[1]).take() : 9;
  pgtend::pool::run(static_cast<int>(rounds));
  return 0;
}
