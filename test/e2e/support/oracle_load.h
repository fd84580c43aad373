// Clients that change a table and repeat each change on a plain one in the same transaction: when
// they end, both must hold the same rows, whatever was done to the first meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "pg/options.h"

namespace pgtend::e2e {

struct OracleDeeds {
  int64_t inserted = 0;
  int64_t updated = 0;
  int64_t moved = 0;    // to another time, or by what moves them, so often to another partition
  int64_t renamed = 0;  // to another key
  int64_t deleted = 0;
  std::string error = {};  // the first; lost connections do not count, they are opened again
};

// SQL: where the times of the rows begin. Near the present, so that few partitions cover them.
inline constexpr const char* kOracleStart = "(date_trunc('month', now()) - interval '3 months')";

// Writes into t and o, (id bigint, at timestamptz, v numeric), whose ids 1 to `rows` are there,
// with times from kOracleStart on for 89 days. Thread: each writer has its own.
class OracleLoad {
 public:
  // New ids are `fresh` and above: another load of the same tables needs others. `move` is what an
  // UPDATE sets to take a row elsewhere; "" gives it another time.
  OracleLoad(const pg::Options& options, int64_t rows, int64_t fresh = 1'000'000,
             const std::string& move = "");
  ~OracleLoad();
  // Ends it, after some more transactions of each writer; all deeds together.
  OracleDeeds end();

 private:
  class Writer;
  std::atomic<bool> stop_ = false;
  std::deque<Writer> writers_;
  std::vector<std::jthread> threads_;
};

}  // namespace pgtend::e2e
