#include "vacuum/page_fill.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "vacuum/posting.h"

namespace pgtend::vacuum {
namespace {

TEST(PageFill, EqualItemsFillAPageToTheLast) {
  const std::vector<LengthWeight> lengths{{32, 1}};
  EXPECT_DOUBLE_EQ(items_per_page(lengths, 8168), 226);  // 8168 / 36 = 226.9
  EXPECT_DOUBLE_EQ(items_per_page(lengths, 35), 1);
  EXPECT_DOUBLE_EQ(items_per_page({}, 8168), 1);
}

TEST(PageFill, MixedItemsAreAsManyAsAFillingOfPagesGives) {
  const std::vector<LengthWeight> lengths{{32, 0.5}, {104, 0.2}, {904, 0.3}};
  std::mt19937 random(7);
  std::discrete_distribution<size_t> pick({0.5, 0.2, 0.3});
  const int items = 200'000;
  int pages = 1;
  int filled = 0;
  for (int i = 0; i < items; ++i) {
    const int bytes = lengths[pick(random)].bytes + 4;
    if (filled + bytes > 8168) {
      ++pages;
      filled = 0;
    }
    filled += bytes;
  }

  EXPECT_NEAR(items_per_page(lengths, 8168), double(items) / pages, 0.005 * items / pages);
}

TEST(PageFill, LeafPagesOfAnIntegerKeyHold366Entries) {
  // pgstatindex of 100,000 integers: 274 leaf pages.
  LeafBuilder builder(8192, 90);
  for (int i = 0; i < 100'000; ++i) builder.add(16);

  EXPECT_EQ(builder.capacity() / 20, 366);
  EXPECT_GT(builder.pages(), 273);
  EXPECT_LE(builder.pages(), 274);
}

TEST(PageFill, LongEntriesEndAPageBeforeTheFillfactorDoes) {
  LeafBuilder builder(8192, 100);
  for (int i = 0; i < 9; ++i) builder.add(2704);

  EXPECT_GE(builder.pages(), 3);
}

TEST(Posting, EntryHoldsWhatATenthOfAPageHolds) {
  EXPECT_EQ(posting_capacity(16, 8192), 132);
  EXPECT_EQ(posting_capacity(24, 8192), 130);
  EXPECT_EQ(posting_capacity(2704, 8192), 1);
}

TEST(Posting, DuplicatesCostSixBytesARowAndUniqueKeysAWholeEntry) {
  const std::vector<LengthWeight> base{{16, 1}};
  const LeafShape shape;

  const double many = pages_per_group(base, 100'000, false, shape) / 100'000;
  const double one = pages_per_group(base, 1, false, shape);

  EXPECT_NEAR(1 / one, 366, 1);
  EXPECT_GT(1 / many, 1000);
  EXPECT_LT(1 / many, 1300);
}

TEST(Posting, ChanceInGroupsOfFewRowsCostsMoreThanPairs) {
  const std::vector<LengthWeight> base{{16, 1}};

  const double pairs = pages_per_group(base, 2, false, {});
  const double chance = pages_per_group(base, 2, true, {});

  EXPECT_GT(pairs, 0);
  EXPECT_NE(pairs, chance);
  EXPECT_NEAR(chance, pairs, 0.3 * pairs);
}

TEST(Posting, NothingCostsNothing) {
  EXPECT_EQ(pages_per_group({}, 10, true, {}), 0);
  const std::vector<LengthWeight> base{{16, 1}};
  EXPECT_EQ(pages_per_group(base, 0, true, {}), 0);
}

}  // namespace
}  // namespace pgtend::vacuum
