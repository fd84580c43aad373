#include "facts/layout.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

// The length of each value of a list from pg_stats as a JSON array, by the column's base type; null
// for types whose text does not tell. `v::type` is made anew, with four bytes of header.
std::string lengths_sql(std::string_view list) {
  return cat(R"((SELECT pg_catalog.json_agg(
      CASE WHEN x.kind = 'text' THEN pg_catalog.octet_length(l.v)
           WHEN x.kind = 'numeric' THEN pg_catalog.pg_column_size(l.v::numeric) - 4
           WHEN x.kind = 'bytea' THEN pg_catalog.octet_length(l.v::bytea)
           WHEN x.kind = 'jsonb' THEN pg_catalog.pg_column_size(l.v::jsonb) - 4
           WHEN x.kind = 'inet' THEN pg_catalog.pg_column_size(l.v::inet) - 4
           WHEN x.kind = 'varbit' THEN pg_catalog.pg_column_size(l.v::varbit) - 4 END
      ORDER BY l.at)::text
    FROM pg_catalog.unnest(s.)",
             list, R"(::text::text[]) WITH ORDINALITY AS l(v, at) WHERE x.kind <> ''))");
}

// Columns as to_stored_column() reads them, from x (a stored column) and s (its row of pg_stats).
std::string column_sql() {
  return cat(R"(x.attname, x.attlen, x.attalign, x.attstorage, x.dropped, x.not_null, x.computed,
       s.null_frac, s.avg_width, s.n_distinct,
       pg_catalog.array_to_json(s.most_common_freqs)::text,
       )",
             lengths_sql("most_common_vals"), ",\n       ", lengths_sql("histogram_bounds"), R"(,
       x.visible, x.hidden_rows, pg_catalog.format('%I.%I', x.nspname, x.table_name),
       pg_catalog.quote_ident(current_user::text))");
}

// What lengths_sql() can do with base type `t`.
constexpr std::string_view kKind = R"(
         CASE WHEN a.attlen > 0 THEN ''
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid) IN (
                'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype,
                'cstring'::regtype, 'json'::regtype, 'xml'::regtype) THEN 'text'
              WHEN t.typname = 'citext' THEN 'text'
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid) = 'numeric'::regtype THEN 'numeric'
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid) = 'bytea'::regtype THEN 'bytea'
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid) = 'jsonb'::regtype THEN 'jsonb'
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid)
                   IN ('inet'::regtype, 'cidr'::regtype) THEN 'inet'
              WHEN coalesce(nullif(t.typbasetype, 0), t.oid)
                   IN ('bit'::regtype, 'varbit'::regtype) THEN 'varbit'
              ELSE '' END AS kind)";

// $1 is a JSON array of table oids.
std::string table_columns_sql() {
  return cat(R"(
WITH x AS (
  SELECT c.oid AS relid, a.attnum, a.attname, a.attlen, a.attalign::text, a.attstorage::text,
         a.attisdropped AS dropped, a.attnotnull AS not_null, false AS computed, n.nspname,
         c.relname AS table_name,
         NOT a.attisdropped AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
           AS visible,
         c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS hidden_rows,)",
             kKind, R"(
    FROM pg_catalog.json_array_elements_text($1::json) AS w(oid)
    JOIN pg_catalog.pg_class c ON c.oid = w.oid::oid AND c.relkind IN ('r', 'm', 't')
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
SELECT x.relid::int8, )",
             column_sql(), R"(
  FROM x
  LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = x.nspname AND s.tablename = x.table_name
       AND s.attname = x.attname AND NOT s.inherited
 ORDER BY x.relid, x.attnum)");
}

