#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pgtend {

template <int SubBits>
int LogHistogram<SubBits>::bucket_of(int64_t value) {
  constexpr int64_t kExact = int64_t{1} << (SubBits + 1);
  if (value < kExact) return static_cast<int>(value);
  const int shift = std::bit_width(static_cast<uint64_t>(value)) - SubBits - 1;
  return (shift << SubBits) + static_cast<int>(value >> shift);
}

template <int SubBits>
int64_t LogHistogram<SubBits>::bucket_low(int bucket) {
  constexpr int kExact = 1 << (SubBits + 1);
  if (bucket < kExact) return bucket;
  const int shift = (bucket >> SubBits) - 1;
  return static_cast<int64_t>((bucket & ((1 << SubBits) - 1)) + (1 << SubBits)) << shift;
}

template <int SubBits>
void LogHistogram<SubBits>::record(int64_t value, uint64_t count) {
  value = std::clamp<int64_t>(value, 0, kValueMax);
  buckets_[static_cast<size_t>(bucket_of(value))] += count;
  count_ += count;
  sum_ += static_cast<double>(value) * static_cast<double>(count);
  max_ = std::max(max_, value);
}

template <int SubBits>
void LogHistogram<SubBits>::merge(const LogHistogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

template <int SubBits>
int64_t LogHistogram<SubBits>::quantile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::clamp(share, 0.0, 1.0) * static_cast<double>(count_);
  const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(wanted)));
  if (rank >= count_) return max_;
  uint64_t seen = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[static_cast<size_t>(bucket)];
    if (seen < rank) continue;
    const int64_t low = bucket_low(bucket);
    const int64_t width = bucket_low(bucket + 1) - low;
    return std::min(low + width / 2, max_);
  }
  return max_;
}

template class LogHistogram<5>;
template class LogHistogram<3>;

}  // namespace pgtend
