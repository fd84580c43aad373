// Which settings are ours, by what the audit trail keeps of the gate's actions; what has become of
// them, what they brought, and the way back. What a person changed in between stays.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "store/audit.h"
#include "vacuum/tune_apply.h"

namespace pgtend::vacuum {

// What the table's counters were when a setting was changed.
struct CountersThen {
  int64_t autovacuums = 0;
  int64_t autoanalyzes = 0;
  int64_t inserted = 0;
  int64_t changed = 0;  // updated and deleted
};

// One setting that this program has set and not yet restored.
struct Tuned {
  std::string object = {};
  std::string name = {};
  std::optional<std::string> original = {};  // before we came; nullopt: not set
  std::string ours = {};
  std::string at = {};  // UTC, of the last time we set it
  std::optional<CountersThen> counters = {};
};

// By the trail's records of both kinds for the database `place` (care::place_of) and its server. A
// change whose program died before it could tell how it ended counts. Pure.
std::vector<Tuned> tuned(const std::vector<store::AuditEntry>& tunes,
                         const std::vector<store::AuditEntry>& restores, std::string_view place);
Result<std::vector<Tuned>> load_tuned(store::Audit& audit, std::string_view place);

// What has become of a setting of ours.
enum class Fate : uint8_t {
  InForce,   // as we set it
  Original,  // as it was before us
  Changed,   // somebody gave it another value: it is theirs now
  Gone,      // the table is dropped
};
Fate fate_of(const Tuned& setting, const std::vector<SettingsNow>& now);
// The value it has now; nullopt: not set.
std::optional<std::string> value_now(const Tuned& setting, const std::vector<SettingsNow>& now);

// What takes each object back to what it was, of the settings that are still ours. Pure.
std::map<std::string, SettingChanges> restoration(const std::vector<Tuned>& settings,
                                                  const std::vector<SettingsNow>& now);

// Whether autovacuum has come as often as the rows that died or came since would have it.
struct Effect {
  std::string table = {};
  std::string since = {};
  int64_t autovacuums = 0;
  int64_t autoanalyzes = 0;
  double autovacuums_due = 0;  // by the limits of now; rows that were pruned count, too
  double autoanalyzes_due = 0;
  std::string verdict() const;
};
// Of the tables among `settings` that still exist. Errors: those of the connection.
Result<std::vector<Effect>> load_effects(pg::Connection& conn, const std::vector<Tuned>& settings);

}  // namespace pgtend::vacuum
