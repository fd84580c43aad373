// Whether an index that exists serves the conditions of an access, and if not, why. Pure.
#pragma once

#include <string>
#include <vector>

#include "explain/access.h"
#include "explain/advice.h"

namespace pgtend::explain {

// The usable conditions of an access, sorted by what they mean for an index.
struct SearchKeys {
  std::vector<const sql::Predicate*> equality = {};
  std::vector<const sql::Predicate*> range = {};  // all on one column
  std::vector<sql::SortKey> order = {};           // without columns of `equality`

  bool empty() const { return equality.empty() && range.empty() && order.empty(); }
};

// Whether `list` has a condition on `column`.
bool names_column(const std::vector<const sql::Predicate*>& list, const std::string& column);

struct ExistingIndexes {
  std::string serving = {};   // name of one that serves
  std::string broken = {};    // of an INVALID one that would
  std::string unusable = {};  // of one that starts with the right column and cannot serve, with why
  std::string behind = {};    // of one that has the column, but not in front
};

// Of the access's table.
ExistingIndexes look_at_indexes(const Access& access, const SearchKeys& keys);

// A valid index of the table that has this expression among its keys, or this column by this
// method;
// "" if there is none.
std::string index_on(const Access& access, const KeyPart& key, const std::string& method);

// A valid partial index that holds only rows which the conditions ask for; "" if there is none.
std::string index_of_only_these(const Access& access);

}  // namespace pgtend::explain
