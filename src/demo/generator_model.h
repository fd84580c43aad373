// What each meter reads in each quarter-hour: f(seed, meter, quarter-hour), in whole 0.1 Wh, so
// that any row can be recomputed alone. Also which readings are missing, late or read again.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "demo/generator_calendar.h"
#include "demo/generator_population.h"

namespace pgtend::demo {

inline constexpr int kMissingOneIn = 1000;         // readings that never come
inline constexpr int kOutageBlock = 7 * 96;        // quarter-hours with at most one outage a feeder
inline constexpr int kOutageQuartersMax = 16;      // 4 h
inline constexpr int kDelayMin = 4;                // late readings come after 1 h …
inline constexpr int kDelayMax = 5 * 96;           // … to 5 d, log-normal
inline constexpr int64_t kKwhMax = 9'999'999'999;  // NUMERIC(10,4) in units of 0.0001

// Immutable once made. A meter is an index from 0 into the population, a slot an index from 0 into
// the calendar; results depend on the slot's absolute time only, not on where the calendar begins
// (except arrival() and corrected_at(), which its end bounds). About 40 bytes a slot. Thread: any.
class Model {
 public:
  // Borrows `population`. Cost: O(slots), about 0.3 us each.
  Model(uint64_t seed, const Population& population, const Calendar& calendar);

  // False for a missing slot or during an outage of the meter's feeder.
  bool present(int meter, int slot) const {
    return !missing(meter, slot) && !dark(population_.meter(meter).feeder, slot);
  }
  // The reading as first delivered, in units of 0.0001 kWh, 0 … kKwhMax.
  int64_t kwh(int meter, int slot) const;
  // True for the readings (0.5 %) that were read again later; the new value is corrected_kwh().
  bool read_again(int meter, int slot) const;
  int64_t corrected_kwh(int meter, int slot) const;
  // The slot in which the correction arrives: not before the reading itself, at most the last.
  int corrected_at(int meter, int slot) const;
  // The slot in which the reading arrives: its own, or for late ones (2 %) a later one, at most the
  // last of the calendar.
  int arrival(int meter, int slot) const;

  // The number of present readings, by arithmetic over meters and weeks, not over rows.
  int64_t rows() const;

  int slots() const { return static_cast<int>(shapes_.size()); }
  const Calendar& calendar() const { return calendar_; }
  const Population& population() const { return population_; }

 private:
  // What all meters share in one slot, in fixed point with 16 fractional bits.
  struct Shape {
    std::array<uint32_t, kMeterClasses> factor{};
    uint32_t sun = 0;
    int32_t night = 0;  // from noon to noon, local time
    int32_t night_quarter = 0;
  };
  struct Outage {
    int32_t first = 0;  // slots, may lie outside of the calendar
    int32_t end = 0;
  };

  uint64_t bits(int meter, int slot) const;
  bool missing(int meter, int slot) const;
  bool dark(int feeder, int slot) const;
  int64_t missing_position(int meter, int64_t block) const;
  uint64_t charging(const Meter& meter, const Shape& shape) const;
  int64_t slots_dark() const;
  int64_t slots_missing() const;
  void find_outages(uint64_t seed);
  void shape_slots(uint64_t seed);

  const Population& population_;
  Calendar calendar_;
  std::vector<Shape> shapes_;
  int64_t week_first_ = 0;  // the outage block of the first slot
  int weeks_ = 0;
  std::vector<Outage> outages_;         // of feeder f (from 1) in block w: [(f - 1) * weeks_ + w]
  std::array<uint16_t, 1024> noise_{};  // 12 fractional bits
  std::array<uint16_t, 1024> delay_{};  // quarter-hours
};

}  // namespace pgtend::demo
