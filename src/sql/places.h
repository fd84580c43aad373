// Where in the text of a statement its tables and its conditions stand.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/columns.h"

namespace pgtend::sql {

// Bytes [begin, end) of the text.
struct Place {
  size_t begin = 0;
  size_t end = 0;
};

// A table as FROM, INTO, UPDATE … name it, with its alias.
struct TablePlace {
  std::string schema = {};
  std::string name = {};
  std::string alias = {};  // "" if none
  Place place = {};        // of the name; the alias stands behind it
};

// One conjunct of a WHERE, ON or HAVING, at any depth.
struct ConditionPlace {
  Predicate predicate = {};
  bool between = false;  // BETWEEN: two comparisons in one
  Place place = {};
};

struct Places {
  std::vector<TablePlace> tables = {};
  std::vector<ConditionPlace> conditions = {};
};

// Both in the order of the tree. Errors: as parse(). Thread: any. Cost: O(size log size).
Result<Places> find_places(std::string_view sql);

}  // namespace pgtend::sql
