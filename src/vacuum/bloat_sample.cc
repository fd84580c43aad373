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

constexpr double kSure = 2.6;          // standard errors of a 99 % interval
constexpr size_t kLineMax = 1U << 20;  // bytes of one line of COPY: a number a column

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

}  // namespace

RowLength::RowLength(const std::vector<facts::StoredColumn>& columns, int block_size)
    : columns_(columns), block_size_(block_size) {
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

int RowLength::length_of(const std::vector<int64_t>& sizes) const {
  CHECK(sizes.size() == asked_.size());
  std::vector<bool> outside(sizes.size(), false);
  int length = walk(sizes, outside);
  // Four rows have to fit on a page: the longest values go out until the row does.
  const int target = (block_size_ - aligned(24 + 4 * kLinePointer, 8)) / 4 / 8 * 8;
  for (const bool main : {false, true}) {
    const int limit = main ? block_size_ - 32 : target;
    while (length > limit) {
      size_t longest = sizes.size();
      for (size_t i = 0; i < sizes.size(); ++i) {
        const facts::StoredColumn& column = columns_[asked_[i]];
        const bool movable = column.length == -1 && column.storage != 'p' &&
                             (column.storage == 'm') == main && !outside[i];
        if (!movable || sizes[i] <= aligned(kToastPointer, 8)) continue;
        if (longest == sizes.size() || sizes[i] > sizes[longest]) longest = i;
      }
      if (longest == sizes.size()) break;
      outside[longest] = true;
      length = walk(sizes, outside);
    }
  }
  return std::min(length, block_size_);
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

Interval RowTally::projected(int64_t blocks, int64_t pages) const {
  if (rows_ == 0 || blocks <= 0) return {};
  std::vector<LengthWeight> lengths;
  for (const auto& [bytes, count] : lengths_) {
    lengths.push_back({bytes, static_cast<double>(count) / static_cast<double>(rows_)});
  }
  const auto looked = static_cast<double>(blocks);
  const auto all = static_cast<double>(pages);
  const double needed = static_cast<double>(rows_) / items_per_page(lengths, capacity_);
  const double mean = (sum_ + in_block_) / looked;
  const double square = (squares_ + in_block_ * in_block_) / looked;
  const double spread = std::sqrt(std::max(square - mean * mean, 0.0));
  const double unseen = std::sqrt(std::max(1 - looked / all, 0.0));
  const double relative = kSure * spread / mean / std::sqrt(looked) * unseen + 0.002;
  const double best = needed * all / looked;
  return {.low = std::max(std::floor(best * (1 - relative)) - 1, 0.0),
          .best = std::ceil(best),
          .high = std::ceil(best * (1 + relative)) + 1};
}

Result<Bloat> measure_heap(pg::Connection& conn, const facts::TableFacts& table,
                           const facts::TableLayout& layout, int block_size, const Measure& measure,
                           int64_t& pages_read) {
  Bloat out{.pages = table.size.pages};
  const pg::Rows hidden =
      TRY(conn.query("SELECT pg_catalog.row_security_active($1::oid)", {cat(table.oid)}));
  if (TRY(hidden[0].get<bool>(0))) {
    out.why = cat("row security on ", table.qualified(), " may hide rows");
    return out;
  }
  const int64_t pages = std::max<int64_t>(table.size.pages, 1);
  const bool all = (measure.all || pages <= measure.blocks_wanted) && pages <= measure.pages_left;
  // The choice is by chance: a tenth less is aimed at, so that the budget holds.
  const int64_t wanted = std::min(measure.blocks_wanted, measure.pages_left * 9 / 10);
  if (!all && wanted < 30) {
    out.why = cat("the read budget is spent, ", pages, " pages would be read");
    return out;
  }
  const double percent =
      all ? 100 : 100.0 * static_cast<double>(std::min(wanted, pages)) / static_cast<double>(pages);
  const RowLength lengths(layout.columns, block_size);
  RowTally tally(heap_capacity(block_size, layout.fillfactor));
  std::vector<int64_t> sizes;
  Lines lines([&](const std::vector<int64_t>& numbers) -> Status {
    if (numbers.size() != lengths.asked().size() + 1) {
      return Error{ErrorCode::Corrupt, "a line of COPY has too few columns"};
    }
    sizes.assign(numbers.begin() + 1, numbers.end());
    tally.add(numbers[0], lengths.length_of(sizes));
    return ok();
  });
  TRY_DURING(conn.copy_out(rows_sql(table, layout, lengths, percent),
                           [&](std::string_view chunk) { return lines.feed(chunk); }),
             cat("measuring ", table.qualified()));
  if (all) {
    pages_read += pages;
    const auto packed = static_cast<double>(tally.packed());
    out.method = Method::Count;
    out.needed = {.low = std::max(packed - 1, 0.0), .best = packed, .high = packed + 1};
    return out;
  }
  const int64_t blocks = TRY(sampled_blocks(conn, table, percent));
  pages_read += blocks;
  if (tally.rows() == 0 || blocks <= 0) {
    out.why = cat("no rows in the ", blocks, " blocks that were looked at");
    return out;
  }
  out.method = Method::Sample;
  out.needed = tally.projected(blocks, pages);
  out.why = cat("from ", grouped(tally.rows()), " rows in ", grouped(blocks), " blocks");
  return out;
}

}  // namespace pgtend::vacuum
