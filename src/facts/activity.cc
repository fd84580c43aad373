#include "facts/activity.h"

#include <chrono>
#include <cstdlib>

#include "base/text.h"
#include "base/units.h"
#include "facts/members.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

using Kind = HorizonHolder::Kind;

constexpr std::string_view kSessionColumns = R"(
  coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(a.state, ''),
  extract(epoch from clock_timestamp() - a.xact_start)::float8,
  coalesce(left(a.query, 200), ''))";

std::string human_seconds(double value) {
  return human(std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(value)));
}

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

// A holder's horizon is the older of its transaction and its snapshot. A walsender shows the
// snapshot its standby asked to keep.
std::string holders_sql() {
  return cat(R"(
select case when a.backend_type = 'walsender' then 3 else 0 end, a.application_name,
       greatest(age(a.backend_xid), age(a.backend_xmin))::bigint,
       extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start))::float8,
       a.pid, )",
             kSessionColumns, R"(
from pg_stat_activity a
where (a.datname = current_database() or a.backend_type = 'walsender')
  and a.pid <> pg_backend_pid()
  and (a.backend_xid is not null or a.backend_xmin is not null)
  and a.pid not in (select pid from pg_stat_progress_vacuum)
union all
select 1, x.gid, age(x.transaction)::bigint,
       extract(epoch from clock_timestamp() - x.prepared)::float8,
       null::int, '', x.owner::text, '', null::float8, ''
from pg_prepared_xacts x where x.database = current_database()
union all
select 2, s.slot_name::text, age(s.xmin)::bigint, null::float8, s.active_pid, '', '',
       case when s.active then 'active' else 'inactive' end, null::float8, ''
from pg_replication_slots s where s.xmin is not null
order by 3 desc nulls last limit 100)");
}

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

constexpr std::string_view kKindNames[] = {"session", "prepared", "slot", "standby"};

}  // namespace

std::string Session::describe() const {
  std::string out = pid == 0 ? std::string("a prepared transaction (") : cat("pid ", pid, " (");
  out += application.empty() ? "no application name" : printable(application);
  if (!user.empty()) out += cat(", ", printable(user));
  if (!state.empty() && pid != 0) out += cat(", ", state);
  if (open_s) out += cat(", transaction open for ", human_seconds(*open_s));
  return out + ')';
}

std::string HorizonHolder::describe() const {
  const std::string since = age_s ? cat(" for ", human_seconds(*age_s)) : "";
  switch (kind) {
    case Kind::Session:
      return session.describe();
    case Kind::Prepared:
      return cat("prepared transaction ", printable(name), since);
    case Kind::Slot:
      return cat("replication slot ", printable(name), " (", session.state, ")");
    case Kind::Standby:
      return cat("standby ", printable(name), " (hot_standby_feedback)");
  }
  std::abort();
}

std::string HorizonHolder::remedy() const {
  switch (kind) {
    case Kind::Session:
      return cat("SELECT pg_terminate_backend(", session.pid, ")");
    case Kind::Prepared:
      return cat("ROLLBACK PREPARED ", pg::literal(name));
    case Kind::Slot:
      return cat("SELECT pg_drop_replication_slot(", pg::literal(name), ")");
    case Kind::Standby:
      return "end the long query on the standby";
  }
  std::abort();
}

Result<Activity> load_activity(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(conn.query(holders_sql()), "reading activity");
  Activity out;
  for (const pg::Row row : rows) {
    HorizonHolder holder;
    const int kind = TRY(row.get<int32_t>(0));
    CHECK(kind >= 0 && kind <= 3);
    holder.kind = static_cast<Kind>(kind);
    holder.name = row.text(1);
    holder.age_xids = TRY(row.get<std::optional<int64_t>>(2)).value_or(0);
    holder.age_s = TRY(row.get<std::optional<double>>(3));
    holder.session = TRY(to_session(row, 4, 5));
    if (holder.kind == Kind::Slot) holder.session.state = row.text(7);
    out.holders.push_back(std::move(holder));
  }
  const pg::Rows rights = TRY(conn.query(
      "select pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), quote_ident(current_user)"));
  if (!TRY(rights[0].get<bool>(0))) {
    out.missing.push_back(
        {"open transactions of other users", cat("GRANT pg_monitor TO ", rights[0].text(1))});
  }
  return out;
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
  std::vector<Session> out;
  for (const pg::Row row : rows) {
    Session session = TRY(to_session(row, 0, 2));
    session.lock_mode = row.text(1);
    out.push_back(std::move(session));
  }
  return out;
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

json::object to_json(const Session& session) {
  MemberWriter writer;
  visit_session(writer, session);
  return std::move(writer).take();
}

json::object to_json(const HorizonHolder& holder) {
  MemberWriter writer;
  writer("kind", std::string(kKindNames[static_cast<size_t>(holder.kind)]));
  writer("name", holder.name);
  writer("age_xids", holder.age_xids);
  writer("age_s", holder.age_s);
  visit_session(writer, holder.session);
  return std::move(writer).take();
}

Result<HorizonHolder> holder_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a horizon holder must be an object"};
  HorizonHolder holder;
  std::string kind(kKindNames[0]);
  MemberReader reader(value.as_object());
  reader("kind", kind);
  reader("name", holder.name);
  reader("age_xids", holder.age_xids);
  reader("age_s", holder.age_s);
  visit_session(reader, holder.session);
  TRY_DURING(reader.finish(), "horizon holder");
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (kKindNames[i] == kind) {
      holder.kind = static_cast<Kind>(i);
      return holder;
    }
  }
  return Error{ErrorCode::Invalid, cat("unknown kind of horizon holder ", kind)};
}

}  // namespace pgtend::facts
