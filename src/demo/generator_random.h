// Counter-based random numbers: a value is a hash of (seed, stream, counters), so any one can be
// recomputed alone and the number of threads cannot change it.
#pragma once

#include <cstdint>

namespace pgtend::demo {

// What a number is drawn for; streams are independent of each other.
enum class Stream : uint64_t {
  MeterClass = 1,
  Solar,
  ElectricCar,
  Feeder,
  Customer,
  MeterRows,
  MissingSlot,
  Outage,
  Charging,
  Temperature,
  Cloud,
  Name,
  LoadClient,
  ThinkTime,
  RetryPause,
};

// Mixes all 64 bits (the finaliser of SplitMix64). Thread: any. Cost: about 1 ns.
constexpr uint64_t mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The `b`-th number of series `a` in `stream`. Thread: any.
constexpr uint64_t draw(uint64_t seed, Stream stream, uint64_t a = 0, uint64_t b = 0) {
  const uint64_t root = mix(seed + static_cast<uint64_t>(stream) * 0x9e3779b97f4a7c15);
  return mix(mix(root + a * 0xd1342543de82ef95) + b * 0x9e3779b97f4a7c15);
}

// `bits` as a number in [0, 1).
constexpr double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

// `bits` as an integer in [0, count). `count` is above 0.
constexpr int64_t below(uint64_t bits, int64_t count) {
  return static_cast<int64_t>(
      (static_cast<unsigned __int128>(bits) * static_cast<unsigned __int128>(count)) >> 64);
}

// a / b rounded down; b is above 0.
constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The value that a standard normal variable stays under with probability `p` (0 < p < 1), to about
// nine digits. Thread: any.
double normal_quantile(double p);

}  // namespace pgtend::demo
