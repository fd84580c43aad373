// A log-linear histogram of durations or sizes: bounded memory, bounded relative error, mergeable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pgtend {

// Counts non-negative integers in buckets of 1/2^SubBits relative width (values below 2^(SubBits+1)
// exactly), up to kValueMax; larger ones count in the last bucket, negative ones as 0. 8 B a
// bucket, (41 - SubBits) * 2^SubBits of them less a few; no allocation. quantile() errs by at most
// 1/2^SubBits of the value. Thread: one writer; copy it to read elsewhere.
template <int SubBits>
class LogHistogram {
 public:
  static constexpr int64_t kValueMax = (int64_t{1} << 40) - 1;  // 12 days in microseconds

  // Cost: O(1).
  void record(int64_t value, uint64_t count = 1);
  // Adds all of `other`'s counts.
  void merge(const LogHistogram& other);
  void clear() { *this = LogHistogram{}; }

  // Calls visit(lowest value, count) for each bucket that is not empty, in order.
  template <class Visit>
  void each_bucket(Visit visit) const {
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      const uint64_t amount = buckets_[static_cast<size_t>(bucket)];
      if (amount > 0) visit(bucket_low(bucket), amount);
    }
  }

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The smallest recorded-bucket value that `share` (0..1) of all values do not exceed; the middle
  // of its bucket, never above max(). 0 when empty.
  int64_t quantile(double share) const;

 private:
  static constexpr int kBuckets = (40 - SubBits + 1) << SubBits;

  static int bucket_of(int64_t value);
  static int64_t bucket_low(int bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  int64_t max_ = 0;
};

// 9 KiB, 3.1 %.
using Histogram = LogHistogram<5>;
// 2.4 KiB, 12.5 %: for those of which there are many.
using SmallHistogram = LogHistogram<3>;

}  // namespace pgtend
