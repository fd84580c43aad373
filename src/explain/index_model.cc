#include "explain/index_model.h"

#include <algorithm>
#include <cmath>

namespace pgtend::explain {
namespace {

constexpr double kPage = 8192;
constexpr double kLeafRoom = (kPage - 40) * 0.9;  // page header, special space, fill factor
constexpr double kTuple = 8 + 4;                  // tuple header and line pointer
constexpr double kRowPointer = 6;
constexpr double kPostingMax = 220;  // row pointers in one deduplicated tuple

double aligned(double width) { return std::ceil(width / 8) * 8; }

int64_t whole_pages(double bytes) {
  return static_cast<int64_t>(std::ceil(std::clamp(bytes / kPage, 1.0, 1e14)));
}

// Different pages hit by `rows` random row fetches (Mackert and Lohman).
double scattered_pages(double pages, double rows) {
  if (pages <= 0) return 0;
  return std::min(2 * pages * rows / (2 * pages + rows), pages);
}

}  // namespace

Bytes btree_size(const Heap& heap, const KeyShape& key) {
  const double rows = std::max(heap.rows, 0.0);
  const double distinct = key.distinct > 0 ? std::min(key.distinct, rows) : rows;
  const double plain = rows * (kTuple + aligned(key.width));
  double bytes = plain;
  if (key.deduplicates) {
    const double tuples = std::max(distinct, rows / kPostingMax);
    bytes = std::min(plain, tuples * (kTuple + aligned(key.width)) + rows * kRowPointer);
  }
  const double leaves = bytes / kLeafRoom;
  const double inner = leaves * (kTuple + aligned(key.width)) / kLeafRoom;
  return {(whole_pages((leaves + inner) * kPage) + 1) * static_cast<int64_t>(kPage)};
}

Bytes brin_size(const Heap& heap, double key_width, int per_range) {
  const double ranges = std::ceil(heap.pages / per_range);
  const double bytes = ranges * (kTuple + aligned(key_width * 2)) + ranges * kRowPointer;
  return {(whole_pages(bytes) + 2) * static_cast<int64_t>(kPage)};
}

double btree_pages(const Heap& heap, Bytes size, double share) {
  const double index_pages = static_cast<double>(size.count) / kPage;
  const double together = std::ceil(share * heap.pages);
  const double scattered = scattered_pages(heap.pages, share * heap.rows);
  const double weight = heap.correlation * heap.correlation;
  const double fetched = weight * together + (1 - weight) * std::max(scattered, together);
  return std::ceil(2 + share * index_pages + fetched);
}

double brin_pages(const Heap& heap, Bytes size, double share, int per_range) {
  const double ranges = std::ceil(heap.pages / per_range);
  const double needed = std::ceil(ranges * share);
  const double matched =
      heap.correlation < 1e-3 ? ranges : std::min(needed / heap.correlation + 1, ranges);
  return std::ceil(static_cast<double>(size.count) / kPage +
                   std::min(matched * per_range, heap.pages));
}

int pages_per_range(const Heap& heap) {
  constexpr double kRangesWanted = 200'000;  // about 1,000 index pages, read by every query
  int out = 16;
  while (out < 128 && heap.pages / out > kRangesWanted) out *= 2;
  return out;
}

double build_seconds(const Heap& heap, bool btree) {
  constexpr double kBytesPerSecond = 300e6;
  const double read = 2 * heap.pages * kPage / kBytesPerSecond;
  const double rows = heap.rows * (btree ? 1.2e-6 : 0.3e-6);
  return 0.1 + read + rows;
}

}  // namespace pgtend::explain
