// When autovacuum would act on a table by itself, by the rules of its server version.
#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "facts/settings.h"
#include "facts/tables.h"

namespace pgtend::vacuum {

// Autovacuum acts when the counter exceeds the limit (strictly). Rows, except the ages (XIDs).
// Limits are sums of single-precision numbers, as the server computes them: 0.29 of 100 rows is 29,
// 0.53 of 100 rows a little less than 53.
struct Triggers {
  bool visited = true;                 // false: never, as partitioned and temporary tables
  bool enabled = true;                 // false: only the two ages count, see forecast()
  double dead = 0;                     // dead rows -> VACUUM
  std::optional<double> inserts = {};  // inserts since the last VACUUM -> VACUUM; nullopt is off
  std::optional<double> changes = {};  // since the last ANALYZE; nullopt: never (parents, TOAST)
  int64_t xid_age = 0;                 // -> VACUUM whatever else is set
  int64_t mxid_age = 0;
};

// The limits for `table`: its reloptions go before the settings. Understands versions 13 to 19. A
// TOAST table (kind 't') has the options of its table, its own as "toast.x": if there is any of
// those, the others do not count. Source: relation_needs_vacanalyze and do_autovacuum in
// autovacuum.c; pure, any thread.
Triggers triggers(const facts::TableFacts& table, const facts::ServerSettings& settings);

// Whether a counter of rows exceeds a limit, compared in single precision as the server does.
bool exceeds(int64_t counter, double limit);

// How far a counter is from the limit that makes autovacuum act.
struct Distance {
  int64_t counter = 0;
  double limit = 0;
  bool due = false;

  // How many more rows (transactions) make it due, give or take single precision above 16,777,216;
  // 0 when it is due.
  int64_t left() const;
};

// Not where there is no such limit.
inline bool is_due(const std::optional<Distance>& distance) { return distance && distance->due; }

// What autovacuum will do at its next visit and what is missing for more. nullopt: it never acts
// for this cause as things are set. When an age forces a VACUUM, all causes count even with
// autovacuum_enabled = false: such a table is also analysed if that is due.
struct Forecast {
  std::optional<Distance> dead = {};
  std::optional<Distance> inserts = {};
  std::optional<Distance> changes = {};
  std::optional<Distance> xid_age = {};
  std::optional<Distance> mxid_age = {};

  bool vacuum() const;
  bool analyze() const;
};
Forecast forecast(const facts::TableFacts& table, const facts::ServerSettings& settings);
// The same with limits that are known: triggers() of the same table and settings.
Forecast forecast(const facts::TableFacts& table, const Triggers& limits, bool autovacuum);

// The number in a table's option as the server reads it; nullopt without it. For a TOAST table as
// triggers() does.
std::optional<double> option_number(const facts::TableFacts& table, const char* name);

// {"dead_rows": {"counter":…, "limit":…, "left":…, "due":…}, "inserts": null, …}
json::object to_json(const Forecast& forecast);

}  // namespace pgtend::vacuum
