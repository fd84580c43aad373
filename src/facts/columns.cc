#include "facts/columns.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace pgtend::facts {
namespace {

// $1 table, $2 the names as a JSON array. The default class of a type may be that of a type it is
// binary coercible to (varchar uses text's) or of a pseudo type (arrays, enums, ranges).
constexpr std::string_view kSql = R"(
WITH wanted AS (
  SELECT a.attnum, a.attname, a.attrelid, a.attcollation, w.at, c.relkind, n.nspname, c.relname,
         c.relrowsecurity,
         coalesce(nullif(t.typbasetype, 0), t.oid) AS base
    FROM pg_catalog.json_array_elements_text($2::json) WITH ORDINALITY AS w(name, at)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attname = w.name
                                  AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace),
classes AS (
  SELECT w.attnum, am.amname
    FROM wanted w
    JOIN pg_catalog.pg_type b ON b.oid = w.base
    JOIN pg_catalog.pg_am am ON am.amname IN ('btree', 'brin')
   WHERE EXISTS (
     SELECT FROM pg_catalog.pg_opclass o
      WHERE o.opcmethod = am.oid AND o.opcdefault
        AND (o.opcintype = w.base
             OR o.opcintype IN (SELECT castto.casttarget FROM pg_catalog.pg_cast castto
                                 WHERE castto.castsource = w.base AND castto.castmethod = 'b'
                                   AND castto.castcontext = 'i')
             OR (am.amname = 'btree' AND (
                  (b.typcategory = 'A' AND o.opcintype = 'anyarray'::regtype)
                  OR (b.typtype = 'e' AND o.opcintype = 'anyenum'::regtype)
                  OR (b.typtype = 'r' AND o.opcintype = 'anyrange'::regtype))))))
SELECT w.attname, pg_catalog.format_type(w.base, NULL),
       EXISTS (SELECT FROM classes x WHERE x.attnum = w.attnum AND x.amname = 'btree'),
       EXISTS (SELECT FROM classes x WHERE x.attnum = w.attnum AND x.amname = 'brin'),
       s.null_frac, s.n_distinct, s.correlation, s.avg_width, s.most_common_freqs[1],
       pg_catalog.array_to_json(s.histogram_bounds::text::text[])::text,
       pg_catalog.has_column_privilege(w.attrelid, w.attnum, 'SELECT'),
       w.relrowsecurity, pg_catalog.format('%I.%I', w.nspname, w.relname),
       pg_catalog.quote_ident(current_user::text),
       pg_catalog.array_to_json(s.most_common_vals::text::text[])::text,
       pg_catalog.array_to_json(s.most_common_freqs)::text,
       w.attcollation = 0 OR EXISTS (
         SELECT FROM pg_catalog.pg_collation l, pg_catalog.pg_database d
          WHERE l.oid = w.attcollation AND d.datname = pg_catalog.current_database()
            AND CASE WHEN l.collprovider <> 'd' THEN l.collcollate
                     WHEN coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') = 'c'
                     THEN d.datcollate END IN ('C', 'POSIX'))
  FROM wanted w
  LEFT JOIN pg_catalog.pg_stats s
    ON s.schemaname = w.nspname AND s.tablename = w.relname AND s.attname = w.attname
   AND s.inherited = (w.relkind = 'p')
 ORDER BY w.at)";

// Types whose equal values may differ in bytes have no deduplication (btree's equalimage).
bool type_deduplicates(std::string_view type) {
  static constexpr std::array<std::string_view, 6> kNever = {
      "numeric", "real", "double precision", "jsonb", "character", "\"char\""};
  return std::ranges::find(kNever, type) == kNever.end() && !type.ends_with("[]");
}

Result<std::vector<double>> numbers(std::string_view text) {
  std::vector<double> out;
  const json::value list = TRY(parse_json(text));
  if (!list.is_array()) return out;
  for (const json::value& entry : list.get_array()) {
    if (entry.is_number()) out.push_back(entry.to_number<double>());
  }
  return out;
}

std::string why_no_stats(const pg::Row& row) {
  const std::string table(row.text(12));
  if (row.text(10) != "t") {
    return cat("no SELECT on ", table, ": GRANT SELECT ON ", table, " TO ", row.text(13));
  }
  if (row.text(11) == "t") return cat("row security on ", table, " may hide pg_stats");
  return cat("no statistics yet: ANALYZE ", table);
}

Result<ColumnFacts> to_column(const pg::Row& row) {
  ColumnFacts out;
  out.name = row.text(0);
  out.type = row.text(1);
  out.btree = TRY(row.get<bool>(2));
  out.brin = TRY(row.get<bool>(3));
  out.deduplicates = type_deduplicates(out.type);
  out.byte_order = TRY(row.get<bool>(16));
  if (row.null(4)) {
    out.stats_why_not = why_no_stats(row);
    return out;
  }
  ColumnStats stats;
  stats.null_frac = TRY(row.get<double>(4));
  stats.n_distinct = TRY(row.get<double>(5));
  stats.correlation = TRY(row.get<std::optional<double>>(6));
  stats.avg_width = TRY(row.get<double>(7));
  stats.top_frequency = TRY(row.get<std::optional<double>>(8)).value_or(0);
  if (!row.null(9)) stats.histogram_bounds = TRY(texts_of(row.text(9)));
  if (!row.null(14)) stats.common_values = TRY(texts_of(row.text(14)));
  if (!row.null(15)) stats.common_frequencies = TRY(numbers(row.text(15)));
  out.stats = std::move(stats);
  return out;
}

