// Fills a database with the metering example: deterministic data of any size, by binary COPY on
// several connections.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "base/result.h"
#include "demo/generator_calendar.h"
#include "demo/generator_order.h"
#include "demo/generator_population.h"
#include "demo/schema.h"
#include "pg/options.h"

namespace pgtend::demo {

struct GenerateOptions {
  Scale scale = {};
  uint64_t seed = 1;
  WriteOrder order = WriteOrder::Headend;
  int connections = 0;               // for the readings; 0 = one a core, at most 8
  std::optional<WallTime> end = {};  // time of the last reading; nullopt = the server's now()
  std::string time_zone = "Europe/Berlin";  // of the meters, as PostgreSQL names it
  FaultSet faults = kAsDelivered;
  bool read_again = true;     // correct 0.5 % of the readings; the old rows stay behind, dead
  bool analyze = true;        // ANALYZE afterwards; false leaves the statistics to autovacuum
  bool replace = false;       // drop the three tables if they exist
  std::stop_token stop = {};  // honoured within a second: what was made is dropped again
  const Clock* clock = &system_clock();
};

inline constexpr int kConnectionsMax = 64;

// What is in the tables. Equal for equal seed, scale and calendar, whatever the order and the
// number of connections.
struct Totals {
  int64_t customers = 0;
  int64_t meters = 0;
  int64_t readings = 0;
  int64_t corrected = 0;  // readings that replaced one that is now a dead row
  int64_t kwh_units = 0;  // sum of kwh_reading in units of 0.0001 kWh
  friend bool operator==(const Totals&, const Totals&) = default;
};

struct Generated {
  Totals totals = {};
  Calendar calendar = {};  // which quarter-hours the readings cover
  std::vector<Fault> answer_key = {};
  nanoseconds load_time{0};  // of the readings alone: COPY, without keys and statistics
};

// Creates the three tables in the first schema of the search path, loads all rows, adds the keys
// and sets the sequence. Blocks; calls `progress` on this thread about ten times a second.
// Errors: Invalid for impossible options, or when a table exists and `replace` is off (nothing is
// touched then); Cancelled after a stop; what the server answers. After a later error the tables
// are gone.
// Thread: any; one load a database at a time.
Result<Generated> generate(const pg::Options& target, const GenerateOptions& options,
                           const ProgressFn& progress = {});

// Imports the local day next to `known` (after its end or before its beginning) for all meters, as
// one COPY that leaves reading_id to the table: the bulk import of an application. `options` must
// be those of the load. t_dlpdata may be plain or partitioned; nothing is analysed. Rows already
// there are not looked for; nothing is corrected yet. The result is of the new day alone.
// Errors: as generate(); after an error or stop nothing of the day is there.
Result<Generated> one_more_day(const pg::Options& target, const GenerateOptions& options,
                               const Calendar& known, Extend where = Extend::After,
                               const ProgressFn& progress = {});

// What generate() will have loaded, computed without a server: rows by arithmetic over meters and
// weeks, energy by evaluating every reading (about 15 ns each).
Totals expected(const GenerateOptions& options, const Calendar& calendar);

}  // namespace pgtend::demo
