// Pages that a rewrite would leave, from how much of a relation is free: for what tells free space
// and not rows.
#pragma once

#include <cstdint>
#include <span>

#include "vacuum/bloat.h"

namespace pgtend::vacuum {

// A table or TOAST table as maps and counters know it. Bytes are those of all its pages together.
struct Contents {
  int64_t pages = 0;
  Interval free = {};    // bytes
  double rows = 0;       // live ones; 0 if not known
  double dead = 0;       // rows at most whose space counts as used
  double grown = 0;      // rows at most whose space counts as free
  bool pointers = true;  // line pointers of removed rows may count as used
  bool chunks = false;   // TOAST: rows are cut to a quarter of a page
  bool dropped = false;  // rows may still have values of dropped columns
  int block_size = 8192;
  int capacity = 8168;  // bytes of a page that a rewrite fills (heap_capacity)
};

// Pure. Thread: any.
Interval needed_pages(const Contents& contents);

// Entries of a free space map: so many pages of the sample have `free` bytes, as pg_freespace()
// tells.
struct MapEntry {
  int64_t free = 0;
  int64_t pages = 0;
};

// Free bytes of all `pages`, of which the entries are some or all. The map tells a 256th of a page,
// rounded down. Pure. Thread: any.
Interval mapped_free(std::span<const MapEntry> entries, int64_t pages, int block_size);

// A row of pgstatindex() on a btree, with what is known beside it.
struct LeafDensity {
  int64_t leaf_pages = 0;  // with entries
  double density = 0;      // of them, percent of what a leaf page takes
  double entries = 0;      // live ones; 0 if not known
  double dead = 0;         // entries at most that a rewrite leaves out
  bool lists = false;      // REINDEX may put more equal keys together than are now
  bool long_keys = false;  // of unknown length
  int fillfactor = 90;     // percent
  int block_size = 8192;
};

// Pages of the btree after REINDEX. Pure. Thread: any.
Interval needed_index_pages(const LeafDensity& index);

}  // namespace pgtend::vacuum
