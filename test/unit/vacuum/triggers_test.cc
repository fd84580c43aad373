#include "vacuum/triggers.h"

#include <gtest/gtest.h>

#include <utility>

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

    EXPECT_FLOAT_EQ(limits.dead, version >= 180000 ? 1e8 : 2'000'000'050) << version;
    EXPECT_FLOAT_EQ(*limits.changes, 1'000'000'050) << version;
  }
}

TEST(Triggers, CapOfMinusOneIsOff) {
  facts::ServerSettings settings = server(180000);
  settings.autovacuum.vacuum_threshold_max = -1;
  EXPECT_FLOAT_EQ(triggers(table_of(1e10), settings).dead, 2'000'000'050);

  facts::TableFacts own = table_of(1e10);
  own.options["autovacuum_vacuum_max_threshold"] = "-1";
  EXPECT_FLOAT_EQ(triggers(own, server(180000)).dead, 2'000'000'050);
}

TEST(Triggers, FrozenPagesLowerTheInsertLimitFrom18On) {
  facts::TableFacts table = table_of(1e6);
  table.size = {.pages_known = 1000, .pages_frozen = 900};

  EXPECT_FLOAT_EQ(*triggers(table, server(170000)).inserts, 201'000);
  EXPECT_NEAR(*triggers(table, server(180000)).inserts, 21'000, 0.01);
  table.size.pages_frozen = 5000;  // more than the table had: a stale pg_class
  EXPECT_FLOAT_EQ(*triggers(table, server(180000)).inserts, 1000);
  table.size.pages_frozen = 0;
  EXPECT_FLOAT_EQ(*triggers(table, server(180000)).inserts, 201'000);
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

  EXPECT_FLOAT_EQ(limits.dead, 17);
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

TEST(Triggers, BooleanOptionsAreReadAsTheServerReadsThem) {
  for (const char* off : {"false", "FALS", "f", "off", "oF", "no", "n", "0"}) {
    facts::TableFacts table = table_of(1000);
    table.options["autovacuum_enabled"] = off;
    EXPECT_FALSE(triggers(table, server(150000)).enabled) << off;
  }
  for (const char* on : {"true", "t", "on", "yes", "y", "1"}) {
    facts::TableFacts table = table_of(1000);
    table.options["autovacuum_enabled"] = on;
    EXPECT_TRUE(triggers(table, server(150000)).enabled) << on;
  }
}

TEST(Triggers, NumbersAreReadAsTheServerReadsThem) {
  for (const auto& [text, number] :
       {std::pair{"0x64", 100}, {"0100", 64}, {"1e3", 1000}, {"7.6", 8}, {" 12 ", 12}}) {
    facts::TableFacts table = table_of(0);
    table.options["autovacuum_vacuum_threshold"] = text;
    EXPECT_DOUBLE_EQ(triggers(table, server(150000)).dead, number) << text;
  }
}

TEST(Triggers, LimitsAreOfSinglePrecision) {
  facts::TableFacts table = table_of(100);
  table.options = {{"autovacuum_vacuum_threshold", "0"},
                   {"autovacuum_vacuum_scale_factor", "0.29"}};
  EXPECT_FALSE(exceeds(29, triggers(table, server(150000)).dead));
  table.options["autovacuum_vacuum_scale_factor"] = "0.53";
  EXPECT_TRUE(exceeds(53, triggers(table, server(150000)).dead));
}

TEST(Triggers, ToastTablesFollowTheirOwnOptionsOrElseTheirTables) {
  facts::TableFacts toast = table_of(1000);
  toast.kind = 't';
  toast.options = {{"autovacuum_vacuum_threshold", "7"}, {"autovacuum_vacuum_scale_factor", "0"}};
  EXPECT_FLOAT_EQ(triggers(toast, server(150000)).dead, 7);
  EXPECT_FALSE(triggers(toast, server(150000)).changes);

  toast.options["toast.vacuum_truncate"] = "false";
  EXPECT_FLOAT_EQ(triggers(toast, server(150000)).dead, 250);
  toast.options["toast.autovacuum_vacuum_threshold"] = "9";
  EXPECT_FLOAT_EQ(triggers(toast, server(150000)).dead, 209);
}

TEST(Forecast, TellsHowManyRowsAreLeft) {
  facts::TableFacts table = table_of(1000);
  table.counters = {.rows_dead = 240, .inserted_since_vacuum = 1201, .modified_since_analyze = 0};
  table.xid_age = 199'999'990;

  const Forecast forecast = vacuum::forecast(table, server(150000));

  EXPECT_EQ(forecast.dead->left(), 11);
  EXPECT_EQ(forecast.inserts->left(), 0);
  EXPECT_EQ(forecast.changes->left(), 151);
  EXPECT_EQ(forecast.xid_age->left(), 11);
  EXPECT_TRUE(forecast.vacuum());
  EXPECT_FALSE(forecast.analyze());
}

TEST(Forecast, AgesAreComparedExactly) {
  facts::TableFacts table = table_of(1000);
  table.options["autovacuum_enabled"] = "false";
  table.xid_age = 200'000'000;
  EXPECT_FALSE(forecast(table, server(150000)).vacuum());
  EXPECT_FALSE(forecast(table, server(150000)).dead);
  table.xid_age = 200'000'001;
  EXPECT_TRUE(forecast(table, server(150000)).vacuum());
}

TEST(Forecast, ForcedVacuumBringsTheOtherCausesWithIt) {
  facts::TableFacts table = table_of(1000);
  table.options["autovacuum_enabled"] = "false";
  table.counters.modified_since_analyze = 151;
  EXPECT_FALSE(forecast(table, server(150000)).analyze());
  table.xid_age = 200'000'001;
  EXPECT_TRUE(forecast(table, server(150000)).analyze());

  facts::ServerSettings off = server(150000);
  off.autovacuum.enabled = false;
  EXPECT_TRUE(forecast(table, off).vacuum());
  EXPECT_FALSE(forecast(table, off).analyze());
}

TEST(Forecast, PartitionedAndTemporaryTablesAreNeverVisited) {
  facts::TableFacts table = table_of(1000);
  table.counters = {.rows_dead = 1'000'000, .modified_since_analyze = 1'000'000};
  table.xid_age = 1'000'000'000;
  EXPECT_TRUE(forecast(table, server(180000)).vacuum());
  table.schema = "pg_temp_3";
  EXPECT_FALSE(forecast(table, server(180000)).vacuum());
  table.schema = "public";
  table.kind = 'p';
  EXPECT_FALSE(forecast(table, server(180000)).analyze());
  EXPECT_FALSE(forecast(table, server(180000)).vacuum());
}

TEST(Triggers, PartitionedTablesAreNeverAnalysed) {
  facts::TableFacts table = table_of(1000);
  table.kind = 'p';
  EXPECT_FALSE(triggers(table, server(180000)).changes);
}

}  // namespace
}  // namespace pgtend::vacuum
