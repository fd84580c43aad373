// Proof of pruning: what is predicted of a statement beside what the server's planner does with it,
// on the partitioned table itself or, before any row is moved, on its proposed partitions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "facts/statements.h"
#include "partition/key_rewrite.h"
#include "partition/observe.h"
#include "partition/partition.h"
#include "partition/shapes.h"

namespace pgtend::partition {

// A statement whose partitions are left out, or why nothing can be told of it.
struct Proof {
  facts::StatementFacts statement = {};
  std::string problem = {};  // it does not parse, reads another table, must not be planned …
  Prediction prediction = {};
  Observed observed = {};               // of the generic plan when it has parameters
  std::optional<Observed> custom = {};  // with values for the parameters
  std::string not_run = {};             // why a run that would have told more was not made
  std::string rewrite = {};             // result-equal; "" if there is none
  std::optional<Observed> rewritten = {};
  std::vector<std::string> notes = {};

  bool agrees() const { return problem.empty() && prediction.prunes == observed.prunes; }
  // What planning one call costs: with its values where they are known.
  const Observed& per_call() const { return custom ? *custom : observed; }
};

struct ProveOptions {
  bool run = false;     // on a partitioned table: run SELECTs whose plan alone does not tell
  int tries = 3;        // the planning time is the middle of so many
  double total_ms = 0;  // what all statements that are known take, these included
};

// What the statements cost the planner, against what they take in all.
struct PlannerBudget {
  double total_ms = 0;     // of all statements that are known
  double planning_ms = 0;  // of calls without a key known to the planner
  double share() const { return total_ms > 0 ? planning_ms / total_ms : 0; }
};
inline constexpr double kPlanningShareMax = 0.01;  // more is felt; twice as much is too much

struct Proofs {
  std::string table = {};
  bool proposed = false;  // on proposed partitions
  int partitions = 0;
  int proven = 0;  // of these, made for the proof: the newest ones
  std::vector<Proof> proofs = {};
  PlannerBudget budget = {};
  std::vector<std::string> verdict = {};  // what partitions bring for these statements, a line each
};

// For a plain table the default proposal stands in for what is not there. Nothing is executed but
// for SELECTs on empty partitions (or with `run`) that may be run; all in one transaction that is
// rolled back. A statement that cannot be told about is a problem of its own, never an error.
// Errors: Invalid (no key to divide by), NotFound, those of the connection.
Result<Proofs> prove_statements(pg::Connection& conn, const std::string& table,
                                const std::vector<facts::StatementFacts>& statements,
                                const ProveOptions& options = {});
// The same for one statement: its problem is the error. Errors: also Invalid, Denied ….
Result<Proof> prove_statement(pg::Connection& conn, const std::string& table,
                              const std::string& sql, const ProveOptions& options = {});
// The same on the partitions of `proposal`.
Result<Proofs> prove_proposal(pg::Connection& conn, const Definition& table,
                              const Proposal& proposal,
                              const std::vector<facts::StatementFacts>& statements,
                              const ProveOptions& options = {});

// The statements of a file, one after the other, split at semicolons. Pure.
std::vector<facts::StatementFacts> statements_of(std::string_view text);

json::object to_json(const Observed& observed);
json::object to_json(const Proof& proof);
json::object to_json(const Proofs& proofs);

}  // namespace pgtend::partition
