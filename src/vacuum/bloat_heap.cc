#include "vacuum/bloat_heap.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "vacuum/page_fill.h"

namespace pgtend::vacuum {
namespace {

constexpr double kSpaceStep = 32;  // bytes: a 256th of a page
constexpr double kTidiest = 0.6;   // of the waste, measured with texts of 5 to 400 bytes

// The first column whose statistics are needed and not there; nullptr if there is none.
const facts::StoredColumn* unseen_column(const facts::TableLayout& layout) {
  const auto at = std::ranges::find_if(layout.columns, &facts::StoredColumn::unseen);
  return at == layout.columns.end() ? nullptr : &*at;
}

bool varies(const facts::TableLayout& layout) {
  return std::ranges::any_of(layout.columns, [](const facts::StoredColumn& column) {
    return !column.dropped && (column.length < 0 || !column.not_null);
  });
}

}  // namespace

RowCount count_rows(const facts::TableFacts& table, double density, double sample) {
  RowCount out;
  const double known = std::max(table.reltuples, 0.0);
  const auto live = static_cast<double>(table.counters.rows_live);
  const bool counted = table.counters.present;
  double best = counted ? std::max(live, 0.0) : known;
  double low = best;
  double high = best;
  const auto changes = static_cast<double>(table.counters.modified_since_analyze);
  const auto pages = static_cast<double>(table.size.pages);
  if (counted && std::abs(live - known) > changes + 0.01 * known && known > 0) {
    // The counter says less than what must be: a session has not told its changes yet.
    best = low = high = known;
  }
  const auto deleted = static_cast<double>(table.counters.deleted);
  if (counted && live < 0.99 * known - deleted) {
    // Rows go by DELETE alone, and there were not so many: counters that came in the wrong order.
    best = high = known;
    low = std::max(known - changes, 0.0);
  }
  const double room = std::max(density * pages, 1.0);
  if (counted && best > 1.05 * room && known > 0 && known <= 1.05 * room) {
    // More than the file can hold: a session told its changes after it had vacuumed them.
    high = std::max(known, room);
    best = low = known;
  }
  if (!counted) {
    // Since pg_class was written the file may have grown with rows.
    if (table.size.pages > table.size.pages_known && table.size.pages_known > 0) {
      high = known * pages / static_cast<double>(table.size.pages_known);
    }
  }
  // ANALYZE reads as many blocks as rows; in a bigger table it counts a sample of the blocks.
  if (pages > sample) {
    const double doubt = 1.5 / std::sqrt(sample);
    low *= 1 - doubt;
    high *= 1 + doubt;
  }
  out.changed = counted ? std::min(changes / std::max(room, best), 1.0) : 0.1;
  out.rows = {.low = low, .best = best, .high = std::max(high, best)};
  return out;
}

int heap_capacity(int block_size, int fillfactor) {
  const int kept = block_size * (100 - std::clamp(fillfactor, 10, 100)) / 100;
  return block_size - 24 - kept;
}

Interval heap_pages(const Interval& rows, const TupleLengths& lengths, int capacity) {
  if (rows.high < 0.5) return {};
  const double density = items_per_page(lengths.lengths, capacity);
  double mean = 0;  // of the lengths that the density is of
  double square = 0;
  for (const LengthWeight& length : lengths.lengths) {
    mean += length.weight * length.bytes;
    square += length.weight * length.bytes * length.bytes;
  }
  const double spread = std::sqrt(std::max(square - mean * mean, 0.0));
  // Rows keep their order. Where lengths differ by more than the free space map tells apart, INSERT
  // has put short rows where long ones did not fit, and that much of the waste comes not again.
  const double tidy = kTidiest * std::min(spread / (4 * kSpaceStep), 1.0);
  const auto pages = [&](double count, double bytes, double saved) {
    const double chance = count / density * (bytes + 4) / (mean + 4);
    const double dense = std::min(count * (bytes + 4) / capacity, chance);
    return std::ceil(chance - saved * (chance - dense) - 1e-9);
  };
  const bool exact = lengths.error < 1e-9 && lengths.lengths.size() == 1;
  const double slack = exact ? 0 : 1;  // the last page, and chance on the others
  const double chance = exact ? 0 : 0.002;
  const double shortest = std::max(lengths.mean - lengths.error, 1.0);
  Interval out;
  out.best = pages(rows.best, lengths.mean, tidy / 2);
  out.low = std::max(pages(rows.low * (1 - chance), shortest, tidy) - slack, 0.0);
  out.high = pages(rows.high * (1 + chance), lengths.mean + lengths.error, 0) + slack;
  return out;
}

Bloat heap_bloat(const facts::TableFacts& table, const facts::TableLayout& layout,
                 const facts::Layouts& server, RowCount* rows) {
  const int64_t pages = table.size.pages;
  TupleShape shape{
      .rows = table.rows(), .sample = server.sample_rows(), .block_size = server.block_size};
  RowCount count = count_rows(table, 0, shape.sample);
  if (rows != nullptr) *rows = count;
  if (pages == 0) return {.method = Method::Statistics};
  const std::string analyze = cat("ANALYZE ", table.qualified());
  if (const facts::StoredColumn* column = unseen_column(layout)) {
    return unknown_bloat(pages, column->stats_why_not, column->grant);
  }
  const bool never = table.reltuples < 0 || (table.size.pages_known == 0 && table.reltuples == 0);
  if (never && !table.counters.present) {
    return unknown_bloat(pages, cat("rows never counted: ", analyze));
  }
  auto lengths = tuple_lengths(layout.columns, shape);
  if (!lengths) return unknown_bloat(pages, lengths.error().message);
  const double density = items_per_page(lengths->lengths, heap_capacity(server.block_size, 100));
  count = count_rows(table, density, shape.sample);
  if (rows != nullptr) *rows = count;
  if (count.changed >= 1 && varies(layout)) {
    return unknown_bloat(pages,
                         cat("statistics are stale, as many changes as rows since: ", analyze));
  }
  if (count.changed > 0) {
    shape.changed = count.changed;
    lengths = tuple_lengths(layout.columns, shape);
    if (!lengths) return unknown_bloat(pages, lengths.error().message);
  }
  Bloat out{.method = Method::Statistics, .pages = pages};
  out.needed =
      heap_pages(count.rows, *lengths, heap_capacity(server.block_size, layout.fillfactor));
  if (!table.counters.present) {
    out.why = "the server has no counters of this table: its rows are those of the last ANALYZE";
  } else if (count.changed > 0.03) {
    out.why = cat(std::llround(100 * count.changed),
                  " % of the rows changed since ANALYZE; it would narrow the interval");
  }
  return out;
}

}  // namespace pgtend::vacuum
