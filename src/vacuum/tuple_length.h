// The length of a row or an index entry as it is stored, from its columns: the walk over offsets
// that PostgreSQL makes when it forms a tuple, done with probabilities.
//
// Sources: heap_fill_tuple() and heap_form_tuple(), index_form_tuple(); a value with a length word
// of up to 126 bytes is stored with one byte of header and no padding, a longer one with four and
// its type's alignment. Offsets are known as a distribution, which contains the rule "offset is r
// modulo m" and keeps what a known set of lengths says. Columns are taken as independent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "facts/layout.h"

namespace pgtend::vacuum {

// Bytes of a page's parts.
inline constexpr int kLinePointer = 4;
inline constexpr int kShortMax = 127;     // the longest value with a one-byte header
inline constexpr int kToastPointer = 18;  // a value that is stored in TOAST

// The first multiple of `align` from `offset` on.
constexpr int aligned(int offset, int align) { return (offset + align - 1) / align * align; }

// Probability of each length: `lengths[i].bytes` ascend, weights sum to 1.
struct LengthWeight {
  int bytes = 0;
  double weight = 0;
};

struct TupleLengths {
  std::vector<LengthWeight> lengths = {};  // aligned to 8, without line pointer
  double mean = 0;                         // bytes; may differ a little from that of `lengths`
  double error = 0;                        // bytes: the true mean is within mean ± error
};

// What the walk needs beside the columns.
struct TupleShape {
  bool index = false;     // entry of an index, else a row of a table
  double rows = 0;        // of the relation, for how much ANALYZE saw
  double sample = 30000;  // rows that ANALYZE looked at
  double changed = 0;     // share of the rows it did not see, 0 to 1
  int block_size = 8192;
};

// The lengths of tuples of `columns`, of which all that can be null or vary in length must have
// statistics (else Invalid, naming the column). Thread: any.
// Cost: O(columns x lengths x block size) additions at worst.
Result<TupleLengths> tuple_lengths(std::span<const facts::StoredColumn> columns,
                                   const TupleShape& shape);

// The bytes that a value of `payload` bytes takes with its header, padding not counted.
int stored_length(int64_t payload);

}  // namespace pgtend::vacuum
