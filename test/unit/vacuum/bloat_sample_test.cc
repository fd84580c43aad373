#include "vacuum/bloat_sample.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

using facts::StoredColumn;

const StoredColumn kInteger{.length = 4, .align = 4, .storage = 'p', .not_null = true};
const StoredColumn kNullable{.length = 8, .align = 8, .storage = 'p'};
const StoredColumn kText{};
const StoredColumn kDropped{.dropped = true};

TEST(RowLength, AsksOnlyForWhatVaries) {
  const std::vector<StoredColumn> columns{kInteger, kNullable, kDropped, kText};
  const RowLength row(columns, 8192);

  EXPECT_EQ(row.asked(), (std::vector<size_t>{1, 3}));
  EXPECT_EQ(row.length_of({8, 10}), 24 + 32);   // 4 (+4) 8 10
  EXPECT_EQ(row.length_of({-1, 10}), 24 + 16);  // 4 10
  EXPECT_EQ(row.length_of({-1, 204}), 24 + 208);
  EXPECT_EQ(row.length_of({-1, -1}), 24 + 8);
}

TEST(RowLength, LongValuesGoToToastUntilTheRowIsShort) {
  const std::vector<StoredColumn> columns{kText, kText};
  const RowLength row(columns, 8192);

  EXPECT_EQ(row.length_of({1004, 1000}), 24 + 2008);  // 2032 is the limit
  EXPECT_EQ(row.length_of({6004, 100}), 24 + 120);    // 18 + 100
  EXPECT_EQ(row.length_of({6004, 9000}), 24 + 40);    // both are out
  EXPECT_EQ(row.length_of({1204, 1604}), 24 + 1224);  // the longer one: 1204 + 18
}

TEST(RowLength, PlainValuesStayHoweverLong) {
  StoredColumn plain = kText;
  plain.storage = 'p';
  const std::vector<StoredColumn> columns{plain};

  EXPECT_EQ(RowLength(columns, 8192).length_of({5000}), 24 + 5000);
  EXPECT_EQ(RowLength(columns, 8192).length_of({int64_t{1} << 40}), 8192);
}

TEST(RowLength, TellsWhatGoesOutLongestFirst) {
  const std::vector<StoredColumn> columns{kText, kText, kText};
  const RowLength row(columns, 8192);
  std::vector<int64_t> moved;

  EXPECT_EQ(row.length_of({1000, 3000, 2500}, moved), 24 + 1040);  // 1000 (+0) 18 18
  EXPECT_EQ(moved, (std::vector<int64_t>{3000, 2500}));
  row.length_of({10, 20, 30}, moved);
  EXPECT_EQ(moved, std::vector<int64_t>{});
}

TEST(RowLength, TargetOfTheTableHoldsForRowsThatAreTooLong) {
  const std::vector<StoredColumn> columns{kText, kText};
  const RowLength row(columns, 8192, 256);

  EXPECT_EQ(row.length_of({1004, 900}), 24 + 1904);  // up to 2032 nothing goes out
  EXPECT_EQ(row.length_of({1004, 1100}), 24 + 40);
}

TEST(RowLength, RowsAtTheThresholdAreUnsure) {
  const std::vector<StoredColumn> columns{kText, kText};
  const RowLength row(columns, 8192);

  EXPECT_EQ(row.unsure({1000, 990}), 0);           // 2016: with both headers 2024
  EXPECT_EQ(row.unsure({1004, 1000}), 2004 + 72);  // 2032: with them 2040
  EXPECT_EQ(row.unsure({1204, 1604}), 0);          // out for sure
}

TEST(Chunks, ValuesAreCutAndTheRestIsShort) {
  std::vector<int> chunks;
  for_each_chunk(2 * 1996 + 10, 8192, [&](int bytes) { chunks.push_back(bytes); });

  EXPECT_EQ(chunks, (std::vector<int>{2032, 2032, 48}));
}

TEST(RowTally, ChunksInTheirOrderFillPagesAsTheyCome) {
  RowTally tally(8168);
  for (int64_t block = 0; block < 100; ++block) {
    for (const int bytes : {2032, 48, 2032, 48, 2032, 48}) tally.add(block, bytes);
  }

  // Three values a page: the fourth does not fit. By chance more would.
  EXPECT_EQ(tally.packed(), 100);
  EXPECT_NEAR(tally.projected(100, 1000, true).best, 1000, 3);
  EXPECT_LT(tally.projected(100, 1000).best, 990);
}

TEST(RowTally, PacksRowsInTheirOrder) {
  RowTally tally(100);
  for (const int bytes : {40, 40, 40, 200, 40}) tally.add(1, bytes);

  EXPECT_EQ(tally.rows(), 5);
  EXPECT_EQ(tally.packed(), 4);  // 2, 1, the long one alone, 1
}

TEST(RowTally, EqualBlocksProjectWithoutDoubt) {
  RowTally tally(8168);
  for (int64_t block = 0; block < 50; ++block) {
    for (int row = 0; row < 113; ++row) tally.add(block, 32);
  }

  const Interval half = tally.projected(50, 1000);

  EXPECT_NEAR(half.best, 500, 1);  // 226 fit
  EXPECT_LE(half.high - half.low, 6);
}

TEST(RowTally, BlocksWithoutRowsCountAndWidenTheInterval) {
  RowTally tally(8168);
  for (int64_t block = 0; block < 50; ++block) {
    for (int row = 0; row < 226; ++row) tally.add(block * 2, 32);
  }

  const Interval found = tally.projected(100, 10'000);

  EXPECT_NEAR(found.best, 5000, 2);
  EXPECT_LT(found.low, 4000);
  EXPECT_GT(found.high, 6000);
  EXPECT_EQ(RowTally(8168).projected(10, 100).high, 0);
}

}  // namespace
}  // namespace pgtend::vacuum
