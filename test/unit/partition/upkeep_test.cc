#include "partition/upkeep.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "partition/archive.h"
#include "partition/status.h"

namespace pgtend::partition {
namespace {

Stretch stretch(int64_t from, int64_t to) {
  return {.from_us = from, .to_us = to, .from = cat(from), .to = cat(to)};
}
std::string pieces(const Stretch& wanted, const std::vector<Stretch>& covered) {
  std::string out;
  for (const Stretch& piece : uncovered(wanted, covered)) {
    out += cat(piece.from, "-", piece.to, " ");
  }
  return out;
}

TEST(Uncovered, WhatPartitionsLeaveIsCutAtTheirBounds) {
  EXPECT_EQ(pieces(stretch(10, 20), {}), "10-20 ");
  EXPECT_EQ(pieces(stretch(10, 20), {stretch(0, 10), stretch(20, 30)}), "10-20 ");
  EXPECT_EQ(pieces(stretch(10, 20), {stretch(5, 13)}), "13-20 ");
  EXPECT_EQ(pieces(stretch(10, 20), {stretch(12, 14), stretch(18, 40)}), "10-12 14-18 ");
  EXPECT_EQ(pieces(stretch(10, 20), {stretch(0, 40)}), "");
  EXPECT_EQ(pieces(stretch(10, 20), {stretch(10, 15), stretch(15, 20)}), "");
}

facts::Partition part(const std::string& from, int64_t bytes) {
  return {.from = from, .to = from, .bytes = {bytes}};
}
std::string drawn(const facts::Layout& layout) {
  std::string out;
  for (const auto& [label, signs] : picture_of(layout, {"_", ".", ":", "#"}).lines) {
    out += cat(label, " ", join(signs, ""), "\n");
  }
  return out;
}

TEST(Pictures, MonthsStandInTheirYear) {
  facts::Layout layout;
  layout.partitions = {part("2024-11-01 00:00:00+00", 10), part("2024-12-01 00:00:00+00", 300),
                       part("2025-01-01 00:00:00+00", 0), part("2025-03-01 00:00:00+00", 150)};

  EXPECT_EQ(drawn(layout), "2024           .#\n2025 _ :\n");
}

TEST(Pictures, DaysStandInTheirMonthAndHoursInARow) {
  facts::Layout days;
  days.partitions = {part("2025-01-30", 1), part("2025-01-31", 1), part("2025-02-03", 1)};
  facts::Layout hours;
  hours.partitions = {part("2025-01-30 00:00:00+00", 1), part("2025-01-30 01:00:00+00", 0),
                      part("2025-01-31 00:00:00+00", 1)};
  facts::Layout odd;
  odd.partitions = {part("1000", 2), part("'; x", 1)};

  EXPECT_EQ(drawn(days), cat("2025-01 ", std::string(29, ' '), "##\n2025-02   #\n"));
  EXPECT_EQ(drawn(hours), "2025-01-30 00:00 #_#\n");
  EXPECT_EQ(drawn(odd), "1000 #:\n");
}

TEST(ArchiveNames, NothingLeavesTheFolder) {
  EXPECT_EQ(file_name_of("public", "t_2025_01"), "public.t_2025_01");
  EXPECT_EQ(file_name_of("..", "/etc/x"), "%2E..%2Fetc%2Fx");
  EXPECT_EQ(file_name_of("S\xc3\xa9", "a b'\n"), "S%C3%A9.a%20b%27%0A");
}

}  // namespace
}  // namespace pgtend::partition
