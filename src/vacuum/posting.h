// What duplicates cost in a btree that is built with deduplication (PostgreSQL 13 and later).
#pragma once

#include <span>

#include "vacuum/page_fill.h"

namespace pgtend::vacuum {

struct LeafShape {
  int block_size = 8192;
  int fillfactor = 90;  // percent
};

// Row addresses that one entry of `base` bytes (without addresses) takes when an index is built:
// its size stays within a tenth of a page (_bt_load, _bt_dedup_save_htid).
int posting_capacity(int base, int block_size);

// Leaf pages that groups of equal keys take, a group: `rows` rows each on average, exactly so
// (`spread` false) or as many as chance gives (Poisson, none empty). Entries have lengths `bases`.
// A group is as many full entries as it fills, and one with what remains. Found by building a few
// pages of such groups. Thread: any. Cost: bounded, some thousand entries.
double pages_per_group(std::span<const LengthWeight> bases, double rows, bool spread,
                       const LeafShape& shape);

}  // namespace pgtend::vacuum