std::string index_columns_sql() {
  return cat(R"(
WITH x AS (
  SELECT i.indexrelid AS relid, a.attnum, coalesce(o.attname, a.attname) AS attname, a.attlen,
         a.attalign::text, a.attstorage::text, false AS dropped,
         coalesce(o.attnotnull, false) AS not_null, o.attnum IS NULL AS computed, n.nspname,
         c.relname AS table_name,
         CASE WHEN o.attnum IS NULL THEN ic.relname ELSE c.relname END AS stats_name,
         CASE WHEN o.attnum IS NULL
              THEN pg_catalog.has_column_privilege(ic.oid, a.attnum, 'SELECT')
              ELSE pg_catalog.has_column_privilege(c.oid, o.attnum, 'SELECT') END AS visible,
         c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS hidden_rows,)",
             kKind, R"(
    FROM pg_catalog.json_array_elements_text($1::json) AS w(oid)
    JOIN pg_catalog.pg_class c ON c.oid = w.oid::oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
    JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid AND ic.relkind = 'i'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum > 0
    LEFT JOIN pg_catalog.pg_attribute o ON o.attrelid = c.oid AND i.indkey[a.attnum - 1] <> 0
         AND o.attnum = i.indkey[a.attnum - 1]
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
SELECT x.relid::int8, )",
             column_sql(), R"(
  FROM x
  LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = x.nspname AND s.tablename = x.stats_name
       AND s.attname = x.attname AND NOT s.inherited
 ORDER BY x.relid, x.attnum)");
}

constexpr std::string_view kFillfactor =
    "coalesce((SELECT option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) "
    "WHERE option_name = 'fillfactor'), ";

std::string tables_sql() {
  return cat(R"(
SELECT c.oid::int8, )",
             kFillfactor, R"(100),
       coalesce((SELECT option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions)
                  WHERE option_name = 'toast_tuple_target'), 0),
       coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)
         / pg_catalog.current_setting('block_size')::int,
       c.reltoastrelid::int8,
       pg_catalog.pg_stat_get_tuples_inserted(c.reltoastrelid) > 0
         OR pg_catalog.pg_stat_get_live_tuples(c.reltoastrelid) > 0
         OR pg_catalog.pg_stat_get_vacuum_count(c.reltoastrelid) > 0
         OR pg_catalog.pg_stat_get_autovacuum_count(c.reltoastrelid) > 0,
       pg_catalog.pg_stat_get_last_vacuum_time(c.reltoastrelid) IS NOT NULL
         OR pg_catalog.pg_stat_get_last_autovacuum_time(c.reltoastrelid) IS NOT NULL,
       pg_catalog.pg_stat_get_live_tuples(c.reltoastrelid),
       pg_catalog.pg_stat_get_dead_tuples(c.reltoastrelid),
       pg_catalog.pg_stat_get_ins_since_vacuum(c.reltoastrelid)
  FROM pg_catalog.json_array_elements_text($1::json) AS w(oid)
  JOIN pg_catalog.pg_class c ON c.oid = w.oid::oid AND c.relkind IN ('r', 'm', 't')
)");
}

// Deduplication needs support function 4 of each operator class to say that equal keys are equal
// byte by byte; for texts it does unless the collation is not deterministic.
std::string indexes_sql(int version) {
  const std::string_view extended = version >= 190000 ? "NULL::float8" : R"((
         SELECT max(e.value::float8)
           FROM pg_catalog.pg_stats_ext xs
          CROSS JOIN pg_catalog.json_each_text(xs.n_distinct::text::json) AS e
          WHERE xs.schemaname = tn.nspname AND xs.tablename = tc.relname
            AND (SELECT pg_catalog.array_agg(u ORDER BY u)
                   FROM pg_catalog.unnest(pg_catalog.string_to_array(e.key, ', ')::int[]) u)
              = (SELECT pg_catalog.array_agg(k.num::int ORDER BY k.num)
                   FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, at)
                  WHERE k.at <= i.indnkeyatts)))";
  return cat(R"(
SELECT i.indrelid::int8, c.oid::int8, n.nspname, c.relname, am.amname, i.indnkeyatts,
       i.indisunique, i.indpred IS NOT NULL, i.indisvalid AND i.indisready,
       coalesce((SELECT option_value::bool FROM pg_catalog.pg_options_to_table(c.reloptions)
                  WHERE option_name = 'deduplicate_items'), true)
       AND NOT EXISTS (
         SELECT FROM pg_catalog.generate_series(1, i.indnkeyatts) AS k(at)
           JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k.at - 1]
           LEFT JOIN pg_catalog.pg_amproc p ON p.amprocfamily = oc.opcfamily
                AND p.amproclefttype = oc.opcintype AND p.amprocrighttype = oc.opcintype
                AND p.amprocnum = 4
           LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[k.at - 1]
          WHERE p.amproc IS NULL
             OR p.amproc <> 'pg_catalog.btequalimage'::regproc
                AND NOT coalesce(l.collisdeterministic, true)),
       )",
             kFillfactor, R"(90), c.reltuples::float8,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int, )",
             extended, R"(, i.indisexclusion
  FROM pg_catalog.json_array_elements_text($1::json) AS w(oid)
  JOIN pg_catalog.pg_index i ON i.indrelid = w.oid::oid
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
 ORDER BY c.relname)");
}

