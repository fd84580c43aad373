#include "vacuum/simulate_report.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

Trace small() {
  Trace trace;
  trace.settings.version = 180001;
  trace.tables.push_back({.facts = {.oid = 1, .schema = "app", .name = "t"}});
  trace.samples.push_back({.at = 0, .xid = 100});
  trace.samples.push_back({.at = 100, .xid = 1100});
  return trace;
}

std::string error_of(std::string_view text) {
  Trace trace = small();
  const auto status = apply_setting(trace, text);
  return status ? "none" : cat(status.error().message, "|", status.error().hint);
}

TEST(VacuumSettings, SettingsAndTableOptionsAreApplied) {
  Trace trace = small();
  ASSERT_TRUE(apply_setting(
      trace,
      "autovacuum_vacuum_scale_factor=0.02, autovacuum_work_mem=1GB,autovacuum_naptime=1min,"
      "autovacuum_vacuum_cost_delay=0.5ms,t.autovacuum_vacuum_threshold=7,"
      "app.t.autovacuum_enabled=off,autovacuum=off,autovacuum_vacuum_max_threshold=-1"));
  EXPECT_EQ(trace.settings.autovacuum.vacuum_scale, 0.02);
  EXPECT_EQ(trace.costs.autovacuum_memory_kb, 1 << 20);
  EXPECT_EQ(trace.settings.autovacuum.naptime_s, 60);
  EXPECT_EQ(trace.costs.autovacuum_delay_ms, 0.5);
  EXPECT_FALSE(trace.settings.autovacuum.enabled);
  EXPECT_EQ(*trace.settings.autovacuum.vacuum_threshold_max, -1);
  EXPECT_EQ(trace.tables[0].facts.options.at("autovacuum_vacuum_threshold"), "7");
  EXPECT_EQ(trace.tables[0].facts.options.at("autovacuum_enabled"), "off");
}

TEST(VacuumSettings, MistakesAreNamedWithTheNearestSetting) {
  EXPECT_EQ(error_of("autovacuum_vacuum_scale_facto=1"),
            "unknown setting autovacuum_vacuum_scale_facto|did you mean "
            "autovacuum_vacuum_scale_factor?");
  EXPECT_EQ(error_of("t.autovacuum_enable=off"),
            "unknown table option autovacuum_enable|did you mean autovacuum_enabled?");
  EXPECT_EQ(error_of("u.autovacuum_enabled=off"), "the trace has no table u|");
  EXPECT_EQ(error_of("autovacuum_naptime"), "\"autovacuum_naptime\" is not name=value|");
  EXPECT_EQ(error_of("autovacuum_naptime=5kB"), "autovacuum_naptime needs a number, not 5kB|");
  EXPECT_EQ(error_of("autovacuum=maybe"), "autovacuum is on or off, not maybe|");
  EXPECT_EQ(error_of("autovacuum_naptime=0"), "settings: autovacuum_naptime is below 1 s|");
  EXPECT_EQ(error_of("version=130000").substr(0, 23), "unknown setting version");
  EXPECT_EQ(error_of("t.autovacuum_vacuum_threshold=x"),
            "autovacuum_vacuum_threshold needs a number, not x|");
}

TEST(VacuumSettings, RunwayIsCountedAtTheTracesRate) {
  Trace trace = small();
  trace.tables[0].facts.xid_age = 199'998'000;
  trace.settings.autovacuum.enabled = true;
  const auto variant = simulate("as it is", trace, {});
  ASSERT_TRUE(variant);
  const Runway runway = runway_of(*variant);
  EXPECT_EQ(runway.rate, 10);
  EXPECT_NEAR(*runway.forced_s, 100, 1);
  EXPECT_NEAR(*runway.failsafe_s, 140e6, 100);
  EXPECT_NEAR(*runway.stop_s, (2147483648.0 - 3e6 - 199'999'000) / 10, 10);
  trace.samples[1].xid = 100;
  EXPECT_FALSE(runway_of(*simulate("idle", trace, {})).stop_s);
}

TEST(VacuumSettings, AtFiveThousandTransactionsASecondDaysAreLeft) {
  Trace trace = small();
  trace.samples[1].xid = 100 + 500'000;
  const Runway runway = runway_of(*simulate("busy", trace, {}));
  EXPECT_NEAR(*runway.forced_s / 3600, 11, 0.2);
  EXPECT_NEAR(*runway.failsafe_s / 86'400, 3.7, 0.05);
  EXPECT_NEAR(*runway.stop_s / 86'400, 5, 0.1);
}

}  // namespace
}  // namespace pgtend::vacuum
