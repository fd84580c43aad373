// After an ANALYZE that drew an odd sample: a larger one of the columns in question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "care/gate.h"
#include "facts/columns.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "vacuum/jumps.h"
#include "vacuum/options.h"

namespace pgtend::vacuum {

struct SecondSample {
  std::vector<Jump> odd = {};        // what the first one changed
  std::vector<Jump> confirmed = {};  // what of it the second one says as well
  int64_t target = 0;                // statistics target of the second one
  care::Outcome outcome = {};
};

// The statistics of the columns of the table `oid`, as far as our role sees them; of very wide
// tables the first 200. Errors: those of the connection.
Result<std::vector<facts::ColumnFacts>> statistics_of(pg::Connection& conn, uint32_t oid);

// Compares the statistics with those of before the ANALYZE. When they jumped, these columns are
// analysed again by the gate with ten times the target, at least 1,000. nullopt: nothing was odd.
// `table` is as before the ANALYZE. Errors: those of the connection and of Gate::run.
Result<std::optional<SecondSample>> look_again(const care::GateSetup& gate, const Means& means,
                                               const facts::TableFacts& table,
                                               const facts::ServerSettings& settings,
                                               const std::vector<facts::ColumnFacts>& before);

// One line for people a column, printable.
std::vector<std::string> lines_of(const SecondSample& second);
json::object to_json(const SecondSample& second);

}  // namespace pgtend::vacuum
