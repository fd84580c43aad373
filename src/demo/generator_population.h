// Who is metered: classes, sizes, feeders and customers of all meters, from the seed alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::demo {

// How much is generated. `days` are local days.
struct Scale {
  int customers = 0;
  int meters = 0;
  int days = 0;
  friend bool operator==(const Scale&, const Scale&) = default;
};

// "s", "m" or "l". Errors: Invalid naming the three.
Result<Scale> scale_named(std::string_view name);
// Errors: Invalid naming the field and its bounds (1 ≤ customers ≤ meters ≤ kMetersMax).
Status check(const Scale& scale);

inline constexpr int kMetersMax = 10'000'000;
inline constexpr int kFeederMetersMin = 5;
inline constexpr int kFeederMetersMax = 800;

enum class MeterClass : uint8_t { Residential, SmallBusiness, Industry, Lighting };
inline constexpr int kMeterClasses = 4;

struct Meter {
  uint64_t seed = 0;       // of its rows
  uint32_t size = 0;       // mean of a quarter-hour, 1/256 of 0.1 Wh
  uint32_t solar = 0;      // the same for the mean yield of its panels; 0 without panels
  uint16_t car_power = 0;  // energy of a quarter-hour of charging, 0.1 Wh; 0 without a car
  MeterClass type = MeterClass::Residential;
  int32_t feeder = 0;    // from 1
  int32_t customer = 0;  // from 1
};

// Immutable once made. 32 bytes a meter. Thread: any.
class Population {
 public:
  // `scale` must have passed check(). Cost: O(meters), about 0.1 us each.
  Population(uint64_t seed, const Scale& scale);

  // Meters and feeders count from 1 in the database; `index` counts from 0.
  const Meter& meter(int index) const { return meters_[static_cast<size_t>(index)]; }
  int meters() const { return static_cast<int>(meters_.size()); }
  int feeders() const { return static_cast<int>(feeder_sizes_.size()); }
  // Meters of feeder `feeder` (from 1).
  int feeder_size(int feeder) const { return feeder_sizes_[static_cast<size_t>(feeder - 1)]; }

 private:
  void assign_feeders(uint64_t seed);

  std::vector<Meter> meters_;
  std::vector<int> feeder_sizes_;
};

// Feeder sizes for `meters` meters: in each region of the grid the k-th feeder has 1/k of the
// meters of the largest (Zipf), none fewer than 5 or more than 800 (unless there are fewer than 5
// meters).
std::vector<int> feeder_sizes(int meters);

}  // namespace pgtend::demo
