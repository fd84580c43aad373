#include "demo/generator_encode.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace pgtend::demo {
namespace {

using namespace std::string_view_literals;

std::string encoded(auto&& write) {
  std::string out;
  CopyEncoder encoder(out);
  write(encoder);
  return out;
}

std::string numeric(int64_t units) {
  return encoded([=](CopyEncoder& out) { out.numeric4(units); });
}

TEST(CopyEncoder, AFileBeginsAndEndsAsTheManualSays) {
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.begin(); }), "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"sv);
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.end(); }), "\xff\xff"sv);
}

TEST(CopyEncoder, IntegersAreBigEndianBehindTheirLength) {
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.int4(-2); }), "\0\0\0\4\xff\xff\xff\xfe"sv);
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.int8(0x0102030405060708); }),
            "\0\0\0\10\1\2\3\4\5\6\7\10"sv);
}

TEST(CopyEncoder, NullIsALengthOfMinusOne) {
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.null(); }), "\xff\xff\xff\xff"sv);
}

TEST(CopyEncoder, TimestampsCountMicrosecondsFromTheYear2000) {
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.timestamptz(946'684'801); }),
            "\0\0\0\10\0\0\0\0\0\x0f\x42\x40"sv);
  EXPECT_EQ(encoded([](CopyEncoder& out) { out.timestamptz(946'684'799); }),
            "\0\0\0\10\xff\xff\xff\xff\xff\xf0\xbd\xc0"sv);
}

// Length, then ndigits, weight, sign, dscale, and digits to the base of 10,000.
TEST(CopyEncoder, NumericsHaveBase10000DigitsWithoutOuterZeros) {
  EXPECT_EQ(numeric(0), "\0\0\0\10\0\0\0\0\0\0\0\4"sv);
  EXPECT_EQ(numeric(1), "\0\0\0\12\0\1\xff\xff\0\0\0\4\0\1"sv);
  EXPECT_EQ(numeric(10'000), "\0\0\0\12\0\1\0\0\0\0\0\4\0\1"sv);
  EXPECT_EQ(numeric(1'234'500), "\0\0\0\14\0\2\0\0\0\0\0\4\0\x7b\x11\x94"sv);
  EXPECT_EQ(numeric(9'999'999'999), "\0\0\0\16\0\3\0\1\0\0\0\4\0\x63\x27\x0f\x27\x0f"sv);
  EXPECT_EQ(numeric(100'000'000), "\0\0\0\12\0\1\0\1\0\0\0\4\0\1"sv);
  EXPECT_EQ(numeric(-5), "\0\0\0\12\0\1\xff\xff\x40\0\0\4\0\5"sv);
}

TEST(CopyEncoder, AReadingIsItsFourFieldsInARow) {
  const std::string whole =
      encoded([](CopyEncoder& out) { out.reading(7, 3, 1'700'000'100, 12'345); });
  const std::string pieces = encoded([](CopyEncoder& out) {
    out.fields(4);
    out.int8(7);
    out.int4(3);
    out.timestamptz(1'700'000'100);
    out.numeric4(12'345);
  });

  EXPECT_EQ(whole, pieces);
}

TEST(CopyEncoder, AReadingWithoutIdHasThreeFields) {
  const std::string whole = encoded([](CopyEncoder& out) { out.reading(3, 1'700'000'100, 0); });
  const std::string pieces = encoded([](CopyEncoder& out) {
    out.fields(3);
    out.int4(3);
    out.timestamptz(1'700'000'100);
    out.numeric4(0);
  });

  EXPECT_EQ(whole, pieces);
}

}  // namespace
}  // namespace pgtend::demo
