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
