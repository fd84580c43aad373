#include "partition/recut.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::partition {
namespace {

Stretch at(int64_t from, int64_t to) { return {from, to, cat(from), cat(to)}; }

std::string text(const Cuts& cuts) {
  std::string out;
  for (const size_t source : cuts.sources) out += cat(source, " ");
  out += "->";
  for (const Cut& one : cuts.slices) {
    out += cat(" ", one.slice, ":", one.piece.from, "-", one.piece.to);
  }
  return out;
}

TEST(RecutCut, PartitionsAreMergedAndDivided) {
  EXPECT_EQ(text(cut({at(0, 10), at(10, 20), at(20, 30)}, {at(0, 30)})), "0 1 2 -> 0:0-30");
  EXPECT_EQ(text(cut({at(0, 30)}, {at(0, 10), at(10, 20), at(20, 30)})),
            "0 -> 0:0-10 1:10-20 2:20-30");
}

TEST(RecutCut, WhatIsAsWantedStays) {
  EXPECT_EQ(text(cut({at(0, 10), at(10, 20)}, {at(0, 10), at(10, 20)})), "->");
  EXPECT_EQ(text(cut({at(0, 10), at(10, 30)}, {at(0, 10), at(10, 20), at(20, 30)})),
            "1 -> 1:10-20 2:20-30");
}

// Only what is covered now is covered afterwards.
TEST(RecutCut, EndsAndGapsStayWhereTheyAre) {
  EXPECT_EQ(text(cut({at(3, 10), at(10, 18)}, {at(0, 6), at(6, 12), at(12, 18), at(18, 24)})),
            "0 1 -> 0:3-6 1:6-12 2:12-18");
  EXPECT_EQ(text(cut({at(0, 10), at(20, 30)}, {at(0, 15), at(15, 30)})), "->");
  EXPECT_EQ(text(cut({at(0, 5), at(5, 10), at(20, 30)}, {at(0, 30)})), "0 1 -> 0:0-10");
}

TEST(RecutCut, BoundsThatFitNowhereAreCutThrough) {
  EXPECT_EQ(text(cut({at(0, 10), at(10, 20)}, {at(0, 5), at(5, 15), at(15, 20)})),
            "0 1 -> 0:0-5 1:5-15 2:15-20");
}

}  // namespace
}  // namespace pgtend::partition
