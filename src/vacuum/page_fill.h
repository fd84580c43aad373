// How many items of random length go on a page when pages are filled one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "vacuum/tuple_length.h"

namespace pgtend::vacuum {

// Items a page, in the long run, when each page takes items until the next does not fit in
// `capacity` bytes (that one begins the next page). Each item takes its length and a line pointer
// of 4 bytes. A page takes at least one item. Exact for independent lengths that are multiples
// of 8: the chain of fill levels is followed. Thread: any. Cost: O(capacity x lengths).
double items_per_page(std::span<const LengthWeight> lengths, int capacity);

// One leaf page after the other as CREATE INDEX and REINDEX fill them (_bt_buildadd): a page ends
// when its free space falls under the fillfactor's; its last entry then moves to the next page.
// Thread: one.
class LeafBuilder {
 public:
  // `fillfactor` in percent.
  LeafBuilder(int block_size, int fillfactor);
  // Adds an entry of `bytes` (aligned), of which `list` are its list of row addresses: they are cut
  // off when the entry becomes a page's high key.
  void add(int bytes, int list = 0);
  // Pages begun, the last one counted by how full it is.
  double pages() const;
  // What a page takes before it ends, bytes with line pointers.
  int capacity() const { return usable_ - free_min_; }

 private:
  int usable_;
  int free_min_;
  int64_t full_ = 0;
  int filled_ = 0;
  int items_ = 0;
  int last_bytes_ = 0;
  int last_list_ = 0;
};

}  // namespace pgtend::vacuum
