// Bloat of a table's main fork from statistics. TOAST is another relation and not in it.
#pragma once

#include "facts/layout.h"
#include "facts/tables.h"
#include "vacuum/bloat.h"
#include "vacuum/tuple_length.h"

namespace pgtend::vacuum {

// The table's rows now: from its live counter, else from pg_class, whichever the server has.
// `density` is how many rows a page of the table takes at most, 0 if not known: more rows than the
// file holds are not believed, and changes are a share of what it holds.
RowCount count_rows(const facts::TableFacts& table, double density, double sample);

// Pages that VACUUM FULL would leave: rows over what fits on a page with the table's fillfactor,
// by the lengths of its tuples. Unknown without statistics, and when more rows changed since
// ANALYZE than the table can hold. `rows`, if given, is set to the rows that were counted with.
// Pure. Thread: any.
Bloat heap_bloat(const facts::TableFacts& table, const facts::TableLayout& layout,
                 const facts::Layouts& server, RowCount* rows = nullptr);

// Bytes of a page that VACUUM FULL fills: without header, and without what `fillfactor` keeps.
int heap_capacity(int block_size, int fillfactor);

// Pages for `rows` whose lengths are known as `lengths`; whole pages.
Interval heap_pages(const Interval& rows, const TupleLengths& lengths, int capacity);

}  // namespace pgtend::vacuum
