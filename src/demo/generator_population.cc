#include "demo/generator_population.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "demo/generator_random.h"

namespace pgtend::demo {

namespace {

struct NamedScale {
  std::string_view name;
  Scale scale;
};
constexpr NamedScale kScales[] = {
    {"s", {800, 1'000, 14}},
    {"m", {8'000, 10'000, 21}},
    {"l", {80'000, 100'000, 21}},
};

// One row a class, in the order of MeterClass. The log-normal spread is that of the sizes.
struct ClassTraits {
  double share;
  double kwh_per_year;  // mean
  double spread;
  double solar_share;  // of the class's meters
  double car_share;
};
constexpr ClassTraits kClasses[] = {
    {0.820, 3'500, 0.50, 0.085, 0.065},
    {0.120, 9'000, 0.70, 0.086, 0.056},
    {0.025, 108'000, 0.55, 0.000, 0.000},
    {0.035, 5'000, 0.40, 0.000, 0.000},
};
constexpr double kSolarKwhPerYear = 4'500;
constexpr double kSolarSpread = 0.45;
constexpr double kQuartersPerYear = 365.2425 * 96;

// 1/256 of 0.1 Wh a quarter-hour for `kwh_per_year`.
uint32_t fine_units(double kwh_per_year) {
  const double units = kwh_per_year / kQuartersPerYear * 10'000 * 256;
  return static_cast<uint32_t>(std::clamp(units, 1.0, 4e9));
}

double log_normal(double mean, double spread, double quantile) {
  const double z = normal_quantile(std::clamp(quantile, 1e-9, 1 - 1e-9));
  return mean * std::exp(spread * z - spread * spread / 2);
}

// The golden-ratio sequence spreads evenly over [0, 1) for every number of meters, so that the
// classes keep their shares, and the sizes in a class their quantiles, even in a small population.
double spread_evenly(uint64_t seed, int index) {
  return unit(draw(seed, Stream::MeterClass) + static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15);
}

void choose_class(Meter& meter, uint64_t seed, int index) {
  double position = spread_evenly(seed, index);
  int type = 0;
  while (type + 1 < kMeterClasses && position >= kClasses[type].share) {
    position -= kClasses[type].share;
    ++type;
  }
  const ClassTraits& traits = kClasses[type];
  meter.type = static_cast<MeterClass>(type);
  meter.size = fine_units(log_normal(traits.kwh_per_year, traits.spread, position / traits.share));
  const auto id = static_cast<uint64_t>(index);
  if (unit(draw(seed, Stream::Solar, id)) < traits.solar_share) {
    meter.solar = fine_units(
        log_normal(kSolarKwhPerYear, kSolarSpread, unit(draw(seed, Stream::Solar, id, 1))));
  }
  if (unit(draw(seed, Stream::ElectricCar, id)) < traits.car_share) {
    // 7.4 kW or 11 kW at the wall.
    meter.car_power = draw(seed, Stream::ElectricCar, id, 1) % 3 == 0 ? 27'500 : 18'500;
  }
}

// Every customer has a meter; the rest belongs to customers with several.
int customer_of(uint64_t seed, const Scale& scale, int index) {
  if (index < scale.customers) return index + 1;
  const uint64_t bits = draw(seed, Stream::Customer, static_cast<uint64_t>(index));
  return static_cast<int>(below(bits, scale.customers)) + 1;
}

}  // namespace

Result<Scale> scale_named(std::string_view name) {
  for (const NamedScale& row : kScales) {
    if (row.name == name) return row.scale;
  }
  return Error{
      ErrorCode::Invalid, cat("no data size \"", printable(name), "\""), {}, "use s, m or l"};
}

Status check(const Scale& scale) {
  if (scale.meters < 1 || scale.meters > kMetersMax) {
    return Error{ErrorCode::Invalid,
                 cat("meters must be 1 to ", kMetersMax, ", not ", scale.meters)};
  }
  if (scale.customers < 1 || scale.customers > scale.meters) {
    return Error{ErrorCode::Invalid, cat("customers must be 1 to the number of meters (",
                                         scale.meters, "), not ", scale.customers)};
  }
  if (scale.days < 1)
    return Error{ErrorCode::Invalid, cat("days must be above 0, not ", scale.days)};
  return ok();
}

std::vector<int> feeder_sizes(int meters) {
  std::vector<int> sizes;
  const int largest = std::clamp(meters / 5, kFeederMetersMin, kFeederMetersMax);
  int rank = 1;
  for (int left = meters; left > 0; ++rank) {
    if (largest / rank < kFeederMetersMin) rank = 1;  // the next region
    const int size = std::min(largest / rank, left);
    sizes.push_back(size);
    left -= size;
  }
  // The last feeder got what was left: too few are made up for by its neighbour.
  if (sizes.size() > 1 && sizes.back() < kFeederMetersMin) {
    int& neighbour = sizes[sizes.size() - 2];
    if (neighbour + sizes.back() <= kFeederMetersMax) {
      neighbour += sizes.back();
      sizes.pop_back();
    } else {
      neighbour -= kFeederMetersMin - sizes.back();
      sizes.back() = kFeederMetersMin;
    }
  }
  return sizes;
}

Population::Population(uint64_t seed, const Scale& scale)
    : meters_(static_cast<size_t>(scale.meters)), feeder_sizes_(demo::feeder_sizes(scale.meters)) {
  for (int index = 0; index < scale.meters; ++index) {
    Meter& meter = meters_[static_cast<size_t>(index)];
    meter.seed = draw(seed, Stream::MeterRows, static_cast<uint64_t>(index));
    choose_class(meter, seed, index);
    meter.customer = customer_of(seed, scale, index);
  }
  assign_feeders(seed);
}

// Deals the places of all feeders to the meters in random order.
void Population::assign_feeders(uint64_t seed) {
  size_t next = 0;
  for (size_t feeder = 0; feeder < feeder_sizes_.size(); ++feeder) {
    for (int i = 0; i < feeder_sizes_[feeder]; ++i) {
      meters_[next++].feeder = static_cast<int32_t>(feeder) + 1;
    }
  }
  for (size_t i = meters_.size() - 1; i > 0; --i) {
    const auto j = below(draw(seed, Stream::Feeder, i), static_cast<int64_t>(i) + 1);
    std::swap(meters_[i].feeder, meters_[static_cast<size_t>(j)].feeder);
  }
}

}  // namespace pgtend::demo
