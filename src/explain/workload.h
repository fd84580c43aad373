// Whether a new index is good for the other statements of the database, too (label L3): those that
// pg_stat_statements knows are planned before and after, and what each row written costs more.
// Nothing is run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "care/finding.h"
#include "explain/run.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

// A statement that reads the table, with what the planner made of it for values from pg_stats, or
// for any values where there are none.
struct KnownStatement {
  std::string id = {};
  std::string text = {};
  pg::Params values = {};
  double cost_before = 0;
  double cost_after = 0;
  uint64_t shape_before = 0;
  uint64_t shape_after = 0;

  bool changed() const { return shape_after != shape_before; }
  // Dearer by more than what statistics that moved meanwhile explain.
  bool worse() const { return cost_after > 1.01 * cost_before; }
};

// What the server has counted for a table and its partitions since `since` ("" if it does not
// tell), and what the index takes.
struct WriteCounters {
  std::string since = {};
  double days = 0;
  double inserted = 0;
  double updated = 0;
  double updated_hot = 0;
  double rows = 0;
  Bytes indexes = {};  // of all indexes of the table
  Bytes index = {};    // what the new one added to that
};

struct Workload {
  std::vector<KnownStatement> statements = {};  // the one that is explained is not among them
  size_t unplanned = 0;                         // of the known ones; what they read is not known
  std::string why_not = {};                     // why no statement is known
  WriteCounters writes = {};

  // Label L3: statements are known and none got a dearer plan.
  bool proves() const;
};

// Plans what pg_stat_statements knows to read `table` (qualified, quoted) or its partitions, except
// `own`. Locks: AccessShare on their tables, as any EXPLAIN. Errors: those of the connection.
Result<Workload> plan_workload(pg::Connection& conn, const std::string& table,
                               const sql::StatementInfo& own, const ExplainOptions& options);
// Plans them again, now that there is the index, and reads the counters. A statement that is not
// planned any more counts as unplanned. Errors: those of the connection.
Status plan_again(pg::Connection& conn, Workload& workload, const std::string& table,
                  const ExplainOptions& options);

// "14 other statements read it: 2 plans change, none gets dearer". Thread: any, as the next one.
std::string effect_text(const Workload& workload);
// What rows that are written from now on cost more; "" when nothing was counted.
std::string write_text(const WriteCounters& writes);

}  // namespace pgtend::explain
