#include "vacuum/compact_facts.h"

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionFrozen = 180000;
constexpr int kVersionGrantSet = 150000;

Result<std::vector<std::string>> names(pg::Connection& conn, std::string_view sql, uint32_t oid) {
  const pg::Rows rows = TRY(conn.query(sql, {std::to_string(oid)}));
  std::vector<std::string> out;
  for (const pg::Row row : rows) out.emplace_back(row.text(0));
  return out;
}

Status load_relation(pg::Connection& conn, CompactTable& out) {
  const pg::Rows rows = TRY(conn.query(R"(
select quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind, c.relpersistence,
       coalesce(a.amname, ''), current_setting('block_size')::int, pg_is_in_recovery(),
       n.nspname in ('pg_catalog', 'information_schema', 'pg_toast'),
       has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid),
       exists (select from pg_rewrite r
               where r.ev_class = c.oid and r.ev_type = '2' and r.ev_enabled <> 'D'),
       quote_ident(current_user),
       case when c.relkind in ('r', 'm', 't') then pg_relation_size(c.oid) else 0 end,
       n.nspname, c.relname, c.reltoastrelid::int8
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_am a on a.oid = c.relam
where c.oid = $1::oid)",
                                       {std::to_string(out.oid)}));
  if (rows.empty()) return Error{ErrorCode::NotFound, "the table is gone", "42P01"};
  const pg::Row row = rows[0];
  out.table = std::string(row.text(0));
  out.kind = row.text(1).empty() ? 'r' : row.text(1)[0];
  out.persistence = row.text(2).empty() ? 'p' : row.text(2)[0];
  out.access_method = std::string(row.text(3));
  out.block_size = TRY(row.get<int32_t>(4));
  out.standby = TRY(row.get<bool>(5));
  out.catalog = TRY(row.get<bool>(6));
  out.may_read = TRY(row.get<bool>(7));
  out.row_security = TRY(row.get<bool>(8));
  out.update_rules = TRY(row.get<bool>(9));
  out.role = std::string(row.text(10));
  out.pages = TRY(row.get<std::optional<int64_t>>(11)).value_or(0) / out.block_size;
  out.schema = std::string(row.text(12));
  out.name = std::string(row.text(13));
  out.toast_oid = static_cast<uint32_t>(TRY(row.get<int64_t>(14)));
  return ok();
}

// A stored generated column notes what it is computed from at its default (15 and later) or at
// itself (13 and 14).
Status load_columns(pg::Connection& conn, CompactTable& out) {
  const pg::Rows rows = TRY(conn.query(R"(
select a.attname, a.attnum, a.attlen, a.attstorage, a.attgenerated <> '', a.attidentity = 'a',
       exists (select from pg_index i join pg_depend d
               on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
               where i.indrelid = a.attrelid and d.refclassid = 'pg_class'::regclass
                 and d.refobjid = a.attrelid and d.refobjsubid = a.attnum)
       or exists (select from pg_index i where i.indrelid = a.attrelid
                  and a.attnum = any(i.indkey)),
       exists (select from pg_attribute g left join pg_attrdef f
               on f.adrelid = g.attrelid and f.adnum = g.attnum
               join pg_depend d on (d.classid = 'pg_attrdef'::regclass and d.objid = f.oid)
                 or (d.classid = 'pg_class'::regclass and d.objid = g.attrelid
                     and d.objsubid = g.attnum)
               where g.attrelid = a.attrelid and g.attgenerated = 's'
                 and d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
                 and d.refobjsubid = a.attnum),
       has_column_privilege(a.attrelid, a.attnum, 'UPDATE')
         and has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
       exists (with recursive b as (
                 select t.oid, t.typbasetype from pg_type t where t.oid = a.atttypid
                 union all
                 select t.oid, t.typbasetype from b join pg_type t on t.oid = b.typbasetype)
               select from b join pg_type e on e.typarray = b.oid where b.typbasetype = 0),
       exists (select from pg_type t where t.oid = a.atttypid and t.typarray <> 0)
from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum)",
                                       {std::to_string(out.oid)}));
  for (const pg::Row row : rows) {
    CompactColumn column;
    column.name = std::string(row.text(0));
    column.number = TRY(row.get<int32_t>(1));
    column.length = TRY(row.get<int32_t>(2));
    column.storage = row.text(3).empty() ? 'x' : row.text(3)[0];
    column.generated = TRY(row.get<bool>(4));
    column.identity_always = TRY(row.get<bool>(5));
    column.indexed = TRY(row.get<bool>(6));
    column.feeds_generated = TRY(row.get<bool>(7));
    column.may_update = TRY(row.get<bool>(8));
    column.array = TRY(row.get<bool>(9));
    column.in_array = TRY(row.get<bool>(10));
    out.columns.push_back(std::move(column));
  }
  return ok();
}

