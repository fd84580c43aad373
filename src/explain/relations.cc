#include "explain/relations.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

template <class T>
Status read_list(const json::object& object, std::string_view name,
                 Result<T> (*read)(const json::value&), std::vector<T>& out) {
  const json::value* list = object.if_contains(json::string_view(name.data(), name.size()));
  if (!list) return ok();
  if (!list->is_array()) return Error{ErrorCode::Invalid, cat("\"", name, "\" is no list")};
  for (const json::value& entry : list->get_array()) out.push_back(TRY(read(entry)));
  return ok();
}

}  // namespace

double PartitionTree::rows() const {
  double out = 0;
  for (const PartitionMember& member : members) {
    if (member.kind != 'p' && member.table) out += member.table->rows();
  }
  return out;
}

double PartitionTree::pages() const {
  double out = 0;
  for (const PartitionMember& member : members) {
    if (member.kind != 'p' && member.table) out += static_cast<double>(member.table->size.pages);
  }
  return out;
}

bool RelationFacts::temporary() const {
  return schema.starts_with("pg_temp") || (table && table->schema.starts_with("pg_temp"));
}

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

Result<Facts> facts_from_json(const json::value& value) {
  Facts out;
  const json::object* object = value.if_object();
  const json::value* list = object ? object->if_contains("relations") : nullptr;
  if (!list || !list->is_array()) return Error{ErrorCode::Invalid, "no list of relations"};
  const json::value* version = object->if_contains("version");
  if (version && version->is_int64()) out.version = static_cast<int>(version->get_int64());
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
