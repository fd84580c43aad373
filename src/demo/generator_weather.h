// Weather and daily shapes behind the readings: smooth functions of time, the same for all meters.
#pragma once

#include <cstdint>
#include <vector>

#include "demo/generator_population.h"

namespace pgtend::demo {

// Weather of one hour.
struct Weather {
  double celsius = 0;
  double clear = 0;  // share of the sun that the clouds let through, 0.1 … 1
};

// Weather of `hours` hours from `first` (hours since 1970 UTC): season and day plus AR(1) noise.
// The weather of an hour does not depend on `first`. Cost: about 1 us an hour.
std::vector<Weather> weather(uint64_t seed, int64_t first, int hours);

// Place in the year of a day since 1970-01-01: 0 in the first days of January, below 1.
double season(double day);
// The sun's power at a UTC quarter-hour in central Europe: 0 at night; 1 on average over a year.
double sun(int64_t quarter);
// Consumption of a class relative to its mean, for a local quarter-hour since 1970, before noise.
double consumption(MeterClass type, int64_t local_quarter, double celsius, double sun_power);

}  // namespace pgtend::demo
