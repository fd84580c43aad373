// Bloat of a table and its TOAST measured from the table's rows: those of some blocks chosen at
// random, or all of them. Needs SELECT on the table alone, no extension, and reads no TOAST: a row
// tells how long its values are that are stored there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
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
  // `columns` are borrowed. `toast_target` is the storage option, 0 if it is not set.
  RowLength(const std::vector<facts::StoredColumn>& columns, int block_size, int toast_target = 0);

  // The columns whose sizes length_of() needs, by their place among `columns`: all that can be null
  // or vary in length.
  const std::vector<size_t>& asked() const { return asked_; }
  // Bytes, aligned to 8, without line pointer. `sizes` has one entry for each of asked(): bytes of
  // the value with its header (pg_column_size), -1 for null.
  int length_of(const std::vector<int64_t>& sizes) const;
  // The same; `moved` becomes the bytes of those values that are in TOAST, in the order in which
  // they are written there.
  int length_of(const std::vector<int64_t>& sizes, std::vector<int64_t>& moved) const;
  // Bytes that may be in TOAST although length_of() says that none are: the size of a value does
  // not tell where it is, and counts its header only within the row.
  int64_t unsure(const std::vector<int64_t>& sizes) const;

 private:
  int walk(const std::vector<int64_t>& sizes, const std::vector<bool>& outside) const;
  bool movable(size_t at, int64_t size) const;
  // The place among asked() of the longest value that may go out of the row.
  std::optional<size_t> longest(const std::vector<int64_t>& sizes, const std::vector<bool>& outside,
                                bool main) const;

  const std::vector<facts::StoredColumn>& columns_;
  int block_size_;
  int threshold_;  // bytes of a row from which values go out
  int target_;     // until it is so short
  std::vector<size_t> asked_;
};

// Calls `each` with the bytes of each row, without line pointer, that a value of `bytes` has in a
// TOAST table.
void for_each_chunk(int64_t bytes, int block_size, const std::function<void(int)>& each);

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
  // interval is that of a random choice, at 99 %. Rows that come `in_order` follow each other as
  // they do here, as chunks of values; else their lengths are taken to be mixed by chance.
  Interval projected(int64_t blocks, int64_t pages, bool in_order = false) const;

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

struct RowsMeasured {
  Bloat heap = {};
  Bloat toast = {};        // of no meaning for a table without TOAST
  int64_t pages_read = 0;  // of the table
};

// Measures `table`. One that does not fit in the budget is sampled, within it. Unknown where row
// security may hide rows or the budget is spent, and the TOAST where no row of the sample has any.
// Errors: those of the connection (Denied without SELECT).
Result<RowsMeasured> measure_rows(pg::Connection& conn, const facts::TableFacts& table,
                                  const facts::TableLayout& layout, int block_size,
                                  const Measure& measure);

}  // namespace pgtend::vacuum
