// Bloat of a table measured from its rows: those of some blocks chosen at random, or all of them.
// Needs SELECT, no extension.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "facts/layout.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/bloat.h"

namespace pgtend::vacuum {

// The length of one row as VACUUM FULL would write it, from the stored sizes of its values.
// Rows over a quarter of a page have their longest values in TOAST, as toast_tuple decides.
// Thread: one.
class RowLength {
 public:
  // `columns` are borrowed.
  RowLength(const std::vector<facts::StoredColumn>& columns, int block_size);

  // The columns whose sizes length_of() needs, by their place among `columns`: all that can be null
  // or vary in length.
  const std::vector<size_t>& asked() const { return asked_; }
  // Bytes, aligned to 8, without line pointer. `sizes` has one entry for each of asked(): bytes of
  // the value with its header (pg_column_size), -1 for null.
  int length_of(const std::vector<int64_t>& sizes) const;

 private:
  int walk(const std::vector<int64_t>& sizes, const std::vector<bool>& outside) const;

  const std::vector<facts::StoredColumn>& columns_;
  int block_size_;
  std::vector<size_t> asked_;
};

// What the rows of some blocks come to. Thread: one.
class RowTally {
 public:
  explicit RowTally(int capacity);
  // Adds a row of `bytes` in `block`; rows of a block come together.
  void add(int64_t block, int bytes);
  int64_t rows() const { return rows_; }
  // Pages that the rows take when written in this order.
  int64_t packed() const { return packed_; }
  // Pages that all rows of the table take, `blocks` of its `pages` having been looked at; the
  // interval is that of a random choice, at 99 %.
  Interval projected(int64_t blocks, int64_t pages) const;

 private:
  int capacity_;
  int64_t rows_ = 0;
  int64_t packed_ = 0;
  int filled_ = 0;
  std::map<int, int64_t> lengths_ = {};  // rows by their length
  int64_t block_ = -1;
  double in_block_ = 0;  // bytes of its rows with line pointers
  double sum_ = 0;       // over the blocks before
  double squares_ = 0;
};

struct Measure {
  bool all = false;              // every row instead of a sample
  int64_t blocks_wanted = 1000;  // of a sample
  int64_t pages_left = 0;        // the read budget: never reads more pages of the table
};

// Measures the heap of `table`; pages read are added to `pages_read`. A table that does not fit in
// the budget is sampled, within it. Unknown where row security may hide rows or the budget is
// spent. Errors: those of the connection (Denied without SELECT).
Result<Bloat> measure_heap(pg::Connection& conn, const facts::TableFacts& table,
                           const facts::TableLayout& layout, int block_size, const Measure& measure,
                           int64_t& pages_read);

}  // namespace pgtend::vacuum
