// What the nodes of a plan ask of its tables: conditions, join and sort keys, by alias. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "explain/tree.h"
#include "sql/columns.h"

namespace pgtend::explain {

// The scan of each alias of a plan. Borrows the plan.
class Aliases {
 public:
  explicit Aliases(const Plan& plan);

  // The scan whose columns `qualifier` stands for; "" is the only scan of a plan with one.
  // kNone when there is none.
  int scan(std::string_view qualifier) const;

 private:
  std::map<std::string, int, std::less<>> scans_;
};

// Whether the node reads a table (or an index of one).
bool scans_table(const Node& node);

// The index that the scan searches, and the conditions it searches with: a bitmap scan's are those
// of its only index. "" and empty when there is none.
struct Sought {
  std::string index = {};
  std::vector<sql::Predicate> predicates = {};
};
Sought sought_by(const Plan& plan, int id);

// The conditions of property `name` of node `id` about the table that node `about` scans; columns
// of other tables are values. Errors: as sql::conditions().
Result<std::vector<sql::Predicate>> conditions_of(const Plan& plan, int id, std::string_view name,
                                                  int about);

// The columns and functions that matter to rules, for load_facts().
struct Wanted {
  // By (schema, relation) as the plan names them.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> columns = {};
  std::set<std::string> functions = {};
};
Wanted wanted_facts(const Plan& plan);

}  // namespace pgtend::explain
