// Records a trace from a live server: one cheap query a sample, nothing but reading.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/trace.h"

namespace pgtend::vacuum {

// Watches the tables of one database from when it was begun. Tables that are made later are not
// followed. Thread: one at a time.
class Recorder {
 public:
  // Reads settings, tables (TOAST tables and other databases included) and the first counters.
  // Errors: those of the connection, Limit for more than 20,000 tables.
  static Result<Recorder> begin(pg::Connection& conn);

  // What is known at the begin: a trace without samples.
  const Trace& head() const { return head_; }
  const std::vector<facts::MissingRight>& missing() const { return missing_; }
  // Tables that were dropped, truncated or had their counters lost while they were watched.
  int64_t resets() const { return resets_; }

  // One sample. `sizes` also looks up the sizes of the tables that changed, for which each is
  // locked in AccessShareLock; where that is refused, they are left out. After a restart of the
  // server the connection may be another one. Errors: those of the connection; the recorder is
  // then as before and may be asked again.
  Result<Sample> sample(pg::Connection& conn, bool sizes);

 private:
  // The server's counters of a table at one moment.
  struct Seen {
    int64_t inserted = 0;
    int64_t updated = 0;
    int64_t updated_hot = 0;
    int64_t deleted = 0;
    int64_t live = 0;
    int64_t dead = 0;
    int64_t changed = 0;
    int64_t vacuums = 0;
    int64_t autovacuums = 0;
    int64_t analyzes = 0;
    int64_t autoanalyzes = 0;
    std::optional<double> vacuum_at = {};  // on the server's clock, seconds
    std::optional<double> autovacuum_at = {};
    std::optional<double> analyze_at = {};
    std::optional<double> autoanalyze_at = {};
    double reltuples = -1;
    int64_t pages_known = 0;

    bool operator==(const Seen&) const = default;
  };
  // A table and what was summed up of it.
  struct Watched {
    Seen seen = {};
    Writes writes = {};
    Outcome outcome = {};
    double dead_made = 0;  // while nobody ran: dead rows as counted, and those that writers made
    double dead_written = 0;
  };

  static Result<Seen> to_seen(const pg::Row& row, int first);
  Status take_counters(pg::Connection& conn, std::map<uint32_t, TraceTable>& known);
  void follow(Watched& watched, const Seen& now, TableSample& out) const;

  Trace head_;
  std::vector<facts::MissingRight> missing_;
  std::map<uint32_t, Watched> watched_;
  double started_ = 0;  // on the server's clock, seconds
  double last_at_ = 0;  // of the last sample, and of the last that looked for holders
  double looked_at_ = -1;
  int64_t resets_ = 0;
};

}  // namespace pgtend::vacuum
