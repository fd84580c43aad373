// Whether the rows of a table may be moved within its file by updating them to what they are, and
// by way of which column.
#pragma once

#include <string>

#include "vacuum/compact_facts.h"

namespace pgtend::vacuum {

struct CompactFit {
  std::string column = {};    // is set to itself; quoted when needed
  bool replica_role = false;  // to be run with session_replication_role = replica
};

// Tables below this have nothing to give back that is worth a lock.
inline constexpr int64_t kCompactPagesMin = 10;

// The column and the role, or why rows must not be moved: Invalid (a partitioned, foreign,
// temporary or catalog table, another access method, rules, triggers that fire in any role; changes
// that logical replication would carry, unless `published_too`), Denied with the GRANT (rights,
// row security, triggers that would fire), Unavailable on a standby. Pure. Thread: any.
Result<CompactFit> fit_to_move(const CompactTable& table, bool published_too);

}  // namespace pgtend::vacuum
