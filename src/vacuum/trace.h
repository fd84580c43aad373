// A trace: what was written to the tables of a database over time, and under which settings. It is
// recorded from a server (trace_record.h) or generated (trace_generate.h) and replayed by
// simulate.h. As a file it is JSON lines, told in docs/vacuum.md. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "facts/vacuum_costs.h"

namespace pgtend::vacuum {

inline constexpr int64_t kTraceVersion = 1;

// What writers did to one table since the trace began: rows, sums that only time changes. The
// first four are what writers tried; the others what it did to the server's counters: `live` rows
// more, `dead` rows more (less what reading sessions pruned away), rows `changed` for ANALYZE.
struct Writes {
  double inserted = 0;
  double updated = 0;
  double updated_hot = 0;
  double deleted = 0;
  double live = 0;
  double dead = 0;
  double changed = 0;
};

// The server's own view at a sample, for comparison alone: a replay never reads it. Counters of
// runs are since the trace began, times in its seconds.
struct Outcome {
  int64_t rows_live = 0;
  int64_t rows_dead = 0;
  double reltuples = -1;
  int64_t autovacuums = 0;
  int64_t autoanalyzes = 0;
  std::optional<double> autovacuum_at = {};
  std::optional<double> autoanalyze_at = {};
};

struct TableSample {
  uint32_t oid = 0;
  Writes writes = {};
  std::optional<int64_t> pages = {};     // of the heap, where it was looked up
  bool reset = false;                    // its counters were lost since the last sample
  std::optional<double> vacuum_at = {};  // when a person's VACUUM ended, since the last sample
  std::optional<double> analyze_at = {};
  std::optional<Outcome> outcome = {};
};

struct Sample {
  double at = 0;    // seconds since the trace began
  int64_t xid = 0;  // the next transaction
  // Rows that died at or after it stay; absent: nobody looked for holders at this sample.
  std::optional<int64_t> horizon = {};
  std::vector<TableSample> tables = {};  // those that changed since the last sample that names them
};

// Another database of the same server, as the launcher sees it.
struct OtherDatabase {
  std::string name = {};
  int64_t xid_age = 0;  // when the trace began
  // How long its workers need to freeze it once its age forces them; absent: they never succeed.
  std::optional<double> freeze_s = {};
};

struct TraceTable {
  facts::TableFacts facts = {};
  int64_t indexes = 0;
};

// Tables are in the order in which a worker takes them, TOAST tables last.
struct Trace {
  std::string database = {};
  std::string started = {};  // "2026-01-31T12:00:00Z"; may be empty
  facts::ServerSettings settings = {};
  facts::VacuumCosts costs = {};
  std::vector<OtherDatabase> others = {};
  std::vector<TraceTable> tables = {};
  std::vector<Sample> samples = {};  // ascending in time

  double duration_s() const { return samples.empty() ? 0 : samples.back().at; }
  // The table's entry; nullptr when there is none.
  const TraceTable* find(uint32_t oid) const;
};

// Bounds for hostile input.
struct TraceLimits {
  size_t bytes_max = size_t{1} << 30;
  size_t line_bytes_max = size_t{16} << 20;
  size_t tables_max = 20'000;
  size_t table_samples_max = 2'000'000;
};

// Errors: Invalid or Limit, naming the line ("line 12: …"). Pure.
Result<Trace> read_trace(std::string_view text, const TraceLimits& limits = {});

// The lines of a file, each without its final newline: header, one a table, one a sample.
json::object header_line(const Trace& trace);
json::object table_line(const TraceTable& table);
json::object sample_line(const Sample& sample);
std::string write_trace(const Trace& trace);

// Whether the settings are ones that a server would take. Errors: Invalid.
Status check_trace_settings(const Trace& trace);

// The same trace without anything that autovacuum did.
Trace without_outcome(Trace trace);

}  // namespace pgtend::vacuum
