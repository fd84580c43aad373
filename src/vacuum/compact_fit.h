// Whether the rows of a table may be moved within its file by updating them to what they are, and
// by way of which column.
#pragma once

#include <string>
#include <vector>

#include "vacuum/compact_facts.h"

namespace pgtend::vacuum {

struct CompactFit {
  std::string column = {};    // is set to itself; quoted when needed
  bool replica_role = false;  // to be run with session_replication_role = replica
};

// A column whose values may lie outside of the rows, and are stored anew by the same UPDATE.
struct ToastColumn {
  std::string name = {};  // quoted when needed
  bool array = false;
};

struct ToastFit {
  std::vector<ToastColumn> columns = {};
  std::vector<std::string> left_out =
      {};                // "c is generated": columns whose values stay where they are
  bool indexed = false;  // one of the columns is in an index
  bool replica_role = false;
};

// Tables below this have nothing to give back that is worth a lock.
inline constexpr int64_t kCompactPagesMin = 10;

// The column and the role, or why rows must not be moved: Invalid (a partitioned, foreign,
// temporary or catalog table, another access method, rules, triggers that fire in any role; changes
// that logical replication would carry, unless `published_too`), Denied with the GRANT (rights,
// row security, triggers that would fire), Unavailable on a standby. Pure. Thread: any.
Result<CompactFit> fit_to_move(const CompactTable& table, bool published_too);

// The columns whose values can be stored anew, of a table whose rows may be moved. Errors: Invalid,
// when there is none, with the reasons. Pure. Thread: any.
Result<ToastFit> fit_to_store(const CompactTable& table);

}  // namespace pgtend::vacuum
