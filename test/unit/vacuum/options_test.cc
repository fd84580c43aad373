#include "vacuum/options.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

facts::TableFacts table_of(int64_t pages) {
  facts::TableFacts table{.oid = 7, .schema = "public", .name = "t", .reltuples = 1e6};
  table.size.pages = pages;
  table.size.heap = Bytes{pages * 8192};
  table.counters = {.present = true, .rows_live = 1'000'000, .inserted = 1'000'000, .updated = 10};
  table.rights = {.owner = true, .maintain = true, .select = true};
  return table;
}

facts::Upkeep upkeep_of(int64_t indexes_big) {
  facts::Upkeep upkeep{.shared_buffers = 8_GiB, .plpgsql = true};
  upkeep.parallel_workers_max = 4;
  upkeep.parallel_index_min = 512_KiB;
  upkeep.indexes_big[7] = indexes_big;
  return upkeep;
}

std::string words(const std::vector<Option>& options) {
  std::vector<std::string> out;
  for (const Option& option : options) {
    EXPECT_FALSE(option.why.empty()) << option.sql;
    out.push_back(option.sql);
  }
  return join(out, ", ");
}

std::string vacuum_words(const facts::TableFacts& table, const facts::Upkeep& upkeep,
                         const Means& means, int version = 180000) {
  return words(choose(table, Job::Vacuum, {.version = version}, upkeep, means).options);
}

TEST(VacuumOptions, OtherCoresAreUsedInQuietTimesOnly) {
  const auto table = table_of(1000);

  EXPECT_EQ(vacuum_words(table, upkeep_of(3), {.quiet = true}), "PARALLEL 2");
  EXPECT_EQ(vacuum_words(table, upkeep_of(9), {.quiet = true}), "PARALLEL 4");
  EXPECT_EQ(vacuum_words(table, upkeep_of(9), {.jobs = 2, .quiet = true}), "PARALLEL 2");
  EXPECT_EQ(vacuum_words(table, upkeep_of(9), {.jobs = 8, .quiet = true}), "PARALLEL 0");
  EXPECT_EQ(vacuum_words(table, upkeep_of(3), {}), "PARALLEL 0");
  EXPECT_EQ(vacuum_words(table, upkeep_of(1), {.quiet = true}), "");
}

TEST(VacuumOptions, FreezesBeforeAutovacuumMust) {
  auto table = table_of(1000);
  table.xid_age = 99'999'999;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "");
  table.xid_age = 100'000'000;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "FREEZE");
  table.xid_age = 0;
  table.mxid_age = 200'000'000;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "FREEZE");
}

TEST(VacuumOptions, FreezesBigTablesThatOnlyGrow) {
  auto table = table_of(8192);
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "");
  table.counters.updated = 0;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "FREEZE");
  table.counters.deleted = 1;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "");
  table = table_of(8191);
  table.counters.updated = 0;
  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "");
}

TEST(VacuumOptions, NothingButFreezingCountsInAnEmergency) {
  auto table = table_of(1000);
  table.xid_age = 1'000'000'000;

  EXPECT_EQ(vacuum_words(table, upkeep_of(0), {}), "FREEZE, INDEX_CLEANUP off, TRUNCATE off");
}

TEST(VacuumOptions, StandbysAreSparedTruncationOutsideQuietTimes) {
  auto upkeep = upkeep_of(0);
  upkeep.standbys = 1;

  EXPECT_EQ(vacuum_words(table_of(1000), upkeep, {}), "TRUNCATE off");
  EXPECT_EQ(vacuum_words(table_of(1000), upkeep, {.quiet = true}), "");
}

TEST(VacuumOptions, LargerRingOnlyWhereTheServerHasTheOption) {
  const Means means{.io_mb_s = 0, .quiet = true};

  EXPECT_EQ(vacuum_words(table_of(1000), upkeep_of(0), means, 160000),
            "BUFFER_USAGE_LIMIT '128MB'");
  EXPECT_EQ(vacuum_words(table_of(1000), upkeep_of(0), means, 150000), "");
  EXPECT_EQ(vacuum_words(table_of(1000), upkeep_of(0), {.quiet = true}, 160000), "");
}

TEST(VacuumOptions, MemoryForOnePassOverTheIndexesUpTo16) {
  auto table = table_of(1'000'000);
  table.counters.rows_dead = 20'000'000;  // 120 MB of row places
  const auto settings = [&](int version, int64_t jobs) {
    return words(
        choose(table, Job::Vacuum, {.version = version}, upkeep_of(0), {.io_mb_s = 0, .jobs = jobs})
            .settings);
  };

  EXPECT_EQ(settings(160000, 1), "maintenance_work_mem = '115MB'");
  EXPECT_EQ(settings(170000, 1), "");
  table.counters.rows_dead = 2'000'000'000;
  EXPECT_EQ(settings(160000, 1), "maintenance_work_mem = '1024MB'");
  EXPECT_EQ(settings(160000, 4), "maintenance_work_mem = '512MB'");
}

TEST(VacuumOptions, IoLimitIsKeptByAllJobsTogether) {
  auto upkeep = upkeep_of(0);
  const auto settings = [&](const Means& means) {
    return words(choose(table_of(1000), Job::Analyze, {.version = 150000}, upkeep, means).settings);
  };

  // 12,207 pages a second at 2 each, every 2 ms.
  EXPECT_EQ(settings({.io_mb_s = 100}), "vacuum_cost_delay = '2ms', vacuum_cost_limit = 48");
  EXPECT_EQ(settings({.io_mb_s = 100, .jobs = 4}),
            "vacuum_cost_delay = '2ms', vacuum_cost_limit = 12");
  upkeep.costs.page_miss = 10;  // 13
  EXPECT_EQ(settings({.io_mb_s = 100}), "vacuum_cost_delay = '2ms', vacuum_cost_limit = 244");
  EXPECT_EQ(settings({.io_mb_s = 0}), "");
}

TEST(VacuumOptions, ParentsAreAnalysedAloneWhereOnlyALockCanDoIt) {
  auto table = table_of(0);
  table.kind = 'p';
  table.leaves = 1000;
  const auto alone = [&](int version) {
    return choose(table, Job::Analyze, {.version = version}, upkeep_of(0), {}).parent_alone;
  };

  EXPECT_FALSE(alone(130000));
  EXPECT_TRUE(alone(140000));
  EXPECT_TRUE(alone(170000));
  EXPECT_FALSE(alone(180000));
  table.leaves = 1601;  // a quarter of 64 * 100 locks
  EXPECT_FALSE(alone(170000));
  table.leaves = 10;
  table.rights.owner = false;
  EXPECT_FALSE(alone(170000));
}

}  // namespace
}  // namespace pgtend::vacuum
