#include "facts/tables.h"

#include <algorithm>

#include "base/text.h"
#include "facts/members.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

template <class Visitor, class Facts>
void visit_names(Visitor& visit, Facts& t) {
  visit("oid", t.oid);
  visit("schema", t.schema);
  visit("name", t.name);
  visit("owner", t.owner);
  visit("kind", t.kind);
  visit("parent", t.parent);
  visit("leaves", t.leaves);
  visit("reltuples", t.reltuples);
  visit("statistics", t.statistics);
  visit("options", t.options);
  visit("xid_age", t.xid_age);
  visit("mxid_age", t.mxid_age);
}

template <class Visitor, class Facts>
void visit_numbers(Visitor& visit, Facts& t) {
  visit("heap_bytes", t.size.heap);
  visit("index_bytes", t.size.indexes);
  visit("toast_bytes", t.size.toast);
  visit("pages", t.size.pages);
  visit("pages_known", t.size.pages_known);
  visit("pages_visible", t.size.pages_visible);
  visit("pages_frozen", t.size.pages_frozen);
  visit("counted", t.counters.present);
  visit("rows_live", t.counters.rows_live);
  visit("rows_dead", t.counters.rows_dead);
  visit("inserted_since_vacuum", t.counters.inserted_since_vacuum);
  visit("modified_since_analyze", t.counters.modified_since_analyze);
  visit("inserted", t.counters.inserted);
  visit("updated", t.counters.updated);
  visit("updated_hot", t.counters.updated_hot);
  visit("deleted", t.counters.deleted);
  visit("scans_seq", t.counters.scans_seq);
  visit("scans_index", t.counters.scans_index);
  visit("vacuum_age_s", t.age.vacuum);
  visit("autovacuum_age_s", t.age.autovacuum);
  visit("analyze_age_s", t.age.analyze);
  visit("autoanalyze_age_s", t.age.autoanalyze);
  visit("may_alter", t.rights.owner);
  visit("may_maintain", t.rights.maintain);
  visit("may_select", t.rights.select);
}

// Columns in the order to_table() reads them. The functions under pg_stat_all_tables are called
// directly: the view would first group all indexes of the database.
std::string tables_sql(int version, bool one_table) {
  const std::string_view frozen = version >= 180000 ? "c.relallfrozen" : "null::int";
  const std::string_view maintain =
      version >= 170000 ? "has_table_privilege(c.oid, 'MAINTAIN')" : "false";
  const std::string_view only =
      one_table ? "and (c.oid = $2 or c.oid in (select relid from pg_partition_tree($2::oid)))"
                : "";
  return cat(R"(
select c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relkind::text,
       coalesce(quote_ident(pn.nspname) || '.' || quote_ident(p.relname), ''),
       case when c.relkind = 'p'
            then (select count(*) from pg_partition_tree(c.oid) where isleaf and level > 0)
            else 0 end,
       c.reltuples::float8,
       to_json(coalesce(c.reloptions, '{}') ||
               coalesce((select array_agg('toast.' || o) from unnest(t.reloptions) o), '{}')),
       case when c.relfrozenxid::text = '0' then 0 else age(c.relfrozenxid) end,
       case when c.relminmxid::text = '0' then 0 else mxid_age(c.relminmxid) end,
       coalesce(pg_table_size(c.oid), 0) - coalesce(pg_total_relation_size(t.oid), 0),
       coalesce(pg_indexes_size(c.oid), 0), coalesce(pg_total_relation_size(t.oid), 0),
       coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int,
       c.relpages, c.relallvisible, )",
             frozen, R"(,
       pg_stat_get_live_tuples(c.oid), pg_stat_get_dead_tuples(c.oid),
       pg_stat_get_ins_since_vacuum(c.oid), pg_stat_get_mod_since_analyze(c.oid),
       pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid),
       pg_stat_get_tuples_hot_updated(c.oid), pg_stat_get_tuples_deleted(c.oid),
       pg_stat_get_numscans(c.oid),
       coalesce((select sum(pg_stat_get_numscans(i.indexrelid)) from pg_index i
                 where i.indrelid = c.oid), 0)::bigint,
       extract(epoch from clock_timestamp() - pg_stat_get_last_vacuum_time(c.oid))::float8,
       extract(epoch from clock_timestamp() - pg_stat_get_last_autovacuum_time(c.oid))::float8,
       extract(epoch from clock_timestamp() - pg_stat_get_last_analyze_time(c.oid))::float8,
       extract(epoch from clock_timestamp() - pg_stat_get_last_autoanalyze_time(c.oid))::float8,
       pg_has_role(c.relowner, 'USAGE'),
       pg_has_role(c.relowner, 'USAGE') or pg_has_role(d.datdba, 'USAGE') or )",
             maintain, R"(,
       has_table_privilege(c.oid, 'SELECT') and has_schema_privilege(n.oid, 'USAGE'),
       case when c.relkind = 'p' and has_table_privilege(c.oid, 'SELECT')
            then exists (select from pg_stats s where s.schemaname = n.nspname
                         and s.tablename = c.relname and s.inherited) end
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_database d on d.datname = current_database()
left join pg_class t on t.oid = c.reltoastrelid
left join pg_inherits i on i.inhrelid = c.oid and c.relispartition
left join pg_class p on p.oid = i.inhparent
left join pg_namespace pn on pn.oid = p.relnamespace
where c.relkind in ('r', 'p', 'm') and n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_(catalog|toast|toast_temp_)' )",
             one_table ? "" : "and c.relpersistence <> 't' ", only, R"(
