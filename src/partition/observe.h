// Where the server leaves partitions out, read from the plans it makes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "explain/tree.h"
#include "partition/shapes.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::partition {

// The partitions that plans are looked through for.
struct PartitionSet {
  std::set<std::pair<std::string, std::string>> leaves = {};  // (schema, name) as plans show them
  KeyTable key = {};
  std::string middle = {};  // a value of the key amid the partitions; "" if none is known
};

// What one plan says. Counts are of the place that reads most.
struct Observed {
  Prunes prunes = Prunes::Never;
  int total = 0;                             // partitions that store rows
  int planned = 0;                           // in the plan before the execution started
  int started = 0;                           // left after pruning at start-up
  std::optional<int> executed = {};          // of these, touched by the run; nullopt: not run
  std::vector<std::string> partitions = {};  // those left, qualified
  double planning_ms = 0;                    // median of several
  int locks = 0;                             // on relations, taken by planning it
};

// Reads one plan. `ordered`: the statement asks for an order or an end of it. Pure.
Observed observe(const explain::Plan& plan, const PartitionSet& set, bool ordered);

// Whether a condition of a scan compares the key with what is known while running only: then a run
// tells more than the plan.
bool worth_running(const explain::Plan& plan, const PartitionSet& set);

// Asks the server. `conn` is in a transaction, whose settings may change: set a savepoint before.
// The generic plan of a statement with parameters unless `values` are given; it is started with
// `time` for dates and times, and NULL for the others. `run`: EXPLAIN ANALYZE, which the caller has
// allowed. Errors: what the server answers.
struct Question {
  std::string sql = {};
  int parameters = 0;
  pg::Params values = {};
  bool run = false;
  std::string time = {};
};
Result<explain::Plan> plan_of(pg::Connection& conn, const Question& question);

// Relations locked by this session's transaction in the modes of reading and writing.
Result<int> locks_held(pg::Connection& conn);

}  // namespace pgtend::partition
