#include "facts/layout.h"

#include <gtest/gtest.h>

namespace pgtend::facts {
namespace {

StoredColumn stored(int length, bool not_null) {
  StoredColumn out{.name = "c"};
  out.length = length;
  out.not_null = not_null;
  return out;
}

TEST(Layout, FixedLengthThatIsAlwaysThereNeedsNoStatistics) {
  EXPECT_FALSE(stored(8, true).unseen());
  EXPECT_TRUE(stored(8, false).unseen()) << "who knows how many are NULL";
  EXPECT_TRUE(stored(-1, true).unseen());
  EXPECT_TRUE(stored(-2, true).unseen());
}

TEST(Layout, StatisticsTellAndDroppedColumnsDoNotMatter) {
  StoredColumn text = stored(-1, false);
  text.stats = StoredStats{.avg_width = 7};
  EXPECT_FALSE(text.unseen());
  StoredColumn gone = stored(-1, false);
  gone.dropped = true;
  EXPECT_FALSE(gone.unseen());
}

TEST(Layout, AMissingRightMakesAnyColumnUnseen) {
  StoredColumn key = stored(8, true);
  key.grant = "GRANT SELECT ON app.t TO me";
  EXPECT_TRUE(key.unseen());
}

TEST(Layout, NamesOfIndexesAreQuotedWhereNeeded) {
  EXPECT_EQ((StoredIndex{.schema = "app", .name = "t_pkey"}.qualified()), "app.t_pkey");
  EXPECT_EQ((StoredIndex{.schema = "App", .name = "t \"x\""}.qualified()),
            "\"App\".\"t \"\"x\"\"\"");
}

TEST(Layout, SampleIsThreeHundredRowsForEachPointOfTheTarget) {
  EXPECT_EQ(Layouts{}.sample_rows(), 30'000);
  Layouts large;
  large.statistics_target = 1'000;
  EXPECT_EQ(large.sample_rows(), 300'000);
}

}  // namespace
}  // namespace pgtend::facts
