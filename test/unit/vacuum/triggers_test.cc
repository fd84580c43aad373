#include "vacuum/triggers.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

constexpr int kVersions[] = {130000, 140000, 150000, 160000, 170000, 180000, 190000};

facts::TableFacts table_of(double rows) { return {.name = "t", .reltuples = rows}; }

facts::ServerSettings server(int version) {
  facts::ServerSettings settings{.version = version};
  if (version >= 180000) settings.autovacuum.vacuum_threshold_max = 100'000'000;
  return settings;
}

TEST(Triggers, NeverVacuumedTableCountsAsEmpty) {
  for (const int version : kVersions) {
    const Triggers limits = triggers(table_of(-1), server(version));

    EXPECT_DOUBLE_EQ(limits.dead, 50) << version;
    EXPECT_DOUBLE_EQ(*limits.inserts, 1000) << version;
    EXPECT_DOUBLE_EQ(*limits.changes, 50) << version;
  }
}

TEST(Triggers, GiantTablesAreCappedFrom18On) {
  for (const int version : kVersions) {
    const Triggers limits = triggers(table_of(1e10), server(version));

    EXPECT_DOUBLE_EQ(limits.dead, version >= 180000 ? 1e8 : 2'000'000'050) << version;
    EXPECT_DOUBLE_EQ(*limits.changes, 1'000'000'050) << version;
  }
}

TEST(Triggers, CapOfMinusOneIsOff) {
  facts::ServerSettings settings = server(180000);
  settings.autovacuum.vacuum_threshold_max = -1;
  EXPECT_DOUBLE_EQ(triggers(table_of(1e10), settings).dead, 2'000'000'050);

  facts::TableFacts own = table_of(1e10);
  own.options["autovacuum_vacuum_max_threshold"] = "-1";
  EXPECT_DOUBLE_EQ(triggers(own, server(180000)).dead, 2'000'000'050);
}

TEST(Triggers, FrozenPagesLowerTheInsertLimitFrom18On) {
  facts::TableFacts table = table_of(1e6);
  table.size = {.pages_known = 1000, .pages_frozen = 900};

  EXPECT_DOUBLE_EQ(*triggers(table, server(170000)).inserts, 201'000);
  EXPECT_NEAR(*triggers(table, server(180000)).inserts, 21'000, 1e-6);
  table.size.pages_frozen = 5000;  // more than the table had: a stale pg_class
  EXPECT_DOUBLE_EQ(*triggers(table, server(180000)).inserts, 1000);
  table.size.pages_frozen = 0;
  EXPECT_DOUBLE_EQ(*triggers(table, server(180000)).inserts, 201'000);
}

TEST(Triggers, InsertLimitOfMinusOneIsOff) {
  facts::ServerSettings settings = server(150000);
  settings.autovacuum.insert_threshold = -1;
  EXPECT_FALSE(triggers(table_of(10), settings).inserts);

  facts::TableFacts own = table_of(10);
  own.options["autovacuum_vacuum_insert_threshold"] = "-1";
  EXPECT_FALSE(triggers(own, server(150000)).inserts);
}

TEST(Triggers, ReloptionsGoBeforeSettings) {
  facts::TableFacts table = table_of(1000);
  table.options = {{"autovacuum_vacuum_threshold", "7"},
                   {"autovacuum_vacuum_scale_factor", "0.01"},
                   {"autovacuum_analyze_threshold", "3"},
                   {"autovacuum_analyze_scale_factor", "0"},
                   {"toast.autovacuum_vacuum_threshold", "999"}};

  const Triggers limits = triggers(table, server(150000));

  EXPECT_DOUBLE_EQ(limits.dead, 17);
  EXPECT_DOUBLE_EQ(*limits.changes, 3);
}

TEST(Triggers, TableOptionCanOnlyLowerTheFreezeAge) {
  facts::TableFacts table = table_of(1000);
  table.options["autovacuum_freeze_max_age"] = "100000000";
  EXPECT_EQ(triggers(table, server(150000)).xid_age, 100'000'000);

  table.options["autovacuum_freeze_max_age"] = "900000000";
  EXPECT_EQ(triggers(table, server(150000)).xid_age, 200'000'000);
}

TEST(Triggers, SwitchedOffTableKeepsOnlyTheAges) {
  facts::TableFacts table = table_of(1000);
  table.options["autovacuum_enabled"] = "Off";
  EXPECT_FALSE(triggers(table, server(150000)).enabled);
  EXPECT_TRUE(triggers(table_of(1), server(150000)).enabled);
}

TEST(Triggers, PartitionedTablesAreNeverAnalysed) {
  facts::TableFacts table = table_of(1000);
  table.kind = 'p';
  EXPECT_FALSE(triggers(table, server(180000)).changes);
}

}  // namespace
}  // namespace pgtend::vacuum
