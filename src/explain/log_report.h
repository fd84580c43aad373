// The queries of a log that cost most, each with its plans explained.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "care/finding.h"
#include "explain/explain.h"
#include "explain/log_summary.h"

namespace pgtend::explain {

struct ShapeReport {
  LoggedShape logged = {};
  std::optional<Report> report = {};  // on its slowest run; none when its text was not kept
};

struct QueryReport {
  LoggedQuery logged = {};               // its `shapes` are moved to the member below
  std::vector<ShapeReport> shapes = {};  // those that cost most, by total time
  size_t shapes_left_out = 0;
  std::optional<care::Finding> flip = {};  // G10: it ran with plans of very different speed
};

struct LogReport {
  std::vector<std::string> files = {};
  uint64_t bytes = 0;
  uint64_t plans = 0;
  uint64_t unread = 0;
  uint64_t too_long = 0;
  std::string first_problem = {};
  std::string first = {};  // time of the first and last record; "" if not told
  std::string last = {};
  double total_ms = 0;
  size_t queries = 0;        // shapes of queries that were told apart
  uint64_t other_calls = 0;  // runs of others that cost too little to be told apart
  double other_ms = 0;
  std::vector<QueryReport> worst = {};  // by total time
};

// Explains one plan: with a server's facts or without.
using ExaminePlan = std::function<Result<Report>(ReadPlan)>;

// The `count` worst queries of `summary`, the slowest run of each of their plans explained by
// `examine`. Errors: those of `examine`.
Result<LogReport> report_log(const LogSummary& summary, size_t count, const ExaminePlan& examine);

struct LogRenderOptions {
  bool ascii = false;
  size_t width = 100;  // columns
};

// For people. Control characters are shown as \xNN.
std::string render_log(const LogReport& report, const LogRenderOptions& options);

// `data.log` of --json (docs/explain.md).
void write_json(JsonWriter& out, const LogReport& report);

}  // namespace pgtend::explain
