#include "pool/queries.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "pool/shape.h"

namespace pgtend::pool {
namespace {

class QueriesOfOnePool : public testing::Test {
 protected:
  void call(const std::string& sql, const QueryEnd& end = {}) {
    now_ += seconds(1);
    queries_.end(owner_, queries_.begin(owner_, shape_of(sql), sql, now_), end, now_);
  }
  // The figures of one shape; those of all without one for "".
  QueryFigures of(const std::string& sql) const {
    const uint64_t shape = sql.empty() ? 0 : shape_of(sql);
    for (const QueryFigures& figures : queries_.figures()) {
      if (figures.shape == shape) return figures;
    }
    return {};
  }
  uint64_t calls_of_all() const {
    QueryCounts sum;
    for (const QueryFigures& figures : queries_.figures()) sum.add(figures.counts);
    return sum.calls;
  }

  Queries queries_;
  Queries::Owner owner_{"meter", "ann"};
  SteadyTime now_{};
};

TEST_F(QueriesOfOnePool, CallsOfOneShapeCountTogether) {
  call("select 1", {.rows = 1, .bytes = 60, .time = microseconds(100)});
  call("select 2", {.failed = true, .rows = 2, .bytes = 40, .time = microseconds(300)});

  const QueryFigures figures = of("select 3");
  EXPECT_EQ(figures.text, "select $1");
  EXPECT_EQ(figures.counts.calls, 2u);
  EXPECT_EQ(figures.counts.errors, 1u);
  EXPECT_EQ(figures.counts.rows, 3u);
  EXPECT_EQ(figures.counts.bytes, 100u);
  EXPECT_EQ(figures.counts.time_us, 400u);
  EXPECT_EQ(figures.times.max(), 300);
  EXPECT_EQ(figures.last_seen - figures.first_seen, seconds(1));
}

TEST_F(QueriesOfOnePool, OwnersAreToldApart) {
  const Queries::Owner other{"meter", "bob"};
  call("select 1");
  const uint64_t key = queries_.begin(other, shape_of("select 1"), "select 1", now_);
  queries_.end(other, key, {}, now_);

  EXPECT_EQ(queries_.figures().size(), 2u);
}

TEST_F(QueriesOfOnePool, SumsStayExactWhenShapesAreTooMany) {
  for (int i = 0; i < 3000; ++i) call(cat("select c", i));

  EXPECT_EQ(calls_of_all(), 3000u);
  EXPECT_LE(queries_.figures().size(), Queries::kShapesMax + 1);
  EXPECT_GT(of("").counts.calls, 0u);
}

TEST_F(QueriesOfOnePool, FrequentNewcomerTakesTheRaresPlace) {
  for (size_t i = 0; i < Queries::kShapesMax; ++i) call(cat("select c", i));

  for (int i = 0; i < 100; ++i) call("select frequent");

  EXPECT_GT(of("select frequent").counts.calls, 90u);
  EXPECT_EQ(calls_of_all(), Queries::kShapesMax + 100);
}

TEST_F(QueriesOfOnePool, FrequentOnesKeepTheirPlaceAgainstRareOnes) {
  for (int i = 0; i < 1000; ++i) call("select frequent");

  for (int i = 0; i < 5000; ++i) call(cat("select c", i));

  EXPECT_EQ(of("select frequent").counts.calls, 1000u);
}

TEST_F(QueriesOfOnePool, EndOfAnUnknownCallCountsWithTheOthers) {
  queries_.end(owner_, 0, {.rows = 7}, now_);

  EXPECT_EQ(of("").counts.rows, 7u);
}

TEST(QueryEvents, LoadsAndSchemaChangesAreKept) {
  const Queries::Owner owner{"meter", "ann"};
  Events events;
  events.note_command(owner, "COPY 5000", 5000, "copy t_dlpdata from stdin", {});
  events.note_command(owner, "ALTER TABLE", 0, "alter table s.t add x int", {});

  EXPECT_FALSE(Events::matters("INSERT 0 1", 1));
  EXPECT_FALSE(Events::matters("SELECT 5000", 5000));
  EXPECT_TRUE(Events::matters("INSERT 0 5000", 5000));
  EXPECT_TRUE(Events::matters("DROP TABLE", 0));
  ASSERT_EQ(events.all().size(), 2u);
  EXPECT_EQ(events.all()[0].command, "COPY");
  EXPECT_EQ(events.all()[0].target, "t_dlpdata");
  EXPECT_EQ(events.all()[0].rows, 5000u);
  EXPECT_EQ(events.all()[1].command, "ALTER TABLE");
  EXPECT_EQ(events.all()[1].target, "s.t");
}

TEST(QueryEvents, OldOnesGo) {
  Events events;
  for (uint64_t i = 0; i < Events::kKept + 5; ++i) events.add({.rows = i});

  EXPECT_EQ(events.all().size(), Events::kKept);
  EXPECT_EQ(events.all().front().rows, 5u);
}

TEST(QueryEvents, RowsStandAtTheEndOfATag) {
  EXPECT_EQ(rows_of_tag("INSERT 0 12"), 12u);
  EXPECT_EQ(rows_of_tag("SELECT 3"), 3u);
  EXPECT_EQ(rows_of_tag("BEGIN"), 0u);
  EXPECT_EQ(rows_of_tag("CREATE TABLE"), 0u);
  EXPECT_EQ(rows_of_tag("x99"), 0u);
  EXPECT_EQ(rows_of_tag("X 99999999999999999999999"), 0u);
  EXPECT_EQ(rows_of_tag(""), 0u);
}

}  // namespace
}  // namespace pgtend::pool
