#include "vacuum/tune.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "vacuum/tune_load.h"
#include "vacuum/tune_trail.h"

namespace pgtend::vacuum {
namespace {

constexpr double kHour = 3600;
constexpr double kDay = 86'400;

TraceTable table_of(const std::string& name, int64_t rows, int64_t rows_a_page = 100) {
  TraceTable out;
  facts::TableFacts& table = out.facts;
  table.oid = static_cast<uint32_t>(16'384 + rows % 7919);
  table.schema = "public";
  table.name = name;
  table.reltuples = static_cast<double>(rows);
  table.size.pages = table.size.pages_known = rows / rows_a_page;
  table.size.pages_visible = table.size.pages;
  table.size.heap = Bytes{table.size.pages * 8192};
  table.size.indexes = Bytes{table.size.heap.count / 4};
  table.counters = {.present = true, .rows_live = rows, .inserted = rows};
  table.rights = {.owner = true, .maintain = true, .select = true};
  out.indexes = 1;
  return out;
}

TuneInput input_of(std::vector<TraceTable> tables, int version = 150000) {
  TuneInput input;
  input.head.settings.version = version;
  input.head.costs = facts::default_vacuum_costs(version);
  input.head.tables = std::move(tables);
  return input;
}

// "table.setting: now -> advised; …" with "server" for "".
std::string short_text(const std::vector<SettingAdvice>& advice) {
  std::vector<std::string> out;
  for (const SettingAdvice& one : advice) {
    EXPECT_FALSE(one.why.empty());
    const std::string table =
        one.table.empty() ? "server" : one.table.substr(one.table.find('.') + 1);
    out.push_back(cat(table, ".", one.name, ": ", one.now, " -> ", one.advised));
  }
  return join(out, "; ");
}

TEST(TuneTables, BigTablesGetSharesBelowTheStockOnesAndSmallOnesNothing) {
  const TuneInput input = input_of({table_of("big", 10'000'000), table_of("small", 10'000)});

  // 0.05 * 10^7 less the threshold of 50, upwards to two digits.
  EXPECT_EQ(short_text(advise_tables(input)),
            "big.autovacuum_vacuum_scale_factor: 0.2 -> 0.05; "
            "big.autovacuum_vacuum_insert_scale_factor: 0.2 -> 0.05; "
            "big.autovacuum_analyze_scale_factor: 0.1 -> 0.03");
}

TEST(TuneTables, NewRowsAreSeenAfterHoursWhateverTheSizeOfTheTable) {
  TuneInput input = input_of({table_of("readings", 10'000'000'000)});
  input.head.tables[0].facts.counters.updated = 1'000'000'000;
  const uint32_t oid = input.head.tables[0].facts.oid;
  input.rates[oid] = {.inserted = 50e6 / kDay, .dead = 0, .changed = 50e6 / kDay};

  const std::string text = short_text(advise_tables(input));
  EXPECT_NE(text.find("insert_scale_factor: 0.2 -> 0;"), std::string::npos) << text;
  EXPECT_NE(text.find("insert_threshold: 1000 -> 13000000;"), std::string::npos) << text;
  EXPECT_NE(text.find("analyze_scale_factor: 0.1 -> 0;"), std::string::npos) << text;
  EXPECT_NE(text.find("analyze_threshold: 50 -> 50000000"), std::string::npos) << text;
}

TraceTable toast_of(const TraceTable& owner, int64_t chunks) {
  TraceTable out = table_of("pg_toast_" + owner.facts.name, chunks, 4);
  out.facts.schema = "pg_toast";
  out.facts.kind = 't';
  out.facts.parent = owner.facts.qualified();
  out.facts.options = owner.facts.options;
  return out;
}

TEST(TuneTables, LargeToastOfASmallTableGetsItsOwnLimitAndKeepsWhatItFollowed) {
  TraceTable docs = table_of("docs", 10'000);
  docs.facts.options = {{"autovacuum_vacuum_cost_delay", "3"},
                        {"autovacuum_analyze_threshold", "7"},
                        {"fillfactor", "80"}};
  TuneInput input = input_of({docs, toast_of(docs, 4'000'000)});
  EXPECT_EQ(short_text(advise_tables(input)), "") << "nobody knows that its values die";
  input.rates[input.head.tables[1].facts.oid] = {.dead = 0.1};

  EXPECT_EQ(short_text(advise_tables(input)),
            "docs.toast.autovacuum_vacuum_scale_factor: 0.2 -> 0.05; "
            "docs.toast.autovacuum_vacuum_cost_delay: 3 -> 3");
  input.head.tables[1].facts.options["toast.autovacuum_vacuum_threshold"] = "100";
  EXPECT_EQ(short_text(advise_tables(input)),
            "docs.toast.autovacuum_vacuum_scale_factor: 0.2 -> 0.05");
  input.head.tables[1].facts.rights.owner = false;
  EXPECT_EQ(short_text(advise_tables(input)), "");
}

TEST(TuneTables, ToastThatFollowsItsTableNeedsNothing) {
  const TraceTable big = table_of("big", 10'000'000);
  TuneInput input = input_of({big, toast_of(big, 4'000'000)});
  input.rates[input.head.tables[1].facts.oid] = {.dead = 0.1};

  EXPECT_EQ(short_text(advise_tables(input)).find("toast."), std::string::npos);
}

TEST(TuneTables, VacuumIsNotAskedForMoreOftenThanTheBudgetBears) {
  TuneInput input = input_of({table_of("busy", 100'000'000)});
  const uint32_t oid = input.head.tables[0].facts.oid;
  // 10^6 pages of 22 units and the index: some 300 s of the whole budget a VACUUM.
  input.rates[oid] = {.inserted = 0, .dead = 2'000, .changed = 0};
  const auto advice = advise_tables(input);

  ASSERT_FALSE(advice.empty());
  EXPECT_EQ(advice[0].name, "autovacuum_vacuum_scale_factor");
  const double scale = *parse_double(advice[0].advised);
  EXPECT_GT(scale, 0.05);
  EXPECT_LT(scale, 0.2);
  EXPECT_NE(advice[0].why.find("7,200,000 rows die an hour"), std::string::npos) << advice[0].why;

  // So many that the stock limit is already reached too often: it is left alone.
  input.rates[oid].dead = 20'000;
  EXPECT_EQ(short_text(advise_tables(input)).find("autovacuum_vacuum_scale_factor"),
            std::string::npos);
}

TEST(TuneTables, WhatIsSetWellSwitchedOffOrNotOursIsLeftAlone) {
  TraceTable good = table_of("good", 10'000'000);
  good.facts.options = {{"autovacuum_vacuum_scale_factor", "0.05"},
                        {"autovacuum_vacuum_insert_threshold", "-1"},
                        {"autovacuum_analyze_scale_factor", "0.03"}};
  TraceTable off = table_of("off", 20'000'000);
  off.facts.options = {{"autovacuum_enabled", "false"}};
  TraceTable others = table_of("others", 30'000'000);
  others.facts.rights.owner = false;
  TraceTable toast = table_of("toast", 40'000'000);
  toast.facts.kind = 't';

  EXPECT_EQ(short_text(advise_tables(input_of({good, off, others, toast}))), "");
}

TEST(TuneTables, AnOwnThresholdAboveTheGoalIsReplaced) {
  TraceTable table = table_of("t", 10'000'000);
  table.facts.options = {{"autovacuum_vacuum_scale_factor", "0"},
                         {"autovacuum_vacuum_threshold", "5000000"}};
  const auto advice = advise_tables(input_of({table}));

  ASSERT_FALSE(advice.empty());
  EXPECT_EQ(advice[0].name, "autovacuum_vacuum_threshold");
  EXPECT_EQ(advice[0].advised, "500000");
  EXPECT_TRUE(advice[0].own);
}

TEST(TuneTables, The18sCapMakesLowerSharesUnnecessary) {
  TuneInput input = input_of({table_of("t", 10'000'000'000)}, 180000);
  input.head.settings.autovacuum.vacuum_threshold_max = 100'000'000;

  EXPECT_EQ(short_text(advise_tables(input)).find("autovacuum_vacuum_scale_factor"),
            std::string::npos);
}

TEST(TuneTables, TablesThatOnlyGrowAreFrozenOnTheirFirstVisit) {
  TuneInput input = input_of({table_of("log", 100'000'000)});
  EXPECT_NE(short_text(advise_tables(input)).find("autovacuum_freeze_min_age: 50000000 -> 0"),
            std::string::npos);

  input.head.tables[0].facts.counters.updated = 50'000'000;
  EXPECT_EQ(short_text(advise_tables(input)).find("freeze"), std::string::npos);
}

TEST(TuneTables, ThresholdsStayWithinWhatTheServerTakes) {
  TuneInput input = input_of({table_of("t", 4'000'000'000'000)});
  const uint32_t oid = input.head.tables[0].facts.oid;
  input.rates[oid] = {.inserted = 1e6, .dead = 0, .changed = 1e6};
  EXPECT_FALSE(advise_tables(input).empty());
  for (const SettingAdvice& one : advise_tables(input)) {
    EXPECT_LE(*parse_double(one.advised), 2'147'483'647) << one.name;
  }
}

TEST(TuneServer, QueueTablesWantMoreVisits) {
  TuneInput input = input_of({table_of("queue", 200)});
  input.head.tables[0].facts.counters.deleted = 1'000'000;
  input.rates[input.head.tables[0].facts.oid] = {.inserted = 500, .dead = 500, .changed = 1000};
  const TuneAdvice advice = *advise(input, {});

  EXPECT_EQ(short_text(advice.server), "server.autovacuum_naptime: 60 -> 15");
  EXPECT_NE(advice.server[0].why.find("30,000 rows"), std::string::npos) << advice.server[0].why;
  ASSERT_TRUE(advice.today && advice.advised);
  EXPECT_LT(advice.advised->replay.tables[0].dead_peak,
            advice.today->replay.tables[0].dead_peak / 2);
}

TEST(TuneServer, ABudgetThatIsUsedUpIsRaisedTenfoldAtMost) {
  TuneInput input = input_of({});
  for (int i = 0; i < 4; ++i) {
    input.head.tables.push_back(table_of(cat("t", i), 50'000'000 + i));
    input.rates[input.head.tables.back().facts.oid] = {
        .inserted = 0, .dead = 20'000, .changed = 20'000};
  }
  const TuneAdvice advice = *advise(input, {});

  const std::string text = short_text(advice.server);
  ASSERT_NE(text.find("autovacuum_vacuum_cost_limit: 200 -> "), std::string::npos) << text;
  EXPECT_LT(advice.advised->replay.cost_share, advice.today->replay.cost_share);
  for (const SettingAdvice& one : advice.server) {
    if (one.name != "autovacuum_vacuum_cost_limit") continue;
    EXPECT_LE(*parse_double(one.advised), 2'000);
  }
}

TEST(TuneServer, DeadRowsThatDoNotFitInMemoryWantMoreOfItUpTo16) {
  for (const int version : {160000, 170000}) {
    TuneInput input = input_of({table_of("t", 1'000'000'000)}, version);
    input.rates[input.head.tables[0].facts.oid] = {.inserted = 0, .dead = 500, .changed = 500};
    const std::string text = short_text(advise(input, {})->server);
    EXPECT_EQ(text.find("autovacuum_work_mem") != std::string::npos, version == 160000) << text;
  }
}

TEST(TuneRates, CountersTellThemSinceTheLastRunUnlessThatIsTooYoung) {
  TraceTable table = table_of("t", 10'000);
  table.facts.age.autovacuum = 2 * kHour;
  table.facts.age.analyze = 10;
  table.facts.counters.rows_dead = 720;
  table.facts.counters.inserted_since_vacuum = 7200;
  table.facts.counters.modified_since_analyze = 1000;
  const TuneInput input = tune_input(input_of({table}).head);
  const TableRates& rates = input.rates.at(table.facts.oid);

  EXPECT_DOUBLE_EQ(rates.dead.value(), 0.1);
  EXPECT_DOUBLE_EQ(rates.inserted.value(), 1);
  EXPECT_FALSE(rates.changed.has_value());
}

TEST(TuneRates, ARecordingTellsThemByTheNamesOfTheTables) {
  TuneInput input = input_of({table_of("t", 10'000), table_of("u", 20'000)});
  Trace recorded = input.head;
  recorded.tables[0].facts.oid = 99;
  recorded.tables.pop_back();
  recorded.samples = {{.at = 0, .xid = 1000}, {.at = 100, .xid = 1500}};
  recorded.samples[1].tables.push_back(
      {.oid = 99, .writes = {.inserted = 300, .dead = 200, .changed = 500}});
  take_rates(input, recorded);

  EXPECT_DOUBLE_EQ(input.rates.at(input.head.tables[0].facts.oid).dead.value(), 2);
  EXPECT_FALSE(input.rates.contains(input.head.tables[1].facts.oid));
  EXPECT_DOUBLE_EQ(input.xids_per_s, 5);
}

// Records of one action on public.t that ended with `last`.
void record(std::vector<store::AuditEntry>& trail, std::string_view kind, const std::string& action,
            const std::string& options, const std::string& wanted,
            const std::vector<store::AuditEvent>& events) {
  static int64_t id = 0;
  for (const store::AuditEvent event : events) {
    store::AuditEntry entry{.id = ++id,
                            .at = cat("2026-01-01T00:00:0", trail.size() % 10, ".000Z")};
    entry.record = {.action_id = action,
                    .event = event,
                    .place = "socket:5432/app",
                    .kind = std::string(kind),
                    .object = "public.t"};
    entry.record.before = to_text(json::object{{"options", options}, {"wanted", wanted}});
    trail.push_back(std::move(entry));
  }
}

using store::AuditEvent;
const std::vector<AuditEvent> kDone = {AuditEvent::Begin, AuditEvent::Done, AuditEvent::Verified};

SettingsNow now_of(Settings values) { return {.object = "public.t", .values = std::move(values)}; }

TEST(TuneTrail, TheFirstValueIsTheOneToGoBackTo) {
  std::vector<store::AuditEntry> tunes;
  record(tunes, kTuneKind, "a", R"(["x=0.3"])", R"({"x":"0.05","y":"7"})", kDone);
  record(tunes, kTuneKind, "b", R"(["x=0.05","y=7"])", R"({"x":"0.02"})", kDone);
  const auto ours = tuned(tunes, {}, "socket:5432/app");

  ASSERT_EQ(ours.size(), 2);
  EXPECT_EQ(ours[0].original, "0.3");
  EXPECT_EQ(ours[0].ours, "0.02");
  const auto changes = restoration(ours, {now_of({{"x", "0.02"}, {"y", "7"}})});
  const SettingChanges expected = {{"x", "0.3"}, {"y", std::nullopt}};
  EXPECT_EQ(changes.at("public.t"), expected);
  EXPECT_TRUE(tuned(tunes, {}, "socket:5432/other").empty());
}

TEST(TuneTrail, WhatAPersonChangedStaysAndIsWhatALaterRunGoesBackTo) {
  std::vector<store::AuditEntry> tunes;
  record(tunes, kTuneKind, "c", "[]", R"({"x":"0.05"})", kDone);
  auto ours = tuned(tunes, {}, "socket:5432/app");
  ASSERT_EQ(ours.size(), 1);
  EXPECT_EQ(fate_of(ours[0], {now_of({{"x", "0.4"}})}), Fate::Changed);
  EXPECT_TRUE(restoration(ours, {now_of({{"x", "0.4"}})}).empty());
  EXPECT_EQ(fate_of(ours[0], {{.object = "public.t", .present = false}}), Fate::Gone);

  record(tunes, kTuneKind, "d", R"(["x=0.4"])", R"({"x":"0.05"})", kDone);
  ours = tuned(tunes, {}, "socket:5432/app");
  EXPECT_EQ(ours[0].original, "0.4");
}

TEST(TuneTrail, ARestoreEndsItAndAProgramThatDiedDoesNot) {
  std::vector<store::AuditEntry> tunes;
  std::vector<store::AuditEntry> restores;
  record(tunes, kTuneKind, "e", "[]", R"({"x":"0.05"})", {AuditEvent::Begin});
  record(tunes, kTuneKind, "f", "[]", R"({"z":"1"})", {AuditEvent::Begin, AuditEvent::Failed});
  auto ours = tuned(tunes, restores, "socket:5432/app");
  ASSERT_EQ(ours.size(), 1);
  // It died before the change, or after it.
  EXPECT_EQ(fate_of(ours[0], {now_of({})}), Fate::Original);
  EXPECT_EQ(fate_of(ours[0], {now_of({{"x", "0.05"}})}), Fate::InForce);

  record(restores, kRestoreKind, "g", R"(["x=0.05"])", R"({"x":null})", {AuditEvent::Begin});
  EXPECT_EQ(tuned(tunes, restores, "socket:5432/app").size(), 1);
  record(restores, kRestoreKind, "h", R"(["x=0.05"])", R"({"x":null})", kDone);
  EXPECT_TRUE(tuned(tunes, restores, "socket:5432/app").empty());
}

TEST(TuneTrail, RecordsThatMakeNoSenseAreNotFollowed) {
  std::vector<store::AuditEntry> tunes;
  record(tunes, kTuneKind, "i", "{}", R"({"x":"1"})", kDone);
  record(tunes, kTuneKind, "j", "[]", R"(["x"])", kDone);
  record(tunes, kTuneKind, "k", "[1]", R"({"x":"1"})", kDone);
  record(tunes, kTuneKind, "l", "[]", R"({"x":1})", kDone);
  EXPECT_TRUE(tuned(tunes, {}, "socket:5432/app").empty());
}

TEST(TuneEffect, SilenceIsOnlySuspiciousWhenRunsWereDue) {
  EXPECT_NE(Effect({.autovacuums_due = 3}).verdict().find("has not come"), std::string::npos);
  EXPECT_EQ(Effect({.autovacuums_due = 1}).verdict(), "nothing was due yet");
  EXPECT_NE(
      Effect({.autovacuums = 1, .autoanalyzes_due = 4}).verdict().find("no automatic ANALYZE"),
      std::string::npos);
  EXPECT_EQ(Effect({.autovacuums = 2, .autovacuums_due = 3}).verdict(),
            "autovacuum follows the new limits");
}

}  // namespace
}  // namespace pgtend::vacuum
