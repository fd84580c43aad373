#include "demo/generator_population.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "demo/generator_people.h"
#include "demo/generator_random.h"

namespace pgtend::demo {
namespace {

constexpr Scale kTown{.customers = 8'000, .meters = 10'000, .days = 1};

TEST(Scale, TheThreeNamedSizesAreThoseOfTheManual) {
  EXPECT_EQ(*scale_named("s"), (Scale{800, 1'000, 14}));
  EXPECT_EQ(*scale_named("m"), (Scale{8'000, 10'000, 21}));
  EXPECT_EQ(*scale_named("l"), (Scale{80'000, 100'000, 21}));
  EXPECT_EQ(scale_named("xl").error().code, ErrorCode::Invalid);
}

TEST(Scale, ImpossibleSizesAreRefusedByName) {
  EXPECT_NE(check(Scale{1, 0, 1}).error().message.find("meters"), std::string::npos);
  EXPECT_NE(check(Scale{2, 1, 1}).error().message.find("customers"), std::string::npos);
  EXPECT_NE(check(Scale{1, 1, 0}).error().message.find("days"), std::string::npos);
  EXPECT_FALSE(check(Scale{1, kMetersMax + 1, 1}));
  EXPECT_TRUE(check(kTown));
}

TEST(NormalQuantile, KnownQuantilesAreReproduced) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-9);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963985, 1e-8);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306, 1e-8);
  EXPECT_NEAR(normal_quantile(0.99), -normal_quantile(0.01), 1e-12);
}

TEST(Population, ClassesHaveTheirShares) {
  const Population population(5, kTown);
  std::map<MeterClass, int> count;
  int solar = 0;
  int cars = 0;
  for (int i = 0; i < population.meters(); ++i) {
    const Meter& meter = population.meter(i);
    ++count[meter.type];
    solar += meter.solar > 0 ? 1 : 0;
    cars += meter.car_power > 0 ? 1 : 0;
  }

  EXPECT_NEAR(count[MeterClass::Residential], 8'200, 5);
  EXPECT_NEAR(count[MeterClass::SmallBusiness], 1'200, 5);
  EXPECT_NEAR(count[MeterClass::Industry], 250, 5);
  EXPECT_NEAR(solar, 800, 90);
  EXPECT_NEAR(cars, 600, 80);
}

TEST(Population, TheLargestMetersCarryFortyPercent) {
  for (const int meters : {1'000, 10'000}) {
    for (const uint64_t seed : {1U, 2U, 99U}) {
      const Population population(seed, Scale{meters, meters, 1});
      std::vector<double> sizes;
      for (int i = 0; i < meters; ++i) sizes.push_back(population.meter(i).size);
      std::ranges::sort(sizes, std::greater{});
      const double all = std::accumulate(sizes.begin(), sizes.end(), 0.0);
      const double top = std::accumulate(sizes.begin(), sizes.begin() + meters / 40, 0.0);
      EXPECT_NEAR(top / all, 0.40, meters == 1'000 ? 0.025 : 0.01)
          << meters << " meters, seed " << seed;
    }
  }
}

TEST(Population, SizesOfAClassAreLogNormal) {
  const Population population(3, kTown);
  std::vector<double> sizes;
  for (int i = 0; i < population.meters(); ++i) {
    const Meter& meter = population.meter(i);
    if (meter.type == MeterClass::Residential) sizes.push_back(meter.size);
  }
  std::ranges::sort(sizes);
  const auto at = [&](double share) {
    return std::log(sizes[static_cast<size_t>(share * static_cast<double>(sizes.size()))]);
  };

  // Quantiles of the logarithm lie symmetric about the median, at the normal distribution's
  // distance.
  EXPECT_NEAR(at(0.8413) - at(0.5), 0.5, 0.01);
  EXPECT_NEAR(at(0.5) - at(0.1587), 0.5, 0.01);
  EXPECT_NEAR(at(0.9772) - at(0.5), 1.0, 0.02);
}

TEST(Population, TheSameSeedGivesTheSameMeters) {
  const Population a(7, kTown);
  const Population b(7, kTown);
  const Population other(8, kTown);
  int same = 0;
  for (int i = 0; i < kTown.meters; ++i) {
    EXPECT_EQ(a.meter(i).seed, b.meter(i).seed);
    EXPECT_EQ(a.meter(i).size, b.meter(i).size);
    EXPECT_EQ(a.meter(i).feeder, b.meter(i).feeder);
    same += a.meter(i).size == other.meter(i).size ? 1 : 0;
  }
  EXPECT_LT(same, 10);
}

TEST(Population, EveryCustomerHasAMeter) {
  const Population population(1, kTown);
  std::set<int> customers;
  for (int i = 0; i < population.meters(); ++i) customers.insert(population.meter(i).customer);

  EXPECT_EQ(customers.size(), 8'000U);
  EXPECT_EQ(*customers.begin(), 1);
  EXPECT_EQ(*customers.rbegin(), 8'000);
}

TEST(Feeders, SizesStayInBoundsAndAddUp) {
  for (int meters = 1; meters < 3'000; ++meters) {
    const auto sizes = feeder_sizes(meters);
    EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), 0), meters);
    if (meters < kFeederMetersMin) continue;
    EXPECT_GE(std::ranges::min(sizes), kFeederMetersMin) << meters;
    EXPECT_LE(std::ranges::max(sizes), kFeederMetersMax) << meters;
  }
}

TEST(Feeders, TheRankedSizesFollowZipf) {
  const auto sizes = feeder_sizes(100'000);

  for (size_t rank = 1; rank <= 160; ++rank) {
    EXPECT_EQ(sizes[rank - 1], 800 / static_cast<int>(rank));
  }
  EXPECT_EQ(sizes[160], 800);
}

TEST(Feeders, MembersMatchTheSizes) {
  const Population population(2, kTown);
  std::vector<int> members(static_cast<size_t>(population.feeders()) + 1);
  for (int i = 0; i < population.meters(); ++i) {
    ++members[static_cast<size_t>(population.meter(i).feeder)];
  }
  for (int feeder = 1; feeder <= population.feeders(); ++feeder) {
    EXPECT_EQ(members[static_cast<size_t>(feeder)], population.feeder_size(feeder));
  }
}

TEST(People, SerialNumbersAreUniqueAndOfOneLength) {
  std::set<std::string> seen;
  for (int i = 0; i < 20'000; ++i) {
    const std::string number = serial_number(i);
    EXPECT_EQ(number.size(), 14U);
    EXPECT_TRUE(seen.insert(number).second) << number;
  }
  EXPECT_EQ(serial_number(kMetersMax - 1).size(), 14U);
}

}  // namespace
}  // namespace pgtend::demo
