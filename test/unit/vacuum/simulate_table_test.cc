#include "vacuum/simulate_table.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

// A table of 1,000 rows in 10 pages and writers that do the same all the time.
struct World {
  ModelSettings model = {.server = {.version = 150018}, .costs = {}, .assumed = {}};
  TraceTable table = {.facts = {.oid = 1,
                                .reltuples = 1000,
                                .size = {.pages = 10, .pages_known = 10, .pages_visible = 10},
                                .counters = {.present = true, .rows_live = 1000}},
                      .indexes = 1};
  TableWorkload workload = {};
  XidCurve xids = {};

  // What is written each second; no horizon is held unless `held_from` tells since when.
  void write(const Writes& each, double held_from = 1e9) {
    for (int i = 1; i <= 100; ++i) {
      const auto times = [&](double Writes::*sum) { return each.*sum * i; };
      workload.writes.add(
          i,
          {.inserted = times(&Writes::inserted),
           .updated = times(&Writes::updated),
           .updated_hot = times(&Writes::updated_hot),
           .deleted = times(&Writes::deleted),
           .live = times(&Writes::inserted) - times(&Writes::deleted),
           .dead = times(&Writes::updated) + times(&Writes::deleted),
           .changed = times(&Writes::inserted) + times(&Writes::updated) + times(&Writes::deleted)},
          0, false);
    }
    for (int i = 0; i <= 100; ++i) {
      const int64_t xid = 1'000'000'000 + 100 * i;
      xids.add(i, xid);
      const auto held = static_cast<int64_t>(1'000'000'000 + 100 * held_from);
      xids.look(i, xid, i > held_from ? held : xid);
    }
  }
  TableModel make() const { return {table, workload, xids, model}; }
};

void vacuum(TableModel& table, double ends = 0) {
  const RunWork work = table.begin_vacuum();
  if (ends > 0) table.advance(ends);
  table.end_vacuum(work);
}

TEST(VacuumModel, WritesGoIntoTheServersCounters) {
  World world;
  world.write({.inserted = 3, .updated = 5, .deleted = 1});
  TableModel table = world.make();
  table.advance(10);
  EXPECT_EQ(table.facts().counters.rows_live, 1020);
  EXPECT_EQ(table.facts().counters.rows_dead, 60);
  EXPECT_EQ(table.facts().counters.inserted_since_vacuum, 30);
  EXPECT_EQ(table.facts().counters.modified_since_analyze, 90);
  EXPECT_EQ(table.facts().reltuples, 1000);
}

TEST(VacuumModel, VacuumSetsDeadRowsAndInsertsBackButNotChanges) {
  World world;
  world.write({.inserted = 3, .updated = 5, .deleted = 1});
  TableModel table = world.make();
  table.advance(10);
  vacuum(table);
  EXPECT_EQ(table.facts().counters.rows_dead, 0);
  EXPECT_EQ(table.facts().counters.inserted_since_vacuum, 0);
  EXPECT_EQ(table.facts().counters.modified_since_analyze, 90);
  EXPECT_EQ(table.facts().counters.rows_live, 1020);
  EXPECT_EQ(table.facts().reltuples, 1020);
  EXPECT_EQ(table.rows_dead_true(), 0);
}

TEST(VacuumModel, AnalyzeCountsRowsAnewAndSetsChangesBack) {
  World world;
  world.write({.updated = 5, .deleted = 1});
  world.table.facts.counters.rows_dead = 40;
  TableModel table = world.make();
  table.advance(10);
  table.end_analyze();
  EXPECT_EQ(table.facts().counters.rows_dead, 100);
  EXPECT_EQ(table.facts().counters.modified_since_analyze, 0);
  EXPECT_EQ(table.facts().reltuples, 990);
  table.reset();
  EXPECT_EQ(table.facts().counters.rows_dead, 0);
  table.end_analyze();
  EXPECT_EQ(table.facts().counters.rows_dead, 100) << "the rows are still there";
}

TEST(VacuumModel, RowsThatAHolderKeepsStayDead) {
  World world;
  world.write({.updated = 5}, 4);
  TableModel table = world.make();
  table.advance(10);
  const RunWork work = table.begin_vacuum();
  EXPECT_EQ(work.rows_removed, 20);
  table.end_vacuum(work);
  EXPECT_EQ(table.facts().counters.rows_dead, 30);
  table.advance(12);
  EXPECT_EQ(table.facts().counters.rows_dead, 40);
  EXPECT_EQ(table.begin_vacuum().rows_removed, 0);
}

TEST(VacuumModel, RowsThatDieBehindTheScanAreNotCounted) {
  World world;
  world.write({.inserted = 5, .updated = 5});
  TableModel table = world.make();
  table.advance(10);
  vacuum(table, 20);
  EXPECT_EQ(table.facts().counters.rows_dead, 25) << "half of those that died meanwhile";
  EXPECT_EQ(table.rows_dead_true(), 50);
  EXPECT_EQ(table.facts().counters.inserted_since_vacuum, 0) << "lost to the counter";
  table.end_analyze();
  EXPECT_EQ(table.facts().counters.rows_dead, 50);
}

TEST(VacuumModel, ARowCounterThatCountsTwiceIsNotBelieved) {
  World world;
  world.write({});
  world.table.facts.counters.rows_live = 2000;
  TableModel table = world.make();
  EXPECT_EQ((table.advance(1), table.facts().counters.rows_live), 2000) << "as the server shows it";
  table.end_analyze();
  EXPECT_EQ(table.facts().counters.rows_live, 1000);
}

TEST(VacuumModel, FewDeadRowsBypassTheIndexesFrom14On) {
  World world;
  world.table.facts.reltuples = 100'000;
  world.table.facts.counters.rows_live = 100'000;
  world.table.facts.size = {.pages = 1000, .pages_known = 1000, .pages_visible = 1000};
  world.write({.deleted = 1});
  TableModel table = world.make();
  table.advance(15);
  const RunWork few = table.begin_vacuum();
  EXPECT_TRUE(few.bypass);
  EXPECT_EQ(few.index_passes, 0);
  table.end_vacuum(few);
  EXPECT_EQ(table.facts().counters.rows_dead, 0);
  table.end_analyze();
  EXPECT_EQ(table.facts().counters.rows_dead, 15) << "ANALYZE counts what was left";
  table.advance(60);
  const RunWork more = table.begin_vacuum();
  EXPECT_FALSE(more.bypass);
  EXPECT_EQ(more.tids, 60) << "with those that were left";
  EXPECT_EQ(more.index_passes, 1);

  world.model.server.version = 130010;
  TableModel older = world.make();
  older.advance(15);
  EXPECT_FALSE(older.begin_vacuum().bypass);
  world.table.indexes = 0;
  EXPECT_EQ(world.make().begin_vacuum().tids, 0);
}

TEST(VacuumModel, HotRowsNeedNoIndexPass) {
  World world;
  world.write({.updated = 5, .updated_hot = 4});
  TableModel table = world.make();
  table.advance(10);
  EXPECT_EQ(table.begin_vacuum().tids, 10);
}

TEST(VacuumModel, DeadItemsInMemoryByVersion) {
  ModelSettings model;
  model.costs.memory_kb = 65'536;
  model.server.version = 160004;
  EXPECT_NEAR(tids_max(model, 25), 11.18e6, 0.01e6);
  EXPECT_EQ(std::ceil(2e9 / tids_max(model, 25)), 179);
  model.costs.autovacuum_memory_kb = int64_t{4} << 20;
  EXPECT_EQ(std::ceil(2e9 / tids_max(model, 25)), 12) << "the array is at most 1 GB";
  model.server.version = 170000;
  EXPECT_EQ(std::ceil(2e9 / tids_max(model, 25)), 1);
  model.costs.autovacuum_memory_kb = -1;
  EXPECT_EQ(std::ceil(2e9 / tids_max(model, 25)), 41) << "a bitmap for each of 80 M pages";
  // Seen on 17: 44,118 pages with 630,557 dead rows took two passes with 1 MB and one with 4 MB.
  model.costs.memory_kb = 1024;
  EXPECT_EQ(std::ceil(630'557 / tids_max(model, 630'557.0 / 44'118)), 2);
  model.costs.memory_kb = 4096;
  EXPECT_EQ(std::ceil(630'557 / tids_max(model, 630'557.0 / 44'118)), 1);
}

TEST(VacuumModel, AGiantTableTakesHoursAtTheCostCeiling) {
  ModelSettings model;
  model.assumed.cached = 0;
  const auto minutes = [&](const RunWork& work) {
    const double per_s = model.costs.effective_limit() / model.costs.effective_delay_ms() * 1000;
    return work.cost_units(model) / per_s / 60;
  };
  const double heap = 78.7e6;
  EXPECT_NEAR(minutes({.pages_read = heap}), 26, 0.5) << "one scan";
  EXPECT_NEAR(minutes({.pages_read = heap, .pages_dirtied = heap}) / 60, 4.8, 0.1) << "frozen";
  EXPECT_NEAR(minutes({.pages_read = 38.2e6}), 12.7, 0.1) << "one pass over its index";
  EXPECT_NEAR(minutes({.pages_read = 38.2e6, .pages_dirtied = 38.2e6}) / 60, 2.3, 0.1);
  model.costs = facts::default_vacuum_costs(130000);
  EXPECT_NEAR(minutes({.pages_read = heap}), 131, 1) << "a page missed costs five times as much";
}

TEST(VacuumModel, EstimatedRowsByTheServersRule) {
  EXPECT_EQ(estimated_rows({.pages = 10, .scanned = 10, .counted = 77}, 150000), 77);
  EXPECT_EQ(estimated_rows({.pages = 10, .scanned = 0, .rows_before = 5}, 150000), 5);
  EXPECT_EQ(estimated_rows({.pages = 10, .scanned = 5, .counted = 50}, 150000), 100);
  const RowEstimate grown = {
      .pages = 20, .scanned = 5, .counted = 40, .pages_before = 10, .rows_before = 1000};
  EXPECT_EQ(estimated_rows(grown, 150000), 1540);
  const RowEstimate few = {
      .pages = 1000, .scanned = 10, .counted = 5, .pages_before = 1000, .rows_before = 9000};
  EXPECT_EQ(estimated_rows(few, 150000), 9000);
  EXPECT_EQ(estimated_rows(few, 130000), 8915);
}

TEST(VacuumModel, OnlyRunsOf32CleanPagesAreSkipped) {
  EXPECT_EQ(pages_not_skipped(31, 0), 31);
  EXPECT_EQ(pages_not_skipped(1000, 0), 0);
  EXPECT_EQ(pages_not_skipped(1000, 1000), 1000);
  EXPECT_NEAR(pages_not_skipped(100'000, 1000), 5000, 1500) << "few touched: most is skipped";
  EXPECT_GT(pages_not_skipped(1000, 200), 990) << "a fifth touched: hardly a run is left";
}

TEST(VacuumModel, AgesForceFreezeAndFailsafe) {
  World world;
  world.write({});
  world.table.facts.size.pages_visible = 10;
  world.table.facts.xid_age = 160'000'000;
  TableModel old = world.make();
  old.advance(1);
  EXPECT_TRUE(old.begin_vacuum().aggressive);
  EXPECT_EQ(old.begin_vacuum().pages_scanned, 10) << "also pages that are visible to all";
  vacuum(old);
  EXPECT_NEAR(old.xid_age(), 50e6, 1000);
  EXPECT_EQ(old.begin_vacuum().aggressive, false);

  world.table.facts.xid_age = 1'650'000'000;
  TableModel ancient = world.make();
  EXPECT_TRUE(ancient.begin_vacuum().failsafe);
  EXPECT_EQ(ancient.begin_vacuum().cost_units(world.model), 0);
  world.model.server.version = 130010;
  EXPECT_FALSE(world.make().begin_vacuum().failsafe);

  world.table.facts.xid_age = 100'000'000;
  EXPECT_FALSE(world.make().begin_vacuum().aggressive);
  world.table.facts.options["autovacuum_freeze_table_age"] = "90000000";
  EXPECT_TRUE(world.make().begin_vacuum().aggressive);
}

TEST(VacuumModel, CostsAreThoseOfPagesAndTablesMayHaveTheirOwn) {
  World world;
  world.write({});
  const RunWork work = {.pages_read = 100, .pages_dirtied = 10};
  world.model.assumed.cached = 0;
  EXPECT_EQ(work.cost_units(world.model), 100 * 2 + 10 * 20);
  world.model.assumed.cached = 1;
  EXPECT_EQ(work.cost_units(world.model), 100 + 10 * 20);
  EXPECT_FALSE(world.make().own_costs());
  world.table.facts.options["autovacuum_vacuum_cost_limit"] = "1000";
  EXPECT_TRUE(world.make().own_costs());
  EXPECT_EQ(world.make().cost_limit(), 1000);
  EXPECT_EQ(world.make().delay_ms(), 2);
}

}  // namespace
}  // namespace pgtend::vacuum
