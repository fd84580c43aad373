#include "vacuum/workload.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

TEST(VacuumWorkload, FarSamplesAreJoinedEvenlyAndCloseOnesJump) {
  WriteCurve curve;
  curve.add(100, {.inserted = 10, .dead = 50}, 0, false);
  curve.add(101, {.inserted = 20, .dead = 60}, 100, true);
  EXPECT_EQ(curve.at(50).inserted, 5);
  EXPECT_EQ(curve.dead_at(50), 25);
  EXPECT_EQ(curve.at(100.9).inserted, 10);
  EXPECT_EQ(curve.at(101).inserted, 20);
  EXPECT_EQ(curve.at(500).inserted, 20);
  EXPECT_EQ(curve.at(-5).inserted, 0);
}

TEST(VacuumWorkload, ATableThatSamplesDoNotNameWasNotWrittenTo) {
  WriteCurve curve;
  curve.add(10, {.inserted = 10}, 0, false);
  curve.add(100, {.inserted = 20}, 90, false);
  EXPECT_EQ(curve.at(90).inserted, 10);
  EXPECT_EQ(curve.at(95).inserted, 15);
}

TEST(VacuumWorkload, WithoutAHolderAllThatDiedIsRemovable) {
  XidCurve xids;
  for (int i = 0; i <= 10; ++i) {
    xids.add(i, 100 + 10 * i);
    xids.look(i, 100 + 10 * i, 100 + 10 * i - 3);
  }
  EXPECT_EQ(xids.xid_at(2.5), 125);
  EXPECT_EQ(xids.rate(), 10);
  EXPECT_NEAR(xids.removable_until(10.5), 10.5, 0.5);
}

TEST(VacuumWorkload, AHolderKeepsWhatDiedSinceItsTransaction) {
  XidCurve xids;
  for (int i = 0; i <= 20; ++i) {
    xids.add(i, 100 + 10 * i);
    const bool held = i >= 5 && i < 15;
    xids.look(i, 100 + 10 * i, held ? 145 : 100 + 10 * i);
  }
  EXPECT_EQ(xids.removable_until(4.2), 4.2);
  EXPECT_EQ(xids.removable_until(4.8), 4.5) << "it had come by then";
  EXPECT_EQ(xids.removable_until(10), 4.5);
  EXPECT_EQ(xids.removable_until(14.5), 4.5) << "nobody saw it leave";
  EXPECT_EQ(xids.removable_until(15.5), 15.5);
}

TEST(VacuumWorkload, AHolderFromBeforeTheTraceKeepsAll) {
  XidCurve xids;
  for (int i = 0; i <= 3; ++i) {
    xids.add(i, 100 + 10 * i);
    xids.look(i, 100 + 10 * i, 50);
  }
  EXPECT_LT(xids.removable_until(2.5), 0);
}

TEST(VacuumWorkload, XidsThatNobodyTakesDoNotHoldRows) {
  XidCurve xids;
  xids.add(0, 100);
  xids.add(10, 100);
  xids.look(0, 100, 100);
  xids.look(10, 100, 100);
  EXPECT_EQ(xids.removable_until(5), 5);
  EXPECT_EQ(xids.time_of(100), 10) << "what was read late has died before it";
  EXPECT_EQ(xids.time_of(99), -1);
}

TEST(VacuumWorkload, EventsAndSizesOfATraceGoToTheirTable) {
  Trace trace;
  trace.tables.push_back({.facts = {.oid = 7}});
  trace.tables.push_back({.facts = {.oid = 9}});
  trace.samples.push_back({.at = 10,
                           .tables = {{.oid = 9,
                                       .writes = {.inserted = 4},
                                       .pages = 3,
                                       .reset = true,
                                       .vacuum_at = 6.0,
                                       .analyze_at = 5.0},
                                      {.oid = 8}}});
  const Workload workload = workload_of(trace);
  EXPECT_TRUE(workload.tables[0].events.empty());
  const TableWorkload& table = workload.tables[1];
  ASSERT_EQ(table.events.size(), 3U);
  EXPECT_EQ(table.events[0].kind, TableEvent::Kind::Analyze);
  EXPECT_EQ(table.events[1].kind, TableEvent::Kind::Vacuum);
  EXPECT_EQ(table.events[2].kind, TableEvent::Kind::Reset);
  EXPECT_EQ(table.pages[0].second, 3);
  EXPECT_EQ(table.writes.at(10).inserted, 4);
}

}  // namespace
}  // namespace pgtend::vacuum
