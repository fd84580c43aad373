#include "base/units.h"

#include <gtest/gtest.h>

namespace pgtend {
namespace {

using namespace std::chrono_literals;

TEST(Units, BytesReadAsPostgresqlWritesThem) {
  EXPECT_EQ(human(Bytes{0}), "0 B");
  EXPECT_EQ(human(Bytes{1023}), "1023 B");
  EXPECT_EQ(human(24_KiB), "24.0 kB");
  EXPECT_EQ(human(Bytes{1'395'864'371}), "1.30 GB");
  EXPECT_EQ(human(Bytes{-2048}), "-2.00 kB");
}

TEST(Units, DurationsChangeUnitWithTheirSize) {
  EXPECT_EQ(human(850us), "850 us");
  EXPECT_EQ(human(12'300us), "12.3 ms");
  EXPECT_EQ(human(4200ms), "4.20 s");
  EXPECT_EQ(human(185s), "3 min 05 s");
  EXPECT_EQ(human(130min), "2 h 10 min");
}

TEST(Units, CountsAreGroupedByThousands) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(999), "999");
}

TEST(Units, CompactCountsHaveThreeDigits) {
  EXPECT_EQ(compact(999), "999");
  EXPECT_EQ(compact(1'344'000), "1.34 M");
  EXPECT_EQ(compact(202e6), "202 M");
}

}  // namespace
}  // namespace pgtend
