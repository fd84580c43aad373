#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/relations.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

// More tables than this are not read one by one, nor more partitions of one table.
constexpr size_t kRelationsMax = 100;
constexpr int64_t kMembersMax = 2000;

constexpr std::string_view kTreeSql = R"(
SELECT t.relid::oid::int8, coalesce(t.parentrelid::oid::int8, 0), n.nspname, c.relname, c.relkind,
       coalesce(p.partstrat::text, ''),
       (SELECT pg_catalog.json_agg(coalesce(a.attname, '') ORDER BY k.at)::text
          FROM pg_catalog.unnest(p.partattrs::int2[]) WITH ORDINALITY AS k(num, at)
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relid AND a.attnum = k.num
                                              AND k.num <> 0)
  FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root($1::oid::regclass)) t
  JOIN pg_catalog.pg_class c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid
 ORDER BY t.level, n.nspname, c.relname
 LIMIT 2001)";

// $1: the tables whose indexes may be named, as a JSON array of {schema, name}.
constexpr std::string_view kNamesSql = R"(
SELECT DISTINCT c.relname
  FROM pg_catalog.json_to_recordset($1::json) AS w(schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
 WHERE pg_catalog.starts_with(c.relname, pg_catalog.left(w.name, 6))
 ORDER BY 1 LIMIT 50000)";

// The worst volatility first: v, s, i happen to sort that way in reverse.
constexpr std::string_view kVolatilitySql = R"(
SELECT w.name, max(p.provolatile::text)
  FROM pg_catalog.json_to_recordset($1::json) AS w(name text, schema text, function text)
  JOIN pg_catalog.pg_proc p ON p.proname = w.function
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE w.schema = '' OR n.nspname = w.schema
 GROUP BY w.name)";

constexpr std::string_view kStatisticsSql = R"(
SELECT s.stxname,
       (SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY a.attnum), '[]')::text
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::int2[])),
       pg_catalog.array_to_string(s.stxkind, ''), pg_catalog.pg_get_statisticsobjdef(s.oid)
  FROM pg_catalog.pg_statistic_ext s
 WHERE s.stxrelid = $1::oid
 ORDER BY s.stxname LIMIT 1000)";

// NULLs take no room. No row when a column has no statistics, or none that the role may see.
constexpr std::string_view kWidthSql = R"(
SELECT sum(s.avg_width * (1 - s.null_frac))::float8
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stats s
    ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
   AND NOT s.inherited
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
HAVING count(s.attname) = count(*) AND count(*) > 0)";

// $1: names of constraints as a JSON array of {constraint, table}: the trigger may stand on either
// side. An index serves when its first keys are the columns, in any order.
constexpr std::string_view kForeignKeysSql = R"(
SELECT c.conname, n.nspname, r.relname, pg_catalog.format('%I.%I', fn.nspname, f.relname),
       (SELECT pg_catalog.json_agg(a.attname ORDER BY k.at)::text
          FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k(num, at)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num),
       EXISTS (SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL
                  AND (i.indkey::int2[])[0:pg_catalog.cardinality(c.conkey) - 1] @> c.conkey),
       greatest(r.reltuples, 0)::float8, r.relpages::float8
  FROM pg_catalog.json_to_recordset($1::json) AS w("constraint" text, "table" text)
  JOIN pg_catalog.pg_constraint c ON c.conname = w."constraint" AND c.contype = 'f'
  JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
  JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
 WHERE (r.relname = w."table" OR f.relname = w."table")
 ORDER BY 1, 2, 3 LIMIT 1000)";

constexpr std::string_view kTrigramsSql = R"(
SELECT n.nspname FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_trgm')";

// $1: a temporary table's name.
constexpr std::string_view kTemporarySql = R"(
SELECT n.nspname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = $1 AND c.relpersistence = 't' AND c.relkind IN ('r', 'p') LIMIT 2)";

Result<std::vector<std::string>> string_list(std::string_view text) {
  std::vector<std::string> out;
  if (text.empty()) return out;
  const json::value list = TRY(parse_json(text));
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "a list was expected"};
  for (const json::value& entry : list.get_array()) {
    if (entry.is_string()) out.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return out;
}

// A refusal of the server is a fact about one table; a lost connection ends all.
bool lost(const Error& error) { return error.code == ErrorCode::Unavailable; }

Result<PartitionTree> read_tree(const pg::Rows& rows) {
  PartitionTree tree;
  std::map<int64_t, int> places;
  for (const pg::Row row : rows) {
    PartitionMember member;
    const int64_t id = TRY(row.get<int64_t>(0));
    member.oid = static_cast<uint32_t>(id);
    const auto parent = places.find(TRY(row.get<int64_t>(1)));
    if (parent != places.end()) member.parent = parent->second;
    member.schema = row.text(2);
    member.name = row.text(3);
    member.kind = row.text(4).empty() ? 'r' : row.text(4)[0];
    places[id] = static_cast<int>(tree.members.size());
    if (tree.members.empty()) {
      const std::string_view strategy = row.text(5);
      tree.strategy = strategy == "r" ? "range" : strategy == "l" ? "list" : "hash";
      tree.key = TRY(string_list(row.text(6)));
    }
    tree.members.push_back(std::move(member));
  }
  return tree;
}

