// After an ANALYZE that drew an odd sample: what is true of the columns in question is counted, or
// a larger sample is drawn; on 18 the statistics before come back where they were better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "care/gate.h"
#include "facts/columns.h"
#include "facts/kept_statistics.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "vacuum/jumps.h"
#include "vacuum/options.h"
#include "vacuum/probes.h"

namespace pgtend::vacuum {

// The statistics of a table before an ANALYZE.
struct Statistics {
  std::vector<facts::ColumnFacts> columns = {};  // as far as our role sees them
  std::vector<facts::KeptColumn> kept = {};      // from 18 on
};

struct SecondSample {
  std::vector<Jump> odd = {};              // what the first one changed
  std::vector<Jump> confirmed = {};        // what of it is true, as a count or the second one says
  int64_t target = 0;                      // statistics target of the second one; 0: none was drawn
  care::Outcome outcome = {};              // of the second one
  std::vector<std::string> restored = {};  // columns that have their statistics of before again
  std::vector<care::Outcome> restores = {};
  std::vector<Probe> probes = {};         // what the planner expected, and what is true
  std::vector<std::string> why_not = {};  // what could not be looked at or put back; printable
};

// Of the table `oid`; of very wide tables the first 200 columns. Errors: those of the connection.
Result<Statistics> statistics_of(pg::Connection& conn, uint32_t oid);

// Compares the statistics with those of before the ANALYZE. nullopt: nothing was odd. What jumped,
//  - on 18 with statistics that were kept, is held against what indexes prove (Probe): where the
//    old statistics were nearer to the truth, and nowhere further from it, they are put back; where
//    the new ones were, they are true and stay;
//  - else is analysed again by the gate with ten times the target, at least 1,000. That sample
//    stays, but that on 18 the statistics before are put back when it says the same as they did,
//    and what the planner expected with the first sample was further from it.
// Never put back is what half of the rows have changed since. `table` is as before the ANALYZE.
// Errors: those of the connection and of Gate::run.
Result<std::optional<SecondSample>> look_again(const care::GateSetup& gate, const Means& means,
                                               const facts::TableFacts& table,
                                               const facts::ServerSettings& settings,
                                               const Statistics& before);

// One line for people a column, printable.
std::vector<std::string> lines_of(const SecondSample& second);
json::object to_json(const SecondSample& second);

}  // namespace pgtend::vacuum
