#include "partition/shape_walk.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/text.h"
#include "sql/columns.h"
#include "sql/parse.h"

namespace pgtend::partition {
namespace {

using sql::body_of;
using sql::member;
using sql::member_text;
using Conjuncts = std::vector<const json::value*>;

constexpr int kWritesLeaveOutSince = 140000;
constexpr int kRangesAreComparedSince = 170000;
constexpr int kDepthMax = 50;
// Beyond these nobody writes statements; hostile ones would take for ever.
constexpr int kSelectsMax = 1000;
constexpr size_t kOutputsMax = 4;
constexpr int kPushedDepthMax = 6;

// Conditions of queries around that the planner brings down to a sub-select.
struct Pushed {
  Conjuncts conjuncts = {};
  std::string alias = {};
  // The names that an output column of the sub-select has in those conditions.
  std::function<std::vector<std::string>(const std::string& output)> names;
};

struct Item {
  std::string alias = {};
  const json::object* table = nullptr;     // its RangeVar when it is ours
  const json::value* subselect = nullptr;  // of a sub-select or a WITH query
  Conjuncts conjuncts = {};
  bool nullable = false;  // on the inner side of an outer join
  bool equated = false;   // its key by USING or IN
};

std::string alias_of(const json::object& body) {
  const json::value* alias = member(body, "alias");
  const json::object* named = alias ? alias->if_object() : nullptr;
  if (named && member(*named, "Alias")) named = member(*named, "Alias")->if_object();
  return named ? member_text(*named, "aliasname") : "";
}

void add(Conjuncts& to, const json::value* expression) {
  if (!expression || !expression->is_object()) return;
  for (const json::value* conjunct : sql::conjuncts(*expression)) to.push_back(conjunct);
}

bool is_null_test(const json::value& node) {
  const json::object* test = body_of(node, "NullTest");
  return test && member_text(*test, "nulltesttype") == "IS_NULL";
}

bool is_column(const json::value& node, const std::string& column, const std::string& alias) {
  const json::object* reference = body_of(node, "ColumnRef");
  if (!reference) return false;
  const NamedColumn name = named_column(*reference);
  return name.column == column && (name.qualifier.empty() || name.qualifier == alias);
}

// The names under which `column` of `alias` leaves the select.
std::vector<std::string> outputs(const json::object& select, const std::string& column,
                                 const std::string& alias) {
  std::vector<std::string> out;
  const json::array* targets = items_of(select, "targetList");
  if (!targets) return out;
  for (const json::value& target : *targets) {
    const json::object* body = body_of(target, "ResTarget");
    const json::value* value = body ? member(*body, "val") : nullptr;
    const json::object* reference = value ? body_of(*value, "ColumnRef") : nullptr;
    if (!reference || out.size() >= kOutputsMax) continue;
    const NamedColumn name = named_column(*reference);
    const bool here = name.qualifier.empty() || name.qualifier == alias;
    if (here && name.column.empty()) out.push_back(column);
    if (!here || name.column != column) continue;
    const std::string as = member_text(*body, "name");
    out.push_back(as.empty() ? column : as);
  }
  return out;
}

// Whether each window of the select is divided by the column, so that conditions on it may be
// evaluated below.
bool windows_by(const json::object& select, const std::string& column, const std::string& alias) {
  bool all = true;
  const auto divided = [&](const json::object& window) {
    const json::array* by = items_of(window, "partitionClause");
    return by && std::ranges::any_of(
                     *by, [&](const json::value& part) { return is_column(part, column, alias); });
  };
  const json::array* named = items_of(select, "windowClause");
  const json::value* targets = member(select, "targetList");
  if (!targets) return true;
  sql::for_each_member(*targets, [&](std::string_view name, const json::value& value) {
    if (name != "over" || !value.is_object()) return;
    bool ok = divided(value.get_object());
    const std::string as = member_text(value.get_object(), "name");
    for (const json::value& window : named && !as.empty() ? *named : json::array()) {
      const json::object* body = body_of(window, "WindowDef");
      ok |= body && member_text(*body, "name") == as && divided(*body);
    }
    all &= ok;
  });
  return all;
}

bool lets_through(const json::object& select, const std::string& column, const std::string& alias) {
  if (member(select, "limitCount") || member(select, "limitOffset")) return false;
  if (const json::array* distinct = items_of(select, "distinctClause")) {
    const bool plain =
        distinct->size() == 1 && (*distinct)[0].is_object() && (*distinct)[0].get_object().empty();
    const bool on = std::ranges::any_of(
        *distinct, [&](const json::value& part) { return is_column(part, column, alias); });
    if (!plain && !on) return false;
  }
  return windows_by(select, column, alias);
}

class Walker {
 public:
  Walker(const KeyTable& table, bool custom) : table_(table), custom_(custom) {}
  void statement(const json::value& node);
  Walked out;

