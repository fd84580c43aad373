#include "demo/generator_weather.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "demo/generator_random.h"

namespace pgtend::demo {

namespace {

constexpr double kPi = std::numbers::pi;
constexpr int kNoiseTerms = 400;           // hours; what is older adds less than 0.1 %
constexpr double kTemperaturePhi = 0.983;  // correlation from hour to hour
constexpr double kTemperatureSd = 3.5;     // degrees
constexpr double kCloudPhi = 0.9;
constexpr double kLatitude = 51 * kPi / 180;
constexpr double kTilt = 23.44 * kPi / 180;
constexpr int kSolarQuarters = 3;  // solar time at 11 degrees east is UTC + 44 min

// AR(1) noise of standard deviation 1 as the sum of its past shocks, so that it has no beginning.
std::vector<double> ar1(uint64_t seed, Stream stream, int64_t first, int hours, double phi) {
  std::vector<double> shocks(static_cast<size_t>(hours + kNoiseTerms));
  for (size_t i = 0; i < shocks.size(); ++i) {
    const auto hour = static_cast<uint64_t>(first - kNoiseTerms + static_cast<int64_t>(i) + 1);
    shocks[i] = normal_quantile(std::clamp(unit(draw(seed, stream, hour)), 1e-9, 1 - 1e-9));
  }
  const double scale = std::sqrt(1 - phi * phi);
  std::vector<double> noise(static_cast<size_t>(hours));
  for (size_t i = 0; i < noise.size(); ++i) {
    double sum = 0;
    for (size_t k = 0; k < kNoiseTerms; ++k) sum = sum * phi + shocks[i + k];
    noise[i] = sum * scale;
  }
  return noise;
}

double bump(double hour, double centre, double width) {
  double distance = std::abs(hour - centre);
  distance = std::min(distance, 24 - distance);
  return std::exp(-distance * distance / (2 * width * width));
}

double smooth_step(double hour, double at, double width) {
  return 1 / (1 + std::exp(-(hour - at) / width));
}

double working_hours(double hour, double from, double to) {
  return smooth_step(hour, from, 0.4) * (1 - smooth_step(hour, to, 0.4));
}

double daily(MeterClass type, double hour, bool saturday, bool sunday, double sun_power) {
  const bool weekend = saturday || sunday;
  switch (type) {
    case MeterClass::Residential:
      return weekend ? 0.55 + 0.85 * bump(hour, 9.5, 1.8) + 0.55 * bump(hour, 13, 2) +
                           1.10 * bump(hour, 19.5, 2.2)
                     : 0.50 + 0.75 * bump(hour, 7, 1.1) + 0.30 * bump(hour, 12.5, 1.8) +
                           1.35 * bump(hour, 19.5, 2.2);
    case MeterClass::SmallBusiness:
      if (sunday) return 0.35;
      return 0.35 + (saturday ? 0.9 : 1.85) * working_hours(hour, 7.5, saturday ? 14 : 18.5);
    case MeterClass::Industry:
      if (sunday) return 0.45;
      return 0.50 + (saturday ? 0.35 : 0.95) * working_hours(hour, 5.5, saturday ? 14 : 22);
    case MeterClass::Lighting:
      return sun_power > 0 ? 0.05 : 1.9;
  }
  return 1;
}

double heating_and_cooling(MeterClass type, double celsius) {
  constexpr std::array<double, kMeterClasses> kHeating = {0.018, 0.012, 0.004, 0};
  constexpr std::array<double, kMeterClasses> kCooling = {0.006, 0.030, 0.008, 0};
  const auto index = static_cast<size_t>(type);
  return kHeating[index] * std::max(0.0, 15 - celsius) +
         kCooling[index] * std::max(0.0, celsius - 22);
}

}  // namespace

double season(double day) {
  const double years = day / 365.2425;
  return years - std::floor(years);
}

double sun(int64_t quarter) {
  const double day = static_cast<double>(quarter) / 96;
  const double declination = -kTilt * std::cos(2 * kPi * (season(day) + 10 / 365.2425));
  const double solar_day = static_cast<double>(quarter + kSolarQuarters) / 96;
  const double hour_angle = 2 * kPi * (solar_day - std::floor(solar_day) - 0.5);
  const double height = std::sin(kLatitude) * std::sin(declination) +
                        std::cos(kLatitude) * std::cos(declination) * std::cos(hour_angle);
  constexpr double kYearlyMean = 0.197;  // of max(0, height) at this latitude
  return std::max(0.0, height) / kYearlyMean;
}

std::vector<Weather> weather(uint64_t seed, int64_t first, int hours) {
  const std::vector<double> warm = ar1(seed, Stream::Temperature, first, hours, kTemperaturePhi);
  const std::vector<double> cloud = ar1(seed, Stream::Cloud, first, hours, kCloudPhi);
  std::vector<Weather> result(static_cast<size_t>(hours));
  for (size_t i = 0; i < result.size(); ++i) {
    const double hour = static_cast<double>(first + static_cast<int64_t>(i));
    const double yearly = -9.5 * std::cos(2 * kPi * (season(hour / 24) - 20 / 365.2425));
    const double time_of_day = hour / 24 - std::floor(hour / 24);
    const double over_day = -3.5 * std::cos(2 * kPi * (time_of_day - 2.0 / 24));
    result[i].celsius = 9.5 + yearly + over_day + kTemperatureSd * warm[i];
    result[i].clear = std::clamp(0.62 + 0.28 * cloud[i], 0.1, 1.0);
  }
  return result;
}

double consumption(MeterClass type, int64_t local_quarter, double celsius, double sun_power) {
  const int64_t day = floor_div(local_quarter, 96);
  const double hour = static_cast<double>(local_quarter - day * 96) / 4;
  const int64_t weekday = ((day + 3) % 7 + 7) % 7;  // 0 is Monday; 1970-01-01 was a Thursday
  return daily(type, hour, weekday == 5, weekday == 6, sun_power) *
         (0.93 + heating_and_cooling(type, celsius));
}

}  // namespace pgtend::demo
