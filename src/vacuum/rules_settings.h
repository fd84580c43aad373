// Rules on what settings make of a table: its share of autovacuum's I/O, and room for updates.
#pragma once

#include <optional>

#include "vacuum/rules.h"

namespace pgtend::vacuum {

// Both are rows of rules().
std::optional<care::Finding> own_cost_budget(const facts::TableFacts& table, const Context& context,
                                             const Policy& policy);
std::optional<care::Finding> low_hot(const facts::TableFacts& table, const Context& context,
                                     const Policy& policy);

}  // namespace pgtend::vacuum
