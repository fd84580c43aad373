#include "explain/relations.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/member.h"
#include "pg/quote.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

// More partitions than this are not read one by one.
constexpr int64_t kMembersMax = 2000;

constexpr std::string_view kTreeSql = R"(
SELECT t.relid::oid::int8, coalesce(t.parentrelid::oid::int8, 0), n.nspname, c.relname, c.relkind
  FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root($1::oid::regclass)) t
  JOIN pg_catalog.pg_class c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
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

bool filters_sequentially(const Node& node) {
  return node.type == "Seq Scan" && !node.object.relation.empty() && !node.text("Filter").empty();
}

// Column and function names in the filters on one relation.
struct Wanted {
  std::set<std::string> columns;
  std::set<std::string> functions;
};

void collect(const Node& node, Wanted& wanted) {
  const auto tree = sql::parse_expression(node.text("Filter"));
  if (!tree) return;  // the rule says so when it meets the node
  for (const sql::Predicate& predicate : sql::predicates(*tree)) {
    if (!predicate.column.empty()) wanted.columns.insert(predicate.column);
    wanted.functions.insert(predicate.functions.begin(), predicate.functions.end());
  }
}

Result<int> load_tree(pg::Connection& conn, uint32_t oid, Facts& facts) {
  const pg::Rows rows =
      TRY_DURING(conn.query(kTreeSql, {cat(oid)}), "reading the table's partitions");
  if (rows.size() < 2) return kNone;
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
    tree.members.push_back(std::move(member));
  }
  for (size_t i = 0; i < facts.trees.size(); ++i) {
    if (facts.trees[i].members[0].oid == tree.members[0].oid) return static_cast<int>(i);
  }
  if (rows.size() > kMembersMax) {
    tree.why_not = cat("more than ", kMembersMax, " partitions");
  } else {
    for (PartitionMember& member : tree.members) {
      member.indexes = TRY(facts::load_indexes(conn, member.oid));
    }
  }
  facts.trees.push_back(std::move(tree));
  return static_cast<int>(facts.trees.size()) - 1;
}

Status load_relation(pg::Connection& conn, const Wanted& wanted, RelationFacts& out, Facts& facts) {
  const std::string table =
      out.schema.empty() ? pg::ident(out.name) : pg::qualified(out.schema, out.name);
  auto tables = facts::load_tables(conn, {.table = table});
  if (!tables) {
    if (tables.error().code == ErrorCode::Unavailable) return std::move(tables).error();
    out.why_not = tables.error().message;
    return ok();
  }
  if (tables->tables.empty()) {
    out.why_not = cat(table, " is no table that the role can see");
    return ok();
  }
  out.table = tables->tables[0];
  out.indexes = TRY(facts::load_indexes(conn, out.table->oid));
  out.columns = TRY(
      facts::load_columns(conn, out.table->oid, {wanted.columns.begin(), wanted.columns.end()}));
  out.tree = TRY(load_tree(conn, out.table->oid, facts));
  json::array named;
  const auto add = [&](const std::string& schema, const std::string& name) {
    named.push_back(json::object{{"schema", schema}, {"name", name}});
  };
  add(out.table->schema, out.table->name);
  if (out.tree != kNone) {
    const PartitionTree& tree = facts.trees[static_cast<size_t>(out.tree)];
    for (const PartitionMember& member : tree.members) add(member.schema, member.name);
  }
  const pg::Rows names = TRY(conn.query(kNamesSql, {to_text(named)}));
  for (const pg::Row row : names) out.names_taken.emplace_back(row.text(0));
  return ok();
}

template <class T>
Status read_list(const json::object& object, std::string_view name,
                 Result<T> (*read)(const json::value&), std::vector<T>& out) {
  const json::value* list = find_member(object, name);
  if (!list) return ok();
  if (!list->is_array()) return Error{ErrorCode::Invalid, cat("\"", name, "\" is no list")};
  for (const json::value& entry : list->get_array()) out.push_back(TRY(read(entry)));
  return ok();
}

}  // namespace

const facts::ColumnFacts* RelationFacts::column(std::string_view column_name) const {
  const auto it = std::ranges::find(columns, column_name, &facts::ColumnFacts::name);
  return it == columns.end() ? nullptr : &*it;
}

const RelationFacts* Facts::find(std::string_view schema, std::string_view name) const {
  const auto it = std::ranges::find_if(relations, [&](const RelationFacts& relation) {
    return relation.schema == schema && relation.name == name;
  });
  return it == relations.end() ? nullptr : &*it;
}

sql::Volatility Facts::volatility(std::string_view function) const {
  const sql::Volatility builtin = sql::builtin_volatility(function);
  if (builtin != sql::Volatility::Unknown) return builtin;
  const auto it = functions.find(std::string(function));
  return it == functions.end() ? sql::Volatility::Unknown : it->second;
}

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
  std::map<std::pair<std::string, std::string>, Wanted> relations;
  std::set<std::string> functions;
  for (const Node& node : plan.nodes) {
    if (!filters_sequentially(node)) continue;
    Wanted& wanted = relations[{node.object.schema, node.object.relation}];
    collect(node, wanted);
    functions.insert(wanted.functions.begin(), wanted.functions.end());
  }
  Facts out;
  for (const auto& [key, wanted] : relations) {
    RelationFacts relation;
    relation.schema = key.first;
    relation.name = key.second;
    TRY_DURING(load_relation(conn, wanted, relation, out), cat("reading facts of ", key.second));
    out.relations.push_back(std::move(relation));
  }
  out.functions = TRY(load_volatility(conn, {functions.begin(), functions.end()}));
  return out;
}

Result<Facts> facts_from_json(const json::value& value) {
  Facts out;
  const json::object* object = value.if_object();
  const json::value* list = object ? object->if_contains("relations") : nullptr;
  if (!list || !list->is_array()) return Error{ErrorCode::Invalid, "no list of relations"};
  for (const json::value& entry : list->get_array()) {
    const json::object* source = entry.if_object();
    const json::value* table = source ? source->if_contains("table") : nullptr;
    if (!table) return Error{ErrorCode::Invalid, "a relation without \"table\""};
    RelationFacts relation;
    relation.table = TRY(facts::table_from_json(*table));
    relation.schema = relation.table->schema;
    relation.name = relation.table->name;
    TRY(read_list(*source, "indexes", facts::index_from_json, relation.indexes));
    TRY(read_list(*source, "columns", facts::column_from_json, relation.columns));
    for (const facts::IndexFacts& index : relation.indexes) {
      relation.names_taken.push_back(index.name);
    }
    out.relations.push_back(std::move(relation));
  }
  return out;
}

}  // namespace pgtend::explain