 private:
  struct Cte {
    const json::value* query;
    bool inlined;
  };
  using Ctes = std::map<std::string, Cte, std::less<>>;
  // What is the same for a whole query.
  struct Around {
    std::vector<Pushed> pushed = {};
    Ctes ctes = {};
    bool joined = false;   // columns of the query around come from a join
    bool nested = false;   // there is a query around
    bool equated = false;  // IN: the only output is equated with a column around
    int depth = 0;
  };

  bool is_ours(const json::object& range, const Ctes& ctes) const;
  void select(const json::object& body, Around around);
  void set_operation(const json::object& body, const Around& around);
  void from(const json::value& node, const Conjuncts& down, bool nullable, const Around& around,
            std::vector<Item>& items);
  void join(const json::object& body, const Conjuncts& down, bool nullable, const Around& around,
            std::vector<Item>& items);
  void items_of_query(const json::object& select, std::vector<Item>& items, const Around& around);
  void read(const Item& item, const std::vector<Item>& items, const json::object& select,
            const Around& around, bool target);
  void sub_links(const json::value& node, const Around& around, bool conjunct);
  void with(const json::object& body, Around& around);
  void modify(const json::object& body, std::string_view from_list, std::string_view condition,
              Around around);
  ValueContext context(const Item& item, const std::vector<Item>& items,
                       const Around& around) const;
  bool stops_early(const Item& item, const std::vector<Item>& items, const json::object& select,
                   const KeyConditions& key) const;
  bool ordered_index(const Item& item, const KeyConditions& key) const;
  bool nested_loop(const Item& item) const;
  bool only_ends(const json::object& select, const KeyConditions& key) const;

