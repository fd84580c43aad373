// Pages after a rewrite, from free space and from the density of leaf pages.
#include "vacuum/bloat_free.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

Interval exactly(double value) { return {.low = value, .best = value, .high = value}; }

TEST(NeededPages, FullPagesAreAllNeeded) {
  // 120 rows of 64 with their pointers: 8160 of 8168 bytes.
  const Interval needed = needed_pages({.pages = 1000, .free = exactly(8'000), .rows = 120'000});

  EXPECT_GE(needed.high, 1000);
  EXPECT_GE(needed.low, 990);
  EXPECT_LE(needed.high, 1040);
}

TEST(NeededPages, HalfFreeIsHalfNeededButForThePointersOfRemovedRows) {
  const Interval needed = needed_pages({.pages = 1000, .free = exactly(4'084'000), .rows = 60'000});

  EXPECT_LE(needed.low, 475);  // 60 pointers a page may be those of removed rows
  EXPECT_GE(needed.high, 500);
  EXPECT_GE(needed.best, 480);
  EXPECT_LE(needed.best, 515);
}

TEST(NeededPages, WithoutOldPointersTheLowEndIsTight) {
  const Contents contents{
      .pages = 1000, .free = exactly(4'084'000), .rows = 60'000, .pointers = false};

  EXPECT_NEAR(needed_pages(contents).low, 499, 1);
}

TEST(NeededPages, DeadRowsLowerAndNewRowsRaise) {
  const Contents still{.pages = 1000, .free = exactly(4'084'000), .rows = 60'000};
  Contents changed = still;
  changed.dead = 6'000;
  changed.grown = 12'000;

  EXPECT_NEAR(needed_pages(still).low - needed_pages(changed).low, 50, 6);
  EXPECT_NEAR(needed_pages(changed).high - needed_pages(still).high, 100, 10);
}

TEST(NeededPages, MoreDeadRowsThanThereIsRoomForAreNotBelieved) {
  // A session has told of 600,000 deleted rows after it had vacuumed them.
  const Contents contents{
      .pages = 1000, .free = exactly(4'084'000), .rows = 60'000, .dead = 600'000};

  EXPECT_NEAR(needed_pages(contents).best, 500, 60);
  EXPECT_EQ(needed_pages(contents).low, 0);
  const Interval index = needed_index_pages(
      {.leaf_pages = 1000, .density = 45, .entries = 183'000, .dead = 1'830'000});
  EXPECT_GT(index.best, 400);
}

TEST(NeededPages, WholeChunksLeaveNothingEmpty) {
  const Contents whole{.pages = 1000,
                       .free = exactly(1000 * (8168.0 - 2 * 2036)),
                       .rows = 2'000,
                       .pointers = false,
                       .chunks = true};

  EXPECT_NEAR(needed_pages(whole).best, 500, 3);
  EXPECT_LE(needed_pages(whole).high, 505);
}

TEST(NeededPages, ShortChunksMaySpoilPages) {
  const Contents mixed{.pages = 1000,
                       .free = exactly(1000 * (8168.0 - 4 * 1000)),
                       .rows = 4'000,
                       .pointers = false,
                       .chunks = true};

  EXPECT_LE(needed_pages(mixed).low, 490);
  EXPECT_GE(needed_pages(mixed).high, 600);
}

TEST(NeededPages, ValuesOfDroppedColumnsMayBeMostOfIt) {
  const Contents contents{.pages = 1000, .free = exactly(8'000), .rows = 120'000, .dropped = true};

  EXPECT_LE(needed_pages(contents).low, 412);  // 28 bytes a row
  EXPECT_GE(needed_pages(contents).high, 1000);
}

TEST(NeededPages, PagesOfPointersAloneAreNotLongRows) {
  // 226 pointers on each of 40 pages, and a row.
  const Interval needed =
      needed_pages({.pages = 40, .free = exactly(40 * (8168.0 - 904)), .rows = 1});

  EXPECT_EQ(needed.low, 0);
  EXPECT_LE(needed.high, 12);
}

TEST(NeededPages, NothingNeedsNothing) {
  EXPECT_EQ(needed_pages({}).high, 0);
  EXPECT_EQ(needed_pages({.pages = 10, .free = exactly(81'680)}).low, 0);
}

TEST(MappedFree, AnEntryIsRoundedDown) {
  const MapEntry half{.free = 4096, .pages = 100};

  const Interval free = mapped_free({&half, 1}, 100, 8192);

  EXPECT_EQ(free.low, 409'600);
  EXPECT_EQ(free.high, 413'200);  // 32 more, and a line pointer
}

TEST(MappedFree, PartOfTheMapWidensTheInterval) {
  const MapEntry entries[] = {{.free = 0, .pages = 50}, {.free = 8128, .pages = 50}};

  const Interval all = mapped_free(entries, 100, 8192);
  const Interval some = mapped_free(entries, 10'000, 8192);

  EXPECT_NEAR(some.best, all.best * 100, 1);
  EXPECT_LT(some.low, all.low * 100 * 0.8);
  EXPECT_GT(some.high, all.high * 100 * 1.2);
}

TEST(MappedFree, NoEntryTellsNothing) {
  const Interval free = mapped_free({}, 10, 8192);

  EXPECT_EQ(free.low, 0);
  EXPECT_EQ(free.high, 81'920);
}

TEST(NeededIndexPages, AnIndexAsBuiltStaysAsItIs) {
  // 366 entries of 20 a page: 90 %. 100 leaf pages, one above, and the meta page.
  const Interval needed =
      needed_index_pages({.leaf_pages = 100, .density = 90.05, .entries = 36'600});

  EXPECT_NEAR(needed.best, 102, 2);
  EXPECT_LE(needed.low, 102);
  EXPECT_GE(needed.high, 102);
  EXPECT_LE(needed.high - needed.low, 5);
}

TEST(NeededIndexPages, HalfDenseIsHalfNeeded) {
  const Interval needed =
      needed_index_pages({.leaf_pages = 1000, .density = 45, .entries = 183'000});

  EXPECT_NEAR(needed.best, 502, 5);
}

TEST(NeededIndexPages, EqualKeysMayShareEntriesLater) {
  const LeafDensity plain{.leaf_pages = 1000, .density = 90, .entries = 366'000};
  LeafDensity lists = plain;
  lists.lists = true;

  EXPECT_LT(needed_index_pages(lists).low, 0.35 * needed_index_pages(plain).low);
  EXPECT_GT(needed_index_pages(lists).high, needed_index_pages(plain).high);
}

TEST(NeededIndexPages, DeadEntriesLowerTheLowEnd) {
  const LeafDensity clean{.leaf_pages = 1000, .density = 90, .entries = 366'000};
  LeafDensity dirty = clean;
  dirty.entries = 183'000;
  dirty.dead = 183'000;

  EXPECT_LT(needed_index_pages(dirty).low, 0.6 * needed_index_pages(clean).low);
}

TEST(NeededIndexPages, EmptyIndexIsItsMetaPageAndARoot) {
  EXPECT_EQ(needed_index_pages({}).low, 1);
  EXPECT_EQ(needed_index_pages({}).high, 2);
}

}  // namespace
}  // namespace pgtend::vacuum
