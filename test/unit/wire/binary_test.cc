#include "wire/binary.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace pgtend::wire {
namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// What numeric_send() of PostgreSQL 15 gave.
TEST(Binary, NumericIsWhatPostgresqlSends) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kSent = {{
      {"0", "0000000000000000"},
      {"1", "00010000000000000001"},
      {"9999", "0001000000000000270f"},
      {"10000", "00010001000000000001"},
      {"12345678", "000200010000000004d2162e"},
      {"-5", "00010000400000000005"},
      {"123.45", "0002000000000002007b1194"},
      {"0.001", "0001ffff00000003000a"},
      {"0.00", "0000000000000002"},
      {"100000000", "00010002000000000001"},
      {"-10.50", "0002000040000002000a1388"},
      {"99999999999999999999", "0005000400000000270f270f270f270f270f"},
  }};
  for (const auto& [text, sent] : kSent) {
    const auto made = binary_of(text, kNumericOid);
    ASSERT_TRUE(made) << text;
    EXPECT_EQ(hex(*made), sent) << text;
  }
}

TEST(Binary, IntegersAreBigEndian) {
  EXPECT_EQ(hex(*binary_of("-2", kInt4Oid)), "fffffffe");
  EXPECT_EQ(hex(*binary_of("4294967298", kInt8Oid)), "0000000100000002");
  EXPECT_EQ(hex(*binary_of("-1", kInt8Oid)), "ffffffffffffffff");
}

TEST(Binary, TextIsItself) { EXPECT_EQ(*binary_of("a b", kTextOid), "a b"); }

TEST(Binary, WhatIsNoNumberIsRefused) {
  for (const char* text : {"", "-", ".5", "1e5", "1.2.3", "NaN", "1 "}) {
    EXPECT_FALSE(binary_of(text, kNumericOid)) << text;
  }
  EXPECT_FALSE(binary_of(std::string(2000, '1'), kNumericOid));
  EXPECT_FALSE(binary_of("2147483648", kInt4Oid));
  EXPECT_FALSE(binary_of("x", kInt8Oid));
}

}  // namespace
}  // namespace pgtend::wire
