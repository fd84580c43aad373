// Who is connected and what they hold: open transactions, row horizons, locks on one table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "facts/tables.h"
#include "pg/connection.h"

namespace pgtend::facts {

// A session other than ours. Texts come from clients: printable() them before showing.
struct Session {
  int pid = 0;  // 0 for a prepared transaction
  std::string application = {};
  std::string user = {};
  std::string state = {};             // "active", "idle in transaction", "prepared transaction"
  std::optional<double> open_s = {};  // age of its transaction
  std::string query = {};             // current or last statement, at most 200 characters
  std::string lock_mode = {};         // for load_lock_holders: the mode it holds

  // "pid 4711 (psql, alice, idle in transaction for 12.3 s)".
  std::string describe() const;
};

// What keeps dead rows of this database from being removed.
struct HorizonHolder {
  enum class Kind : uint8_t { Session, Prepared, Slot, Standby };
  Kind kind = Kind::Session;
  std::string name = {};  // application, gid, slot or standby name
  Session session = {};   // for Session and Standby
  int64_t age_xids = 0;   // transactions since the one it holds on to
  std::optional<double> age_s = {};

  // A sentence part naming it and how to end it: "prepared transaction 'x' (since 2 h): …".
  std::string describe() const;
  // What a person would run to let go; never run by this program.
  std::string remedy() const;
};

struct Activity {
  std::vector<HorizonHolder> holders = {};  // oldest horizon first
  std::vector<MissingRight> missing = {};
};

// Horizon holders of the connected database. Sessions of other databases hold only their own rows
// and are left out; so are running VACUUMs and our own session.
Result<Activity> load_activity(pg::Connection& conn);

// Sessions (and prepared transactions) that hold one of `modes` (pg_locks' names) on relation
// `oid`, longest transaction first, without our own and `except_pid`.
Result<std::vector<Session>> load_lock_holders(pg::Connection& conn, uint32_t oid,
                                               std::span<const std::string_view> modes,
                                               int except_pid = 0);
// Sessions that block `pid` right now (pg_blocking_pids), prepared transactions included.
Result<std::vector<Session>> load_blockers(pg::Connection& conn, int pid);

json::object to_json(const Session& session);
json::object to_json(const HorizonHolder& holder);
Result<HorizonHolder> holder_from_json(const json::value& value);

}  // namespace pgtend::facts
