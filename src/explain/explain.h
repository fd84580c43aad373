// Explaining one statement, from its text or a plan to findings with proven actions. The façade of
// this module for the command line and the guided tour.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "care/finding.h"
#include "explain/relations.h"
#include "explain/run.h"
#include "explain/scans.h"
#include "explain/timing.h"
#include "explain/tree.h"
#include "pg/connection.h"

namespace pgtend::explain {

struct Request {
  std::string sql = {};        // the statement; or
  std::string plan_json = {};  // a plan made elsewhere, examined with this server's facts
  ExplainOptions options = {};
  bool ask_planner = true;  // try the proposed indexes with HypoPG where it is installed
  Policy policy = {};
};

struct Report {
  Plan plan = {};
  Timing timing = {};
  std::vector<care::Finding> findings = {};   // by saving, largest first
  std::vector<std::vector<int>> places = {};  // the plan nodes of each finding
  std::vector<std::string> warnings = {};
  std::vector<facts::MissingRight> missing = {};
};

// Plans (or runs, if asked) the statement, reads the facts, finds causes and proposes actions, each
// checked by the planner when HypoPG is there. Changes nothing. `conn` must be a direct connection
// outside a transaction. A leading "EXPLAIN ANALYZE" asks for a run as options.analyze does.
// Errors: as explain() and parse_json_plan().
Result<Report> examine(pg::Connection& conn, const Request& request);

// The same for a plan alone, without a server: what only a server knows is said to be unknown, or
// comes from `facts`. Errors: as parse_json_plan().
Result<Report> examine_offline(std::string_view plan_json, const Facts& facts = {},
                               const Policy& policy = {});

// Plan, times and findings in the stable schema of --json.
json::object to_json(const Report& report);

}  // namespace pgtend::explain
