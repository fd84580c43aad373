// Arithmetic on indexes: how big one would be, how many pages a query would read through it, how
// long it takes to build. Estimates; the planner (verify) and a real run have the last word.
#pragma once

#include <vector>

#include "base/units.h"

namespace pgtend::explain {

// The table as far as the arithmetic needs it.
struct Heap {
  double pages = 0;
  double rows = 0;
  double correlation = 0;  // |pg_stats.correlation| of the searched column: 1 is sorted on disk
};

// The key of an index.
struct KeyShape {
  double width = 8;     // bytes of one key, before alignment
  double distinct = 0;  // different keys among the rows; 0 when unknown: all differ
  bool deduplicates = true;
};

// Size of a freshly built btree: leaf tuples of one key and one or many row pointers, 90 % full.
Bytes btree_size(const Heap& heap, const KeyShape& key);
// Size of a BRIN index of one column.
Bytes brin_size(const Heap& heap, double key_width, int pages_per_range);

// Pages read to fetch `share` of the rows through a btree of `size`: the leaves of the range, and
// heap pages between the two extremes (rows side by side, rows scattered) by correlation².
double btree_pages(const Heap& heap, Bytes size, double share);
// The same through BRIN: the whole index and every block range that may hold a row.
double brin_pages(const Heap& heap, Bytes size, double share, int pages_per_range);

// A power of two from 16 to 128: small ranges as long as the index stays small itself.
int pages_per_range(const Heap& heap);

// Seconds to build CONCURRENTLY (two passes over the table, one sort for a btree) on ordinary
// disks.
double build_seconds(const Heap& heap, bool btree);

}  // namespace pgtend::explain