// Sizes and indexes of all members, in two queries.
Status fill_tree(pg::Connection& conn, PartitionTree& tree) {
  const PartitionMember& root = tree.members[0];
  std::vector<uint32_t> oids;
  std::map<uint32_t, PartitionMember*> places;
  for (PartitionMember& member : tree.members) {
    oids.push_back(member.oid);
    places[member.oid] = &member;
  }
  auto indexes = TRY(facts::load_indexes(conn, oids));
  for (auto& [oid, list] : indexes) {
    if (const auto place = places.find(oid); place != places.end()) {
      place->second->indexes = std::move(list);
    }
  }
  auto tables = facts::load_tables(conn, {.table = pg::qualified(root.schema, root.name)});
  if (!tables && lost(tables.error())) return std::move(tables).error();
  if (!tables) return ok();  // sizes stay unknown
  for (facts::TableFacts& table : tables->tables) {
    const auto place = places.find(table.oid);
    if (place != places.end()) place->second->table = std::move(table);
  }
  return ok();
}

Result<int> load_tree(pg::Connection& conn, uint32_t oid, Facts& facts) {
  const pg::Rows rows =
      TRY_DURING(conn.query(kTreeSql, {cat(oid)}), "reading the table's partitions");
  if (rows.size() < 2) return kNone;
  PartitionTree tree = TRY(read_tree(rows));
  for (size_t i = 0; i < facts.trees.size(); ++i) {
    if (facts.trees[i].members[0].oid == tree.members[0].oid) return static_cast<int>(i);
  }
  if (rows.size() > kMembersMax) {
    tree.why_not = cat("more than ", kMembersMax, " partitions");
  } else {
    TRY(fill_tree(conn, tree));
  }
  facts.trees.push_back(std::move(tree));
  return static_cast<int>(facts.trees.size()) - 1;
}

Status load_statistics(pg::Connection& conn, RelationFacts& out) {
  const pg::Rows rows =
      TRY_DURING(conn.query(kStatisticsSql, {cat(out.table->oid)}), "reading extended statistics");
  for (const pg::Row row : rows) {
    out.statistics.push_back({std::string(row.text(0)), TRY(string_list(row.text(1))),
                              std::string(row.text(2)), std::string(row.text(3))});
  }
  const pg::Rows width = TRY_DURING(conn.query(kWidthSql, {cat(out.table->oid)}), "reading widths");
  if (width.size() == 1) out.row_width = TRY(width[0].get<double>(0));
  return ok();
}

json::object named_table(const std::string& schema, const std::string& name) {
  return json::object{{"schema", schema}, {"name", name}};
}

Result<std::vector<std::string>> names_near(pg::Connection& conn, json::array tables) {
  std::vector<std::string> out;
  const pg::Rows names = TRY(conn.query(kNamesSql, {to_text(json::value(std::move(tables)))}));
  for (const pg::Row row : names) out.emplace_back(row.text(0));
  return out;
}

Status load_names(pg::Connection& conn, const Facts& facts, RelationFacts& out) {
  json::array named;
  const auto add = [&](const std::string& schema, const std::string& name) {
    named.push_back(named_table(schema, name));
  };
  add(out.table->schema, out.table->name);
  if (out.tree != kNone) {
    const PartitionTree& tree = facts.trees[static_cast<size_t>(out.tree)];
    for (const PartitionMember& member : tree.members) add(member.schema, member.name);
  }
  out.names_taken = TRY(names_near(conn, std::move(named)));
  return ok();
}

// A partition of a table that another one has brought in: nothing is asked again.
bool take_from_tree(const Facts& facts, RelationFacts& out) {
  if (out.schema.empty()) return false;
  for (const RelationFacts& known : facts.relations) {
    if (known.tree == kNone) continue;
    const PartitionTree& tree = facts.trees[static_cast<size_t>(known.tree)];
    for (const PartitionMember& member : tree.members) {
      if (member.name != out.name || member.schema != out.schema || !member.table) continue;
      out.table = member.table;
      out.indexes = member.indexes;
      out.columns = known.columns;
      out.statistics = known.statistics;
      out.row_width = known.row_width;
      out.names_taken = known.names_taken;
      out.tree = known.tree;
      return true;
    }
  }
  return false;
}