order by c.relkind = 'p' desc, c.relpages desc, n.nspname, c.relname
limit $1)");
}

Status read_options(std::string_view text, TableFacts& table) {
  const json::value options = TRY(parse_json(text));
  if (!options.is_array()) return Error{ErrorCode::Corrupt, "reloptions are not a list"};
  for (const json::value& option : options.as_array()) {
    if (!option.is_string()) continue;
    const std::string_view pair(option.as_string().data(), option.as_string().size());
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    table.options[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
  }
  return ok();
}

Status read_numbers(const pg::Row& row, TableFacts& table) {
  TableSize& size = table.size;
  size.heap = {TRY(row.get<int64_t>(11))};
  size.indexes = {TRY(row.get<int64_t>(12))};
  size.toast = {TRY(row.get<int64_t>(13))};
  size.pages = TRY(row.get<int64_t>(14));
  size.pages_known = TRY(row.get<int64_t>(15));
  size.pages_visible = TRY(row.get<int64_t>(16));
  size.pages_frozen = TRY(row.get<std::optional<int64_t>>(17));
  TableCounters& counters = table.counters;
  int64_t* const targets[] = {&counters.rows_live,
                              &counters.rows_dead,
                              &counters.inserted_since_vacuum,
                              &counters.modified_since_analyze,
                              &counters.inserted,
                              &counters.updated,
                              &counters.updated_hot,
                              &counters.deleted,
                              &counters.scans_seq,
                              &counters.scans_index};
  for (int i = 0; i < 10; ++i) {
    *targets[i] = TRY(row.get<int64_t>(18 + i));
    counters.present = counters.present || *targets[i] != 0;
  }
  std::optional<double>* const ages[] = {&table.age.vacuum, &table.age.autovacuum,
                                         &table.age.analyze, &table.age.autoanalyze};
  for (int i = 0; i < 4; ++i) {
    *ages[i] = TRY(row.get<std::optional<double>>(28 + i));
    counters.present = counters.present || *ages[i];
  }
  return ok();
}

Result<TableFacts> to_table(const pg::Row& row) {
  TableFacts table;
  table.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
  table.schema = row.text(1);
  table.name = row.text(2);
  table.owner = row.text(3);
  table.kind = row.text(4).empty() ? '?' : row.text(4)[0];
  table.parent = row.text(5);
  table.leaves = TRY(row.get<int32_t>(6));
  table.reltuples = TRY(row.get<double>(7));
  TRY(read_options(row.text(8), table));
  table.xid_age = TRY(row.get<int64_t>(9));
  table.mxid_age = TRY(row.get<int64_t>(10));
  TRY(read_numbers(row, table));
  table.rights = {.owner = TRY(row.get<bool>(32)),
                  .maintain = TRY(row.get<bool>(33)),
                  .select = TRY(row.get<bool>(34))};
  table.statistics = TRY(row.get<std::optional<bool>>(35));
  return table;
}

// One line for all tables a right is missing on, naming the first.
std::vector<MissingRight> missing_rights(const std::vector<TableFacts>& tables, int version,
                                         const std::string& role) {
  int64_t unseen = 0;
  int64_t untended = 0;
  const TableFacts* unseen_first = nullptr;
  const TableFacts* untended_first = nullptr;
  for (const TableFacts& table : tables) {
    if (!table.rights.select && unseen++ == 0) unseen_first = &table;
    if (!table.rights.maintain && untended++ == 0) untended_first = &table;
  }
  const auto of = [](const TableFacts& first, int64_t count) {
    return count == 1 ? first.qualified() : cat(first.qualified(), " and ", count - 1, " more");
  };
  std::vector<MissingRight> missing;
  if (unseen_first != nullptr) {
    missing.push_back({cat("column statistics and EXPLAIN of ", of(*unseen_first, unseen)),
                       version >= 140000
                           ? cat("GRANT pg_read_all_data TO ", role)
                           : cat("GRANT SELECT ON ", unseen_first->qualified(), " TO ", role)});
  }
  if (untended_first != nullptr) {
    missing.push_back({cat("VACUUM and ANALYZE of ", of(*untended_first, untended)),
                       version >= 170000
                           ? cat("GRANT pg_maintain TO ", role)
                           : cat("GRANT ", pg::ident(untended_first->owner), " TO ", role)});
  }
  return missing;
}

}  // namespace

