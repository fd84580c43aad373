#include "facts/autovacuum.h"

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

constexpr std::string_view kOurDatabase =
    "(select oid from pg_database where datname = current_database())";

// A worker holds the lock of its table from the beginning to the end of its work there.
std::string workers_sql() {
  return cat(R"(
select a.pid, coalesce(a.datname, ''),
       coalesce((select l.relation from pg_locks l
                  where l.pid = a.pid and l.locktype = 'relation' and l.granted
                    and l.mode = 'ShareUpdateExclusiveLock' and l.database = )",
             kOurDatabase, R"( limit 1), 0)::int8,
       coalesce(regexp_replace(a.query, '^autovacuum: ', ''), ''),
       extract(epoch from clock_timestamp() - a.xact_start)::float8
  from pg_stat_activity a where a.backend_type = 'autovacuum worker'
 order by a.xact_start nulls last, a.pid limit 1000)");
}

std::string locks_sql() {
  return cat(R"(
select l.relation::int8, l.granted, l.pid, l.mode, coalesce(a.application_name, ''),
       coalesce(a.usename, ''), coalesce(a.state, ''),
       extract(epoch from clock_timestamp() - a.xact_start)::float8, coalesce(left(a.query, 200), '')
  from pg_locks l
  join pg_class c on c.oid = l.relation and c.relkind in ('r', 'm', 'p')
                 and c.relnamespace <> 'pg_catalog'::regnamespace
  left join pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'relation' and l.database = )",
             kOurDatabase, R"(
   and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                  'ExclusiveLock', 'AccessExclusiveLock')
   and l.pid is distinct from pg_backend_pid()
   and a.backend_type is distinct from 'autovacuum worker'
   and not exists (select from pg_stat_progress_vacuum p where p.pid = l.pid)
   and not exists (select from pg_stat_progress_analyze p where p.pid = l.pid)
 order by a.xact_start nulls first, l.pid limit 1000)");
}

constexpr std::string_view kForcedSql = R"(
select o.datname
  from pg_database o, pg_database ours
 where ours.datname = current_database() and o.oid <> ours.oid
   and ((age(o.datfrozenxid) > current_setting('autovacuum_freeze_max_age')::int8
         and age(o.datfrozenxid) > age(ours.datfrozenxid))
        or (mxid_age(o.datminmxid) > current_setting('autovacuum_multixact_freeze_max_age')::int8
            and mxid_age(o.datminmxid) > mxid_age(ours.datminmxid)))
 order by age(o.datfrozenxid) desc limit 10)";

Result<LockInTheWay> to_lock(const pg::Row& row) {
  LockInTheWay out{.table = static_cast<uint32_t>(TRY(row.get<int64_t>(0))),
                   .granted = row.text(1) == "t"};
  Session& session = out.session;
  session.pid = TRY(row.get<std::optional<int32_t>>(2)).value_or(0);
  session.lock_mode = row.text(3);
  session.application = row.text(4);
  session.user = row.text(5);
  session.state = session.pid == 0 ? "prepared transaction" : std::string(row.text(6));
  session.open_s = TRY(row.get<std::optional<double>>(7));
  session.query = row.text(8);
  return out;
}

template <class Visitor, class Item>
void visit_worker(Visitor& visit, Item& worker) {
  visit("pid", worker.pid);
  visit("database", worker.database);
  visit("table", worker.table);
  visit("work", worker.work);
  visit("runs_s", worker.runs_s);
}
template <class Visitor, class Item>
void visit_lock(Visitor& visit, Item& lock) {
  visit("table", lock.table);
  visit("granted", lock.granted);
  visit_session(visit, lock.session);
}
template <class Visitor, class Item>
void visit_autovacuum(Visitor& visit, Item& now) {
  visit("seen", now.seen);
  visit("workers_max", now.workers_max);
  visit("forced_databases", now.forced_databases);
  visit.list("workers", now.workers, [](auto& v, auto& item) { visit_worker(v, item); });
  visit.list("locks", now.locks, [](auto& v, auto& item) { visit_lock(v, item); });
}

}  // namespace

Result<AutovacuumNow> load_autovacuum(pg::Connection& conn) {
  AutovacuumNow out;
  const pg::Rows rights = TRY_DURING(conn.query("select pg_has_role('pg_read_all_stats', 'USAGE'), "
                                                "current_setting('autovacuum_max_workers')::int8"),
                                     "reading what autovacuum does");
  out.seen = rights[0].text(0) == "t";
  out.workers_max = TRY(rights[0].get<int64_t>(1));
  if (!out.seen) return out;
  const pg::Rows workers = TRY_DURING(conn.query(workers_sql()), "reading autovacuum's workers");
  for (const pg::Row row : workers) {
    out.workers.push_back({.pid = TRY(row.get<int32_t>(0)),
                           .database = std::string(row.text(1)),
                           .table = static_cast<uint32_t>(TRY(row.get<int64_t>(2))),
                           .work = std::string(row.text(3)),
                           .runs_s = TRY(row.get<std::optional<double>>(4))});
  }
  const pg::Rows forced = TRY_DURING(conn.query(kForcedSql), "reading ages of databases");
  for (const pg::Row row : forced) out.forced_databases.emplace_back(row.text(0));
  const pg::Rows locks = TRY_DURING(conn.query(locks_sql()), "reading locks");
  for (const pg::Row row : locks) out.locks.push_back(TRY(to_lock(row)));
  return out;
}

Result<std::map<uint32_t, Visits>> load_visits(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(conn.query(R"(
select oid::int8, pg_stat_get_vacuum_count(oid) + pg_stat_get_autovacuum_count(oid),
       pg_stat_get_analyze_count(oid) + pg_stat_get_autoanalyze_count(oid)
  from pg_class where relkind in ('r', 'm'))"),
                                   "reading how often tables were vacuumed");
  std::map<uint32_t, Visits> out;
  for (const pg::Row row : rows) {
    out[static_cast<uint32_t>(TRY(row.get<int64_t>(0)))] = {.vacuums = TRY(row.get<int64_t>(1)),
                                                            .analyzes = TRY(row.get<int64_t>(2))};
  }
  return out;
}

json::object to_json(const AutovacuumNow& now) {
  MemberWriter writer;
  visit_autovacuum(writer, now);
  return std::move(writer).take();
}

Result<AutovacuumNow> autovacuum_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "autovacuum must be an object"};
  AutovacuumNow out;
  MemberReader reader(value.get_object());
  visit_autovacuum(reader, out);
  TRY_DURING(reader.finish(), "autovacuum");
  return out;
}

}  // namespace pgtend::facts
