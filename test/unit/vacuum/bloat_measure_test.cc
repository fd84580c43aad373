// Which methods are tried on a relation, and when one is accurate enough.
#include "vacuum/bloat_measure.h"

#include <gmock/gmock.h>

namespace pgtend::vacuum {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Ways kAll{.map = true,
                    .approximation = true,
                    .tuples = true,
                    .rows = true,
                    .approximation_pages = 100,
                    .pages = 50'000,
                    .row_pages = 50'000};

TEST(BloatLadder, WhatReadsLeastComesFirst) {
  EXPECT_THAT(ladder(kAll, {}, 20'000),
              ElementsAre(Method::FreeSpaceMap, Method::Approximation, Method::Sample));
}

TEST(BloatLadder, AnApproximationThatReadsMoreThanASampleComesAfterIt) {
  Ways ways = kAll;
  ways.approximation_pages = 15'000;

  EXPECT_THAT(ladder(ways, {}, 20'000),
              ElementsAre(Method::FreeSpaceMap, Method::Sample, Method::Approximation));
}

TEST(BloatLadder, NothingReadsMoreThanIsLeft) {
  EXPECT_THAT(ladder(kAll, {}, 0), ElementsAre(Method::FreeSpaceMap));
  EXPECT_THAT(ladder(kAll, {}, 99), ElementsAre(Method::FreeSpaceMap, Method::Sample));
}

TEST(BloatLadder, ExactReadsAllWhereItFits) {
  Ways ways = kAll;
  ways.pages = ways.row_pages = 10'000;

  EXPECT_THAT(ladder(ways, {.exact = true}, 20'000).front(), Method::Count);
  ways.rows = false;
  EXPECT_THAT(ladder(ways, {.exact = true}, 20'000).front(), Method::Tuples);
  EXPECT_THAT(ladder(kAll, {.exact = true}, 20'000).front(), Method::FreeSpaceMap);
}

TEST(BloatLadder, AllTuplesAreReadOnlyWhereNothingElseGoes) {
  EXPECT_THAT(ladder({.tuples = true, .pages = 5'000}, {}, 20'000), ElementsAre(Method::Tuples));
  EXPECT_THAT(ladder({.tuples = true, .pages = 50'000}, {}, 20'000), IsEmpty());
}

TEST(BloatLadder, RowsOfASmallTableTellOfItsBigToast) {
  EXPECT_THAT(ladder({.rows = true, .pages = 900'000, .row_pages = 10}, {}, 20),
              ElementsAre(Method::Sample));
}

TEST(AccurateEnough, NarrowAndNarrowerThanBefore) {
  const Bloat wide{
      .method = Method::Statistics, .pages = 100, .needed = {.low = 40, .best = 50, .high = 60}};
  const Bloat narrow{
      .method = Method::FreeSpaceMap, .pages = 100, .needed = {.low = 45, .best = 50, .high = 54}};

  EXPECT_TRUE(accurate_enough(narrow, wide));
  EXPECT_FALSE(accurate_enough(wide, {}));
  EXPECT_TRUE(accurate_enough(narrow, {}));
  EXPECT_FALSE(accurate_enough(narrow, narrow));
  EXPECT_FALSE(accurate_enough({}, {}));
}

}  // namespace
}  // namespace pgtend::vacuum
