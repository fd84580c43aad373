#include "explain/conditions.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pgtend::explain {
namespace {

// Properties that hold conditions, and those that hold keys: lists of expressions.
constexpr std::array<std::string_view, 6> kConditions = {"Filter",    "Index Cond", "Recheck Cond",
                                                         "Hash Cond", "Merge Cond", "Join Filter"};
constexpr std::array<std::string_view, 3> kKeys = {"Sort Key", "Presorted Key", "Group Key"};

bool is_index_scan(const Node& node) {
  return node.type == "Index Scan" || node.type == "Index Only Scan";
}

using Texts = std::vector<std::string_view>;

Texts list_of(const Node& node, std::string_view name) {
  Texts out;
  const Value* value = find_member(node.properties, name);
  if (!value || !value->is_array()) return out;
  for (const Value& entry : value->get_array()) {
    if (entry.is_string()) out.push_back(entry.get_string());
  }
  return out;
}

class Collector {
 public:
  Collector(const Plan& plan, Wanted& out) : plan_(plan), aliases_(plan), out_(out) {}

  void look_at(int id) {
    const Node& node = at(plan_, id);
    for (const std::string_view name : kConditions) take(id, node.text(name), true);
    for (const std::string_view name : kKeys) {
      for (const std::string_view key : list_of(node, name)) take_key(id, key);
    }
    if (!is_index_scan(node)) return;
    for (const std::string_view entry : list_of(node, "Output")) take(id, entry, false);
  }

 private:
  void take(int id, std::string_view text, bool condition) {
    if (text.empty()) return;
    if (const auto columns = sql::used_columns(text)) {
      for (const sql::ColumnUse& use : *columns) want(id, use.qualifier, use.column);
    }
    if (!condition) return;
    const auto list = sql::conditions(text);
    if (!list) return;  // the rule says so when it meets the node
    for (const sql::Predicate& predicate : *list) {
      out_.functions.insert(predicate.functions.begin(), predicate.functions.end());
      if (predicate.wrapping == sql::Wrapping::Function) {
        out_.functions.insert(predicate.wrapped_by);
      }
    }
  }
  void take_key(int id, std::string_view text) {
    const auto key = sql::sort_key(text);
    if (key && !key->column.empty()) return want(id, key->qualifier, key->column);
    take(id, text, false);
  }
  void want(int id, const std::string& qualifier, const std::string& column) {
    const bool own = qualifier.empty() && scans_table(at(plan_, id));
    const int scan = own ? id : aliases_.scan(qualifier);
    if (scan == kNone) return;
    out_.columns[at(plan_, scan).object.table()].insert(column);
  }

  const Plan& plan_;
  Aliases aliases_;
  Wanted& out_;
};

}  // namespace

bool scans_table(const Node& node) {
  return node.type.ends_with("Scan") && !node.object.relation.empty();
}

Aliases::Aliases(const Plan& plan) {
  int only = kNone, scans = 0;
  for (int id = 0; id < static_cast<int>(plan.nodes.size()); ++id) {
    const Node& node = at(plan, id);
    if (!scans_table(node)) continue;
    const Object& object = node.object;
    const std::string_view alias = object.alias.empty() ? object.relation : object.alias;
    scans_.emplace(alias, id);
    only = id;
    ++scans;
  }
  if (scans == 1) scans_.emplace("", only);
}

int Aliases::scan(std::string_view qualifier) const {
  const auto found = scans_.find(qualifier);
  return found == scans_.end() ? kNone : found->second;
}

Sought sought_by(const Plan& plan, int id) {
  int place = id;
  if (at(plan, id).type == "Bitmap Heap Scan") {
    const std::vector<int>& below = at(plan, id).children;
    if (below.empty() || at(plan, below[0]).type != "Bitmap Index Scan") return {};
    place = below[0];
  }
  const Node& node = at(plan, place);
  Sought out{std::string(node.object.index), {}};
  if (auto list = conditions_of(plan, place, "Index Cond", id)) out.predicates = *std::move(list);
  return out;
}

Result<std::vector<sql::Predicate>> conditions_of(const Plan& plan, int id, std::string_view name,
                                                  int about) {
  const std::string_view text = at(plan, id).text(name);
  if (text.empty()) return std::vector<sql::Predicate>{};
  const Object& object = at(plan, about).object;
  return sql::conditions(text, object.alias.empty() ? object.relation : object.alias);
}

Wanted wanted_facts(const Plan& plan) {
  Wanted out;
  Collector collector(plan, out);
  for (int id = 0; id < static_cast<int>(plan.nodes.size()); ++id) {
    const Node& node = at(plan, id);
    if (scans_table(node)) out.columns[node.object.table()];
  }
  for (int id = 0; id < static_cast<int>(plan.nodes.size()); ++id) collector.look_at(id);
  return out;
}

}  // namespace pgtend::explain
