#include "sql/parameters.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "sql/parse.h"

namespace pgtend::sql {
namespace {

constexpr int kOutermost = -1;

// The sources of one query level.
struct Source {
  std::string alias;
  SourceTable table;
};
struct Scope {
  int outer = kOutermost;
  std::vector<Source> sources = {};
};

// A member that must be a list, or nothing.
const json::array& list_of(const json::object& body, std::string_view name) {
  static const json::array kNone;
  const json::value* list = member(body, name);
  return list && list->is_array() ? list->get_array() : kNone;
}

// libpg_query has the alias as a plain or as a typed node.
std::string alias_of(const json::object& body) {
  const json::value* alias = member(body, "alias");
  if (!alias) return {};
  if (const json::object* typed = body_of(*alias, "Alias")) return member_text(*typed, "aliasname");
  return alias->is_object() ? member_text(alias->get_object(), "aliasname") : "";
}

const json::value& without_casts(const json::value& node) {
  const json::value* at = &node;
  for (;;) {
    const json::object* cast = body_of(*at, "TypeCast");
    if (!cast) cast = body_of(*at, "CollateClause");
    const json::value* arg = cast ? member(*cast, "arg") : nullptr;
    if (!arg) return *at;
    at = arg;
  }
}

// The n of $n, behind casts; 0 for anything else.
int parameter_number(const json::value& node) {
  const json::object* body = body_of(without_casts(node), "ParamRef");
  const json::value* number = body ? member(*body, "number") : nullptr;
  if (!number || !number->is_int64()) return 0;
  constexpr int64_t kMax = 65'535;  // of the protocol
  return number->get_int64() > kMax ? 0 : static_cast<int>(number->get_int64());
}

struct Column {
  std::string qualifier;
  std::string name;
};

// A column behind casts.
std::optional<Column> column_of(const json::value& node) {
  const json::object* body = body_of(without_casts(node), "ColumnRef");
  if (!body) return {};
  const json::array& fields = list_of(*body, "fields");
  if (fields.empty() || !body_of(fields.back(), "String")) return {};
  Column out{{}, std::string(string_value(fields.back()))};
  if (fields.size() > 1) out.qualifier = string_value(fields[fields.size() - 2]);
  return out;
}

std::string commuted(const std::string& op) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTurned = {
      {{"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}}};
  for (const auto& [from, to] : kTurned) {
    if (op == from) return std::string(to);
  }
  return op;
}

// Walks a tree without recursion. Lives during one call.
class Walk {
 public:
  explicit Walk(const json::value& tree) {
    for_each_member(tree, [&](std::string_view name, const json::value& value) {
      if (name == "CommonTableExpr" && value.is_object()) {
        with_names_.insert(member_text(value.get_object(), "ctename"));
      }
    });
    todo_.push_back({{}, &tree, kOutermost});
  }

  std::vector<ParameterUse> run();

 private:
  struct Entry {
    std::string_view name;
    const json::value* value;
    int scope;
  };

  int open_scope(std::string_view name, const json::object& body, int outer);
  void add_sources(const json::value& item, Scope& scope) const;
  void add_table(const json::object& range, Scope& scope) const;
  void compare(const json::object& expression, int scope);
  void pair(const json::value& left, const json::value& right, const ParameterUse& how, int scope);
  void assign(const json::object& target, int scope);
  void insert(const json::object& statement, int scope);
  void keep(int number, const Column& column, ParameterUse how, int scope);

  std::set<std::string, std::less<>> with_names_;
  std::vector<Scope> scopes_;
  std::vector<Entry> todo_;
  std::vector<ParameterUse> uses_;
};

void Walk::add_table(const json::object& range, Scope& scope) const {
  SourceTable table{member_text(range, "schemaname"), member_text(range, "relname")};
  std::string alias = alias_of(range);
  if (alias.empty()) alias = table.name;
  if (table.schema.empty() && with_names_.contains(table.name)) table = {};
  scope.sources.push_back({std::move(alias), std::move(table)});
}

void Walk::add_sources(const json::value& item, Scope& scope) const {
  std::vector<const json::value*> todo{&item};
  while (!todo.empty()) {
    const json::value* node = todo.back();
    todo.pop_back();
    if (const json::object* range = body_of(*node, "RangeVar")) {
      add_table(*range, scope);
    } else if (const json::object* join = body_of(*node, "JoinExpr")) {
      for (const std::string_view side : {"rarg", "larg"}) {
        if (const json::value* arg = member(*join, side)) todo.push_back(arg);
      }
    } else if (const json::object* other = node->if_object(); other && !other->empty()) {
      const json::object* body = other->begin()->value().if_object();
      scope.sources.push_back({body ? alias_of(*body) : "", {}});
    }
  }
}

// The scope of what stands in `body`.
int Walk::open_scope(std::string_view name, const json::object& body, int outer) {
  const bool writes =
      name == "InsertStmt" || name == "UpdateStmt" || name == "DeleteStmt" || name == "MergeStmt";
  if (!writes && list_of(body, "fromClause").empty()) return outer;
  Scope scope{.outer = outer};
  const json::value* target = writes ? member(body, "relation") : nullptr;
  if (target && target->is_object()) add_table(target->get_object(), scope);
  for (const std::string_view clause : {"fromClause", "usingClause"}) {
    for (const json::value& item : list_of(body, clause)) add_sources(item, scope);
  }
  const json::value* source = member(body, "sourceRelation");  // of MERGE
  if (source) add_sources(*source, scope);
  scopes_.push_back(std::move(scope));
  return static_cast<int>(scopes_.size()) - 1;
}

void Walk::keep(int number, const Column& column, ParameterUse how, int scope) {
  how.number = number;
  how.column = column.name;
  const bool qualified = !column.qualifier.empty();
  for (bool open = true; open && scope != kOutermost;) {
    const Scope& level = scopes_[static_cast<size_t>(scope)];
    for (const Source& source : level.sources) {
      if (qualified && source.alias != column.qualifier) continue;
      const bool table = !source.table.name.empty();
      if (table) how.tables.push_back(source.table);
      // What is no table may have a column of this name, too.
      if (qualified || !table) open = false;
    }
    scope = level.outer;
  }
  uses_.push_back(std::move(how));
}

void Walk::pair(const json::value& left, const json::value& right, const ParameterUse& how,
                int scope) {
  const auto on_left = column_of(left), on_right = column_of(right);
  if (const int number = parameter_number(right); number > 0 && on_left) {
    keep(number, *on_left, how, scope);
  } else if (const int turned = parameter_number(left); turned > 0 && on_right) {
    ParameterUse other = how;
    other.op = commuted(how.op);
    keep(turned, *on_right, std::move(other), scope);
  }
}

void Walk::compare(const json::object& expression, int scope) {
  const json::value* left = member(expression, "lexpr");
  const json::value* right = member(expression, "rexpr");
  if (!left || !right) return;
  const std::string kind = member_text(expression, "kind");
  const json::array& name = list_of(expression, "name");
  ParameterUse how;
  if (!name.empty()) how.op = string_value(name.back());
  how.list = kind == "AEXPR_OP_ANY";
  const json::object* many = body_of(*right, "List");
  const json::array* items = many ? &list_of(*many, "items") : nullptr;
  if (kind == "AEXPR_BETWEEN" && items && items->size() == 2) {
    how.op = ">=";
    pair(*left, (*items)[0], how, scope);
    how.op = "<=";
    pair(*left, (*items)[1], how, scope);
    return;
  }
  if (items) {
    for (const json::value& item : *items) pair(*left, item, how, scope);
    return;
  }
  const json::object* left_row = body_of(*left, "RowExpr");
  const json::object* right_row = body_of(*right, "RowExpr");
  if (!left_row || !right_row) {
    pair(*left, *right, how, scope);
    return;
  }
  const json::array &lefts = list_of(*left_row, "args"), &rights = list_of(*right_row, "args");
  for (size_t i = 0; i < std::min(lefts.size(), rights.size()); ++i) {
    pair(lefts[i], rights[i], how, scope);
  }
}

// SET column = $1
void Walk::assign(const json::object& target, int scope) {
  const json::value* value = member(target, "val");
  const int number = value ? parameter_number(*value) : 0;
  const std::string column = member_text(target, "name");
  if (number == 0 || column.empty() || scope == kOutermost) return;
  const auto& sources = scopes_[static_cast<size_t>(scope)].sources;
  if (sources.empty() || sources[0].table.name.empty()) return;
  uses_.push_back({.number = number, .column = column, .tables = {sources[0].table}});
}

// INSERT INTO t (column, …) VALUES ($1, …)
void Walk::insert(const json::object& statement, int scope) {
  const json::value* source = member(statement, "selectStmt");
  const json::object* select = source ? body_of(*source, "SelectStmt") : nullptr;
  if (!select) return;
  const json::array& columns = list_of(statement, "cols");
  for (const json::value& row : list_of(*select, "valuesLists")) {
    const json::object* list = body_of(row, "List");
    if (!list) continue;
    const json::array& items = list_of(*list, "items");
    for (size_t i = 0; i < std::min(items.size(), columns.size()); ++i) {
      const json::object* column = body_of(columns[i], "ResTarget");
      if (!column) continue;
      assign({{"name", member_text(*column, "name")}, {"val", items[i]}}, scope);
    }
  }
}

std::vector<ParameterUse> Walk::run() {
  while (!todo_.empty()) {
    Entry entry = todo_.back();
    todo_.pop_back();
    if (const json::object* body = entry.value->if_object()) {
      entry.scope = open_scope(entry.name, *body, entry.scope);
      if (entry.name == "A_Expr") compare(*body, entry.scope);
      if (entry.name == "InsertStmt") insert(*body, entry.scope);
      const bool sets = entry.name == "UpdateStmt" || entry.name == "MergeWhenClause";
      if (sets) {
        for (const json::value& target : list_of(*body, "targetList")) {
          if (const json::object* set = body_of(target, "ResTarget")) assign(*set, entry.scope);
        }
      }
      for (auto it = body->end(); it != body->begin();) {
        --it;
        todo_.push_back({{it->key().data(), it->key().size()}, &it->value(), entry.scope});
      }
    } else if (const json::array* list = entry.value->if_array()) {
      for (auto it = list->end(); it != list->begin();) todo_.push_back({{}, &*--it, entry.scope});
    }
  }
  return std::move(uses_);
}

}  // namespace

std::vector<ParameterUse> parameter_uses(const json::value& tree) { return Walk(tree).run(); }

}  // namespace pgtend::sql
