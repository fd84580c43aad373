#include "facts/activity.h"

#include <chrono>

#include "base/text.h"
#include "base/units.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

constexpr std::string_view kSessionColumns = R"(
  coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(a.state, ''),
  extract(epoch from clock_timestamp() - a.xact_start)::float8,
  coalesce(left(a.query, 200), ''))";

// The columns of kSessionColumns, from column `first` on.
Result<Session> to_session(const pg::Row& row, int pid_column, int first) {
  Session session;
  session.pid = TRY(row.get<std::optional<int32_t>>(pid_column)).value_or(0);
  session.application = row.text(first);
  session.user = row.text(first + 1);
  session.state = session.pid == 0 ? "prepared transaction" : std::string(row.text(first + 2));
  session.open_s = TRY(row.get<std::optional<double>>(first + 3));
  session.query = row.text(first + 4);
  return session;
}

// Rows of pid, lock mode and kSessionColumns.
Result<std::vector<Session>> with_lock_modes(const pg::Rows& rows) {
  std::vector<Session> out;
  for (const pg::Row row : rows) {
    Session session = TRY(to_session(row, 0, 2));
    session.lock_mode = row.text(1);
    out.push_back(std::move(session));
  }
  return out;
}

}  // namespace

std::string human_seconds(double value) {
  return human(std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(value)));
}

std::string Session::describe() const {
  std::string out = pid == 0 ? std::string("a prepared transaction (") : cat("pid ", pid, " (");
  out += application.empty() ? "no application name" : printable(application);
  if (!user.empty()) out += cat(", ", printable(user));
  if (!state.empty() && pid != 0) out += cat(", ", state);
  if (open_s) out += cat(", transaction open for ", human_seconds(*open_s));
  return out + ')';
}

Result<std::vector<Session>> load_lock_holders(pg::Connection& conn, uint32_t oid,
                                               std::span<const std::string_view> modes,
                                               int except_pid) {
  std::string list = "{";
  for (const std::string_view mode : modes) list += cat(list.size() > 1 ? "," : "", mode);
  list += '}';
  const pg::Rows rows = TRY_DURING(conn.query(cat("select l.pid, l.mode, ", kSessionColumns, R"(
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.relation = $1
  and l.database = (select oid from pg_database where datname = current_database())
  and l.granted and l.mode = any ($2::text[])
  and l.pid is distinct from pg_backend_pid() and l.pid is distinct from $3::int
order by a.xact_start nulls first limit 100)"),
                                              {cat(oid), list, cat(except_pid)}),
                                   "reading locks");
  return with_lock_modes(rows);
}

Result<std::vector<Session>> load_blockers(pg::Connection& conn, int pid) {
  const pg::Rows rows = TRY_DURING(conn.query(cat("select nullif(b.pid, 0), ", kSessionColumns, R"(
from (select distinct unnest(pg_blocking_pids($1)) as pid) b
left join pg_stat_activity a on a.pid = b.pid
order by a.xact_start nulls first limit 100)"),
                                              {cat(pid)}),
                                   "reading blockers");
  std::vector<Session> out;
  for (const pg::Row row : rows) out.push_back(TRY(to_session(row, 0, 1)));
  return out;
}

Result<std::vector<Session>> load_waiters(pg::Connection& conn, int pid) {
  const pg::Rows rows = TRY_DURING(conn.query(cat("select l.pid, l.mode, ", kSessionColumns, R"(
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where not l.granted and l.locktype = 'relation' and l.pid is distinct from $1::int
  and $1::int = any (pg_blocking_pids(l.pid))
order by a.query_start nulls first limit 100)"),
                                              {cat(pid)}),
                                   "reading who waits");
  return with_lock_modes(rows);
}

json::object to_json(const Session& session) {
  MemberWriter writer;
  visit_session(writer, session);
  return std::move(writer).take();
}

}  // namespace pgtend::facts
