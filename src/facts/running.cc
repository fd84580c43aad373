#include "facts/running.h"

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

// The columns of VacuumWork whose names or units changed.
struct VacuumColumns {
  std::string_view dead;
  std::string_view full;
  std::string_view indexes;
};

VacuumColumns columns_of(int version) {
  if (version >= 170000) {
    return {"p.num_dead_item_ids", "p.dead_tuple_bytes::float8 / nullif(p.max_dead_tuple_bytes, 0)",
            "p.indexes_total, p.indexes_processed"};
  }
  return {"p.num_dead_tuples", "p.num_dead_tuples::float8 / nullif(p.max_dead_tuples, 0)",
          "0::int8, 0::int8"};
}

// Who runs it: the same columns for each command, p being its progress view.
constexpr std::string_view kWho = R"(
       p.pid, coalesce(p.datname, ''),
       case when p.datname = current_database() then
            coalesce(to_regclass(p.relid::regclass::text)::text, 'oid ' || p.relid)
            else coalesce('oid ' || p.relid, '') end,
       coalesce(p.phase, ''), coalesce(a.backend_type = 'autovacuum worker', false),
       coalesce(a.query like '%(to prevent wraparound)', false), coalesce(a.usename, ''),
       coalesce(a.application_name, ''),
       coalesce(a.wait_event_type || ' ' || a.wait_event, ''),
       extract(epoch from clock_timestamp() - a.xact_start)::float8)";

std::string running_sql(int version) {
  const VacuumColumns columns = columns_of(version);
  const auto none =
      "null::int8, null::int8, null::int8, null::int8, null::int8, null::float8, "
      "null::int8, null::int8, null::int8";
  return cat("select 'VACUUM', ", kWho, R"(,
       p.heap_blks_total, p.heap_blks_scanned, p.heap_blks_vacuumed, p.index_vacuum_count, )",
             columns.dead, ", ", columns.full, R"(,
       (select coalesce(sum(pg_relation_size(i.indexrelid)), 0)::int8 /
               current_setting('block_size')::int8
        from pg_index i where i.indrelid = p.relid and p.datname = current_database()), )",
             columns.indexes, R"(
from pg_stat_progress_vacuum p left join pg_stat_activity a using (pid)
union all select 'ANALYZE', )",
             kWho, ", ", none, R"(
from pg_stat_progress_analyze p left join pg_stat_activity a using (pid)
union all select 'CREATE INDEX', )",
             kWho, ", ", none, R"(
from pg_stat_progress_create_index p left join pg_stat_activity a using (pid)
order by 11 desc nulls last limit 200)");
}

Result<Running> to_running(const pg::Row& row) {
  Running out;
  out.command = row.text(0);
  out.pid = TRY(row.get<int32_t>(1));
  out.database = row.text(2);
  out.table = row.text(3);
  out.phase = row.text(4);
  out.automatic = row.text(5) == "t";
  out.forced = row.text(6) == "t";
  out.user = row.text(7);
  out.application = row.text(8);
  out.waits_for = row.text(9);
  out.runs_s = TRY(row.get<std::optional<double>>(10));
  const auto total = TRY(row.get<std::optional<int64_t>>(11));
  if (!total) return out;
  const auto number = [&](int column) -> Result<int64_t> {
    return TRY(row.get<std::optional<int64_t>>(column)).value_or(0);
  };
  out.work = VacuumWork{.heap_total = *total,
                        .heap_scanned = TRY(number(12)),
                        .heap_vacuumed = TRY(number(13)),
                        .passes = TRY(number(14)),
                        .dead = TRY(number(15)),
                        .dead_full = TRY(row.get<std::optional<double>>(16)).value_or(0),
                        .index_pages = TRY(number(17)),
                        .indexes_total = TRY(number(18)),
                        .indexes_done = TRY(number(19))};
  return out;
}

template <class Visitor, class Item>
void visit_work(Visitor& visit, Item& work) {
  visit("heap_total", work.heap_total);
  visit("heap_scanned", work.heap_scanned);
  visit("heap_vacuumed", work.heap_vacuumed);
  visit("passes", work.passes);
  visit("dead", work.dead);
  visit("dead_full", work.dead_full);
  visit("index_pages", work.index_pages);
  visit("indexes_total", work.indexes_total);
  visit("indexes_done", work.indexes_done);
}

}  // namespace

Result<RunningMaintenance> load_running(pg::Connection& conn) {
  RunningMaintenance out;
  const pg::Rows rows =
      TRY_DURING(conn.query(running_sql(conn.server_version())), "reading what runs");
  for (const pg::Row row : rows) {
    Running running = TRY(to_running(row));
    if (auto progress = TRY(load_progress(conn, running.pid))) running.progress = *progress;
    out.running.push_back(std::move(running));
  }
  const pg::Rows workers = TRY_DURING(
      conn.query("select (select count(*) from pg_stat_activity where backend_type = 'autovacuum "
                 "worker'), current_setting('autovacuum_max_workers')::int8"),
      "reading autovacuum's workers");
  out.workers = TRY(workers[0].get<int64_t>(0));
  out.workers_max = TRY(workers[0].get<int64_t>(1));
  return out;
}

json::object to_json(const Running& running) {
  MemberWriter writer;
  writer("pid", running.pid);
  writer("command", running.command);
  writer("database", running.database);
  writer("table", running.table);
  writer("phase", running.phase);
  writer("automatic", running.automatic);
  writer("forced", running.forced);
  writer("user", running.user);
  writer("application", running.application);
  writer("waits_for", running.waits_for);
  writer("runs_s", running.runs_s);
  json::object out = std::move(writer).take();
  if (running.work) {
    MemberWriter work;
    visit_work(work, *running.work);
    out["work"] = std::move(work).take();
  }
  return out;
}

}  // namespace pgtend::facts
