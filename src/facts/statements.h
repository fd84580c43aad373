// Which statements cost most, as pg_stat_statements counts them. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace pgtend::facts {

// All runs of one statement in one database, of all roles.
struct StatementFacts {
  std::string id = {};    // pg_stat_statements' queryid, or another counter's name for it
  std::string text = {};  // constants are parameters
  int64_t calls = 0;
  double total_ms = 0;
  double rows = 0;

  double mean_ms() const { return calls == 0 ? 0 : total_ms / static_cast<double>(calls); }
};

struct StatementList {
  std::vector<StatementFacts> statements = {};  // by total time, largest first
  std::string why_not = {};                     // why nothing is known; then the list is empty
};

// The `count` statements of this database with the largest total time, or the one whose queryid is
// `id`. Those of other roles are seen with pg_read_all_stats alone. Locks: none. Errors: those of
// the connection.
Result<StatementList> load_statements(pg::Connection& conn, int64_t count,
                                      std::string_view id = {});

}  // namespace pgtend::facts