std::string TableFacts::qualified() const { return pg::qualified(schema, name); }

double TableFacts::rows() const {
  return std::max({reltuples, static_cast<double>(counters.rows_live), 0.0});
}

Result<uint32_t> resolve_table(pg::Connection& conn, const std::string& table) {
  auto found = conn.query(
      "select c.oid, c.relkind::text from pg_class c where c.oid = to_regclass($1)::oid", {table});
  if (!found) {
    Error error = std::move(found).error();
    if (error.sqlstate == "42602" || error.sqlstate == "0A000" || error.sqlstate == "42601") {
      error.code = ErrorCode::Invalid;
    }
    return std::move(error).during(cat("table ", printable(table)));
  }
  if (found->empty()) {
    return Error{ErrorCode::NotFound, cat("table ", printable(table), " does not exist")}.hinting(
        "name it with its schema, quoted as in SQL; the search path decides otherwise");
  }
  const pg::Row row = (*found)[0];
  const std::string_view kind = row.text(1);
  if (kind != "r" && kind != "p" && kind != "m") {
    const std::string_view word = kind == "v"                  ? "a view"
                                  : kind == "f"                ? "a foreign table"
                                  : kind == "i" || kind == "I" ? "an index"
                                  : kind == "S"                ? "a sequence"
                                                               : "no table";
    return Error{ErrorCode::Invalid, cat(printable(table), " is ", word)};
  }
  return static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
}

Result<Tables> load_tables(pg::Connection& conn, const TableFilter& filter) {
  const bool one_table = !filter.table.empty();
  pg::Params params{cat(filter.tables_max + 1)};
  if (one_table) params.emplace_back(cat(TRY(resolve_table(conn, filter.table))));
  const pg::Rows rows = TRY_DURING(conn.query(tables_sql(conn.server_version(), one_table), params),
                                   "reading tables");
  if (rows.size() > filter.tables_max) {
    return Error{ErrorCode::Limit, cat("more than ", filter.tables_max, " tables")}.hinting(
        "name one table");
  }
  Tables out;
  for (const pg::Row row : rows) out.tables.push_back(TRY_DURING(to_table(row), "reading tables"));
  const pg::Rows role = TRY(conn.query("select quote_ident(current_user)"));
  out.missing = missing_rights(out.tables, conn.server_version(), TRY(role.scalar()));
  return out;
}

json::object to_json(const TableFacts& table) {
  MemberWriter writer;
  visit_names(writer, table);
  visit_numbers(writer, table);
  return std::move(writer).take();
}

Result<TableFacts> table_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a table must be an object"};
  TableFacts table;
  MemberReader reader(value.as_object());
  visit_names(reader, table);
  visit_numbers(reader, table);
  TRY_DURING(reader.finish(), cat("table ", table.name));
  return table;
}

json::object to_json(const MissingRight& missing) {
  return {{"what", missing.what}, {"grant", missing.grant}};
}

}  // namespace pgtend::facts
