#include "vacuum/bloat_free.h"

#include <algorithm>
#include <cmath>

#include "vacuum/bloat_btree.h"
#include "vacuum/page_fill.h"
#include "vacuum/tuple_length.h"

namespace pgtend::vacuum {
namespace {

constexpr double kPointersMax = 291;   // of a page of 8 kB
constexpr double kShortest = 28;       // bytes of a row with its line pointer
constexpr double kMapSure = 2.6;       // standard errors of a 99 % interval
constexpr double kShortestEntry = 16;  // bytes of an index entry with its line pointer, at least
constexpr double kListItem = 6;        // bytes of a row address in a list of equal keys
// A list that INSERT made is a sixth of a page at most, one that REINDEX made a tenth: with long
// keys the latter take more pages.
constexpr double kShorterLists = 1.08;
constexpr double kShorterListsLongKeys = 1.45;

double usable(const Contents& contents) { return contents.block_size - 24; }

// Bytes of a row with its line pointer, when pages hold `used` bytes and `rows` rows each, and have
// once been full of such rows: each removed one has left its pointer. Where few are left, short
// rows with many pointers look like long ones without.
double item_bytes(double used, double rows, double page) {
  const double linear = used + kLinePointer * rows;
  const double root = linear * linear - 4 * rows * kLinePointer * page;
  if (root <= 0) return std::clamp(linear / (2 * rows), kShortest, page);
  const double shorter = (linear - std::sqrt(root)) / (2 * rows);
  if (shorter >= kShortest && shorter <= page) return shorter;
  return std::clamp((linear + std::sqrt(root)) / (2 * rows), kShortest, page);
}

// Bytes that stay empty at the end of a page at most, on average: where the next row did not fit.
double tail_bytes(const Contents& contents, double item) {
  const double quarter = contents.block_size / 4.0 - 12;  // the longest chunk, or row with TOAST
  if (contents.chunks) {
    // Whole chunks fit exactly. Each shorter one spoils a page at most.
    const double shorter = std::clamp((quarter - item) / (quarter - kLinePointer - 40), 0.0, 1.0);
    return std::min(24 + quarter * std::min(4 * shorter, 1.0), 4 * item);
  }
  return std::max(item, std::min(3 * item, quarter / 2));
}

}  // namespace

Interval needed_pages(const Contents& contents) {
  const auto pages = static_cast<double>(contents.pages);
  const double page = usable(contents);
  const double rows = std::max(contents.rows, 0.0);
  const auto used = [&](double free) { return std::clamp(page * pages - free, 0.0, page * pages); };
  const double best = used(contents.free.best);
  if (pages <= 0) return {};
  // Dead rows lie beside the live ones in what is used.
  const double stored = rows + contents.dead;
  double item = rows > 0 ? best / stored : page / 8;
  // Counters may be told after the VACUUM that removed the rows: then so many have no room.
  const bool plausible = item >= kShortest;
  double pointers = 0;  // bytes of all removed rows' pointers, at most
  if (contents.pointers) {
    const double here = stored / pages;
    const double most = kPointersMax * contents.block_size / 8192;
    if (rows > 0) item = item_bytes(best / pages, here, page);
    const double once = rows > 0 ? std::min(page / item, most) : most;
    pointers = kLinePointer * pages * std::max(once - here, 0.0);
  }
  item = std::clamp(item, kShortest, page);
  const double gone = contents.dead * item;
  // What counters may have made too many of has not made the rows short.
  const double alone = rows > 0 ? best / rows : item;
  const double longest = std::clamp(std::max(item, contents.dead > 0 ? alone : 0), item, page);
  const double tail = tail_bytes(contents, longest);
  const auto capacity = static_cast<double>(contents.capacity);
  // Two pages that follow each other hold more than one page can: half of each at least is full.
  const auto packed = [&](double bytes, double empty) {
    return std::max(bytes, 0.0) / std::max(capacity - empty, capacity / 2);
  };
  Interval out;
  out.low = std::max(std::floor(packed(used(contents.free.high) - pointers - gone, 0)) - 1, 0.0);
  out.best = std::ceil(
      packed(best - pointers / 2 - (plausible ? gone : 0), contents.chunks ? tail / 2 : item / 2));
  out.high = std::ceil(packed(used(contents.free.low) + contents.grown * longest, tail)) + 1;
  if (contents.dropped) {
    const double least = contents.chunks ? 0 : std::floor(rows * kShortest / capacity);
    out.low = std::min(out.low, least);
  }
  out.best = std::clamp(out.best, out.low, out.high);
  return out;
}

Interval mapped_free(std::span<const MapEntry> entries, int64_t pages, int block_size) {
  const double step = block_size / 256.0;
  double seen = 0;
  Interval sum;
  double squares = 0;
  for (const MapEntry& entry : entries) {
    const auto count = static_cast<double>(entry.pages);
    const auto low = static_cast<double>(entry.free);
    // Free space is told without the four bytes of the next line pointer.
    const double most = std::min(low + step + kLinePointer, block_size - 24.0);
    const double middle = std::max((low + most) / 2, low);
    seen += count;
    sum.low += count * low;
    sum.best += count * middle;
    sum.high += count * std::max(most, low);
    squares += count * middle * middle;
  }
  if (seen <= 0) return {.low = 0, .best = 0, .high = static_cast<double>(pages) * block_size};
  const auto all = static_cast<double>(pages);
  const double mean = sum.best / seen;
  const double spread = std::sqrt(std::max(squares / seen - mean * mean, 0.0));
  const double doubt =
      seen < all ? kMapSure * spread / std::sqrt(seen) * std::sqrt(1 - seen / all) : 0;
  return {.low = std::max(sum.low / seen - doubt, 0.0) * all,
          .best = mean * all,
          .high = (sum.high / seen + doubt) * all};
}

Interval needed_index_pages(const LeafDensity& index) {
  if (index.leaf_pages <= 0) return {.low = 1, .best = 1, .high = 2};
  const auto leaves = static_cast<double>(index.leaf_pages);
  const double page = index.block_size - 40;  // without header and the btree's own data
  // Two digits after the point are told.
  const double used = leaves * page * std::clamp(index.density, 0.0, 100.0) / 100;
  const double doubt = leaves * page * 0.00005;
  const int capacity = LeafBuilder(index.block_size, index.fillfactor).capacity();
  // Each leaf page but the last has the first key of the next one.
  const double entries = std::max(index.entries, leaves) + index.dead;
  const double entry = std::clamp(used / (entries + leaves), kListItem, page / 3);
  const double dead = std::min(index.dead * entry, used);
  // As for tables: more dead entries than there is room for are not there.
  const bool plausible = used >= (entries + leaves) * (index.lists ? kListItem : kShortestEntry);
  double low = std::max(used - doubt - leaves * (entry + 8) - dead, 0.0) / capacity;
  const double best =
      std::max(used - leaves * entry - (plausible ? dead : 0), 0.0) / (capacity - entry / 2);
  double high = (used + doubt) / std::max(capacity - entry, capacity / 2.0);
  if (index.lists) {
    low *= std::clamp(kListItem / std::max(entry, 20.0), 0.0, 0.3);
    high *= index.long_keys ? kShorterListsLongKeys : kShorterLists;
  }
  const double pivot = std::max(entry + 8, 16.0);
  Interval out;
  out.low = std::max(btree_pages(std::floor(low) - 1, 12, index.block_size), 1.0);
  out.high = btree_pages(std::ceil(high) + 1, index.lists ? pivot + 64 : pivot, index.block_size);
  out.best = std::clamp(btree_pages(best, pivot, index.block_size), out.low, out.high);
  return out;
}

}  // namespace pgtend::vacuum
