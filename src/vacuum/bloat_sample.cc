#include "vacuum/bloat_sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "pg/quote.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/page_fill.h"

namespace pgtend::vacuum {
namespace {

constexpr double kSure = 2.6;           // standard errors of a 99 % interval
constexpr int kChunkHeader = 24 + 12;   // of the row; chunk_id, chunk_seq, the length of chunk_data
constexpr int kValueHeader = 4;         // of a value within a row
constexpr double kFewBlocks = 20;       // widens an interval from 33 blocks by 60 %
constexpr int64_t kBlocksMin = 30;      // of a sample: fewer tell nothing
constexpr int64_t kValueMax = 1 << 30;  // bytes: no value is longer
constexpr size_t kLineMax = 1U << 20;   // bytes of one line of COPY: a number a column

// Reads lines of numbers separated by tabs, \N for null, from chunks of any size.
class Lines {
 public:
  explicit Lines(std::function<Status(const std::vector<int64_t>&)> on_line)
      : on_line_(std::move(on_line)) {}

  Status feed(std::string_view chunk) {
    while (!chunk.empty()) {
      const size_t end = chunk.find('\n');
      if (end == std::string_view::npos) {
        if (rest_.size() + chunk.size() > kLineMax) {
          return Error{ErrorCode::Corrupt, "a line of COPY is too long"};
        }
        rest_.append(chunk);
        return ok();
      }
      rest_.append(chunk.substr(0, end));
      TRY(line(rest_));
      rest_.clear();
      chunk.remove_prefix(end + 1);
    }
    return ok();
  }

 private:
  Status line(std::string_view text) {
    numbers_.clear();
    for (const std::string_view field : split(text, '\t')) {
      numbers_.push_back(field == "\\N" ? -1 : TRY(parse_int(field)));
    }
    return on_line_(numbers_);
  }

  std::function<Status(const std::vector<int64_t>&)> on_line_;
  std::string rest_;
  std::vector<int64_t> numbers_;
};

// TOAST_TUPLE_TARGET: a quarter of what a page with four rows has for them.
int quarter_page(int block_size) {
  return (block_size - aligned(24 + 4 * kLinePointer, 8)) / 4 / 8 * 8;
}

std::string source(const facts::TableFacts& table, double percent) {
  // REPEATABLE: the second look, at how many blocks it were, chooses the same ones.
  return percent >= 100 ? cat("ONLY ", table.qualified())
                        : cat("ONLY ", table.qualified(), " TABLESAMPLE SYSTEM (", percent,
                              ") REPEATABLE (", table.oid, ")");
}

std::string rows_sql(const facts::TableFacts& table, const facts::TableLayout& layout,
                     const RowLength& lengths, double percent) {
  std::string out = "COPY (SELECT (ctid::text::point)[0]::int8";
  for (const size_t at : lengths.asked()) {
    out += cat(", pg_column_size(", pg::ident(layout.columns[at].name), ")");
  }
  return cat(out, " FROM ", source(table, percent), ") TO STDOUT");
}

// Blocks that the sample reads, with those that have no rows.
Result<int64_t> sampled_blocks(pg::Connection& conn, const facts::TableFacts& table,
                               double percent) {
  const pg::Rows rows =
      TRY(conn.query(cat("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT 1 FROM ",
                         source(table, percent))));
  const std::string text = TRY(rows.scalar());
  const json::value plan = TRY(parse_json(text));
  const auto number = [&](std::string_view member) -> int64_t {
    boost::system::error_code failed;
    const json::value* found = plan.find_pointer(cat("/0/Plan/", member), failed);
    return found != nullptr && found->is_int64() ? found->get_int64() : 0;
  };
  return number("Shared Hit Blocks") + number("Shared Read Blocks");
}

// What the rows of a table come to, and the chunks of their values.
class Tallies {
 public:
  Tallies(const facts::TableLayout& layout, int block_size)
      : lengths_(layout.columns, block_size, layout.toast_target),
        heap_(heap_capacity(block_size, layout.fillfactor)),
        toast_(heap_capacity(block_size, 100)),
        block_size_(block_size) {}

  const RowLength& lengths() const { return lengths_; }
  const RowTally& heap() const { return heap_; }
  const RowTally& toast() const { return toast_; }
  // Pages that the table may take less, and its TOAST more.
  double unsure_pages() const { return std::ceil(unsure_ / heap_capacity(block_size_, 100)); }
  // Adds a row: its block, and the sizes that lengths() asks for.
  Status add(const std::vector<int64_t>& numbers) {
    if (numbers.size() != lengths_.asked().size() + 1) {
      return Error{ErrorCode::Corrupt, "a line of COPY has too few columns"};
    }
    sizes_.assign(numbers.begin() + 1, numbers.end());
    const int64_t block = numbers[0];
    heap_.add(block, lengths_.length_of(sizes_, moved_));
    if (moved_.empty()) unsure_ += static_cast<double>(lengths_.unsure(sizes_));
    for (const int64_t bytes : moved_) {
      if (bytes > kValueMax) return Error{ErrorCode::Corrupt, cat("a value of ", bytes, " bytes")};
      for_each_chunk(bytes, block_size_, [&](int chunk) { toast_.add(block, chunk); });
    }
    return ok();
  }

