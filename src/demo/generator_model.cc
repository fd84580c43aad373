#include "demo/generator_model.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "demo/generator_random.h"
#include "demo/generator_weather.h"

namespace pgtend::demo {

namespace {

constexpr double kOutageChance = 0.15;  // of a feeder in a week
constexpr double kNoiseSpread = 0.35;
constexpr double kDelayMedian = 20;  // quarter-hours
constexpr double kDelaySpread = 1.3;
constexpr uint64_t kLate = 65'536 * 2 / 100;         // of 16 bits
constexpr uint64_t kReadAgain = 65'536 * 5 / 1'000;  // of 16 bits
constexpr uint64_t kChargingNights = 40;             // of 100

// How a row's 64 bits are shared out.
size_t noise_index(uint64_t bits) { return bits & 1023; }
uint64_t late_draw(uint64_t bits) { return (bits >> 10) & 0xffff; }
size_t delay_index(uint64_t bits) { return (bits >> 26) & 1023; }
uint64_t again_draw(uint64_t bits) { return (bits >> 36) & 0xffff; }
size_t again_delay_index(uint64_t bits) { return (bits >> 52) & 1023; }

uint32_t fixed(double value) {
  return static_cast<uint32_t>(std::clamp(value, 0.0, 100.0) * 65'536);
}

// Quantile `i` of 1024 of a log-normal variable.
double log_normal_step(int i, double median, double spread) {
  return median * std::exp(spread * normal_quantile((i + 0.5) / 1024));
}

}  // namespace

Model::Model(uint64_t seed, const Population& population, const Calendar& calendar)
    : population_(population), calendar_(calendar) {
  CHECK(calendar.slots > 0 && calendar.slots <= int64_t{kDaysMax} * 100);
  shapes_.resize(static_cast<size_t>(calendar.slots));
  for (int i = 0; i < 1024; ++i) {
    const auto at = static_cast<size_t>(i);
    const double noise =
        log_normal_step(i, 1, kNoiseSpread) / std::exp(kNoiseSpread * kNoiseSpread / 2);
    noise_[at] = static_cast<uint16_t>(std::clamp(noise * 4096, 1.0, 65'535.0));
    delay_[at] = static_cast<uint16_t>(std::clamp(log_normal_step(i, kDelayMedian, kDelaySpread),
                                                  double{kDelayMin}, double{kDelayMax}));
  }
  shape_slots(seed);
  find_outages(seed);
}

void Model::shape_slots(uint64_t seed) {
  const int64_t hour_first = floor_div(calendar_.first, 4);
  const int64_t hour_last = floor_div(calendar_.first + calendar_.slots - 1, 4);
  const auto hours = weather(seed, hour_first, static_cast<int>(hour_last - hour_first) + 1);
  for (int64_t slot = 0; slot < calendar_.slots; ++slot) {
    const int64_t quarter = calendar_.first + slot;
    const int64_t local = calendar_.local(quarter);
    const Weather& now = hours[static_cast<size_t>(floor_div(quarter, 4) - hour_first)];
    const double sunshine = sun(quarter);
    Shape& shape = shapes_[static_cast<size_t>(slot)];
    for (size_t type = 0; type < kMeterClasses; ++type) {
      shape.factor[type] =
          fixed(consumption(static_cast<MeterClass>(type), local, now.celsius, sunshine));
    }
    shape.sun = fixed(sunshine * now.clear / 0.62);
    shape.night = static_cast<int32_t>(floor_div(local - 48, 96));
    shape.night_quarter = static_cast<int32_t>(local - 48 - int64_t{shape.night} * 96);
  }
}

void Model::find_outages(uint64_t seed) {
  week_first_ = floor_div(calendar_.first, kOutageBlock);
  weeks_ = static_cast<int>(floor_div(calendar_.first + calendar_.slots - 1, kOutageBlock) -
                            week_first_ + 1);
  outages_.resize(static_cast<size_t>(population_.feeders()) * static_cast<size_t>(weeks_));
  for (size_t i = 0; i < outages_.size(); ++i) {
    const auto feeder = static_cast<uint64_t>(i / static_cast<size_t>(weeks_)) + 1;
    const int64_t week = week_first_ + static_cast<int64_t>(i % static_cast<size_t>(weeks_));
    const uint64_t chance = draw(seed, Stream::Outage, feeder, static_cast<uint64_t>(week));
    if (unit(chance) >= kOutageChance) continue;
    const int64_t length = below(mix(chance + 1), kOutageQuartersMax) + 1;
    const int64_t start = below(mix(chance + 2), kOutageBlock - length);
    const int64_t first = week * kOutageBlock + start - calendar_.first;
    outages_[i] = {static_cast<int32_t>(first), static_cast<int32_t>(first + length)};
  }
}

uint64_t Model::bits(int meter, int slot) const {
  const auto quarter = static_cast<uint64_t>(calendar_.first + slot);
  return mix(population_.meter(meter).seed + quarter * 0x9e3779b97f4a7c15);
}

int64_t Model::missing_position(int meter, int64_t block) const {
  const uint64_t chance =
      draw(population_.meter(meter).seed, Stream::MissingSlot, static_cast<uint64_t>(block));
  return block * kMissingOneIn + below(chance, kMissingOneIn);
}

bool Model::missing(int meter, int slot) const {
  const int64_t quarter = calendar_.first + slot;
  return missing_position(meter, floor_div(quarter, kMissingOneIn)) == quarter;
}

bool Model::dark(int feeder, int slot) const {
  const int64_t week = floor_div(calendar_.first + slot, kOutageBlock) - week_first_;
  const Outage& outage = outages_[static_cast<size_t>(feeder - 1) * static_cast<size_t>(weeks_) +
                                  static_cast<size_t>(week)];
  return slot >= outage.first && slot < outage.end;
}

uint64_t Model::charging(const Meter& meter, const Shape& shape) const {
  if (meter.car_power == 0) return 0;
  const uint64_t chance =
      draw(meter.seed, Stream::Charging, static_cast<uint64_t>(int64_t{shape.night}));
  if (chance % 100 >= kChargingNights) return 0;
  const auto start = static_cast<int32_t>(36 + (chance >> 8) % 20);  // 21:00 … 02:00
  const auto quarters = static_cast<int32_t>(4 + (chance >> 16) % 11);
  const bool on = shape.night_quarter >= start && shape.night_quarter < start + quarters;
  return on ? meter.car_power : 0;
}

int64_t Model::kwh(int meter_index, int slot) const {
  const Meter& meter = population_.meter(meter_index);
  const Shape& shape = shapes_[static_cast<size_t>(slot)];
  const uint64_t shaped =
      (uint64_t{meter.size} * shape.factor[static_cast<size_t>(meter.type)]) >> 16;
  const uint64_t noisy = (shaped * noise_[noise_index(bits(meter_index, slot))]) >> 20;
  const uint64_t used = noisy + charging(meter, shape);
  const uint64_t fed_in = (uint64_t{meter.solar} * shape.sun) >> 24;
  return used > fed_in ? std::min(static_cast<int64_t>(used - fed_in), kKwhMax) : 0;
}

bool Model::read_again(int meter, int slot) const {
  return again_draw(bits(meter, slot)) < kReadAgain;
}

int64_t Model::corrected_kwh(int meter, int slot) const {
  const int64_t permille = 950 + below(mix(bits(meter, slot)), 101);
  return std::min(kwh(meter, slot) * permille / 1'000, kKwhMax);
}

int Model::arrival(int meter, int slot) const {
  const uint64_t chance = bits(meter, slot);
  if (late_draw(chance) >= kLate) return slot;
  return std::min(slot + int{delay_[delay_index(chance)]}, slots() - 1);
}

int Model::corrected_at(int meter, int slot) const {
  const int delay = delay_[again_delay_index(bits(meter, slot))];
  return std::max(arrival(meter, slot), std::min(slot + delay, slots() - 1));
}

int64_t Model::slots_dark() const {
  int64_t dark_total = 0;
  for (size_t i = 0; i < outages_.size(); ++i) {
    const int64_t first = std::max<int64_t>(outages_[i].first, 0);
    const int64_t end = std::min<int64_t>(outages_[i].end, slots());
    const auto feeder = static_cast<int>(i / static_cast<size_t>(weeks_)) + 1;
    if (end > first) dark_total += (end - first) * population_.feeder_size(feeder);
  }
  return dark_total;
}

int64_t Model::slots_missing() const {
  const int64_t last = calendar_.first + calendar_.slots - 1;
  const int64_t block_last = floor_div(last, kMissingOneIn);
  int64_t total = 0;
  for (int meter = 0; meter < population_.meters(); ++meter) {
    const int feeder = population_.meter(meter).feeder;
    for (int64_t block = floor_div(calendar_.first, kMissingOneIn); block <= block_last; ++block) {
      const int64_t quarter = missing_position(meter, block);
      if (quarter < calendar_.first || quarter > last) continue;
      // A slot that is missing during an outage is already counted there.
      if (!dark(feeder, static_cast<int>(quarter - calendar_.first))) ++total;
    }
  }
  return total;
}

int64_t Model::rows() const {
  return int64_t{population_.meters()} * calendar_.slots - slots_dark() - slots_missing();
}

}  // namespace pgtend::demo
