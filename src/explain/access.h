// What a statement asks of one table at one place of its plan, and what it pays for it there: the
// signals of the rules that an index may cure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "explain/relations.h"
#include "explain/timing.h"
#include "explain/tree.h"
#include "sql/columns.h"

namespace pgtend::explain {

// The thresholds of the rules. Shares are 0 to 1.
struct Policy {
  double removed_share_min = 0.9;
  double pages_min = 100;
  double saving_share_min = 0.05;  // of the statement's time
  double saving_ms_min = 1;
  double blocks_share_min = 0.1;  // instead of time when the plan has none
  double calls_per_day = 0;       // of the statement; 0 when unknown
};

// What a rule sees. Borrows everything.
struct Examination {
  const Plan& plan;
  const Timing& timing;
  const Facts& facts;
  const Policy& policy;
};

// Why the table is read the way it is.
enum class AccessKind : uint8_t {
  SequentialScan,  // A1, A2, J2: all of it, with a filter
  IndexScan,       // A3: through an index, with a filter behind it
  LimitedOrder,    // A10: in an index's order, to stop early, with a filter
  Sort,            // A11: all matching rows, sorted, of which a LIMIT takes the first
  Inner,           // B2, C1: again and again, for each row of another side
  Bitmaps,         // A8: two indexes' bitmaps, intersected
  TrailingKeys,    // A16: through an index whose first column has no condition
};

// All places of one cause: one table (with all its partitions) and one set of conditions.
struct Access {
  AccessKind kind = AccessKind::SequentialScan;
  std::vector<int> nodes = {};  // in the plan, the scans first
  // "schema.name" of each table, distinct, as the plan names them.
  std::vector<std::string> relations = {};
  const RelationFacts* facts = nullptr;  // of the first; nullptr when unknown
  std::vector<sql::Predicate> predicates = {};
  std::vector<sql::SortKey> order = {};  // in which the rows are wanted
  std::string index = {};                // that is read now, "" if none
  double kept = 0;                       // rows, over all nodes and loops
  double removed = 0;                    // rows
  double probes = 1;                     // how often the table is searched
  double wanted = 0;                     // rows that a perfect index would read, over all probes
  double table_rows = 0;                 // of the table (its partitions that are read)
  double table_pages = 0;                // of it
  double pages = 0;                      // read by the nodes
  double self_ms = 0;
  double self_low_ms = 0;        // lower bound of self_ms
  double time_share = 0;         // of the statement's time, or cost or blocks
  bool pages_estimated = false;  // from rows and width: the plan has no buffers
  bool measured = false;         // by ANALYZE; else the planner's estimate
  bool timed = false;

  double kept_share() const { return kept + removed > 0 ? kept / (kept + removed) : 1; }
  // Share of the table's rows that one search wants.
  double wanted_share() const;
};

// Those that are worth a finding, each node in one of them at most. What could not be judged is
// added to `warnings`. Thread: any.
std::vector<Access> wasteful_accesses(const Examination& examination,
                                      std::vector<std::string>& warnings);

}  // namespace pgtend::explain