 private:
  RowLength lengths_;
  RowTally heap_;
  RowTally toast_;
  int block_size_;
  double unsure_ = 0;  // bytes
  std::vector<int64_t> sizes_ = {};
  std::vector<int64_t> moved_ = {};
};

void counted(const RowTally& tally, Bloat& out) {
  const auto packed = static_cast<double>(tally.packed());
  out.method = Method::Count;
  out.needed = {.low = std::max(packed - 1, 0.0), .best = packed, .high = packed + 1};
}

void widen(RowsMeasured& out, double pages) {
  out.heap.needed.low = std::max(out.heap.needed.low - std::ceil(pages), 0.0);
  out.toast.needed.high += std::ceil(pages);
}

}  // namespace

RowLength::RowLength(const std::vector<facts::StoredColumn>& columns, int block_size,
                     int toast_target)
    : columns_(columns), block_size_(block_size), threshold_(quarter_page(block_size)) {
  target_ = toast_target > 0 ? std::clamp(toast_target / 8 * 8, 128, block_size - 32) : threshold_;
  for (size_t i = 0; i < columns.size(); ++i) {
    const facts::StoredColumn& column = columns[i];
    if (!column.dropped && (column.length < 0 || !column.not_null)) asked_.push_back(i);
  }
}

int RowLength::walk(const std::vector<int64_t>& sizes, const std::vector<bool>& outside) const {
  int offset = 0;
  bool nulls = false;
  size_t at = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const facts::StoredColumn& column = columns_[i];
    int64_t size = column.dropped ? -1 : column.length;
    bool packed = false;
    if (at < asked_.size() && asked_[at] == i) {
      size = sizes[at];
      if (outside[at] && size >= 0) size = kToastPointer;
      packed = column.length == -1 && column.storage != 'p' && size <= kShortMax;
      ++at;
    }
    if (size < 0) {
      nulls = true;
      continue;
    }
    if (!packed) offset = aligned(offset, std::max(column.align, 1));
    offset += static_cast<int>(std::min<int64_t>(size, block_size_));
    offset = std::min(offset, 4 * block_size_);  // no row is as long: TOAST has taken the rest
  }
  const int bitmap = nulls ? (static_cast<int>(columns_.size()) + 7) / 8 : 0;
  return aligned(23 + bitmap, 8) + aligned(offset, 8);
}

bool RowLength::movable(size_t at, int64_t size) const {
  const facts::StoredColumn& column = columns_[asked_[at]];
  return column.length == -1 && column.storage != 'p' && size > aligned(kToastPointer, 8);
}

int64_t RowLength::unsure(const std::vector<int64_t>& sizes) const {
  const int length = walk(sizes, std::vector<bool>(sizes.size(), false));
  int64_t bytes = 0;
  int headers = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!movable(i, sizes[i])) continue;
    bytes += sizes[i] + kChunkHeader;
    headers += kValueHeader;
  }
  return length <= threshold_ && length + headers > threshold_ ? bytes : 0;
}

std::optional<size_t> RowLength::longest(const std::vector<int64_t>& sizes,
                                         const std::vector<bool>& outside, bool main) const {
  std::optional<size_t> out;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool fits = (columns_[asked_[i]].storage == 'm') == main && !outside[i];
    if (!fits || !movable(i, sizes[i])) continue;
    if (!out || sizes[i] > sizes[*out]) out = i;
  }
  return out;
}

int RowLength::length_of(const std::vector<int64_t>& sizes) const {
  std::vector<int64_t> moved;
  return length_of(sizes, moved);
}

int RowLength::length_of(const std::vector<int64_t>& sizes, std::vector<int64_t>& moved) const {
  CHECK(sizes.size() == asked_.size());
  moved.clear();
  std::vector<bool> outside(sizes.size(), false);
  int length = walk(sizes, outside);
  if (length <= threshold_) return length;
  // Four rows have to fit on a page: the longest values go out until the row does.
  for (const bool main : {false, true}) {
    const int limit = main ? block_size_ - 32 : target_;
    while (length > limit) {
      const std::optional<size_t> next = longest(sizes, outside, main);
      if (!next) break;
      outside[*next] = true;
      moved.push_back(sizes[*next]);
      length = walk(sizes, outside);
    }
  }
  return std::min(length, block_size_);
}

void for_each_chunk(int64_t bytes, int block_size, const std::function<void(int)>& each) {
  const int64_t most = quarter_page(block_size) - kChunkHeader;
  for (int64_t left = bytes; left > 0; left -= most) {
    each(aligned(kChunkHeader + static_cast<int>(std::min(left, most)), 8));
  }
}

RowTally::RowTally(int capacity) : capacity_(capacity) {}

