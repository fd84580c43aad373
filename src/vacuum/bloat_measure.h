// Which relations are measured instead of estimated, and by what: the cheapest method that is
// accurate enough, within the read budget.
#pragma once

#include <cstdint>
#include <vector>

#include "facts/layout.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/bloat_report.h"

namespace pgtend::vacuum {

// What may be used on a relation, and what it would read at most.
struct Ways {
  bool map = false;
  bool approximation = false;
  bool tuples = false;
  bool rows = false;                // those of the table, for itself or its TOAST
  int64_t approximation_pages = 0;  // pages of the relation
  int64_t pages = 0;                // of the relation
  int64_t row_pages = 0;            // of the table
};

// The methods to try, in this order, until one is accurate enough. Pure. Thread: any.
std::vector<Method> ladder(const Ways& ways, const BloatSetup& setup, int64_t pages_left);

// Whether nothing better has to be looked for: `found` is known, its interval not wider than a
// tenth of the relation, and narrower than that of `before`.
bool accurate_enough(const Bloat& found, const Bloat& before);

// Measures what is worth it of the tables `stored`, which hold estimates: what may waste most
// first, until the budget is spent. Returns the pages read. Errors: those of the connection.
Result<int64_t> measure_bloat(pg::Connection& conn, const BloatSetup& setup,
                              const std::vector<facts::TableFacts>& tables,
                              const facts::Layouts& layouts, std::vector<TableBloat>& stored);

}  // namespace pgtend::vacuum
