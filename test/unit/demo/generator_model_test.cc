#include "demo/generator_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "demo/generator.h"
#include "demo/generator_order.h"
#include "demo/generator_weather.h"

namespace pgtend::demo {
namespace {

constexpr int64_t kOctober24 = 1'729'720'800 / 900;      // 2024-10-24 00:00 in Berlin, UTC + 2 h
constexpr int64_t kClocksBack = 1'729'990'800 / 900;     // 2024-10-27 01:00 UTC
constexpr int64_t kClocksForward = 1'743'296'400 / 900;  // 2025-03-30 01:00 UTC

// Five local days around the end of summer time: the fourth has 100 quarter-hours.
Calendar autumn() { return {kOctober24, 5 * 96 + 4, {{kOctober24 - 96, 8}, {kClocksBack, 4}}}; }

Calendar winter(int days) { return {1'736'380'800 / 900, int64_t{days} * 96, {{0, 4}}}; }

int64_t present_by_counting(const Model& model) {
  int64_t rows = 0;
  for (int meter = 0; meter < model.population().meters(); ++meter) {
    for (int slot = 0; slot < model.slots(); ++slot) rows += model.present(meter, slot) ? 1 : 0;
  }
  return rows;
}

TEST(Calendar, DaysAreShorterOrLongerWhereClocksChange) {
  const Calendar calendar{kClocksBack - 3 * 96, 7 * 96, {{0, 8}, {kClocksBack, 4}}};
  std::map<int64_t, int> quarters;
  for (int64_t q = calendar.first; q < calendar.first + calendar.slots; ++q) {
    ++quarters[calendar.local(q) / 96];
  }
  EXPECT_EQ(quarters[calendar.local(kClocksBack) / 96], 100);
  EXPECT_EQ(quarters[calendar.local(kClocksBack) / 96 + 1], 96);

  const Calendar spring{kClocksForward - 2 * 96, 4 * 96, {{0, 4}, {kClocksForward, 8}}};
  quarters.clear();
  for (int64_t q = spring.first; q < spring.first + spring.slots; ++q) {
    ++quarters[spring.local(q) / 96];
  }
  EXPECT_EQ(quarters[spring.local(kClocksForward) / 96], 92);
}

TEST(Model, RowsByArithmeticEqualRowsByCounting) {
  const Population population(11, {100, 200, 365});
  // A year is long enough for missing slots to fall into outages, which must count once.
  for (const Calendar& calendar : {autumn(), winter(1), winter(365)}) {
    const Model model(11, population, calendar);
    EXPECT_EQ(model.rows(), present_by_counting(model));
  }
}

TEST(Model, MissingSlotsAreOneInAThousandBesidesOutages) {
  const Population population(4, {1'000, 1'000, 125});
  const Model model(4, population, winter(125));  // 12 whole blocks of 1000 quarter-hours
  const auto all = static_cast<double>(population.meters()) * model.slots();
  const double absent = all - static_cast<double>(model.rows());

  // A feeder is dark for 8.5 of 672 quarter-hours in 15 % of the weeks.
  EXPECT_NEAR(absent / all, 0.001 + 0.15 * 8.5 / 672, 0.0006);
}

TEST(Model, AnOutageDarkensAllMetersOfAFeeder) {
  const Population population(6, {500, 500, 60});
  const Model model(6, population, winter(60));
  std::vector<int> dark(static_cast<size_t>(population.feeders()) + 1);
  int outage_slots = 0;
  for (int slot = 0; slot < model.slots(); ++slot) {
    std::ranges::fill(dark, 0);
    for (int meter = 0; meter < population.meters(); ++meter) {
      if (!model.present(meter, slot)) {
        ++dark[static_cast<size_t>(population.meter(meter).feeder)];
      }
    }
    // Missing slots are single; many meters of one feeder at once are an outage, and then it is
    // all.
    for (int feeder = 1; feeder <= population.feeders(); ++feeder) {
      const int absent = dark[static_cast<size_t>(feeder)];
      if (absent < 4) continue;
      EXPECT_EQ(absent, population.feeder_size(feeder));
      ++outage_slots;
    }
  }
  EXPECT_GT(outage_slots, 0);
}

TEST(Model, AReadingDoesNotDependOnWhereTheCalendarBegins) {
  const Population population(9, {100, 200, 14});
  const Calendar fortnight = winter(14);
  Calendar last_day = fortnight;
  last_day.first += 13 * 96;
  last_day.slots = 96;
  const Model all(9, population, fortnight);
  const Model day(9, population, last_day);

  for (int meter = 0; meter < population.meters(); ++meter) {
    for (int slot = 0; slot < 96; ++slot) {
      ASSERT_EQ(all.present(meter, 13 * 96 + slot), day.present(meter, slot));
      ASSERT_EQ(all.kwh(meter, 13 * 96 + slot), day.kwh(meter, slot));
      ASSERT_EQ(all.corrected_kwh(meter, 13 * 96 + slot), day.corrected_kwh(meter, slot));
    }
  }
}

TEST(Model, LateReadingsComeOneHourToFiveDaysLater) {
  const Population population(2, {500, 500, 14});
  const Model model(2, population, winter(14));
  int late = 0;
  std::vector<int> delays;
  for (int meter = 0; meter < population.meters(); ++meter) {
    for (int slot = 0; slot < model.slots() - kDelayMax; ++slot) {
      const int delay = model.arrival(meter, slot) - slot;
      if (delay == 0) continue;
      ++late;
      delays.push_back(delay);
      ASSERT_GE(delay, kDelayMin);
      ASSERT_LE(delay, kDelayMax);
    }
  }
  const double all = 500.0 * (model.slots() - kDelayMax);
  EXPECT_NEAR(late / all, 0.02, 0.001);
  std::ranges::sort(delays);
  EXPECT_NEAR(delays[delays.size() / 2], 20, 2);
  EXPECT_EQ(delays.back(), kDelayMax);
}

TEST(Model, FiveInAThousandAreReadAgain) {
  const Population population(3, {500, 500, 14});
  const Model model(3, population, winter(14));
  int again = 0;
  for (int meter = 0; meter < 500; ++meter) {
    for (int slot = 0; slot < model.slots(); ++slot) {
      again += model.read_again(meter, slot) ? 1 : 0;
      const auto kwh = static_cast<double>(model.kwh(meter, slot));
      ASSERT_NEAR(static_cast<double>(model.corrected_kwh(meter, slot)), kwh, kwh * 0.05 + 1);
    }
  }
  EXPECT_NEAR(again / (500.0 * model.slots()), 0.005, 0.0005);
}

double mean_kwh(const Model& model, auto&& wanted) {
  double sum = 0;
  int64_t count = 0;
  for (int meter = 0; meter < model.population().meters(); ++meter) {
    for (int slot = 0; slot < model.slots(); ++slot) {
      const int64_t local = model.calendar().local(model.calendar().first + slot);
      if (!wanted(model.population().meter(meter), local)) continue;
      sum += static_cast<double>(model.kwh(meter, slot)) / 10'000;
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

bool between(int64_t local, int from_hour, int to_hour) {
  const int64_t hour = local % 96 / 4;
  return hour >= from_hour && hour < to_hour;
}

TEST(Model, BusinessesRestOnSundays) {
  const Population population(8, {600, 600, 28});
  const Model model(8, population, winter(28));
  const auto business_at_ten = [](bool sunday) {
    return [=](const Meter& meter, int64_t local) {
      return meter.type == MeterClass::SmallBusiness && between(local, 10, 12) &&
             ((local / 96 + 3) % 7 == 6) == sunday;
    };
  };
  EXPECT_LT(mean_kwh(model, business_at_ten(true)), 0.3 * mean_kwh(model, business_at_ten(false)));
}

TEST(Model, ElectricCarsPeakAtNight) {
  const Population population(8, {600, 600, 14});
  const Model model(8, population, winter(14));
  const auto car = [](int from, int to) {
    return [=](const Meter& meter, int64_t local) {
      return meter.car_power > 0 && meter.type == MeterClass::Residential && meter.solar == 0 &&
             between(local, from, to);
    };
  };
  EXPECT_GT(mean_kwh(model, car(0, 2)), 3 * mean_kwh(model, car(14, 16)));
}

TEST(Model, SolarRoofsReadZeroAtNoonInSummer) {
  const Population population(8, {600, 600, 14});
  const Calendar june{1'718'409'600 / 900, 14 * 96, {{0, 8}}};
  const Model model(8, population, june);
  int zero = 0;
  int noon = 0;
  int zero_elsewhere = 0;
  for (int meter = 0; meter < 600; ++meter) {
    const Meter& who = population.meter(meter);
    for (int slot = 0; slot < model.slots(); ++slot) {
      const bool none = model.kwh(meter, slot) == 0;
      if (who.solar == 0) {
        zero_elsewhere += none ? 1 : 0;
      } else if (who.type == MeterClass::Residential &&
                 between(june.local(june.first + slot), 12, 14)) {
        ++noon;
        zero += none ? 1 : 0;
      }
    }
  }
  EXPECT_GT(zero, noon * 8 / 10);
  EXPECT_EQ(zero_elsewhere, 0);
}

TEST(Model, HomesUseMoreInWinterThanInSummer) {
  const Population population(8, {300, 300, 14});
  const auto homes = [](const Meter& meter, int64_t) {
    return meter.type == MeterClass::Residential && meter.solar == 0;
  };
  const Model cold(8, population, winter(14));
  const Model warm(8, population, {1'718'409'600 / 900, 14 * 96, {{0, 8}}});

  EXPECT_GT(mean_kwh(cold, homes), 1.1 * mean_kwh(warm, homes));
}

TEST(Model, AYearOfAHomeIsAboutItsSize) {
  const Population population(8, {50, 50, 365});
  const Model model(8, population, winter(365));
  for (int meter = 0; meter < 50; ++meter) {
    const Meter& who = population.meter(meter);
    if (who.type == MeterClass::Lighting || who.solar > 0 || who.car_power > 0) continue;
    double sum = 0;
    for (int slot = 0; slot < model.slots(); ++slot) {
      sum += static_cast<double>(model.kwh(meter, slot));
    }
    EXPECT_NEAR(sum / model.slots(), who.size / 256.0, 0.08 * who.size / 256.0)
        << "class " << static_cast<int>(who.type);
  }
}

TEST(Weather, TemperatureNoiseIsCorrelatedFromHourToHour) {
  const auto hours = weather(1, 480'000, 24 * 365);
  // What remains after the same hour's seasonal value: differences over a day against those over
  // twenty days, both free of season and time of day.
  double day = 0;
  double far = 0;
  for (size_t i = 0; i + 480 < hours.size(); ++i) {
    day += std::pow(hours[i + 24].celsius - hours[i].celsius, 2);
    far += std::pow(hours[i + 480].celsius - hours[i].celsius, 2);
  }
  EXPECT_LT(day, 0.6 * far);
  EXPECT_GT(day, 0.1 * far);
}

TEST(RowOrder, EveryPlaceComesExactlyOnceInBothOrders) {
  const Population population(5, {90, 120, 5});
  const Model model(5, population, autumn());
  for (const WriteOrder kind : {WriteOrder::Headend, WriteOrder::File}) {
    const RowOrder order(model, kind, false);
    std::vector<int> seen(static_cast<size_t>(order.places()) + 1);
    std::vector<Place> places;
    for (int64_t chunk = 0; chunk < order.chunks(); ++chunk) {
      order.fill(chunk, places);
      for (const Place& place : places) ++seen[static_cast<size_t>(order.reading_id(place))];
    }
    EXPECT_EQ(seen[0], 0);
    EXPECT_EQ(std::count(seen.begin() + 1, seen.end(), 1), order.places());
  }
}

TEST(RowOrder, HeadendFollowsArrivalAndFileFollowsTheMeter) {
  const Population population(5, {90, 120, 5});
  const Model model(5, population, autumn());
  std::vector<Place> places;
  int arrival = 0;
  const RowOrder headend(model, WriteOrder::Headend, false);
  for (int64_t chunk = 0; chunk < headend.chunks(); ++chunk) {
    headend.fill(chunk, places);
    for (const Place& place : places) {
      ASSERT_GE(model.arrival(place.meter, place.slot), arrival);
      arrival = model.arrival(place.meter, place.slot);
    }
  }
  int meter = 0;
  const RowOrder file(model, WriteOrder::File, true);
  for (int64_t chunk = 0; chunk < file.chunks(); ++chunk) {
    file.fill(chunk, places);
    for (const Place& place : places) {
      ASSERT_GE(place.meter, meter);
      meter = place.meter;
    }
  }
}

TEST(RowOrder, ACorrectionComesBehindTheReadingItSupersedes) {
  const Population population(5, {90, 120, 5});
  const Model model(5, population, autumn());
  for (const WriteOrder kind : {WriteOrder::Headend, WriteOrder::File}) {
    const RowOrder order(model, kind, true);
    std::map<std::pair<int, int>, Version> last;
    int corrections = 0;
    std::vector<Place> places;
    for (int64_t chunk = 0; chunk < order.chunks(); ++chunk) {
      order.fill(chunk, places);
      for (const Place& place : places) {
        const std::pair key{place.meter, place.slot};
        if (place.version == Version::Corrected) {
          ASSERT_EQ(last[key], Version::Superseded);
          ++corrections;
        } else {
          ASSERT_FALSE(last.contains(key));
          ASSERT_EQ(place.version == Version::Superseded,
                    model.read_again(place.meter, place.slot));
        }
        ASSERT_EQ(order.reading_id(place) > order.places(), place.version == Version::Superseded);
        last[key] = place.version;
      }
    }
    EXPECT_EQ(std::ssize(last), order.places());
    EXPECT_GT(corrections, 0);
  }
}

TEST(RowOrder, ChunksAreOfBoundedSize) {
  const Population population(5, {9'000, 9'000, 1});
  const Model model(5, population, winter(1));
  std::vector<Place> places;
  for (const WriteOrder kind : {WriteOrder::Headend, WriteOrder::File}) {
    const RowOrder order(model, kind, true);
    for (int64_t chunk = 0; chunk < order.chunks(); ++chunk) {
      order.fill(chunk, places);
      // The last slot of a calendar takes all readings that would come after it.
      const bool last = chunk + 3 >= order.chunks();
      ASSERT_LE(std::ssize(places), RowOrder::kChunkRows * (last ? 8 : 2));
    }
  }
}

TEST(Expected, TotalsAreTheSameForBothOrders) {
  GenerateOptions options{.scale = {50, 60, 5}, .seed = 12};
  const Totals headend = expected(options, autumn());
  options.order = WriteOrder::File;

  EXPECT_EQ(expected(options, autumn()), headend);
  EXPECT_GT(headend.corrected, 0);
  EXPECT_LT(headend.readings, 60 * autumn().slots);
  EXPECT_GT(headend.readings, 60 * autumn().slots * 98 / 100);
}

TEST(Expected, AnotherSeedGivesAnotherTotal) {
  GenerateOptions options{.scale = {50, 60, 5}, .seed = 12};
  const Totals one = expected(options, autumn());
  options.seed = 13;

  EXPECT_NE(expected(options, autumn()).kwh_units, one.kwh_units);
}

}  // namespace
}  // namespace pgtend::demo
