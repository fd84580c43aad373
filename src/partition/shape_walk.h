// Walks the queries of a statement and collects what is asked of the table's key in each place.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "partition/key_condition.h"
#include "partition/shapes.h"

namespace pgtend::partition {

// A conjunct of the WHERE or ON that belongs to a place where the table is read. Borrows the tree.
struct Spot {
  const json::value* conjunct = nullptr;
  KeyName key = {};
  ValueContext values = {};
};

struct Walked {
  std::vector<Reference> references = {};
  std::vector<Spot> spots = {};
  bool inserts = false;  // the table is the target of an INSERT
};

// `statement` is the node of one statement; it and `table` are borrowed for the life of the result.
// Thread: any. Cost: O(size × depth).
Walked walk(const json::value& statement, const KeyTable& table, bool custom);

}  // namespace pgtend::partition
