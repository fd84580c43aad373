#include "facts/changes.h"

#include "base/text.h"

namespace pgtend::facts {

Result<std::vector<TableChanges>> load_changes(pg::Connection& conn) {
  const bool has_maintain = conn.server_version() >= 170000;
  const pg::Rows rows = TRY_DURING(
      conn.query(cat(R"(
select c.oid::int8, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       coalesce(i.inhparent, 0)::int8, c.relkind = 'p',
       greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8,
       coalesce(pg_stat_get_mod_since_analyze(c.oid), 0),
       coalesce(pg_stat_get_tuples_inserted(c.oid), 0), coalesce(pg_stat_get_dead_tuples(c.oid), 0),
       pg_has_role(c.relowner, 'USAGE') or pg_has_role(d.datdba, 'USAGE') or )",
                     has_maintain ? "has_table_privilege(c.oid, 'MAINTAIN')" : "false", R"(
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_database d on d.datname = current_database()
left join pg_inherits i on i.inhrelid = c.oid and c.relispartition
where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_(catalog|toast)')")),
      "reading what changed");
  std::vector<TableChanges> out;
  for (const pg::Row row : rows) {
    out.push_back({.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0))),
                   .table = std::string(row.text(1)),
                   .parent = static_cast<uint32_t>(TRY(row.get<int64_t>(2))),
                   .partitioned = row.text(3) == "t",
                   .rows = TRY(row.get<double>(4)),
                   .modified = TRY(row.get<int64_t>(5)),
                   .inserted = TRY(row.get<int64_t>(6)),
                   .dead = TRY(row.get<int64_t>(7)),
                   .maintain = row.text(8) == "t"});
  }
  return out;
}

Result<bool> has_rising_column(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY_DURING(conn.query(R"(
select coalesce(bool_or(abs(s.correlation) >= 0.9 and s.histogram_bounds is not null), true)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
where c.oid = $1::oid)",
                                              {std::to_string(oid)}),
                                   "looking for a rising column");
  return rows[0].get<bool>(0);
}

Result<std::optional<uint32_t>> find_table(pg::Connection& conn, const std::string& name) {
  if (name.empty()) return std::optional<uint32_t>();
  const auto rows = conn.query("select to_regclass($1)::oid::int8", {name});
  if (!rows) {
    // A text that is no name at all is an error of the server's, class 42.
    if (rows.error().sqlstate.starts_with("42")) return std::optional<uint32_t>();
    return rows.error();
  }
  const auto oid = TRY((*rows)[0].get<std::optional<int64_t>>(0));
  if (!oid) return std::optional<uint32_t>();
  return std::optional<uint32_t>(static_cast<uint32_t>(*oid));
}

}  // namespace pgtend::facts