json::array text_array(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& entry : list) out.emplace_back(entry);
  return out;
}

json::object to_json(const ColumnStats& stats) {
  json::object out;
  out["null_frac"] = stats.null_frac;
  out["n_distinct"] = stats.n_distinct;
  if (stats.correlation) out["correlation"] = *stats.correlation;
  out["avg_width"] = stats.avg_width;
  out["top_frequency"] = stats.top_frequency;
  out["histogram_bounds"] = text_array(stats.histogram_bounds);
  out["common_values"] = text_array(stats.common_values);
  json::array shares;
  for (const double share : stats.common_frequencies) shares.emplace_back(share);
  out["common_frequencies"] = std::move(shares);
  return out;
}

Result<ColumnStats> stats_from_json(const json::value& value) {
  ColumnStats out;
  const json::object* object = value.if_object();
  if (!object) return Error{ErrorCode::Invalid, "column statistics must be an object"};
  for (const auto& entry : *object) {
    const std::string_view key(entry.key().data(), entry.key().size());
    const json::value& member = entry.value();
    if (key == "histogram_bounds") {
      out.histogram_bounds = TRY(texts_of(to_text(member)));
      continue;
    }
    if (key == "common_values") {
      out.common_values = TRY(texts_of(to_text(member)));
      continue;
    }
    if (key == "common_frequencies") {
      out.common_frequencies = TRY(numbers(to_text(member)));
      continue;
    }
    if (!member.is_number()) {
      return Error{ErrorCode::Invalid, cat("statistics member \"", key, "\" is no number")};
    }
    const double number = member.to_number<double>();
    if (key == "null_frac")
      out.null_frac = number;
    else if (key == "n_distinct")
      out.n_distinct = number;
    else if (key == "correlation")
      out.correlation = number;
    else if (key == "avg_width")
      out.avg_width = number;
    else if (key == "top_frequency")
      out.top_frequency = number;
    else
      return Error{ErrorCode::Invalid, cat("unknown statistics member \"", key, "\"")};
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> texts_of(std::string_view json_list) {
  std::vector<std::string> out;
  const json::value list = TRY(parse_json(json_list));
  if (!list.is_array()) return out;
  for (const json::value& entry : list.get_array()) {
    if (entry.is_string()) out.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return out;
}

double ColumnStats::frequency(const std::string& value, double rows) const {
  double others = 1 - null_frac;
  const size_t known = std::min(common_values.size(), common_frequencies.size());
  for (size_t i = 0; i < known; ++i) {
    if (common_values[i] == value) return common_frequencies[i];
    others -= common_frequencies[i];
  }
  return std::max(others, 0.0) / std::max(distinct(rows) - static_cast<double>(known), 1.0);
}

double ColumnStats::distinct(double rows) const {
  const double count = n_distinct < 0 ? -n_distinct * rows : n_distinct;
  return std::clamp(count, 1.0, std::max(rows, 1.0));
}

Result<std::vector<ColumnFacts>> load_columns(pg::Connection& conn, uint32_t oid,
                                              const std::vector<std::string>& names) {
  json::array list;
  for (const std::string& column : names) list.emplace_back(column);
  const pg::Rows rows =
      TRY_DURING(conn.query(kSql, {cat(oid), to_text(list)}), "reading column statistics");
  std::vector<ColumnFacts> out;
  for (const pg::Row row : rows) out.push_back(TRY_DURING(to_column(row), "reading a column"));
  return out;
}

json::object to_json(const ColumnFacts& column) {
  json::object out;
  out["name"] = column.name;
  out["type"] = column.type;
  out["btree"] = column.btree;
  out["brin"] = column.brin;
  out["deduplicates"] = column.deduplicates;
  out["byte_order"] = column.byte_order;
  if (column.stats) {
    out["stats"] = to_json(*column.stats);
  } else {
    out["stats_why_not"] = column.stats_why_not;
  }
  return out;
}

Result<ColumnFacts> column_from_json(const json::value& value) {
  ColumnFacts out;
  const json::object* object = value.if_object();
  if (!object) return Error{ErrorCode::Invalid, "a column must be an object"};
  for (const auto& entry : *object) {
    const std::string_view key(entry.key().data(), entry.key().size());
    const json::value& member = entry.value();
    const auto* text = member.if_string();
    if (key == "name" && text)
      out.name = {text->data(), text->size()};
    else if (key == "type" && text)
      out.type = {text->data(), text->size()};
    else if (key == "stats_why_not" && text)
      out.stats_why_not = {text->data(), text->size()};
    else if (key == "btree" && member.is_bool())
      out.btree = member.get_bool();
    else if (key == "brin" && member.is_bool())
      out.brin = member.get_bool();
    else if (key == "deduplicates" && member.is_bool())
      out.deduplicates = member.get_bool();
    else if (key == "byte_order" && member.is_bool())
      out.byte_order = member.get_bool();
    else if (key == "stats")
      out.stats = TRY(stats_from_json(member));
    else
      return Error{ErrorCode::Invalid, cat("column member \"", key, "\" is unknown or mistyped")};
  }
  return out;
}

}  // namespace pgtend::facts
