// Bloat from facts: what is estimated, what is unknown, and how sums are made.
#include <gmock/gmock.h>

#include "vacuum/bloat_btree.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/bloat_report.h"

namespace pgtend::vacuum {
namespace {

using testing::HasSubstr;

facts::StoredColumn integer(std::string name, double n_distinct = -1, double null_frac = 0) {
  facts::StoredColumn column{.name = std::move(name), .length = 4, .align = 4, .storage = 'p'};
  column.not_null = null_frac == 0;
  column.stats =
      facts::StoredStats{.null_frac = null_frac, .avg_width = 4, .n_distinct = n_distinct};
  return column;
}

facts::TableFacts table_of(int64_t rows, int64_t pages) {
  facts::TableFacts table{.oid = 7, .schema = "public", .name = "t", .reltuples = double(rows)};
  table.size.pages = table.size.pages_known = pages;
  table.counters = {.present = true, .rows_live = rows};
  return table;
}

facts::TableLayout layout_of(std::vector<facts::StoredColumn> columns, int fillfactor = 100) {
  return {.oid = 7, .fillfactor = fillfactor, .columns = std::move(columns)};
}

facts::StoredIndex index_of(std::vector<facts::StoredColumn> columns, int64_t pages) {
  facts::StoredIndex index{.schema = "public", .name = "t_i", .method = "btree"};
  index.keys = static_cast<int>(columns.size());
  index.columns = std::move(columns);
  index.pages = pages;
  return index;
}

RowCount rows_of(double rows) { return {.rows = {.low = rows, .best = rows, .high = rows}}; }

TEST(HeapBloat, FixedRowsAreExact) {
  // 24 + 4 -> 32, 226 on a page.
  const Bloat bloat = heap_bloat(table_of(22'600, 400), layout_of({integer("a")}), {});

  EXPECT_EQ(bloat.method, Method::Statistics);
  EXPECT_EQ(bloat.needed.low, 100);
  EXPECT_EQ(bloat.needed.best, 100);
  EXPECT_EQ(bloat.needed.high, 100);
  EXPECT_DOUBLE_EQ(bloat.share().best, 0.75);
}

TEST(HeapBloat, FillfactorKeepsItsPart) {
  // 8192 - 24 - 2457 = 5711 bytes: 158 rows of 36.
  EXPECT_EQ(heap_bloat(table_of(15'800, 100), layout_of({integer("a")}, 70), {}).needed.best, 100);
}

TEST(HeapBloat, UnseenColumnIsUnknownWithItsReason) {
  auto layout = layout_of({integer("a"), {.name = "v", .stats_why_not = "no SELECT"}});
  layout.columns[1].grant = "GRANT it";

  const Bloat bloat = heap_bloat(table_of(1000, 100), layout, {});

  EXPECT_FALSE(bloat.known());
  EXPECT_EQ(bloat.why, "no SELECT");
  EXPECT_EQ(bloat.grant, "GRANT it");
  EXPECT_EQ(bloat.pages, 100);
}

TEST(HeapBloat, TableThatWasNeverCountedIsUnknown) {
  facts::TableFacts table = table_of(-1, 100);
  table.counters = {};

  EXPECT_THAT(heap_bloat(table, layout_of({integer("a")}), {}).why, HasSubstr("ANALYZE public.t"));
}

TEST(HeapBloat, MoreChangesThanRowsMakeWidthsStaleButNotFixedOnes) {
  facts::TableFacts table = table_of(1000, 10);
  table.counters.modified_since_analyze = 100'000;
  facts::StoredColumn text{.name = "v", .not_null = true};
  text.stats = facts::StoredStats{.avg_width = 20, .n_distinct = -1};

  EXPECT_THAT(heap_bloat(table, layout_of({text}), {}).why, HasSubstr("stale"));
  EXPECT_TRUE(heap_bloat(table, layout_of({integer("a")}), {}).known());
}

TEST(HeapBloat, LostCountersAreSaidAndWidenTheInterval) {
  facts::TableFacts table = table_of(22'600, 400);
  table.size.pages_known = 200;
  table.counters = {};

  const Bloat bloat = heap_bloat(table, layout_of({integer("a")}), {});

  EXPECT_EQ(bloat.needed.best, 100);
  EXPECT_EQ(bloat.needed.high, 200);
  EXPECT_THAT(bloat.why, HasSubstr("no counters"));
}

TEST(HeapBloat, CounterThatContradictsTheRestIsNotBelieved) {
  const auto needed = [](const facts::TableFacts& table) {
    return heap_bloat(table, layout_of({integer("a")}), {}).needed.best;
  };
  facts::TableFacts early = table_of(22'600, 400);  // not told yet, and nothing changed since
  early.counters.rows_live = 0;
  facts::TableFacts late = table_of(22'600, 100);  // told once more after VACUUM
  late.counters.rows_live = 45'200;
  late.counters.modified_since_analyze = 22'600;
  facts::TableFacts deleted = table_of(22'600, 100);
  deleted.counters.rows_live = 0;
  deleted.counters.modified_since_analyze = 22'600;
  deleted.counters.deleted = 22'600;
  facts::TableFacts impossible = deleted;  // nobody has deleted so many
  impossible.counters.deleted = 10'000;

  EXPECT_EQ(needed(impossible), 100);
  EXPECT_EQ(needed(early), 100);
  EXPECT_EQ(needed(late), 100);
  EXPECT_EQ(needed(deleted), 0);
}

TEST(HeapBloat, EmptyTableNeedsNothing) {
  const Bloat bloat = heap_bloat(table_of(0, 50), layout_of({integer("a")}), {});

  EXPECT_EQ(bloat.needed.high, 0);
  EXPECT_DOUBLE_EQ(bloat.share().best, 1);
  EXPECT_DOUBLE_EQ(Bloat{}.share().best, 0);
}

TEST(BtreeBloat, UniqueIntegersTakeWhatAServerTakes) {
  // PostgreSQL 15: 100,000 integers are 276 pages: meta, root, 274 leaves.
  const Bloat bloat =
      btree_bloat(table_of(100'000, 443), rows_of(100'000), index_of({integer("a")}, 552), {});

  EXPECT_EQ(bloat.needed.best, 276);
  EXPECT_DOUBLE_EQ(bloat.share().best, 0.5);
}

TEST(BtreeBloat, DuplicatesAreListedOnlyWhereTheIndexMay) {
  facts::StoredIndex index = index_of({integer("a", 10)}, 300);
  index.columns[0].stats->common_frequencies = std::vector<double>(10, 0.1);
  const facts::TableFacts table = table_of(100'000, 443);

  index.deduplicates = true;
  const double listed = btree_bloat(table, rows_of(100'000), index, {}).needed.best;
  index.unique = true;
  const double unique = btree_bloat(table, rows_of(100'000), index, {}).needed.best;
  index.unique = false;
  index.columns.push_back(integer("included"));
  const double covering = btree_bloat(table, rows_of(100'000), index, {}).needed.best;

  EXPECT_GT(listed, 80);
  EXPECT_LT(listed, 100);
  EXPECT_EQ(unique, 276);
  EXPECT_EQ(covering, 278);  // a row address in the keys of the inner pages: two more of them
}

TEST(BtreeBloat, NullsAreOneGroupOfDuplicates) {
  facts::StoredIndex index = index_of({integer("a", -0.3, 0.7)}, 300);
  index.deduplicates = true;

  const double needed =
      btree_bloat(table_of(100'000, 443), rows_of(100'000), index, {}).needed.best;

  // 30,000 of 366 on a leaf, 70,000 of about 1,100.
  EXPECT_NEAR(needed, 82 + 64, 8);
}

TEST(BtreeBloat, RareValuesOfABigTableAreSurelyUncertain) {
  facts::StoredIndex index = index_of({integer("a", 28'050)}, 9000);
  index.deduplicates = true;

  const Bloat bloat = btree_bloat(table_of(2'000'000, 9000), rows_of(2e6), index, {});

  EXPECT_GT(bloat.needed.high, 1.5 * bloat.needed.best);
  EXPECT_GT(bloat.needed.best, bloat.needed.low);
}

TEST(BtreeBloat, WhatCannotBeEstimatedIsUnknown) {
  const facts::TableFacts table = table_of(1000, 10);
  facts::StoredIndex gin = index_of({integer("a")}, 5);
  gin.method = "gin";
  facts::StoredIndex broken = index_of({integer("a")}, 5);
  broken.valid = false;
  facts::StoredIndex part = index_of({integer("a")}, 5);
  part.partial = true;
  facts::StoredColumn text{.name = "v", .not_null = true};
  text.stats = facts::StoredStats{.avg_width = 20, .bound_lengths = {5000, 6000}};

  EXPECT_THAT(btree_bloat(table, rows_of(1000), gin, {}).why, HasSubstr("method gin"));
  EXPECT_THAT(btree_bloat(table, rows_of(1000), broken, {}).why, HasSubstr("not valid"));
  EXPECT_THAT(btree_bloat(table, rows_of(1000), part, {}).why, HasSubstr("never counted"));
  EXPECT_THAT(btree_bloat(table, rows_of(1000), index_of({text}, 5), {}).why,
              HasSubstr("compressed"));
}

TEST(BtreeBloat, EmptyIndexIsItsMetaPage) {
  EXPECT_EQ(btree_bloat(table_of(0, 0), rows_of(0), index_of({integer("a")}, 50), {}).needed.best,
            1);
}

TEST(BloatReport, UnknownPartitionMakesTheSumUnknown) {
  facts::TableFacts parent{.oid = 1, .schema = "public", .name = "p", .kind = 'p'};
  facts::TableFacts one = table_of(22'600, 400);
  one.parent = "public.p";
  facts::TableFacts two = one;
  two.oid = 8;
  two.name = "u";
  facts::Layouts layouts;
  layouts.tables[7] = layout_of({integer("a")});
  layouts.tables[8] = layout_of({{.name = "v", .stats_why_not = "hidden", .grant = "GRANT x"}});

  const BloatReport report = estimate_bloat({parent, one, two}, layouts);

  ASSERT_EQ(report.tables.size(), 3U);
  EXPECT_EQ(report.tables[0].partitions, 2);
  EXPECT_EQ(report.tables[0].heap.pages, 800);
  EXPECT_FALSE(report.tables[0].heap.known());
  EXPECT_THAT(report.tables[0].heap.why, HasSubstr("1 of 2 partitions unknown: hidden"));
  ASSERT_EQ(report.missing.size(), 1U);
  EXPECT_EQ(report.missing[0].grant, "GRANT x");
}

}  // namespace
}  // namespace pgtend::vacuum
