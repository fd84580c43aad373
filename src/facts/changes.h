// How far the tables' rows are from their statistics: the few numbers that are worth asking for
// each second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgtend::facts {

struct TableChanges {
  uint32_t oid = 0;
  std::string table = {};    // schema.name, each quoted when needed
  uint32_t parent = 0;       // partitioned table it belongs to, 0 for none
  bool partitioned = false;  // stores nothing itself; has no counters
  double rows = 0;           // the larger of the planner's and the counters' number
  int64_t modified = 0;      // since its last ANALYZE
  bool maintain = false;     // our role may ANALYZE it
};

// Ordinary, partitioned and materialised tables but temporary ones; reads no file and waits for no
// lock of theirs. Errors: those of the connection.
Result<std::vector<TableChanges>> load_changes(pg::Connection& conn);

// The table that a client's text names, as our session's search path finds it; nullopt: none, or no
// name at all. Errors: those of the connection.
Result<std::optional<uint32_t>> find_table(pg::Connection& conn, const std::string& name);

}  // namespace pgtend::facts
