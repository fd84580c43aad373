// What keeps dead rows from being removed, and where they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "facts/activity.h"
#include "facts/tables.h"
#include "pg/connection.h"

namespace pgtend::facts {

// The server removes a dead row when nobody can see it any more, and it asks four different circles
// whether that is so (ComputeXidHorizons of 14 and later, GetOldestXmin of 13).
enum class Horizon : uint8_t {
  SharedCatalogs,  // pg_database, pg_authid, …: seen from all databases
  Catalogs,        // of one database, and its user_catalog_tables: logical decoding reads them, too
  Data,            // all other tables
  Temporary,       // seen by their own session alone; up to 13 treated as Data
};
inline constexpr Horizon kHorizons[] = {Horizon::SharedCatalogs, Horizon::Catalogs, Horizon::Data,
                                        Horizon::Temporary};
std::string_view name(Horizon horizon);  // "shared catalogs", "catalogs", "data", "temporary"

// Which horizons a holder holds, seen from the connected database.
struct Holds {
  bool shared_catalogs = true;
  bool catalogs = true;
  bool data = true;
  bool temporary = false;

  bool includes(Horizon horizon) const;
  // "shared catalogs, catalogs, data"; "" for none.
  std::string describe() const;
};

// Who keeps rows that died at or after transaction `xid`. Texts come from clients: describe() and
// remedy() make them printable, the members are as the server has them.
struct HorizonHolder {
  enum class Kind : uint8_t {
    Session,
    Prepared,
    Slot,
    Standby,        // a walsender whose standby asks for rows by hot_standby_feedback, without slot
    TemporaryTable  // holds no rows back, but the age of the database: only its session can freeze
  };
  Kind kind = Kind::Session;
  std::string name = {};      // application, gid, slot, standby, or pg_temp_N.table
  std::string database = {};  // its database; "" when it belongs to none
  Session session = {};       // for Session and Standby; of an active slot the pid and the state
  std::string through = {};  // what it holds by: "xid", "xmin", "xid and xmin", "catalog_xmin", …
  int64_t xid = 0;           // the oldest transaction it holds on to, 0 unknown (32 bits, as age())
  int64_t age_xids = 0;      // transactions since that one
  std::optional<double> age_s = {};  // seconds it has held at least; nullopt: the server tells not
  Holds holds = {};
  bool elsewhere = false;  // in another database than the connected one

  // A sentence part naming it: "prepared transaction x for 2 h 10 min".
  std::string describe() const;
  // SQL that a person may run to let go; never run by this program. One line without control
  // characters, exact also for hostile names. For Standby (and a slot that is one's) it is to be
  // run on the standby; for a prepared transaction and a temporary table in their database.
  std::string remedy() const;
  // Where the remedy is to be run when that is not this connection, and what it costs; "" for
  // nothing to say.
  std::string remedy_note() const;
};

struct Holders {
  std::vector<HorizonHolder> holders = {};  // oldest first
  std::vector<MissingRight> missing = {};
};

// All holders, the 200 oldest: sessions, prepared transactions and slots of other databases with
// what they hold of ours; old temporary tables of the connected database. Left out are those whom
// the server ignores: our own session, lazy VACUUMs (also those that wait for their lock), sessions
// that decode logically, parallel workers (their leader stands for them), and lost slots. Without
// pg_read_all_stats the sessions of others are not seen, which `missing` then says.
// Errors: those of the connection. Cost: four views of the server, no table.
Result<Holders> load_holders(pg::Connection& conn);

// The holders of `horizon`, oldest first.
std::vector<HorizonHolder> of(const std::vector<HorizonHolder>& holders, Horizon horizon);

// Rows of one table that are dead and not yet removed, by the cumulative statistics.
struct DeadRows {
  std::string table = {};  // qualified and quoted; of a TOAST table the table that it belongs to
  bool toast = false;      // in its TOAST table
  Horizon horizon = Horizon::Data;
  int64_t rows_live = 0;
  int64_t rows_dead = 0;
  std::optional<double> vacuum_age_s = {};  // since the last VACUUM or autovacuum ended
};

// The `most` tables of the connected database with most dead rows, most first, catalogs and TOAST
// included, temporary ones not. Takes no lock on them. Errors: those of the connection.
Result<std::vector<DeadRows>> load_dead_rows(pg::Connection& conn, int64_t most = 1'000);

json::object to_json(const HorizonHolder& holder);
// Absent members keep their defaults. Errors: Invalid naming the member.
Result<HorizonHolder> holder_from_json(const json::value& value);
json::object to_json(const DeadRows& rows);

}  // namespace pgtend::facts
