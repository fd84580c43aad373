// A log-linear histogram of durations or sizes: bounded memory, bounded relative error, mergeable.
#pragma once

#include <array>
#include <cstdint>

namespace pgtend {

// Counts non-negative integers in buckets of 1/32 relative width (values below 64 exactly), up to
// kValueMax; larger ones count in the last bucket, negative ones as 0. 1 kB + 8 B a bucket, no
// allocation. quantile() errs by at most 1/32 (3.1 %) of the value.
// Thread: one writer; copy it to read elsewhere.
class Histogram {
 public:
  static constexpr int64_t kValueMax = (int64_t{1} << 40) - 1;  // 12 days in microseconds

  // Cost: O(1).
  void record(int64_t value, uint64_t count = 1);
  // Adds all of `other`'s counts.
  void merge(const Histogram& other);
  void clear() { *this = Histogram{}; }

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The smallest recorded-bucket value that `share` (0..1) of all values do not exceed; the middle
  // of its bucket, never above max(). 0 when empty.
  int64_t quantile(double share) const;

 private:
  static constexpr int kSubBits = 5;  // 32 buckets a power of two
  static constexpr int kBuckets = (40 - kSubBits + 1) << kSubBits;

  static int bucket_of(int64_t value);
  static int64_t bucket_low(int bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  int64_t max_ = 0;
};

}  // namespace pgtend
