#include "vacuum/worklist.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

facts::TableFacts table_of(const std::string& name, int64_t rows) {
  facts::TableFacts table{.schema = "public", .name = name, .reltuples = double(rows)};
  table.size.pages = table.size.pages_known = rows / 100;
  table.size.heap = Bytes{table.size.pages * 8192};
  table.counters = {.present = true, .rows_live = rows, .inserted = rows, .updated = 1};
  table.age.analyze = table.age.vacuum = 60;
  table.rights = {.owner = true, .maintain = true, .select = true};
  return table;
}

Facts facts_of(std::vector<facts::TableFacts> tables, int version = 150000) {
  Facts facts{.tables = std::move(tables)};
  facts.context.settings.version = version;
  return facts;
}

// "a: analyze, b: vacuum".
std::string order(const std::vector<Task>& tasks) {
  std::vector<std::string> out;
  for (const Task& task : tasks) {
    EXPECT_FALSE(task.why.empty());
    out.push_back(cat(task.table.substr(task.table.find('.') + 1), ": ", name(task.job)));
  }
  return join(out, ", ");
}

TEST(Worklist, HoldsWhatTheReviewFindsAndOneTaskATable) {
  auto dead = table_of("dead", 100'000);
  dead.counters.rows_dead = 50'000;
  auto both = table_of("mixed", 100'000);
  both.counters.rows_dead = both.counters.modified_since_analyze = 50'000;
  auto stale = table_of("stale", 100'000);
  stale.counters.modified_since_analyze = 10'000;
  const Facts facts = facts_of({dead, both, stale, table_of("fine", 100'000)});

  EXPECT_EQ(order(worklist(facts, {}, {})), "mixed: vacuum-analyze, dead: vacuum, stale: analyze");
  EXPECT_EQ(order(worklist(facts, {}, {}, true)), "mixed: analyze, stale: analyze");
}

TEST(Worklist, SmallTablesWithOldStatisticsGoBeforeBigOnes) {
  auto big = table_of("big", 1'000'000'000);
  big.counters.rows_dead = 300'000'000;
  auto small = table_of("small", 10'000);
  small.counters.modified_since_analyze = 2'000;

  EXPECT_EQ(order(worklist(facts_of({big, small}), {}, {})), "small: analyze, big: vacuum");
}

TEST(Worklist, WhatIsAboutToBeForcedGoesFirst) {
  auto old = table_of("old", 1'000'000'000);
  old.xid_age = 180'000'000;
  auto half = table_of("half", 1'000'000'000);
  half.xid_age = 100'000'000;
  auto small = table_of("small", 10'000);
  small.counters.modified_since_analyze = 2'000;

  const auto tasks = worklist(facts_of({half, small, old}), {}, {});

  EXPECT_EQ(order(tasks), "old: vacuum, small: analyze, half: vacuum");
  EXPECT_TRUE(tasks[0].urgent);
  EXPECT_EQ(tasks[0].choice.options.at(0).sql, "FREEZE");
}

TEST(Worklist, OldToastMakesItsTableOld) {
  Facts facts = facts_of({table_of("a", 1'000), table_of("b", 1'000)});
  facts.runway.emplace().relations = {
      {.table = "public.a", .toast = true, .xid_age = 120'000'000, .mxid_age = 1},
      {.table = "public.b", .toast = true, .xid_age = 90'000'000, .mxid_age = 1}};

  const auto tasks = worklist(facts, {}, {});

  EXPECT_EQ(order(tasks), "a: vacuum");
  EXPECT_EQ(tasks.at(0).choice.options.at(0).sql, "FREEZE");
}

TEST(Worklist, TablesOfOthersAreLeftOut) {
  auto dead = table_of("dead", 100'000);
  dead.counters.rows_dead = 50'000;
  dead.rights.maintain = false;

  EXPECT_EQ(order(worklist(facts_of({dead}), {}, {})), "");
}

TEST(Worklist, ParentsThatDoTheirPartitionsLeaveThemOut) {
  auto parent = table_of("p", 0);
  parent.kind = 'p';
  parent.leaves = 2;
  parent.age = {};
  parent.statistics = false;
  auto leaf = table_of("l1", 100'000);
  leaf.parent = "public.p";
  leaf.counters.modified_since_analyze = 50'000;
  auto dead = leaf;
  dead.name = "l2";
  dead.counters.rows_dead = 50'000;
  const facts::Upkeep upkeep{.plpgsql = true};

  EXPECT_EQ(order(worklist(facts_of({parent, leaf, dead}, 130000), upkeep, {})),
            "l2: vacuum, p: analyze");
  // With the partitions' locks in our hands, or ONLY, the parent is sampled alone.
  for (const int version : {150000, 180000}) {
    const auto tasks = worklist(facts_of({parent, leaf, dead}, version), upkeep, {});
    EXPECT_EQ(tasks.size(), 3U);
    EXPECT_EQ(tasks.back().table, "public.p");
    EXPECT_EQ(tasks.back().pages, 2'000);
  }
}

}  // namespace
}  // namespace pgtend::vacuum