// "pg_temp" is the schema of the session that made the plan, which is not always this one: then the
// only temporary table of that name is meant.
Result<std::string> table_to_read(pg::Connection& conn, const RelationFacts& relation) {
  if (relation.schema.empty()) return pg::ident(relation.name);
  std::string schema = relation.schema;
  if (schema == "pg_temp") {
    const pg::Rows rows = TRY(conn.query(kTemporarySql, {relation.name}));
    if (rows.size() == 1) schema = rows[0].text(0);
  }
  return pg::qualified(schema, relation.name);
}

Status load_relation(pg::Connection& conn, const std::set<std::string>& columns, RelationFacts& out,
                     Facts& facts) {
  const std::string table = TRY(table_to_read(conn, out));
  auto tables = facts::load_tables(conn, {.table = table});
  if (!tables) {
    if (lost(tables.error())) return std::move(tables).error();
    out.why_not = tables.error().message;
    return ok();
  }
  if (tables->tables.empty()) {
    out.why_not = cat(table, " is no table that the role can see");
    return ok();
  }
  out.table = std::move(tables->tables[0]);
  out.indexes = TRY(facts::load_indexes(conn, out.table->oid));
  out.columns = TRY(facts::load_columns(conn, out.table->oid, {columns.begin(), columns.end()}));
  out.tree = TRY(load_tree(conn, out.table->oid, facts));
  TRY(load_statistics(conn, out));
  return load_names(conn, facts, out);
}

Status load_foreign_keys(pg::Connection& conn, const Plan& plan, Facts& out) {
  json::array wanted;
  for (const TriggerTime& trigger : plan.triggers) {
    if (trigger.constraint.empty()) continue;
    wanted.push_back(json::object{{"constraint", trigger.constraint}, {"table", trigger.relation}});
  }
  if (wanted.empty()) return ok();
  const pg::Rows rows =
      TRY_DURING(conn.query(kForeignKeysSql, {to_text(wanted)}), "reading foreign keys");
  for (const pg::Row row : rows) {
    ForeignKey key{std::string(row.text(0)),
                   std::string(row.text(1)),
                   std::string(row.text(2)),
                   TRY(string_list(row.text(4))),
                   std::string(row.text(3)),
                   false,
                   0,
                   0,
                   {}};
    key.indexed = TRY(row.get<bool>(5));
    key.rows = TRY(row.get<double>(6));
    key.pages = TRY(row.get<double>(7));
    json::array table;
    table.push_back(named_table(key.schema, key.table));
    key.names_taken = TRY(names_near(conn, std::move(table)));
    out.foreign_keys.push_back(std::move(key));
  }
  return ok();
}

}  // namespace

Result<std::map<std::string, sql::Volatility>> load_volatility(
    pg::Connection& conn, const std::vector<std::string>& names) {
  std::map<std::string, sql::Volatility> out;
  if (names.empty()) return out;
  json::array list;
  for (const std::string& function : names) {
    const size_t dot = function.rfind('.');
    json::object entry;
    entry["name"] = function;
    entry["schema"] = dot == std::string::npos ? "" : function.substr(0, dot);
    entry["function"] = dot == std::string::npos ? function : function.substr(dot + 1);
    list.push_back(std::move(entry));
  }
  const pg::Rows rows =
      TRY_DURING(conn.query(kVolatilitySql, {to_text(list)}), "reading function volatility");
  for (const pg::Row row : rows) {
    const std::string_view worst = row.text(1);
    out[std::string(row.text(0))] = worst == "v"   ? sql::Volatility::Volatile
                                    : worst == "s" ? sql::Volatility::Stable
                                                   : sql::Volatility::Immutable;
  }
  return out;
}

Result<Facts> load_facts(pg::Connection& conn, const Plan& plan) {
  const Wanted wanted = wanted_facts(plan);
  Facts out;
  out.version = conn.server_version();
  size_t asked = 0, left_out = 0;
  for (const auto& [key, columns] : wanted.columns) {
    RelationFacts relation;
    relation.schema = key.first;
    relation.name = key.second;
    if (!take_from_tree(out, relation)) {
      if (asked == kRelationsMax) {
        ++left_out;
        continue;
      }
      ++asked;
      TRY_DURING(load_relation(conn, columns, relation, out), cat("reading facts of ", key.second));
    }
    out.relations.push_back(std::move(relation));
  }
  if (left_out > 0) {
    out.warnings.push_back(cat("the plan scans more than ", kRelationsMax,
                               " tables: nothing is known "
                               "of ",
                               left_out, " of them"));
  }
  out.functions = TRY(load_volatility(conn, {wanted.functions.begin(), wanted.functions.end()}));
  TRY(load_foreign_keys(conn, plan, out));
  const pg::Rows trigrams = TRY(conn.query(kTrigramsSql));
  if (!trigrams.empty()) out.trigrams = trigrams[0].text(0);
  return out;
}

}  // namespace pgtend::explain