void RowTally::add(int64_t block, int bytes) {
  const int item = bytes + kLinePointer;
  if (packed_ == 0 || filled_ + item > capacity_) {
    ++packed_;
    filled_ = 0;
  }
  filled_ += item;
  ++rows_;
  ++lengths_[bytes];
  if (block != block_) {
    sum_ += in_block_;
    squares_ += in_block_ * in_block_;
    in_block_ = 0;
    block_ = block;
  }
  in_block_ += item;
}

Interval RowTally::projected(int64_t blocks, int64_t pages, bool in_order) const {
  if (rows_ == 0 || blocks <= 0) return {};
  const auto looked = static_cast<double>(blocks);
  const auto all = static_cast<double>(pages);
  // The last page counts by how full it is: the next block would go on filling it.
  const double packed =
      static_cast<double>(packed_ - 1) + std::min(static_cast<double>(filled_) / capacity_, 1.0);
  double needed = packed;
  if (!in_order) {
    std::vector<LengthWeight> lengths;
    for (const auto& [bytes, count] : lengths_) {
      lengths.push_back({bytes, static_cast<double>(count) / static_cast<double>(rows_)});
    }
    needed = static_cast<double>(rows_) / items_per_page(lengths, capacity_);
  }
  const double mean = (sum_ + in_block_) / looked;
  const double square = (squares_ + in_block_ * in_block_) / looked;
  const double spread = std::sqrt(std::max(square - mean * mean, 0.0));
  const double unseen = std::sqrt(std::max(1 - looked / all, 0.0));
  // Few blocks, and a few of them with most of the rows, tell less than the normal law says.
  const double few = 1 + kFewBlocks / looked;
  const double relative = kSure * few * spread / mean / std::sqrt(looked) * unseen + 0.002;
  const double grow = all / looked;
  // INSERT has put short rows where long ones did not fit: then they pack better than by chance.
  const double least = std::min(needed, packed);
  const double most = std::max(needed, packed);
  return {.low = std::max(std::floor(least * grow * (1 - relative)) - 1, 0.0),
          .best = std::ceil(needed * grow),
          .high = std::ceil(most * grow * (1 + relative)) + 1};
}

Result<RowsMeasured> measure_rows(pg::Connection& conn, const facts::TableFacts& table,
                                  const facts::TableLayout& layout, int block_size,
                                  const Measure& measure) {
  RowsMeasured out{.heap = {.pages = table.size.pages}, .toast = {.pages = layout.toast_pages}};
  const pg::Rows hidden =
      TRY(conn.query("SELECT pg_catalog.row_security_active($1::oid)", {cat(table.oid)}));
  if (TRY(hidden[0].get<bool>(0))) {
    out.heap.why = cat("row security on ", table.qualified(), " may hide rows");
    out.toast.why = out.heap.why;
    return out;
  }
  const int64_t pages = std::max<int64_t>(table.size.pages, 1);
  const bool all = (measure.all || pages <= measure.blocks_wanted) && pages <= measure.pages_left;
  // The choice is by chance: a tenth less is aimed at, so that the budget holds.
  const int64_t wanted = std::min(measure.blocks_wanted, measure.pages_left * 9 / 10);
  if (!all && wanted < kBlocksMin) {
    out.heap.why = cat("the read budget is spent, ", pages, " pages would be read");
    out.toast.why = out.heap.why;
    return out;
  }
  const double percent =
      all ? 100 : 100.0 * static_cast<double>(std::min(wanted, pages)) / static_cast<double>(pages);
  Tallies tallies(layout, block_size);
  Lines lines([&](const std::vector<int64_t>& numbers) { return tallies.add(numbers); });
  TRY_DURING(conn.copy_out(rows_sql(table, layout, tallies.lengths(), percent),
                           [&](std::string_view chunk) { return lines.feed(chunk); }),
             cat("measuring ", table.qualified()));
  if (all) {
    out.pages_read = pages;
    counted(tallies.heap(), out.heap);
    counted(tallies.toast(), out.toast);
    widen(out, tallies.unsure_pages());
    return out;
  }
  const int64_t blocks = TRY(sampled_blocks(conn, table, percent));
  out.pages_read = blocks;
  if (tallies.heap().rows() == 0 || blocks <= 0) {
    out.heap.why = cat("no rows in the ", blocks, " blocks that were looked at");
    out.toast.why = out.heap.why;
    return out;
  }
  const std::string from =
      cat("from ", grouped(tallies.heap().rows()), " rows in ", grouped(blocks), " blocks");
  out.heap.method = Method::Sample;
  out.heap.needed = tallies.heap().projected(blocks, pages);
  out.heap.why = from;
  if (tallies.toast().rows() == 0) {
    out.toast.why = cat("none of ", grouped(tallies.heap().rows()), " rows has a value there");
    return out;
  }
  out.toast.method = Method::Sample;
  out.toast.needed = tallies.toast().projected(blocks, pages, true);
  out.toast.why = from;
  widen(out, tallies.unsure_pages() * static_cast<double>(pages) / static_cast<double>(blocks));
  return out;
}

}  // namespace pgtend::vacuum
