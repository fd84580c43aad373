#include "care/pressure.h"

#include <gtest/gtest.h>

namespace pgtend::care {
namespace {

TEST(Pressure, OneSlowStatementStopsNothing) {
  Pressure pressure(milliseconds(50));
  for (const int sample : {10, 80, 90, 50, 80, 80}) {
    pressure.add(milliseconds(sample));
    EXPECT_FALSE(pressure.high());
  }
  pressure.add(milliseconds(51));
  EXPECT_TRUE(pressure.high());
  EXPECT_EQ(pressure.describe(), "latency 51.0 ms, limit 50.0 ms");
}

TEST(Pressure, CalmComesAfterFiveGoodSamplesInARow) {
  Pressure pressure(milliseconds(50));
  for (int i = 0; i < 3; ++i) pressure.add(milliseconds(60));
  for (const int sample : {10, 10, 10, 10, 60, 10, 10, 10, 10}) {
    pressure.add(milliseconds(sample));
    EXPECT_TRUE(pressure.high());
  }
  pressure.add(milliseconds(10));
  EXPECT_FALSE(pressure.high());
}

TEST(Window, MayGoOverMidnight) {
  const Window night{22 * 60, 5 * 60};
  EXPECT_TRUE(night.contains(22 * 60));
  EXPECT_TRUE(night.contains(0));
  EXPECT_FALSE(night.contains(5 * 60));
  EXPECT_FALSE(night.contains(12 * 60));
  const Window noon{12 * 60, 13 * 60};
  EXPECT_TRUE(noon.contains(12 * 60));
  EXPECT_FALSE(noon.contains(13 * 60));
  EXPECT_FALSE(noon.contains(0));
  EXPECT_TRUE((Window{300, 300}).contains(7));
}

}  // namespace
}  // namespace pgtend::care
