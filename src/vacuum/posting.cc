#include "vacuum/posting.h"

#include <algorithm>
#include <cmath>

namespace pgtend::vacuum {
namespace {

constexpr int kAddress = 6;           // bytes of a row address
constexpr int64_t kEntries = 1500;    // built at most before the rate is taken
constexpr double kAlwaysSpread = 40;  // rows from which chance changes a group's size too little

// Numbers in [0, 1) that fill it evenly however many are drawn, so that a run is repeatable and
// few draws do.
class Even {
 public:
  explicit Even(double step) : step_(step) {}
  double next() {
    at_ += step_;
    at_ -= std::floor(at_);
    return at_;
  }

 private:
  double step_;
  double at_ = 0.5;
};

// The mean of Poisson numbers whose mean without the zeros is `mean`.
double poisson_mean(double mean) {
  double low = 1e-9;
  double high = mean;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (middle / -std::expm1(-middle) < mean ? low : high) = middle;
  }
  return high;
}

// The number below which a share `at` of Poisson numbers above 0 lies; `mean` is that of
// poisson_mean().
int64_t poisson_at(double mean, double at) {
  const double positive = -std::expm1(-mean);
  double chance = std::exp(-mean);
  double sum = 0;
  for (int64_t count = 1; count < 400; ++count) {
    chance *= mean / static_cast<double>(count);
    sum += chance / positive;
    if (at < sum) return count;
  }
  return 400;
}

int base_at(std::span<const LengthWeight> bases, double at) {
  double sum = 0;
  for (const LengthWeight& base : bases) {
    sum += base.weight;
    if (at < sum) return base.bytes;
  }
  return bases.back().bytes;
}

}  // namespace

int posting_capacity(int base, int block_size) {
  const int tenth = block_size / 10 / 8 * 8 - 4;
  return std::max(1, (tenth / 8 * 8 - base) / kAddress);
}

double pages_per_group(std::span<const LengthWeight> bases, double rows, bool spread,
                       const LeafShape& shape) {
  if (bases.empty() || rows <= 0) return 0;
  rows = std::max(rows, 1.0);
  LeafBuilder builder(shape.block_size, shape.fillfactor);
  Even bases_even(0.6180339887498949);
  Even rows_even(0.7548776662466927);
  const bool random = spread && rows < kAlwaysSpread;
  const double mean = random ? poisson_mean(rows) : 0;
  double groups = 0;
  for (int64_t entries = 0; entries < kEntries;) {
    const int base = base_at(bases, bases_even.next());
    const double draw = rows_even.next();
    const int64_t count =
        random ? poisson_at(mean, draw) : static_cast<int64_t>(std::floor(rows + draw));
    const int per_entry = posting_capacity(base, shape.block_size);
    int64_t full = count / per_entry;
    const bool cut = full > kEntries;  // the rate of its full entries is what counts then
    if (cut) full = kEntries;
    const int list = aligned(base + per_entry * kAddress, 8) - base;
    for (int64_t i = 0; i < full; ++i) builder.add(base + list, list);
    const auto rest = static_cast<int>(count % per_entry);
    if (rest == 1 && !cut) builder.add(base);
    if (rest > 1 && !cut) {
      const int rest_list = aligned(base + rest * kAddress, 8) - base;
      builder.add(base + rest_list, rest_list);
    }
    entries += full + (rest > 0 ? 1 : 0);
    groups += cut ? static_cast<double>(full) * per_entry / static_cast<double>(count) : 1;
  }
  return builder.pages() / groups;
}

}  // namespace pgtend::vacuum
