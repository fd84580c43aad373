#include "vacuum/eta.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

facts::Running scanning(int64_t scanned, int64_t dead, double full, int64_t passes = 0) {
  facts::Running out{.command = "VACUUM", .phase = "scanning heap", .runs_s = 100};
  out.work = facts::VacuumWork{.heap_total = 10'000,
                               .heap_scanned = scanned,
                               .passes = passes,
                               .dead = dead,
                               .dead_full = full,
                               .index_pages = 3'000};
  return out;
}

TEST(Eta, PassesToComeAreThoseThatTheRowsSeenLetExpect) {
  // A quarter of the table has filled the memory once and a half: six passes in all.
  auto running = scanning(2'500, 500'000, 0.5, 1);

  const auto left = eta(running, 150000);

  EXPECT_EQ(left->passes_left, 5);
  EXPECT_EQ(left->pages_done, 5'500);
  EXPECT_EQ(left->pages_left, 7'500 + 5 * 3'000 + 10'000);
  EXPECT_DOUBLE_EQ(*left->left_s, 32'500.0 / 55);
}

TEST(Eta, FewDeadRowsLeaveTheIndexesAloneFrom14On) {
  const auto running = scanning(5'000, 90, 0.01);

  EXPECT_EQ(eta(running, 140000)->passes_left, 0);
  EXPECT_EQ(eta(running, 140000)->pages_left, 5'000);
  EXPECT_EQ(eta(running, 130000)->passes_left, 1);
  EXPECT_EQ(eta(scanning(5'000, 100, 0.01), 140000)->passes_left, 1);
}

TEST(Eta, CleanTableIsReadOnce) {
  EXPECT_EQ(eta(scanning(9'000, 0, 0), 180000)->pages_left, 1'000);
}

TEST(Eta, IndexPassCountsItsIndexesWhereTheServerTells) {
  auto running = scanning(10'000, 1'000'000, 0.3);
  running.phase = "vacuuming indexes";
  EXPECT_EQ(eta(running, 150000)->pages_left, 3'000 + 10'000);
  running.work->indexes_total = 3;
  running.work->indexes_done = 2;
  EXPECT_EQ(eta(running, 180000)->pages_left, 1'000 + 10'000);
}

TEST(Eta, LastPhasesAreNearlyDone) {
  auto running = scanning(10'000, 0, 0, 1);
  running.work->heap_vacuumed = 4'000;
  running.phase = "vacuuming heap";
  EXPECT_EQ(eta(running, 150000)->pages_left, 6'000);
  running.work->heap_vacuumed = 10'000;
  running.phase = "cleaning up indexes";
  EXPECT_EQ(eta(running, 150000)->pages_left, 3'000);
  running.phase = "truncating heap";
  EXPECT_EQ(eta(running, 150000)->pages_left, 0);
  EXPECT_DOUBLE_EQ(eta(running, 150000)->share(), 1);
}

TEST(Eta, PaceIsThatBetweenTwoLooksIfAnythingMoved) {
  const auto before = scanning(1'000, 0, 0);
  const auto now = scanning(2'000, 0, 0);

  EXPECT_DOUBLE_EQ(*eta(now, 150000, &before, 2)->left_s, 8'000.0 / 500);
  EXPECT_DOUBLE_EQ(*eta(now, 150000, &now, 2)->left_s, 8'000.0 / 20);
}

TEST(Eta, UnseenWorkHasNone) {
  EXPECT_FALSE(eta({.command = "VACUUM"}, 150000));
  auto fresh = scanning(0, 0, 0);
  EXPECT_FALSE(eta(fresh, 150000)->left_s);
}

}  // namespace
}  // namespace pgtend::vacuum
