// Bloat of btree indexes from statistics.
#pragma once

#include "facts/layout.h"
#include "facts/tables.h"
#include "vacuum/bloat.h"

namespace pgtend::vacuum {

// Pages that REINDEX would leave: leaf pages by the lengths of the entries, or of groups of equal
// keys where the index deduplicates (most common values, NULLs and the rest apart), the pages above
// them and the meta page. `rows` are those of the table. Unknown for other methods than btree and
// without statistics. Pure. Thread: any.
Bloat btree_bloat(const facts::TableFacts& table, const RowCount& rows,
                  const facts::StoredIndex& index, const facts::Layouts& server);

// Whether equal keys share an entry when the index is built.
bool keeps_lists(const facts::StoredIndex& index);

// All pages of a btree with so many leaf pages: with the pages above them, whose entries have
// `pivot` bytes, and the meta page. Pure. Thread: any.
double btree_pages(double leaves, double pivot, int block_size);

}  // namespace pgtend::vacuum
