// What a run over many tables does, in which order, and what it costs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "facts/upkeep.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {

// One statement to run.
struct Task {
  std::string table = {};  // qualified, quoted
  Job job = Job::Vacuum;
  bool partitioned = false;  // a partitioned table, not one of its partitions
  bool urgent = false;       // autovacuum is about to force it, or has begun to
  // How many times over its limit the table is, at the worst of dead rows, inserts, changes and
  // ages: the measure by which PostgreSQL 19 orders autovacuum's tables, with our limits.
  double score = 0;
  int64_t pages = 0;     // that it reads at most, of table and indexes
  std::string why = {};  // the findings
  Choice choice = {};
  std::shared_ptr<const Prepared> prepared = {};  // see RunSetup
};

// The tasks that the findings of review() ask for, and tables beyond half of their freeze age. One
// task a table. Urgent ones come first, then by score for each page read: so the sum of waiting,
// weighted by score, is least (Smith's rule, 1956); small tables with stale statistics therefore go
// before big ones that are twice as far over the limit. `only` keeps ANALYZE or VACUUM alone.
// Tables that may not be worked on by our role are left out. Pure.
std::vector<Task> worklist(const Facts& facts, const facts::Upkeep& upkeep, const Means& means,
                           bool analyze_only = false, const Policy& policy = {});

// The same for the database that `conn` is connected to. Errors: those of load() and load_upkeep().
Result<std::vector<Task>> load_worklist(pg::Connection& conn, const Means& means,
                                        bool analyze_only = false);

json::object to_json(const Task& task);

}  // namespace pgtend::vacuum
