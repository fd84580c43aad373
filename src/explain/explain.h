// Explaining a statement or a plan, up to findings with proven actions. The façade of
// this module for the command line and the guided tour.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "care/finding.h"
#include "explain/access.h"
#include "explain/read_plans.h"
#include "explain/relations.h"
#include "explain/run.h"
#include "explain/sampling.h"
#include "explain/timing.h"
#include "explain/tree.h"
#include "pg/connection.h"

namespace pgtend::explain {

struct Request {
  std::string sql = {};  // the statement, for examine()
  // options.values may be fewer than the parameters if `sample`.
  ExplainOptions options = {};
  // Take the values of parameters that none is given for from pg_stats; implied by options.analyze.
  bool sample = false;
  bool ask_planner = true;  // try the proposed indexes with HypoPG where it is installed
  // Try what else the findings propose: statistics in a transaction that is rolled back (it keeps
  // ANALYZE and DDL on the table waiting for that long), settings by running the statement with and
  // without, if it may be run.
  bool verify = false;
  Policy policy = {};
};

struct Report {
  PlanFormat format = PlanFormat::Json;  // that the plan was read in
  size_t line = 1;                       // of the input, where it begins
  Plan plan = {};
  Timing timing = {};
  std::vector<care::Finding> findings = {};   // by saving, largest first
  std::vector<std::vector<int>> places = {};  // the plan nodes of each finding
  std::vector<std::string> warnings = {};
  std::vector<facts::MissingRight> missing = {};
  std::vector<ParameterValue> parameters = {};  // that the plan was made for, $1 first
};

// Plans (or runs, if asked) the statement, reads the facts, finds causes and proposes actions, each
// checked by the planner when HypoPG is there. Changes nothing. `conn` must be a direct connection
// outside a transaction. Errors: as explain() and parameter_values().
Result<Report> examine(pg::Connection& conn, const Request& request);

// The same for a plan made elsewhere, with this server's facts. Errors: those of the connection.
Result<Report> examine_plan(pg::Connection& conn, ReadPlan read, const Request& request);

// The same without a server: what only a server knows is said to be unknown, or comes from `facts`.
Report examine_offline(ReadPlan read, const Facts& facts = {}, const Policy& policy = {});

}  // namespace pgtend::explain
