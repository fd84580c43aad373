// What a log of auto_explain says as a whole: the shapes of queries that cost most, and the plans
// each of them ran with. Memory does not grow with the log: texts are known again by what they look
// like without their numbers, one example is kept for each plan, and what costs least is counted
// together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/histogram.h"
#include "explain/log_records.h"
#include "explain/read_plans.h"

namespace pgtend::explain {

// Runs whose times are known.
struct LogRuns {
  uint64_t calls = 0;
  double total_ms = 0;
  double fastest_ms = 0;
  double slowest_ms = 0;
  SmallHistogram times_us = {};
  std::string first = {};  // when, as logged; "" when the log does not tell
  std::string last = {};

  double mean_ms() const { return calls == 0 ? 0 : total_ms / static_cast<double>(calls); }
  double quantile_ms(double share) const {
    return static_cast<double>(times_us.quantile(share)) / 1000;
  }
  void add(const LoggedPlan& plan);
};

// The runs of one query with plans of one shape.
struct LoggedShape {
  uint64_t shape = 0;
  LogRuns runs = {};
  LoggedPlan slowest = {};  // its text is "" when it was too large to keep
  size_t file = 0;          // of the slowest, in the order of begin_file()
};

struct LoggedQuery {
  uint64_t id = 0;        // PostgreSQL's grammar's fingerprint, or of the words if that cannot be
  std::string text = {};  // of the first run, literals as $1 (or ?); may be cut
  LogRuns runs = {};
  std::vector<LoggedShape> shapes = {};  // by total time, largest first
};

// What a summary keeps at most.
struct SummaryLimits {
  size_t queries_max = 4'000;
  size_t shapes_max = 8'000;                     // of all queries
  size_t keys_max = 200'000;                     // looks of texts
  size_t example_bytes_max = size_t{1} << 20;    // of one example; a longer one is not kept
  size_t examples_bytes_max = size_t{48} << 20;  // of all
};

// Thread: one.
class LogSummary {
 public:
  explicit LogSummary(const SummaryLimits& limits = {}) : limits_(limits) {}

  // The plans that come now are of the next file.
  void begin_file() { ++files_; }
  // Counts a plan; may take its text. Cost: O(size); a text that looks like none before is parsed.
  void add(LoggedPlan& plan);

  uint64_t plans() const { return plans_; }
  uint64_t unread() const { return unread_; }  // records that no plan could be read from
  const std::string& first_problem() const { return first_problem_; }
  double total_ms() const { return total_ms_; }
  const std::string& first() const { return first_; }  // time of the first record
  const std::string& last() const { return last_; }
  // Queries that cost too little to be kept one by one, together.
  uint64_t other_calls() const { return other_calls_; }
  double other_ms() const { return other_ms_; }
  size_t queries() const { return queries_.size(); }

  // The `count` queries of the largest total time, largest first.
  std::vector<LoggedQuery> worst(size_t count) const;

 private:
  // Where a run is counted.
  struct Place {
    uint32_t query = 0;
    uint32_t shape = 0;
  };

  bool find_place(const LoggedPlan& plan, uint64_t key, Place& place);
  uint32_t query_of(std::string_view sql);
  uint32_t shape_of(uint32_t query, uint64_t shape);
  void keep_example(LoggedShape& shape, LoggedPlan& plan);
  void forget_cheapest();
  void forget_examples();

  SummaryLimits limits_;
  std::vector<LoggedQuery> queries_;
  std::unordered_map<uint64_t, Place> places_;          // by the look of the whole text
  std::unordered_map<uint64_t, uint32_t> query_looks_;  // by the look of the query's text
  std::unordered_map<uint64_t, uint32_t> query_ids_;
  size_t shapes_ = 0;
  size_t example_bytes_ = 0;
  size_t files_ = 0;
  uint64_t plans_ = 0;
  uint64_t unread_ = 0;
  double total_ms_ = 0;
  uint64_t other_calls_ = 0;
  double other_ms_ = 0;
  std::string first_;
  std::string last_;
  std::string first_problem_;
};

}  // namespace pgtend::explain
