// Rules on space that a rewrite would give back. They speak only when the whole interval is above
// the policy's limits: who acts on them is not to be disappointed.
#pragma once

#include <optional>
#include <vector>

#include "care/finding.h"
#include "pg/connection.h"
#include "vacuum/bloat_report.h"
#include "vacuum/rules.h"

namespace pgtend::vacuum {

struct Facts;

// About the table's own pages, its TOAST, its btree indexes; nothing where Context::bloat has
// nothing of the table. Pure. Thread: any.
std::optional<care::Finding> table_bloat(const facts::TableFacts& table, const Context& context,
                                         const Policy& policy);
std::optional<care::Finding> toast_bloat(const facts::TableFacts& table, const Context& context,
                                         const Policy& policy);
std::optional<care::Finding> index_bloat(const facts::TableFacts& table, const Context& context,
                                         const Policy& policy);

// The findings of all three rules on the tables of a report, in its order. Pure. Thread: any.
std::vector<care::Finding> bloat_findings(const BloatReport& report, const Policy& policy = {});

// Adds to `facts` what the rules on bloat need, from statistics and free space maps alone, of
// tables so big that they could speak. Errors: those of load_bloat_of().
Status add_bloat(pg::Connection& conn, Facts& facts, const Policy& policy = {});

}  // namespace pgtend::vacuum