Status load_triggers(pg::Connection& conn, CompactTable& out) {
  const pg::Rows rows = TRY(conn.query(R"(
select tgname, tgenabled, array_to_string(tgattr::int2[], ' ')
from pg_trigger where tgrelid = $1::oid and not tgisinternal and tgtype & 16 <> 0 order by tgname)",
                                       {std::to_string(out.oid)}));
  for (const pg::Row row : rows) {
    CompactTrigger trigger{.name = std::string(row.text(0)),
                           .enabled = row.text(1).empty() ? 'O' : row.text(1)[0]};
    if (!row.text(2).empty()) {
      for (const std::string_view number : split(row.text(2), ' ')) {
        trigger.columns.push_back(static_cast<int>(TRY(parse_int(number))));
      }
    }
    out.triggers.push_back(std::move(trigger));
  }
  return ok();
}

Status load_readers(pg::Connection& conn, CompactTable& out) {
  out.checks_not_valid = TRY(names(conn,
                                   "select quote_ident(conname) from pg_constraint where conrelid "
                                   "= $1::oid and contype = 'c' and not convalidated order by 1",
                                   out.oid));
  // A partition may be published as itself or by its root: pg_publication_tables knows both.
  out.publications = TRY(
      names(conn,
            "select distinct quote_ident(p.pubname) from pg_publication p cross join lateral "
            "pg_get_publication_tables(p.pubname::text) t where p.pubupdate and t.relid in "
            "(select $1::oid union select relid from pg_partition_ancestors($1::oid::regclass)) "
            "order by 1",
            out.oid));
  const pg::Rows slots =
      TRY(conn.query("select quote_ident(slot_name) from pg_replication_slots where slot_type = "
                     "'logical' and database = current_database() and plugin <> 'pgoutput' "
                     "order by 1"));
  for (const pg::Row row : slots) out.decoders.emplace_back(row.text(0));
  out.leaves =
      TRY(names(conn,
                "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from "
                "pg_partition_tree($1::oid::regclass) t join pg_class c on c.oid = t.relid "
                "join pg_namespace n on n.oid = c.relnamespace where t.isleaf and c.oid "
                "<> $1::oid and c.relkind = 'r' order by 1",
                out.oid));
  out.leftovers = TRY(load_leftovers(conn, out.oid));
  out.exclusions = TRY(names(conn,
                             "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from "
                             "pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace "
                             "n on n.oid = c.relnamespace where i.indrelid = $1::oid and "
                             "i.indisexclusion order by 1",
                             out.oid));
  return ok();
}

Status load_frozen(pg::Connection& conn, CompactTable& out) {
  std::string sql;
  if (out.version >= kVersionFrozen) {
    sql = "select relallfrozen::float8 / nullif(relpages, 0) from pg_class where oid = $1::oid";
  } else {
    const pg::Rows where = TRY(
        conn.query("select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid "
                   "= e.extnamespace join pg_proc p on p.pronamespace = n.oid and p.proname = "
                   "'pg_visibility_map_summary' where e.extname = 'pg_visibility' and "
                   "has_function_privilege(p.oid, 'EXECUTE')"));
    if (where.empty() || out.pages == 0) return ok();
    sql = cat("select all_frozen::float8 / ", out.pages, " from ", where[0].text(0),
              ".pg_visibility_map_summary($1::oid::regclass)");
  }
  const pg::Rows rows = TRY(conn.query(sql, {std::to_string(out.oid)}));
  if (!rows.empty()) out.frozen = TRY(rows[0].get<std::optional<double>>(0));
  return ok();
}

}  // namespace

Result<std::vector<std::string>> load_leftovers(pg::Connection& conn, uint32_t oid) {
  return names(conn,
               "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from pg_index i "
               "join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = "
               "c.relnamespace where i.indrelid = $1::oid and not i.indisvalid and c.relname ~ "
               "'_cc(new|old)[0-9]*$' and not exists (select from pg_stat_progress_create_index p "
               "where p.index_relid = c.oid or p.relid = i.indrelid) order by 1",
               oid);
}

Result<CompactTable> load_compact_table(pg::Connection& conn, uint32_t oid) {
  CompactTable out{.oid = oid, .version = conn.server_version()};
  TRY(load_relation(conn, out));
  TRY(load_columns(conn, out));
  TRY(load_triggers(conn, out));
  TRY(load_readers(conn, out));
  if (out.kind == 'r' || out.kind == 'm') TRY(load_frozen(conn, out));
  return out;
}

Result<bool> may_silence_triggers(pg::Connection& conn) {
  if (conn.server_version() >= kVersionGrantSet) {
    const pg::Rows rows =
        TRY(conn.query("select has_parameter_privilege('session_replication_role', 'SET')"));
    return rows[0].get<bool>(0);
  }
  // Providers have changed who may: only trying tells.
  TRY(conn.exec("BEGIN"));
  const Status set = conn.exec("SET LOCAL session_replication_role = replica");
  TRY(conn.exec("ROLLBACK"));
  if (!set && set.error().code != ErrorCode::Denied) return set.error();
  return static_cast<bool>(set);
}

}  // namespace pgtend::vacuum
