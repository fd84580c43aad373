#include "facts/indexes.h"

#include <utility>

#include "base/text.h"

namespace pgtend::facts {
namespace {

// Key and INCLUDE columns as JSON arrays; an expression key has attnum 0 and becomes "".
constexpr std::string_view kIndexesSql = R"(
SELECT c.oid::int8, n.nspname, c.relname, am.amname, i.indisunique, i.indisprimary,
       i.indisvalid AND i.indisready,
       coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''),
       (SELECT pg_catalog.json_agg(coalesce(a.attname, '') ORDER BY k.at)::text
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, at)
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
                                              AND k.num <> 0
         WHERE k.at <= i.indnkeyatts),
       (SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY k.at), '[]')::text
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, at)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
         WHERE k.at > i.indnkeyatts),
       NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indclass::oid[]) AS o(id)
                     JOIN pg_catalog.pg_opclass oc ON oc.oid = o.id WHERE NOT oc.opcdefault),
       CASE WHEN c.relkind = 'i' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END,
       coalesce(s.idx_scan, 0),
       coalesce((SELECT pg_catalog.format('%I.%I', pn.nspname, p.relname)
                   FROM pg_catalog.pg_inherits h
                   JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
                   JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
                  WHERE h.inhrelid = c.oid), ''),
       pg_catalog.pg_get_indexdef(c.oid), i.indrelid::oid::int8,
       (SELECT pg_catalog.json_agg(
                 CASE WHEN k.num = 0 THEN pg_catalog.pg_get_indexdef(c.oid, k.at::int, false)
                      ELSE '' END ORDER BY k.at)::text
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, at)
         WHERE k.at <= i.indnkeyatts),
       NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest(i.indcollation::oid[]),
                                         pg_catalog.unnest(i.indkey::int2[]))
                                 AS k(collation_id, num)
                     JOIN pg_catalog.pg_attribute a
                       ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num <> 0
                    WHERE k.collation_id <> 0 AND k.collation_id <> a.attcollation),
       (SELECT pg_catalog.json_agg(pg_catalog.pg_index_column_has_property(c.oid, k.at::int, 'desc')
                                   IS TRUE ORDER BY k.at)::text
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, at)
         WHERE k.at <= i.indnkeyatts)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = c.oid
 WHERE i.indrelid IN (SELECT pg_catalog.json_array_elements_text($1::json)::oid)
 ORDER BY c.relname)";

Result<std::vector<std::string>> names(std::string_view text) {
  const json::value list = TRY(parse_json(text));
  std::vector<std::string> out;
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "a list of names was expected"};
  for (const json::value& entry : list.get_array()) {
    if (!entry.is_string()) return Error{ErrorCode::Corrupt, "a name was expected"};
    out.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return out;
}

Result<std::vector<bool>> flags(std::string_view text) {
  const json::value list = TRY(parse_json(text));
  std::vector<bool> out;
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "a list of flags was expected"};
  for (const json::value& entry : list.get_array())
    out.push_back(entry.is_bool() && entry.get_bool());
  return out;
}

Result<IndexFacts> to_index(const pg::Row& row) {
  IndexFacts out;
  out.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
  out.schema = row.text(1);
  out.name = row.text(2);
  out.method = row.text(3);
  out.unique = TRY(row.get<bool>(4));
  out.primary = TRY(row.get<bool>(5));
  out.valid = TRY(row.get<bool>(6));
  out.predicate = row.text(7);
  out.keys = TRY(names(row.text(8)));
  out.include = TRY(names(row.text(9)));
  out.default_classes = TRY(row.get<bool>(10));
  out.size = {TRY(row.get<int64_t>(11))};
  out.scans = TRY(row.get<int64_t>(12));
  out.parent = row.text(13);
  out.definition = row.text(14);
  out.expressions = TRY(names(row.text(16)));
  out.default_collations = TRY(row.get<bool>(17));
  out.descending = TRY(flags(row.text(18)));
  return out;
}

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string().data(), value.get_string().size())
                           : std::string();
}

json::array to_array(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& entry : list) out.emplace_back(entry);
  return out;
}

}  // namespace

Result<std::map<uint32_t, std::vector<IndexFacts>>> load_indexes(
    pg::Connection& conn, const std::vector<uint32_t>& oids) {
  std::map<uint32_t, std::vector<IndexFacts>> out;
  if (oids.empty()) return out;
  json::array list;
  for (const uint32_t oid : oids) list.emplace_back(cat(oid));
  const pg::Rows rows =
      TRY_DURING(conn.query(kIndexesSql, {to_text(list)}), "reading the table's indexes");
  for (const pg::Row row : rows) {
    const auto table = static_cast<uint32_t>(TRY(row.get<int64_t>(15)));
    out[table].push_back(TRY_DURING(to_index(row), "reading an index"));
  }
  return out;
}

Result<std::vector<IndexFacts>> load_indexes(pg::Connection& conn, uint32_t oid) {
  auto all = TRY(load_indexes(conn, std::vector{oid}));
  return std::move(all[oid]);
}

json::object to_json(const IndexFacts& index) {
  json::object out;
  out["schema"] = index.schema;
  out["name"] = index.name;
  out["method"] = index.method;
  out["keys"] = to_array(index.keys);
  out["expressions"] = to_array(index.expressions);
  out["include"] = to_array(index.include);
  out["predicate"] = index.predicate;
  out["unique"] = index.unique;
  out["primary"] = index.primary;
  out["valid"] = index.valid;
  out["default_classes"] = index.default_classes;
  out["default_collations"] = index.default_collations;
  out["descending"] = json::array(index.descending.begin(), index.descending.end());
  out["size"] = index.size.count;
  out["scans"] = index.scans;
  out["parent"] = index.parent;
  out["definition"] = index.definition;
  return out;
}

Result<IndexFacts> index_from_json(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return Error{ErrorCode::Invalid, "an index must be an object"};
  IndexFacts out;
  for (const auto& entry : *object) {
    const std::string_view key(entry.key().data(), entry.key().size());
    const json::value& member = entry.value();
    if (key == "schema")
      out.schema = text_of(member);
    else if (key == "name")
      out.name = text_of(member);
    else if (key == "method")
      out.method = text_of(member);
    else if (key == "predicate")
      out.predicate = text_of(member);
    else if (key == "parent")
      out.parent = text_of(member);
    else if (key == "definition")
      out.definition = text_of(member);
    else if (key == "unique" && member.is_bool())
      out.unique = member.get_bool();
    else if (key == "primary" && member.is_bool())
      out.primary = member.get_bool();
    else if (key == "valid" && member.is_bool())
      out.valid = member.get_bool();
    else if (key == "default_classes" && member.is_bool())
      out.default_classes = member.get_bool();
    else if (key == "default_collations" && member.is_bool())
      out.default_collations = member.get_bool();
    else if (key == "descending")
      out.descending = TRY(flags(to_text(member)));
    else if (key == "expressions")
      out.expressions = TRY(names(to_text(member)));
    else if (key == "size" && member.is_int64())
      out.size = {member.get_int64()};
    else if (key == "scans" && member.is_int64())
      out.scans = member.get_int64();
    else if (key == "keys")
      out.keys = TRY(names(to_text(member)));
    else if (key == "include")
      out.include = TRY(names(to_text(member)));
    else
      return Error{ErrorCode::Invalid, cat("index member \"", key, "\" is unknown or mistyped")};
  }
  return out;
}

}  // namespace pgtend::facts
