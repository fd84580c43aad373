#include "vacuum/loads.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

facts::TableChanges table_of(uint32_t oid, double rows, int64_t modified, uint32_t parent = 0) {
  return {.oid = oid,
          .table = "public.t" + std::to_string(oid),
          .parent = parent,
          .rows = rows,
          .modified = modified,
          .maintain = true};
}
facts::TableChanges parent_of(uint32_t oid, uint32_t parent = 0) {
  facts::TableChanges out = table_of(oid, 0, 0, parent);
  out.partitioned = true;
  return out;
}

class LoadsTest : public ::testing::Test {
 protected:
  std::string due() const {
    std::string out;
    for (const auto& table : loads_.due(now_, [this](uint32_t) { return rising_; }))
      out += (out.empty() ? "" : " ") + table.table;
    return out;
  }
  void look(const std::vector<facts::TableChanges>& tables) { loads_.look(tables, now_); }
  void analysed(uint32_t oid, milliseconds took = milliseconds(100), bool well = true) {
    loads_.analysed(oid, took, well, now_);
  }

  Loads loads_;
  SteadyTime now_{};
  bool rising_ = false;
};

TEST_F(LoadsTest, ThreeInAHundredRowsAreEnough) {
  look({table_of(1, 300'000, 9'000), table_of(2, 300'000, 9'001), table_of(3, 1'000, 999)});
  EXPECT_EQ(due(), "public.t2");
}

facts::TableChanges grown(uint32_t oid, double rows, int64_t modified, int64_t inserted) {
  facts::TableChanges out = table_of(oid, rows, modified);
  out.inserted = inserted;
  return out;
}

TEST_F(LoadsTest, OneInAThousandIsEnoughForNewRowsWhereAColumnRises) {
  look({grown(1, 1'000'000, 0, 50'000), grown(2, 1'000'000, 0, 50'000), table_of(3, 5e5, 0)});
  look({grown(1, 1'000'000, 1'001, 51'001),  // inserted
        grown(2, 1'000'000, 1'001, 50'000),  // updated
        grown(3, 500'000, 999, 999)});       // too few
  EXPECT_EQ(due(), "");
  rising_ = true;
  EXPECT_EQ(due(), "public.t1");
  analysed(1);
  now_ += seconds(100);
  look({grown(1, 1'000'000, 0, 51'001), grown(2, 1'000'000, 1'001, 50'000)});
  EXPECT_EQ(due(), "");
  look({grown(1, 1'000'000, 2'000, 52'000), grown(2, 1'000'000, 1'001, 50'000)});
  EXPECT_EQ(due(), "") << "999 of the 2,000 changes are new rows";
}

TEST_F(LoadsTest, NewRowsOfPartitionsAreNewRowsOfTheirParent) {
  rising_ = true;
  const auto partition = [](int64_t modified, int64_t inserted) {
    facts::TableChanges out = grown(2, 1'000'000, modified, inserted);
    out.parent = 1;
    return out;
  };
  look({parent_of(1), partition(0, 0)});
  look({parent_of(1), partition(5'000, 500)});
  EXPECT_EQ(due(), "");
  look({parent_of(1), partition(7'000, 2'500)});
  EXPECT_EQ(due(), "public.t1 public.t2");
}

TEST_F(LoadsTest, TablesOfOthersAreNotTouched) {
  auto table = table_of(1, 1'000, 10'000);
  table.maintain = false;
  look({table});
  EXPECT_EQ(due(), "");
}

TEST_F(LoadsTest, PoolersWordComesBeforeTheCounters) {
  look({table_of(1, 300'000, 0)});
  loads_.loaded(1, 10'000);
  loads_.loaded(77, 10'000);
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, LateCountersAreNoSecondLoad) {
  look({table_of(1, 300'000, 0)});
  loads_.loaded(1, 10'000);
  analysed(1);
  now_ += seconds(5);
  look({table_of(1, 310'000, 10'000)});
  EXPECT_EQ(due(), "");
  look({table_of(1, 310'000, 19'301)});  // 9,301 more are 3 %
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, CountersThatNeverComeAreNotWaitedForLong) {
  look({table_of(1, 300'000, 0)});
  loads_.loaded(1, 10'000);
  analysed(1);
  now_ += seconds(61);
  look({table_of(1, 310'000, 10'000)});
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, ResetByAnothersAnalyzeIsUnderstood) {
  look({table_of(1, 300'000, 10'000)});
  EXPECT_EQ(due(), "public.t1");
  look({table_of(1, 310'000, 0)});
  EXPECT_EQ(due(), "");
  look({table_of(1, 310'000, 10'000)});
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, AnalyzeTakesATwentiethOfTheTime) {
  look({table_of(1, 300'000, 10'000)});
  analysed(1, seconds(3));
  now_ += milliseconds(59'900);
  look({table_of(1, 300'000, 10'000)});
  EXPECT_EQ(due(), "");
  now_ += milliseconds(200);
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, FailureIsTriedAgain) {
  look({table_of(1, 300'000, 10'000)});
  analysed(1, milliseconds(0), false);
  EXPECT_EQ(due(), "");
  now_ += seconds(1);
  EXPECT_EQ(due(), "public.t1");
}

TEST_F(LoadsTest, PartitionsCountForAllTheirParents) {
  look({parent_of(1), parent_of(2, 1), table_of(3, 100'000, 0, 2), table_of(4, 200'000, 0, 1)});
  EXPECT_EQ(due(), "");
  look({parent_of(1), parent_of(2, 1), table_of(3, 100'000, 4'000, 2), table_of(4, 200'000, 0, 1)});
  EXPECT_EQ(due(), "public.t2 public.t3");  // 4 % of the middle one, 1.3 % of the top
  analysed(3);
  analysed(2);
  now_ += seconds(100);
  look({parent_of(1), parent_of(2, 1), table_of(3, 100'000, 0, 2), table_of(4, 200'000, 6'000, 1)});
  EXPECT_EQ(due(), "public.t1");  // 10,000 of 300,000; the partition has exactly 3 %
}

TEST_F(LoadsTest, LoadByWayOfTheParentCountsOnce) {
  look({parent_of(1), table_of(2, 100'000, 0, 1)});
  loads_.loaded(1, 10'000);
  EXPECT_EQ(due(), "public.t1");
  analysed(1);
  now_ += seconds(5);
  look({parent_of(1), table_of(2, 110'000, 10'000, 1)});
  EXPECT_EQ(due(), "public.t2");
}

TEST_F(LoadsTest, DroppedTablesAreForgotten) {
  look({table_of(1, 300'000, 10'000)});
  look({});
  EXPECT_EQ(due(), "");
}

}  // namespace
}  // namespace pgtend::vacuum