  const KeyTable& table_;
  bool custom_;
  int selects_ = 0;
};

bool Walker::is_ours(const json::object& range, const Ctes& ctes) const {
  const std::string schema = member_text(range, "schemaname");
  if (member_text(range, "relname") != table_.name) return false;
  if (!schema.empty()) return schema == table_.schema;
  return table_.bare_name && !ctes.contains(table_.name);
}

ValueContext Walker::context(const Item& item, const std::vector<Item>& items,
                             const Around& around) const {
  std::set<std::string> siblings;
  for (const Item& other : items) {
    if (&other != &item) siblings.insert(other.alias);
  }
  return {.custom = custom_,
          .functions = &table_.functions,
          .side = [alias = item.alias, siblings, table = &table_, nested = around.nested,
                   outer = around.joined ? Side::Sibling : Side::Outer](std::string_view qualifier,
                                                                        std::string_view column) {
            if (qualifier == alias) return Side::Own;
            if (!qualifier.empty()) {
              return siblings.contains(std::string(qualifier)) ? Side::Sibling : outer;
            }
            if (column == table->column ||
                std::ranges::find(table->columns, column) != table->columns.end()) {
              return Side::Own;
            }
            if (!siblings.empty()) return Side::Sibling;
            return nested ? outer : Side::Own;
          }};
}

// Whether an index gives the rows in the order of the key: what stands before it is equated.
bool Walker::ordered_index(const Item& item, const KeyConditions& key) const {
  const auto equated = [&](const std::string& column) {
    return std::ranges::any_of(item.conjuncts, [&](const json::value* conjunct) {
      const json::object* expression = body_of(*conjunct, "A_Expr");
      if (!expression || member_text(*expression, "kind") != "AEXPR_OP") return false;
      if (last_name(*expression, "name") != "=") return false;
      const json::value* left = member(*expression, "lexpr");
      const json::value* right = member(*expression, "rexpr");
      return left && right && !key.mentions(*conjunct) &&
             (is_column(*left, column, item.alias) || is_column(*right, column, item.alias));
    });
  };
  return std::ranges::any_of(table_.indexes, [&](const std::vector<std::string>& index) {
    for (const std::string& column : index) {
      if (column == table_.column) return true;
      if (!equated(column)) return false;
    }
    return false;
  });
}

// Whether an index could be searched for each row of the other table.
bool Walker::nested_loop(const Item& item) const {
  return std::ranges::any_of(table_.indexes, [&](const std::vector<std::string>& index) {
    if (index.empty()) return false;
    if (index[0] == table_.column) return true;
    return std::ranges::any_of(item.conjuncts, [&](const json::value* conjunct) {
      for (const sql::Predicate& predicate : sql::predicates(*conjunct)) {
        if (predicate.op != "=") continue;
        bool named = false;
        sql::for_each_member(*conjunct, [&](std::string_view name, const json::value& value) {
          if (name != "ColumnRef" || !value.is_object()) return;
          const NamedColumn column = named_column(value.get_object());
          named |= column.column == index[0] && column.qualifier == item.alias;
        });
        if (named) return true;
      }
      return false;
    });
  });
}

// SELECT max(key), min(key) FROM …
bool Walker::only_ends(const json::object& select, const KeyConditions& key) const {
  const json::array* targets = items_of(select, "targetList");
  if (!targets || targets->empty() || member(select, "groupClause")) return false;
  return std::ranges::all_of(*targets, [&](const json::value& target) {
    const json::object* body = body_of(target, "ResTarget");
    const json::value* value = body ? member(*body, "val") : nullptr;
    const json::object* call = value ? body_of(*value, "FuncCall") : nullptr;
    const json::array* args = call ? items_of(*call, "args") : nullptr;
    if (!args || args->size() != 1 || member(*call, "over") || member(*call, "agg_filter")) {
      return false;
    }
    const std::string name = last_name(*call, "funcname");
    return (name == "max" || name == "min") && key.bare((*args)[0]);
  });
}

bool Walker::stops_early(const Item& item, const std::vector<Item>& items,
                         const json::object& select, const KeyConditions& key) const {
  if (items.size() != 1 || table_.has_default || !ordered_index(item, key)) return false;
  if (only_ends(select, key)) return true;
  const json::array* order = items_of(select, "sortClause");
  if (!member(select, "limitCount") || !order || order->empty()) return false;
  if (member(select, "groupClause") || member(select, "distinctClause")) return false;
  const json::object* by = body_of((*order)[0], "SortBy");
  const json::value* node = by ? member(*by, "node") : nullptr;
  if (!node || !key.bare(*node)) return false;
  const bool descending = member_text(*by, "sortby_dir") == "SORTBY_DESC";
  const std::string nulls = member_text(*by, "sortby_nulls");
  if (nulls == (descending ? "SORTBY_NULLS_LAST" : "SORTBY_NULLS_FIRST")) return false;
  bool aggregates = false;
  if (const json::value* targets = member(select, "targetList")) {
    for (const std::string& function : sql::called_functions(*targets)) {
      aggregates |= function == "count" || function == "sum" || function == "avg" ||
                    function == "max" || function == "min";
    }
  }
  return !aggregates;
}

Prunes to_prunes(Known known) {
  switch (known) {
    case Known::AtPlan:
      return Prunes::AtPlan;
    case Known::AtStart:
      return Prunes::AtStart;
    case Known::Running:
    case Known::Joined:
      return Prunes::WhileRunning;
    case Known::Never:
      return Prunes::Never;
  }
  return Prunes::Never;
}

// From 17 on "key <@ range" of a range that is constant becomes two comparisons.
std::optional<Outcome> within_range(const json::value& conjunct, const KeyConditions& key,
                                    const ValueContext& values) {
  const json::object* expression = body_of(conjunct, "A_Expr");
  const json::value* left = expression ? member(*expression, "lexpr") : nullptr;
  const json::value* right = expression ? member(*expression, "rexpr") : nullptr;
  if (!left || !right || !key.bare(*left) || last_name(*expression, "name") != "<@") return {};
  if (const json::object* cast = body_of(*right, "TypeCast")) {
    const json::value* arg = member(*cast, "arg");
    if (arg && body_of(*arg, "A_Const")) return Outcome{.known = Known::AtPlan};
  }
  const json::object* call = body_of(*right, "FuncCall");
  const json::array* args = call ? items_of(*call, "args") : nullptr;
  const std::string name = call ? last_name(*call, "funcname") : "";
  if (!args || (name != "tstzrange" && name != "tsrange" && name != "daterange")) return {};
  const bool constant = std::ranges::all_of(
      *args, [&](const json::value& arg) { return value_of(arg, values).known == Known::AtPlan; });
  return constant ? std::optional(Outcome{.known = Known::AtPlan}) : std::nullopt;
}

// A place where the table is read: its own conditions and those from outside.
void Walker::read(const Item& item, const std::vector<Item>& items, const json::object& select,
                  const Around& around, bool target) {
  const KeyName name{item.alias, table_.column, table_.type, table_.nullable};
  const ValueContext values = context(item, items, around);
  const KeyConditions key(name, values);
  std::optional<Outcome> found = key.best(item.conjuncts);
  const auto better = [&](const std::optional<Outcome>& other) {
    if (other && (!found || other->known < found->known)) found = other;
  };
  for (const json::value* conjunct : item.conjuncts) {
    if (table_.version >= kRangesAreComparedSince) better(within_range(*conjunct, key, values));
  }
  if (item.equated || (around.equated && !outputs(select, name.column, name.qualifier).empty())) {
    better(Outcome{.known = Known::Joined, .why = "the key is equated with another table's"});
  }
  for (const json::value* conjunct : item.conjuncts) out.spots.push_back({conjunct, name, values});
  const std::vector<std::string> names = outputs(select, name.column, name.qualifier);
  for (const Pushed& pushed : around.pushed) {
    for (const std::string& output : names) {
      if (!lets_through(select, name.column, name.qualifier)) continue;
      for (const std::string& outside : pushed.names(output)) {
        const KeyName there{pushed.alias, outside, table_.type, table_.nullable};
        ValueContext away = values;
        away.side = [alias = pushed.alias](std::string_view qualifier, std::string_view) {
          return qualifier.empty() || qualifier == alias ? Side::Own : Side::Sibling;
        };
        better(KeyConditions(there, away).best(pushed.conjuncts));
      }
    }
  }
  Reference reference{.alias = item.alias};
  if (!found) {
    reference.reason = cat("no condition on ", table_.column, " reaches it");
  } else if (found->known == Known::Joined && !nested_loop(item)) {
    reference.reason =
        cat(found->why, ", and no index lets a nested loop look for them one by one");
  } else {
    reference.prunes = to_prunes(found->known);
    reference.reason =
        found->known == Known::AtPlan ? "the bounds are known to the planner" : found->why;
    if (found->known == Known::Joined) {
      reference.reason += ": if the planner takes a nested loop; a hash or merge join reads all";
    }
  }
  if (reference.prunes == Prunes::Never && stops_early(item, items, select, key)) {
    reference.prunes = Prunes::WhileRunning;
    reference.reason = "partitions are read in the order of the key until there are rows enough";
  }
  if (target && table_.version < kWritesLeaveOutSince &&
      (reference.prunes == Prunes::AtStart || reference.prunes == Prunes::WhileRunning)) {
    reference.prunes = Prunes::Never;
    reference.reason += "; before PostgreSQL 14 UPDATE and DELETE leave out at plan time only";
  }
  out.references.push_back(std::move(reference));
}

void Walker::join(const json::object& body, const Conjuncts& down, bool nullable,
                  const Around& around, std::vector<Item>& items) {
  Conjuncts both = down;
  if (const json::value* quals = member(body, "quals")) {
    add(both, quals);
    sub_links(*quals, around, false);
  }
  const std::string type = member_text(body, "jointype");
  const bool inner = type == "JOIN_INNER" || type.empty();
  const bool full = type == "JOIN_FULL";
  const size_t first = items.size();
  const json::value* left = member(body, "larg");
  const json::value* right = member(body, "rarg");
  if (left) {
    from(*left, inner || type == "JOIN_RIGHT" ? both : down,
         nullable || full || type == "JOIN_RIGHT", around, items);
  }
  if (right) {
    from(*right, inner || type == "JOIN_LEFT" ? both : down,
         nullable || full || type == "JOIN_LEFT", around, items);
  }
  const json::array* common = items_of(body, "usingClause");
  const bool by_key = common && std::ranges::any_of(*common, [&](const json::value& column) {
                        return sql::string_value(column) == table_.column;
                      });
  for (size_t i = first; by_key && !full && i < items.size(); ++i) items[i].equated = true;
}

void Walker::from(const json::value& node, const Conjuncts& down, bool nullable,
                  const Around& around, std::vector<Item>& items) {
  if (const json::object* body = body_of(node, "JoinExpr")) {
    return join(*body, down, nullable, around, items);
  }
  Item item{.conjuncts = down, .nullable = nullable};
  if (nullable) std::erase_if(item.conjuncts, [](const auto* each) { return is_null_test(*each); });
  if (const json::object* range = body_of(node, "RangeVar")) {
    item.alias = alias_of(*range);
    const std::string name = member_text(*range, "relname");
    if (item.alias.empty()) item.alias = name;
    const auto cte = around.ctes.find(name);
    if (member_text(*range, "schemaname").empty() && cte != around.ctes.end()) {
      if (cte->second.inlined) item.subselect = cte->second.query;
    } else if (is_ours(*range, around.ctes)) {
      item.table = range;
    }
  } else if (const json::object* sub = body_of(node, "RangeSubselect")) {
    item.alias = alias_of(*sub);
    item.subselect = member(*sub, "subquery");
  } else if (const json::object* function = body_of(node, "RangeFunction")) {
    item.alias = alias_of(*function);
    sub_links(node, around, false);
  }
  items.push_back(std::move(item));
}

void Walker::items_of_query(const json::object& select, std::vector<Item>& items,
                            const Around& around) {
  for (const Item& item : items) {
    if (item.table) read(item, items, select, around, false);
    if (!item.subselect) continue;
    const json::object* body = body_of(*item.subselect, "SelectStmt");
    if (!body) continue;
    Around below{.ctes = around.ctes, .nested = true, .depth = around.depth + 1};
    below.pushed.push_back({item.conjuncts, item.alias, [](const std::string& output) {
                              return std::vector<std::string>{output};
                            }});
    for (const Pushed& pushed : around.pushed) {
      below.pushed.push_back(
          {pushed.conjuncts, pushed.alias,
           [names = pushed.names, &select, alias = item.alias](const std::string& output) {
             std::vector<std::string> all;
             if (!lets_through(select, output, alias)) return all;
             for (const std::string& mine : outputs(select, output, alias)) {
               for (std::string& each : names(mine)) all.push_back(std::move(each));
             }
             return all;
           }});
    }
    this->select(*body, std::move(below));
  }
}

// Sub-selects anywhere in an expression. As a whole conjunct EXISTS and IN become joins.
void Walker::sub_links(const json::value& node, const Around& around, bool conjunct) {
  const json::value* inner = &node;
  if (conjunct) {
    const json::object* negation = body_of(node, "BoolExpr");
    const json::array* args = negation ? items_of(*negation, "args") : nullptr;
    if (args && args->size() == 1 && member_text(*negation, "boolop") == "NOT_EXPR") {
      inner = &args->front();
    }
  }
  const json::object* whole = conjunct ? body_of(*inner, "SubLink") : nullptr;
  std::vector<const json::value*> stack{&node};
  while (!stack.empty()) {
    const json::value* at = stack.back();
    stack.pop_back();
    if (const json::object* link = body_of(*at, "SubLink")) {
      const json::value* query = member(*link, "subselect");
      const json::object* body = query ? body_of(*query, "SelectStmt") : nullptr;
      const std::string type = member_text(*link, "subLinkType");
      const bool joined = link == whole && (type == "EXISTS_SUBLINK" || inner == &node) &&
                          (type == "EXISTS_SUBLINK" || type == "ANY_SUBLINK");
      if (body) {
        select(*body, {.ctes = around.ctes,
                       .joined = joined,
                       .nested = true,
                       .equated = joined && type == "ANY_SUBLINK",
                       .depth = around.depth + 1});
      }
      if (const json::value* test = member(*link, "testexpr")) stack.push_back(test);
      continue;
    }
    if (const json::array* list = at->if_array()) {
      for (const json::value& value : *list) stack.push_back(&value);
    } else if (const json::object* object = at->if_object()) {
      for (const auto& entry : *object) stack.push_back(&entry.value());
    }
  }
}

void Walker::with(const json::object& body, Around& around) {
  const json::value* clause = member(body, "withClause");
  const json::object* list = clause ? clause->if_object() : nullptr;
  const json::array* ctes = list ? items_of(*list, "ctes") : nullptr;
  if (!ctes) return;
  for (const json::value& each : *ctes) {
    const json::object* cte = body_of(each, "CommonTableExpr");
    const json::value* query = cte ? member(*cte, "ctequery") : nullptr;
    if (!query) continue;
    const std::string name = member_text(*cte, "ctename");
    int uses = 0;
    sql::for_each_member(body, [&](std::string_view type, const json::value& value) {
      uses += type == "RangeVar" && value.is_object() &&
              member_text(value.get_object(), "relname") == name &&
              member_text(value.get_object(), "schemaname").empty();
    });
    const std::string kind = member_text(*cte, "ctematerialized");
    const json::object* select = body_of(*query, "SelectStmt");
    const bool recursive = member(*list, "recursive") != nullptr;
    const bool inlined = select && !recursive && !member(*select, "lockingClause") &&
                         kind != "CTEMaterializeAlways" &&
                         (uses == 1 || kind == "CTEMaterializeNever");
    if (!inlined && (uses > 0 || !select)) {
      Around below{.ctes = around.ctes, .nested = around.nested, .depth = around.depth + 1};
      if (recursive) below.ctes.insert_or_assign(name, Cte{query, false});
      if (select) {
        this->select(*select, below);
      } else {
        Walker writer(table_, custom_);
        writer.selects_ = ++selects_ + 1;
        writer.statement(*query);
        std::ranges::move(writer.out.references, std::back_inserter(out.references));
        std::ranges::move(writer.out.spots, std::back_inserter(out.spots));
        out.inserts |= writer.out.inserts;
      }
    }
    around.ctes.insert_or_assign(name, Cte{query, inlined});
  }
}

void Walker::set_operation(const json::object& body, const Around& around) {
  const bool except = member_text(body, "op") == "SETOP_EXCEPT";
  const bool limited = member(body, "limitCount") || member(body, "limitOffset");
  const json::value* left = member(body, "larg");
  const json::value* right = member(body, "rarg");
  Around below = around;
  below.depth += 1;
  if (except || limited) below.pushed.clear();
  if (left && left->is_object()) select(left->get_object(), below);
  if (!right || !right->is_object()) return;
  // Columns of the second arm have the names of the first.
  const json::object* first = left ? left->if_object() : nullptr;
  const json::object* second = right->if_object();
  const json::array* a = first ? items_of(*first, "targetList") : nullptr;
  const json::array* b = items_of(*second, "targetList");
  const auto name_of = [](const json::value& target) {
    const json::object* one = body_of(target, "ResTarget");
    const json::value* value = one ? member(*one, "val") : nullptr;
    const json::object* reference = value ? body_of(*value, "ColumnRef") : nullptr;
    const std::string as = one ? member_text(*one, "name") : "";
    return as.empty() && reference ? named_column(*reference).column : as;
  };
  for (Pushed& pushed : below.pushed) {
    pushed.names = [names = pushed.names, a, b, name_of](const std::string& output) {
      for (size_t i = 0; a && b && a->size() == b->size() && i < b->size(); ++i) {
        const std::string mine = name_of((*b)[i]);
        if (mine == output && !mine.empty()) return names(name_of((*a)[i]));
      }
      return names(output);
    };
  }
  select(*second, below);
}

void Walker::select(const json::object& body, Around around) {
  if (around.depth > kDepthMax || ++selects_ > kSelectsMax) return;
  if (around.depth > kPushedDepthMax) around.pushed.clear();
  with(body, around);
  const std::string op = member_text(body, "op");
  if (!op.empty() && op != "SETOP_NONE") return set_operation(body, around);
  Conjuncts where;
  add(where, member(body, "whereClause"));
  const Conjuncts own = where;
  add(where, member(body, "havingClause"));
  std::vector<Item> items;
  if (const json::array* list = items_of(body, "fromClause")) {
    for (const json::value& each : *list) from(each, where, false, around, items);
  }
  items_of_query(body, items, around);
  for (const json::value* conjunct : own) sub_links(*conjunct, around, true);
  for (const char* part :
       {"targetList", "havingClause", "sortClause", "groupClause", "limitCount", "valuesLists"}) {
    if (const json::value* node = member(body, part)) sub_links(*node, around, false);
  }
}

// UPDATE, DELETE, MERGE: the target is one of the tables that are joined.
void Walker::modify(const json::object& body, std::string_view from_list,
                    std::string_view condition, Around around) {
  with(body, around);
  Conjuncts where;
  add(where, member(body, condition));
  std::vector<Item> items;
  const json::value* relation = member(body, "relation");
  if (const json::object* range = relation ? relation->if_object() : nullptr) {
    Item target{.alias = alias_of(*range), .conjuncts = where};
    if (target.alias.empty()) target.alias = member_text(*range, "relname");
    if (is_ours(*range, {})) target.table = range;
    items.push_back(std::move(target));
  }
  if (const json::array* list = items_of(body, from_list)) {
    for (const json::value& each : *list) from(each, where, false, around, items);
  } else if (const json::value* source = member(body, from_list)) {
    from(*source, where, false, around, items);
  }
  const Item first = items.empty() ? Item() : items.front();
  if (first.table) {
    read(items.front(), items, {}, around, true);
    items.front().table = nullptr;
  }
  items_of_query({}, items, around);
  for (const json::value* conjunct : where) sub_links(*conjunct, around, true);
  if (const json::value* list = member(body, "targetList")) sub_links(*list, around, false);
}

void Walker::statement(const json::value& node) {
  if (const json::object* select_body = body_of(node, "SelectStmt"))
    return select(*select_body, {});
  if (const json::object* body = body_of(node, "UpdateStmt")) {
    return modify(*body, "fromClause", "whereClause", {});
  }
  if (const json::object* body = body_of(node, "DeleteStmt")) {
    return modify(*body, "usingClause", "whereClause", {});
  }
  if (const json::object* body = body_of(node, "MergeStmt")) {
    return modify(*body, "sourceRelation", "joinCondition", {});
  }
  const json::object* insert = body_of(node, "InsertStmt");
  if (!insert) return;
  const json::value* relation = member(*insert, "relation");
  out.inserts = relation && relation->is_object() && is_ours(relation->get_object(), {});
  Around around;
  with(*insert, around);
  const json::value* source = member(*insert, "selectStmt");
  const json::object* query = source ? body_of(*source, "SelectStmt") : nullptr;
  if (query) select(*query, std::move(around));
}

}  // namespace

Walked walk(const json::value& statement, const KeyTable& table, bool custom) {
  Walker walker(table, custom);
  walker.statement(statement);
  return std::move(walker.out);
}

}  // namespace pgtend::partition
