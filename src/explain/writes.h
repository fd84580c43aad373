// What running a statement that writes costs although it is rolled back: told from its plan before,
// and from the run after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "explain/tree.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

// A table that the plan writes to or locks rows of, with its partitions of the plan.
struct WriteTarget {
  std::string operation = {};  // "Insert", "Update", "Delete", "Merge", "Lock"
  std::string schema = {};
  std::string name = {};
  double rows = 0;       // rows that come to the node: expected, or met if the plan was run
  double row_bytes = 0;  // width that the planner expects
  double dead_rows = 0;  // versions that a rollback leaves behind: inserted and updated rows
};

// The targets of all writing nodes of `plan`, in its order. Thread: any.
std::vector<WriteTarget> write_targets(const Plan& plan);

// What the server knows of a target.
struct TargetFacts {
  double table_rows = 0;  // pg_class.reltuples; 0 when unknown
  double table_pages = 0;
  int indexes = 0;
  std::vector<std::string> triggers = {};  // that fire for the operation
  std::vector<std::string> deferred = {};  // of these, those that wait for a COMMIT: never run here
  std::vector<std::string> cascades = {};  // tables that its foreign keys write to or look into
  std::vector<std::string> sequences = {};  // of its defaults: numbers that are lost
};

// Errors: those of the connection.
Result<TargetFacts> load_target(pg::Connection& conn, const WriteTarget& target);

// The statements that run `info` under EXPLAIN ANALYZE, with WAL and triggers: those of `before`
// first. The values are literals of EXECUTE, planned for as a custom plan. Thread: any.
struct WriteRun {
  std::vector<std::string> before = {};
  std::string sql = {};
};
WriteRun write_run(const sql::StatementInfo& info, const pg::Params& values);

// The cost of a run for people, a sentence a line, largest first. `measured`: of the run of the
// plan, else expected. Thread: any.
std::vector<std::string> cost_lines(const WriteTarget& target, const TargetFacts& facts,
                                    bool measured);

// "VACUUM s.t" if the dead rows are more than autovacuum would let lie (50 and a fifth of the
// table); "" else. Thread: any.
std::string vacuum_advice(const WriteTarget& target, const TargetFacts& facts);

// WAL that the run wrote, in bytes; nullopt when the plan does not tell. Thread: any.
std::optional<double> wal_bytes(const Plan& plan);

json::object to_json(const WriteTarget& target, const TargetFacts& facts);

}  // namespace pgtend::explain
