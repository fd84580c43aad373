// Vacuum care: what needs VACUUM or ANALYZE, and running it with proof that it happened.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "care/gate.h"
#include "facts/runway.h"
#include "facts/upkeep.h"
#include "vacuum/actions.h"
#include "vacuum/rules.h"
#include "vacuum/second_sample.h"

namespace pgtend::vacuum {

// A snapshot of what the rules need.
struct Facts {
  std::vector<facts::TableFacts> tables = {};
  Context context = {};
  std::optional<facts::Runway> runway = {};  // when all tables were asked for
  WallTime at{};                             // when they were read
  std::vector<facts::MissingRight> missing = {};
};

// Reads it, without estimates (load_estimates) and bloat (add_bloat). Errors: those of
// facts::load_tables.
Result<Facts> load(pg::Connection& conn, const facts::TableFilter& filter = {});

// Adds context.estimates of the tables that ANALYZE only samples, partitioned ones too; reads few
// rows (facts::load_estimates). Errors: those of the connection.
Status load_estimates(pg::Connection& conn, Facts& facts);

// All findings, gravest first, those of ids that end before those of tables, then by the size of
// the table. Pure.
std::vector<care::Finding> review(const Facts& facts, const Policy& policy = {});

// {"settings":…, "holders":[…], "tables":[…], "costs":…, "estimates":…, "autovacuum":…, "bloat":…,
// "runway":…, "at": seconds since 1970, "missing_rights":[…]} and back (golden tests).
json::object to_json(const Facts& facts);
Result<Facts> facts_from_json(const json::value& value);

// What run() looks at before an ANALYZE.
struct Prepared {
  facts::TableFacts table = {};
  facts::ServerSettings settings = {};
  facts::Upkeep upkeep = {};
  Statistics before = {};
};

// Reads it on a connection that may have been at work for long: a fresh one takes several times as
// long, for the catalogs that it does not know yet. `table` is as the user wrote it. Errors: those
// of facts::load_tables, Invalid when it is no user table.
Result<Prepared> prepare_analyze(pg::Connection& conn, const std::string& table);

struct RunSetup {
  care::GateSetup gate = {};  // its policy decides between dry run and real run
  std::string table = {};     // as the user wrote it
  Job job = Job::Vacuum;
  Means means = {};
  bool force = false;  // run even if the horizon has not moved since nothing could be removed
  // Of an ANALYZE of this table, read a moment ago; null: run() reads it.
  std::shared_ptr<const Prepared> prepared = {};
};

// What VACUUM (VERBOSE) said, summed over partitions, TOAST left out. nullopt: it did not say, or
// not in a language this program reads.
struct Verbose {
  std::optional<int64_t> rows_removed = {};
  std::optional<int64_t> rows_not_removable = {};
  std::optional<int64_t> pages_removed = {};
  std::optional<int64_t> cutoff_xid = {};    // rows that died at or after it stay
  std::optional<int64_t> pages_frozen = {};  // 15 and later: pages with newly frozen rows
  std::optional<int64_t> index_passes = {};  // 15 and later: over all indexes of a table
  std::optional<int64_t> wal_bytes = {};     // 15 and later
  bool failsafe = false;  // the server went over to freezing alone, without indexes
};
// Understands the texts of 13 and 14, and of 15 and later.
Verbose read_verbose(const std::vector<pg::Notice>& notices);

struct RunReport {
  std::string table = {};
  Job job = Job::Vacuum;
  care::Outcome outcome = {};
  Choice choice = {};
  std::optional<SecondSample> second = {};
  Verbose verbose = {};
  // Who keeps dead rows from being removed, oldest first; only when it matters to this run.
  std::vector<facts::HorizonHolder> holders = {};
  // Not empty: nothing was run, because nothing could have been removed.
  std::string skipped = {};
};

// Runs `setup.job` on one table through the gate, with the options that choose() finds and without
// statement_timeout: it hurts nobody by lasting. When an ANALYZE changes statistics more than the
// table can have changed (jumps()), these columns are analysed once more with ten times the target,
// at least 1,000: a sample that missed rare values is not left to the planner. Errors: those of
// Gate::run, NotFound, Invalid.
Result<RunReport> run(const RunSetup& setup);

json::object to_json(const RunReport& report);
// The report as lines for people, without final newline.
std::string to_text(const RunReport& report);

}  // namespace pgtend::vacuum