// The numbers of a JSON array, "" gives none. A null in it makes the whole list unknown.
template <class Number>
Result<std::vector<Number>> whole_list(std::string_view text) {
  std::vector<Number> out;
  if (text.empty()) return out;
  const json::value list = TRY(parse_json(text));
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "a list of numbers was expected"};
  for (const json::value& entry : list.get_array()) {
    if (!entry.is_number()) return std::vector<Number>();
    boost::system::error_code failed;
    const auto number = entry.to_number<Number>(failed);
    if (failed) return Error{ErrorCode::Corrupt, "a number is out of range"};
    out.push_back(number);
  }
  return out;
}

void explain_absence(const pg::Row& row, int at, StoredColumn& column) {
  const std::string table(row.text(at + 2));
  if (row.text(at) != "t") {
    column.stats_why_not =
        cat("no SELECT on ", table, ", which hides the statistics of its columns");
    column.grant = column.computed ? cat("GRANT pg_read_all_data TO ", row.text(at + 3))
                                   : cat("GRANT SELECT ON ", table, " TO ", row.text(at + 3));
  } else if (row.text(at + 1) == "t") {
    column.stats_why_not = cat("row security on ", table, " hides the statistics of its columns");
    column.grant = cat("ALTER ROLE ", row.text(at + 3), " BYPASSRLS");
  } else {
    column.stats_why_not =
        cat("no statistics of column ", printable(column.name), ": ANALYZE ", table);
  }
}

// Columns of `row` from 1 on, as column_sql() lists them.
Result<StoredColumn> to_stored_column(const pg::Row& row) {
  StoredColumn out;
  out.name = row.text(1);
  out.length = TRY(row.get<int32_t>(2));
  const std::string_view align = row.text(3);
  out.align = align == "c" ? 1 : align == "s" ? 2 : align == "i" ? 4 : 8;
  out.storage = row.text(4).empty() ? 'x' : row.text(4)[0];
  out.dropped = TRY(row.get<bool>(5));
  out.not_null = TRY(row.get<bool>(6));
  out.computed = TRY(row.get<bool>(7));
  if (out.length < -2 || out.length == 0) {
    return Error{ErrorCode::Corrupt, cat("attlen ", out.length)};
  }
  if (row.null(8)) {
    if (!out.dropped) explain_absence(row, 14, out);
    return out;
  }
  StoredStats stats;
  stats.null_frac = TRY(row.get<double>(8));
  stats.avg_width = TRY(row.get<double>(9));
  stats.n_distinct = TRY(row.get<double>(10));
  stats.common_frequencies = TRY(whole_list<double>(row.text(11)));
  stats.common_lengths = TRY(whole_list<int64_t>(row.text(12)));
  stats.bound_lengths = TRY(whole_list<int64_t>(row.text(13)));
  out.stats = std::move(stats);
  return out;
}

Result<StoredIndex> to_stored_index(const pg::Row& row) {
  StoredIndex out;
  out.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(1)));
  out.schema = row.text(2);
  out.name = row.text(3);
  out.method = row.text(4);
  out.keys = TRY(row.get<int32_t>(5));
  out.unique = TRY(row.get<bool>(6));
  out.partial = TRY(row.get<bool>(7));
  out.valid = TRY(row.get<bool>(8));
  out.deduplicates = TRY(row.get<bool>(9));
  out.fillfactor = TRY(row.get<int32_t>(10));
  out.reltuples = TRY(row.get<double>(11));
  out.pages = TRY(row.get<int64_t>(12));
  out.n_distinct = TRY(row.get<std::optional<double>>(13));
  out.exclusion = TRY(row.get<bool>(14));
  return out;
}

