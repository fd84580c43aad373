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
  int64_t inserted = 0;      // since its counters began
  int64_t dead = 0;          // rows
  bool maintain = false;     // our role may ANALYZE it
};

// Ordinary, partitioned and materialised tables but temporary ones; reads no file and waits for no
// lock of theirs. Errors: those of the connection.
Result<std::vector<TableChanges>> load_changes(pg::Connection& conn);

// Whether the table has a column of which new rows hold the largest (or smallest) values, such as
// the time of a reading: by its statistics, physical order and values go together. Also true
// when the role may not see them. Errors: those of the connection.
Result<bool> has_rising_column(pg::Connection& conn, uint32_t oid);

// The table that a client's text names, as our session's search path finds it; nullopt: none, or no
// name at all. Errors: those of the connection.
Result<std::optional<uint32_t>> find_table(pg::Connection& conn, const std::string& name);

}  // namespace pgtend::facts
