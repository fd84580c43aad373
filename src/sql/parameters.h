// What the parameters ($1, $2 …) of a statement are compared with, so that values for them can be
// taken from the statistics of those columns.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace pgtend::sql {

// A table of FROM; `name` is "" for what is none (a sub-select, a function, a WITH query).
struct SourceTable {
  std::string schema = {};  // "" if not written
  std::string name = {};
  bool operator==(const SourceTable&) const = default;
};

// One place where parameter `number` meets a column.
struct ParameterUse {
  int number = 0;
  std::string column = {};
  // The operator as if the column stood on the left; "" when the value is stored in the column.
  std::string op = {};
  bool list = false;  // = ANY ($1): an array of values
  // The tables whose column it may be, in the order the server looks: the first that has such a
  // column. Ends before what is no table.
  std::vector<SourceTable> tables = {};
};

// All such places in a statement's parse tree, in the order of the tree. Casts around either side
// do not count; a parameter or column inside of anything else is not there. Thread: any. Cost:
// O(size × depth of its sub-selects).
std::vector<ParameterUse> parameter_uses(const json::value& tree);

}  // namespace pgtend::sql