constexpr size_t kTablesPerQuery = 200;

Status load_some(pg::Connection& conn, const std::vector<uint32_t>& oids, Layouts& out) {
  json::array list;
  for (const uint32_t oid : oids) list.emplace_back(cat(oid));
  const pg::Params params{to_text(list)};
  for (const pg::Row row : TRY(conn.query(tables_sql(), params))) {
    TableLayout table;
    table.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    table.fillfactor = TRY(row.get<int32_t>(1));
    table.toast_target = TRY(row.get<int32_t>(2));
    table.toast_pages = TRY(row.get<int64_t>(3));
    table.toast = {.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(4))),
                   .counted = TRY(row.get<bool>(5)),
                   .vacuumed = TRY(row.get<bool>(6)),
                   .chunks_live = TRY(row.get<int64_t>(7)),
                   .chunks_dead = TRY(row.get<int64_t>(8)),
                   .inserted_since_vacuum = TRY(row.get<int64_t>(9))};
    out.tables[table.oid] = std::move(table);
  }
  for (const pg::Row row : TRY(conn.query(table_columns_sql(), params))) {
    const auto at = out.tables.find(static_cast<uint32_t>(TRY(row.get<int64_t>(0))));
    if (at != out.tables.end()) at->second.columns.push_back(TRY(to_stored_column(row)));
  }
  std::map<uint32_t, std::vector<StoredColumn>> columns;
  for (const pg::Row row : TRY(conn.query(index_columns_sql(), params))) {
    columns[static_cast<uint32_t>(TRY(row.get<int64_t>(0)))].push_back(TRY(to_stored_column(row)));
  }
  for (const pg::Row row : TRY(conn.query(indexes_sql(conn.server_version()), params))) {
    const auto at = out.tables.find(static_cast<uint32_t>(TRY(row.get<int64_t>(0))));
    StoredIndex index = TRY(to_stored_index(row));
    index.columns = std::move(columns[index.oid]);
    // An index that came or went between the two queries is not described wrongly but left out.
    const bool whole = index.keys > 0 && index.columns.size() >= static_cast<size_t>(index.keys);
    if (at != out.tables.end() && whole) at->second.indexes.push_back(std::move(index));
  }
  return ok();
}

}  // namespace

std::string StoredIndex::qualified() const { return pg::qualified(schema, name); }

Result<Layouts> load_layouts(pg::Connection& conn, const std::vector<uint32_t>& oids) {
  Layouts out;
  const pg::Rows settings =
      TRY(conn.query("SELECT pg_catalog.current_setting('block_size')::int, "
                     "pg_catalog.current_setting('default_statistics_target')::int8, "
                     "(SELECT extract(epoch FROM now() - stats_reset)::float8 / 86400 "
                     "FROM pg_catalog.pg_stat_database WHERE datname = current_database() "
                     "AND stats_reset < now() - interval '1 day')"));
  out.block_size = TRY(settings[0].get<int32_t>(0));
  out.statistics_target = std::max<int64_t>(TRY(settings[0].get<int64_t>(1)), 1);
  out.counted_days = TRY(settings[0].get<std::optional<double>>(2));
  if (out.block_size < 1024 || out.block_size > 32768) {
    return Error{ErrorCode::Corrupt, cat("block size ", out.block_size)};
  }
  for (size_t from = 0; from < oids.size(); from += kTablesPerQuery) {
    const size_t to = std::min(oids.size(), from + kTablesPerQuery);
    const std::vector<uint32_t> some(oids.begin() + static_cast<long>(from),
                                     oids.begin() + static_cast<long>(to));
    TRY_DURING(load_some(conn, some, out), "reading the layout of tables");
  }
  return out;
}

}  // namespace pgtend::facts
