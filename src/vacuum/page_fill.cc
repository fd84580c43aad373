#include "vacuum/page_fill.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace pgtend::vacuum {
namespace {
constexpr int kUnit = 4;  // all lengths with a line pointer are multiples of it
constexpr int kRounds = 6;
}  // namespace

double items_per_page(std::span<const LengthWeight> lengths, int capacity) {
  if (lengths.empty() || capacity <= 0) return 1;
  const int cells = capacity / kUnit;
  std::vector<int> sizes;
  for (const LengthWeight& length : lengths) {
    sizes.push_back(std::clamp((length.bytes + kLinePointer) / kUnit, 1, std::max(cells, 1)));
  }
  if (sizes.size() == 1) return std::max(1, cells / sizes[0]);
  // An item that did not fit begins the next page, and long ones fail to fit more often.
  std::vector<double> first;
  for (const LengthWeight& length : lengths) first.push_back(length.weight);
  double items = 1;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> level(static_cast<size_t>(cells) + 1, 0.0);
    for (size_t i = 0; i < sizes.size(); ++i) level[static_cast<size_t>(sizes[i])] += first[i];
    std::vector<double> next(sizes.size(), 0.0);
    items = 0;
    for (int at = 0; at <= cells; ++at) {
      const double here = level[static_cast<size_t>(at)];
      if (here < 1e-12) continue;
      items += here;
      for (size_t i = 0; i < sizes.size(); ++i) {
        const double chance = here * lengths[i].weight;
        if (at + sizes[i] <= cells) {
          level[static_cast<size_t>(at + sizes[i])] += chance;
        } else {
          next[i] += chance;
        }
      }
    }
    first = std::move(next);
  }
  return std::max(items, 1.0);
}

LeafBuilder::LeafBuilder(int block_size, int fillfactor)
    // Page header 24, special space 16, line pointers of the high key and of the next entry.
    : usable_(block_size - 24 - 16 - 2 * kLinePointer),
      free_min_(block_size * (100 - std::clamp(fillfactor, 10, 100)) / 100) {}

void LeafBuilder::add(int bytes, int list) {
  const int left = usable_ - filled_;
  const bool tight = left < bytes + 8;  // room for a row address in the high key
  const bool enough = left + last_list_ < free_min_ && items_ > 1;
  if (items_ > 0 && (tight || enough)) {
    ++full_;
    const bool moves = items_ > 1;  // the last entry begins the next page
    filled_ = moves ? last_bytes_ + kLinePointer : 0;
    items_ = moves ? 1 : 0;
  }
  filled_ += bytes + kLinePointer;
  ++items_;
  last_bytes_ = bytes;
  last_list_ = list;
}

double LeafBuilder::pages() const {
  if (items_ == 0) return static_cast<double>(full_);
  const double part = static_cast<double>(filled_) / std::max(capacity(), 1);
  return static_cast<double>(full_) + std::clamp(part, 0.0, 1.0);
}

}  // namespace pgtend::vacuum
