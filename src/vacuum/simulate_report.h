// What a replay says, for people and as JSON, and how settings compare.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "vacuum/simulate.h"
#include "vacuum/simulate_compare.h"

namespace pgtend::vacuum {

// One set of settings and what became of it.
struct Variant {
  std::string name = {};  // "as it is", or what was set
  Trace trace = {};       // with those settings
  ReplaySetup setup = {};
  Replay replay = {};
  // The same when no page, and when every page is found in memory: how long the longest VACUUM and
  // ANALYZE take. Seconds.
  double longest_vacuum_s[2] = {0, 0};
  double longest_analyze_s[2] = {0, 0};
};

// Applies "name=value" to the settings of a trace: a setting of the server, or an option of one
// table ("t.autovacuum_enabled=false", "app.t.name=value"); several are separated by commas.
// Errors: NotFound for an unknown name (with the nearest) or table, Invalid for a value.
Status apply_setting(Trace& trace, std::string_view text);

// Replays `trace`. Errors: those of replay().
Result<Variant> simulate(std::string name, const Trace& trace, const ReplaySetup& setup);

// Ages and times until a database stops, at the rate of the trace; seconds from its end, nullopt
// without transactions.
struct Runway {
  double age = 0;
  double rate = 0;
  std::optional<double> forced_s = {};    // autovacuum is forced
  std::optional<double> failsafe_s = {};  // 14 and later
  std::optional<double> stop_s = {};      // the server refuses transactions
};
Runway runway_of(const Variant& variant);

// {"name":…, "tables":[…], "runs":[…], …}; at most `runs_max` runs.
json::object to_json(const Variant& variant, size_t runs_max);
json::object to_json(const Comparison& comparison, const Trace& trace);

}  // namespace pgtend::vacuum
