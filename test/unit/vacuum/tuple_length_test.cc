#include "vacuum/tuple_length.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

using facts::StoredColumn;
using facts::StoredStats;

StoredColumn fixed(int length, int align, double null_frac = 0) {
  StoredColumn column{.name = "c", .length = length, .align = align, .storage = 'p'};
  column.not_null = null_frac == 0;
  column.stats = StoredStats{.null_frac = null_frac, .avg_width = double(length)};
  return column;
}

// Texts of these payloads, all seen in the histogram.
StoredColumn text(std::vector<int64_t> payloads, double avg_width) {
  StoredColumn column{.name = "t", .not_null = true};
  column.stats = StoredStats{.avg_width = avg_width, .bound_lengths = std::move(payloads)};
  return column;
}

TupleLengths lengths(const std::vector<StoredColumn>& columns, const TupleShape& shape = {}) {
  auto out = tuple_lengths(columns, shape);
  EXPECT_TRUE(out) << out.error().message;
  return std::move(out).take();
}

// The only length there is.
int only(const TupleLengths& found) {
  EXPECT_EQ(found.lengths.size(), 1U);
  EXPECT_LT(found.error, 1e-9);
  EXPECT_DOUBLE_EQ(found.mean, found.lengths.at(0).bytes);
  return found.lengths.at(0).bytes;
}

TEST(TupleLength, PaddingBetweenFixedColumnsIsExact) {
  // 24 + bool 1 (+7) + bigint 8 + bool 1 (+7) + bigint 8 = 56
  EXPECT_EQ(only(lengths({fixed(1, 1), fixed(8, 8), fixed(1, 1), fixed(8, 8)})), 56);
  EXPECT_EQ(only(lengths({fixed(8, 8), fixed(8, 8), fixed(1, 1), fixed(1, 1)})), 48);
  EXPECT_EQ(only(lengths({fixed(2, 2), fixed(4, 4), fixed(1, 1)})), 40);
  EXPECT_EQ(only(lengths({})), 24);
}

TEST(TupleLength, ShortTextsHaveNoPaddingAndLongOnesDo) {
  // 24 + 1 + (32 + 1) = 58 -> 64; 24 + 1 (+3) + (200 + 4) = 232
  EXPECT_EQ(only(lengths({fixed(1, 1), text({32, 32, 32}, 33)})), 64);
  EXPECT_EQ(only(lengths({fixed(1, 1), text({200, 200}, 204)})), 232);
  EXPECT_EQ(stored_length(126), 127);
  EXPECT_EQ(stored_length(127), 131);
}

TEST(TupleLength, KnownTextLengthKeepsTheOffsetOfWhatFollows) {
  // 24 + 8 + (7 + 1) + 8: nothing is padded
  EXPECT_EQ(only(lengths({fixed(8, 8), text({7, 7, 7}, 8), fixed(8, 8)})), 48);
  // 24 + 8 + (8 + 1) (+7) + 8
  EXPECT_EQ(only(lengths({fixed(8, 8), text({8, 8, 8}, 9), fixed(8, 8)})), 56);
}

TEST(TupleLength, NullBitmapIsFreeUpToEightColumns) {
  const std::vector<StoredColumn> eight(8, fixed(4, 4, 0.5));
  const std::vector<StoredColumn> nine(9, fixed(4, 4, 0.5));

  EXPECT_EQ(lengths(eight).lengths.front().bytes, 24);
  EXPECT_EQ(lengths(nine).lengths.front().bytes, 32);
}

TEST(TupleLength, NullsAreWeighedWithTheirColumns) {
  const TupleLengths found = lengths({fixed(8, 8, 0.25)});

  ASSERT_EQ(found.lengths.size(), 2U);
  EXPECT_EQ(found.lengths[0].bytes, 24);
  EXPECT_NEAR(found.lengths[0].weight, 0.25, 1e-12);
  EXPECT_EQ(found.lengths[1].bytes, 32);
  EXPECT_NEAR(found.mean, 30, 1e-9);
}

TEST(TupleLength, DroppedColumnIsNullInEveryRow) {
  std::vector<StoredColumn> columns(9, fixed(4, 4));
  EXPECT_EQ(only(lengths(columns)), 64);  // 24 + 36, to 8
  columns[3].dropped = true;
  columns[3].stats.reset();
  EXPECT_EQ(only(lengths(columns)), 64);  // 32 + 32
}

TEST(TupleLength, IndexEntryWithNullsHasSixteenBytesOfHeader) {
  const TupleLengths found = lengths({fixed(4, 4, 0.5)}, {.index = true});

  ASSERT_EQ(found.lengths.size(), 1U);  // 16 + nothing, or 8 + 4 to 16
  EXPECT_EQ(found.lengths[0].bytes, 16);
  EXPECT_EQ(lengths({fixed(8, 8, 0.5), fixed(8, 8)}, {.index = true}).lengths.size(), 1U);
  EXPECT_EQ(only(lengths({fixed(4, 4)}, {.index = true})), 16);
}

TEST(TupleLength, ServersMeanBoundsTheMeanOfWhatWasSeen) {
  // Seen 10 to 30; the server says [20, 21) with headers.
  const TupleLengths found = lengths({text({10, 15, 20, 25, 30}, 20)});

  EXPECT_GT(found.error, 0);
  EXPECT_GT(found.mean, 24 + 20);
  EXPECT_LT(found.mean, 24 + 21 + 8);
}

TEST(TupleLength, LengthsThatContradictTheMeanAreNotBelieved) {
  // Values of 900 bytes that are stored in 40: compressed.
  const TupleLengths found = lengths({text({900, 900, 900}, 40)});

  EXPECT_LT(found.mean, 24 + 60);
  EXPECT_GT(found.error, 0.5);
}

TEST(TupleLength, ChangesSinceAnalyzeWidenTheError) {
  const std::vector<StoredColumn> columns{text({10, 20, 30, 40}, 26)};

  const double fresh = lengths(columns).error;
  const double stale = lengths(columns, {.changed = 0.5}).error;

  EXPECT_GT(stale, fresh + 2);
  EXPECT_LT(lengths({fixed(8, 8)}, {.changed = 0.9}).error, 1e-9);  // cannot change
}

TEST(TupleLength, ColumnWithoutStatisticsIsNamed) {
  StoredColumn column{.name = "mys\ntery"};

  const auto found = tuple_lengths(std::vector{column}, {});

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Invalid);
  EXPECT_NE(found.error().message.find("mys\\x0atery"), std::string::npos);
}

TEST(TupleLength, HostileStatisticsStayWithinThePage) {
  StoredColumn column = text({-5, int64_t{1} << 60}, 1e300);
  column.stats->null_frac = 7;
  column.not_null = false;

  const TupleLengths found = lengths({column, fixed(8, 8)});

  for (const LengthWeight& length : found.lengths) EXPECT_LE(length.bytes, 8192 + 32);
  EXPECT_GT(found.mean, 0);
}

}  // namespace
}  // namespace pgtend::vacuum
