// Who is connected and in the way: sessions with their transactions, and locks on one table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// An age as the server tells it: 7800.5 as "2 h 10 min".
std::string human_seconds(double value);

// A session other than ours. Texts come from clients: printable() them before showing.
struct Session {
  int pid = 0;  // 0 for a prepared transaction
  std::string application = {};
  std::string user = {};
  std::string state = {};             // "active", "idle in transaction", "prepared transaction"
  std::optional<double> open_s = {};  // age of its transaction
  std::string query = {};             // current or last statement, at most 200 characters
  std::string lock_mode = {};         // of load_lock_holders and load_waiters

  // "pid 4711 (psql, alice, idle in transaction for 12.3 s)".
  std::string describe() const;
};

// Sessions (and prepared transactions) that hold one of `modes` (pg_locks' names) on relation
// `oid`, longest transaction first, without our own and `except_pid`.
Result<std::vector<Session>> load_lock_holders(pg::Connection& conn, uint32_t oid,
                                               std::span<const std::string_view> modes,
                                               int except_pid = 0);
// Sessions that block `pid` right now (pg_blocking_pids), prepared transactions included.
Result<std::vector<Session>> load_blockers(pg::Connection& conn, int pid);

// Sessions that wait for a table lock that `pid` holds or has asked for before them, longest first,
// with the mode they ask for. Cheap while nobody waits.
Result<std::vector<Session>> load_waiters(pg::Connection& conn, int pid);

// Each member once, for MemberWriter and MemberReader (facts/members.h).
template <class Visitor, class Item>
void visit_session(Visitor& visit, Item& s) {
  visit("pid", s.pid);
  visit("application", s.application);
  visit("user", s.user);
  visit("state", s.state);
  visit("open_s", s.open_s);
  visit("query", s.query);
  visit("lock_mode", s.lock_mode);
}
json::object to_json(const Session& session);

}  // namespace pgtend::facts
