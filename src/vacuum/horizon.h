// Who keeps dead rows from being removed, which tables suffer from it, and how to end it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "facts/horizon.h"
#include "pg/connection.h"
#include "store/audit.h"

namespace pgtend::vacuum {

// What run() keeps in the audit trail beside the gate's own measurements.
namespace recorded {
inline constexpr std::string_view kRowsRemoved = "rows_removed";
inline constexpr std::string_view kRowsNotRemovable = "rows_not_removable";
inline constexpr std::string_view kCutoff = "cutoff_xid";
// The number `name` of a record; nullopt when it has none.
std::optional<int64_t> number(const json::object& record, std::string_view name);
}  // namespace recorded

// What the last VACUUM that this program ran on a table said, by the audit trail.
struct OwnVacuum {
  std::string at = {};  // UTC, 2026-01-31T12:00:00.123Z
  int64_t rows_not_removable = 0;
  std::optional<int64_t> cutoff_age = {};  // transactions since the oldest one it spared
};

// nullopt for a table without a record. `place` is care::place_of(conn), `table` qualified and
// quoted. Errors: those of the trail and the connection.
Result<std::optional<OwnVacuum>> last_own_vacuum(pg::Connection& conn, store::Audit& audit,
                                                 const std::string& place,
                                                 const std::string& table);

// A table with dead rows, and what is known of them beside their number.
struct Suffering {
  facts::DeadRows rows = {};
  std::optional<OwnVacuum> own = {};
};

// What one holder does to one table.
struct HeldTable {
  facts::DeadRows rows = {};  // it holds at most these: counters do not tell when rows died
  // Rows that our own VACUUM could not remove, when this holder keeps them; nullopt: none known.
  std::optional<int64_t> rows_not_removable = {};
  std::string own_vacuum_at = {};  // when it ran
};

struct Held {
  facts::HorizonHolder holder = {};
  std::vector<HeldTable> tables = {};  // most dead rows first
  int64_t rows_dead = 0;               // of all of them
};

struct HorizonReport {
  std::vector<Held> held = {};  // oldest holder first
  std::vector<facts::MissingRight> missing = {};
};

// Which tables each holder makes suffer: those with dead rows whose horizon it holds. Pure.
std::vector<Held> attribute(const std::vector<facts::HorizonHolder>& holders,
                            const std::vector<Suffering>& tables);

// Reads holders and tables of the connected database. `audit` may be null.
// Errors: those of facts::load_holders, facts::load_dead_rows and last_own_vacuum.
Result<HorizonReport> load_horizon(pg::Connection& conn, store::Audit* audit);

// {"holders": [{…, "remedy":…, "remedy_note":…, "rows_dead":…, "tables":[…]}]}
json::object to_json(const HorizonReport& report);
// The report as lines for people, printable, without final newline; at most `tables_max` tables a
// holder.
std::string to_text(const HorizonReport& report, size_t tables_max);

}  // namespace pgtend::vacuum
