// Proving advice: the planner asked with a hypothetical index (HypoPG), and real runs compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "explain/advice.h"
#include "explain/run.h"
#include "pg/connection.h"
#include "sql/classify.h"

namespace pgtend::explain {

// The planner's answer to "what if this index existed".
struct WhatIf {
  bool used = false;  // the plan reads the hypothetical index
  double cost_before = 0;
  double cost_after = 0;
  // HypoPG's own size estimate: always too large (it knows no deduplication).
  Bytes size = {};
  // Label L1: used, and at least 30 % cheaper.
  bool proves() const { return used && cost_after <= 0.7 * cost_before; }
};

// Whether hypothetical indexes can be asked for on this server, and the schema they live in.
struct HypoPg {
  std::string schema = {};   // "" when not installed
  std::string why_not = {};  // then: what is missing
};
// Errors: those of the connection.
Result<HypoPg> find_hypopg(pg::Connection& conn);

// "CREATE INDEX ON table …" of `candidate` on `table` (quoted).
std::string index_statement(const std::string& table, const Candidate& candidate);

// Plans `info`, with the parameters' values of `options`, without and with the index that
// `index_sql` would make, in a read-only transaction; nothing is built, the hypothetical index is
// gone afterwards. Needs a session of its own. Errors: Invalid when HypoPG refuses the index, those
// of the connection.
Result<WhatIf> what_if(pg::Connection& conn, const HypoPg& hypopg, const sql::StatementInfo& info,
                       const std::string& index_sql, const ExplainOptions& options = {});

// Several real runs of one statement.
struct Measurement {
  int runs = 0;
  double median_ms = 0;  // Execution Time
  double fastest_ms = 0;
  double slowest_ms = 0;
  double blocks = 0;  // shared blocks hit and read, temporary ones read and written, median
  Plan plan = {};     // of the median run
};

// Runs EXPLAIN (ANALYZE, BUFFERS) `runs` times (1 to 100) after one run to warm up. The statement
// must be one that explain() would ANALYZE. Errors: as explain().
Result<Measurement> measure(pg::Connection& conn, std::string_view sql, int runs,
                            ExplainOptions options = {});

// The same for two ways to run the statement, in turns, so that both meet the same machine: as it
// is, and `other`. Errors: as explain().
struct OtherWay {
  std::vector<std::string> settings = {};  // SET LOCAL statements
  bool generic = false;                    // by the generic plan, with the values of the options
};
struct InTurns {
  Measurement before = {};
  Measurement after = {};
};
Result<InTurns> measure_in_turns(pg::Connection& conn, std::string_view sql, const OtherWay& other,
                                 int runs, ExplainOptions options = {});

// What a change brought: buffers first, then time.
struct Comparison {
  double blocks_factor = 1;  // before / after; above 1 is better
  double time_factor = 1;
  bool better = false;  // label L2: fewer blocks, or as many and clearly less time
  std::string text = {};
};
Comparison compare(const Measurement& before, const Measurement& after);

}  // namespace pgtend::explain
