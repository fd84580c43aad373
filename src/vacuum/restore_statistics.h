// Putting column statistics back as they were before an ANALYZE (PostgreSQL 18).
#pragma once

#include <string>
#include <vector>

#include "care/finding.h"
#include "care/gate.h"
#include "care/rehearsal.h"
#include "facts/kept_statistics.h"
#include "facts/tables.h"

namespace pgtend::vacuum {

// Those of `kept` whose columns are named.
std::vector<facts::KeptColumn> chosen(const std::vector<facts::KeptColumn>& kept,
                                      const std::vector<std::string>& columns);

// Replaces the statistics of the columns in `before` by these, in one transaction that holds the
// lock that ANALYZE takes, and only if those that stand there are still `now`: what somebody
// analysed meanwhile is newer than both. Undo is the same the other way round. Needs MAINTAIN.
// Statistics of expressions and of several columns together are not touched. Pure.
care::Action restore_action(const facts::TableFacts& table,
                            const std::vector<facts::KeptColumn>& before,
                            const std::vector<facts::KeptColumn>& now);

// The same in a transaction that `look` sees and that is rolled back. Errors: those of
// care::rehearse.
Status rehearse_restore(const care::GateSetup& gate, const facts::TableFacts& table,
                        const std::vector<facts::KeptColumn>& before,
                        std::function<Status(pg::Connection&)> look);

}  // namespace pgtend::vacuum
