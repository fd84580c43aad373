#include "vacuum/simulate.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "vacuum/simulate_compare.h"

namespace pgtend::vacuum {
namespace {

// Tables of 1,000 rows of which each loses so many a second that it is due after 250.
Trace trace_of(const std::vector<double>& dead_per_s, double seconds, double naptime = 10) {
  Trace trace;
  trace.settings.version = 150018;
  trace.settings.autovacuum.naptime_s = naptime;
  trace.costs = facts::default_vacuum_costs(150018);
  for (size_t i = 0; i < dead_per_s.size(); ++i) {
    TraceTable table;
    table.facts.oid = static_cast<uint32_t>(i + 1);
    table.facts.name = cat("t", i);
    table.facts.reltuples = 1000;
    table.facts.size.pages = table.facts.size.pages_known = 10;
    table.facts.counters = {.present = true, .rows_live = 1000};
    table.facts.options = {{"autovacuum_analyze_threshold", "1000000"}};
    trace.tables.push_back(table);
  }
  for (int step = 0; step <= 100; ++step) {
    Sample sample{.at = seconds * step / 100, .xid = 100 + step, .horizon = 100 + step};
    for (size_t i = 0; i < dead_per_s.size(); ++i) {
      const double rows = dead_per_s[i] * sample.at;
      sample.tables.push_back({.oid = static_cast<uint32_t>(i + 1),
                               .writes = {.updated = rows, .dead = rows, .changed = rows}});
    }
    trace.samples.push_back(sample);
  }
  return trace;
}

Replay replayed(const Trace& trace, ReplaySetup setup = {}) {
  setup.model = model_of(trace);
  auto out = replay(trace, workload_of(trace), setup);
  EXPECT_TRUE(out);
  return std::move(out).take();
}

std::vector<double> ends(const Replay& replay, size_t table) {
  std::vector<double> out;
  for (const SimulatedRun& run : replay.runs) {
    if (run.table == table) out.push_back(run.ended);
  }
  return out;
}

TEST(VacuumSimulator, ATableIsVacuumedAtTheFirstVisitAboveItsLimit) {
  const Replay out = replayed(trace_of({5}, 100));
  const auto times = ends(out, 0);  // due from 51 s on: a sample a second, and 5 rows in each
  ASSERT_EQ(times.size(), 1U);
  EXPECT_NEAR(times[0], 56, 0.7);
  EXPECT_NEAR(out.runs[0].earliest, 51.6, 0.7) << "the launcher's phase is not known";
  EXPECT_NEAR(out.runs[0].latest, 60.4, 0.7);
  EXPECT_NEAR(out.runs[0].work.rows_removed, 280, 5);
  EXPECT_NEAR(out.tables[0].dead_peak, 280, 5);
  EXPECT_NEAR(out.tables[0].above_limit_s, 5, 1.5);
  EXPECT_EQ(out.tables[0].vacuums, 1);
}

TEST(VacuumSimulator, AReplayIsTheSameEachTime) {
  const Trace trace = trace_of({5, 9, 20}, 200);
  const Replay first = replayed(trace);
  const Replay second = replayed(trace);
  ASSERT_EQ(first.runs.size(), second.runs.size());
  for (size_t i = 0; i < first.runs.size(); ++i) {
    EXPECT_EQ(first.runs[i].ended, second.runs[i].ended);
  }
}

TEST(VacuumSimulator, OneWorkerTakesTheTablesInTheirOrder) {
  Trace trace = trace_of({50, 50}, 20, 100);
  trace.settings.autovacuum.naptime_s = 15;
  const Replay out = replayed(trace, {.phases = 1});
  ASSERT_EQ(out.runs.size(), 2U);
  EXPECT_EQ(out.runs[0].table, 0U);
  EXPECT_GT(out.runs[1].started, out.runs[0].started);
  EXPECT_EQ(out.queue_max, 2);
}

TEST(VacuumSimulator, WithoutAFreeWorkerTheOthersWait) {
  Trace trace = trace_of({5, 50}, 1000);
  // The first table is slow: 10,000 pages of an index, each a hundred times its cost.
  trace.tables[0].facts.size.indexes = {10'000 * 8192};
  trace.tables[0].indexes = 1;
  trace.costs.autovacuum_delay_ms = 100;
  trace.settings.autovacuum.workers_max = 1;
  const Replay alone = replayed(trace);
  trace.settings.autovacuum.workers_max = 3;
  const Replay three = replayed(trace);
  EXPECT_GT(alone.all_busy_s, 10);
  EXPECT_EQ(three.all_busy_s, 0);
  EXPECT_GT(three.tables[1].vacuums, alone.tables[1].vacuums);
  EXPECT_GT(alone.tables[1].waiting_s_max, three.tables[1].waiting_s_max);
}

// How long the VACUUM of the first table takes while `others` more are at work, too.
double slow_run(size_t others, const std::map<std::string, std::string>& options) {
  Trace trace = trace_of(std::vector<double>(others + 1, 50), 900);
  for (TraceTable& table : trace.tables) {
    table.indexes = 1;
    table.facts.size.indexes = {int64_t{400'000} * 8192};
  }
  trace.tables[0].facts.options.insert(options.begin(), options.end());
  trace.settings.autovacuum.workers_max = 5;
  trace.costs.autovacuum_delay_ms = 20;
  for (const SimulatedRun& run : replayed(trace, {.phases = 1}).runs) {
    if (run.table == 0) return run.ended - run.started;
  }
  return 0;
}

TEST(VacuumSimulator, WorkersShareTheCostLimitUnlessATableHasItsOwn) {
  const double alone = slow_run(0, {});
  EXPECT_GT(alone, 3);
  EXPECT_GT(slow_run(1, {}), 1.3 * alone);
  EXPECT_NEAR(slow_run(1, {{"autovacuum_vacuum_cost_limit", "200"}}), alone, 0.01);
}

TEST(VacuumSimulator, AnotherDatabaseNearWraparoundStarvesThisOne) {
  Trace trace = trace_of({5}, 200);
  trace.others = {{.name = "old", .xid_age = 300'000'000}};
  const Replay starved = replayed(trace);
  EXPECT_TRUE(starved.runs.empty());
  EXPECT_NEAR(starved.starved_s, 150, 15);
  trace.others[0].freeze_s = 100;
  const Replay later = replayed(trace);
  ASSERT_FALSE(later.runs.empty());
  EXPECT_GE(later.runs[0].ended, 99);
  trace.others[0].xid_age = 100;
  EXPECT_EQ(replayed(trace).starved_s, 0);
}

TEST(VacuumSimulator, AHeldHorizonMakesRunsThatRemoveNothing) {
  Trace trace = trace_of({10}, 200);
  for (Sample& sample : trace.samples) sample.horizon = std::min<int64_t>(sample.xid, 105);
  const Replay out = replayed(trace);
  EXPECT_GT(out.tables[0].useless, 10);
  EXPECT_GT(out.tables[0].dead_peak, 1800);
  EXPECT_NEAR(out.runs.back().rows_kept, 1950 - 100, 60) << "of a last run near the end";
}

TEST(VacuumSimulator, OldTablesAreForced) {
  Trace trace = trace_of({0}, 50);
  trace.tables[0].facts.xid_age = 200'000'100;
  trace.tables[0].facts.options["autovacuum_enabled"] = "false";
  const Replay out = replayed(trace);
  ASSERT_EQ(out.runs.size(), 1U);
  EXPECT_EQ(out.runs[0].cause, Cause::Age);
  EXPECT_EQ(out.tables[0].forced, 1);
  EXPECT_NEAR(out.xid_age_end, 50e6, 1000);
}

TEST(VacuumSimulator, PeopleVacuumToo) {
  Trace trace = trace_of({5}, 100);
  trace.samples[40].tables[0].vacuum_at = 40;
  const Replay out = replayed(trace);
  ASSERT_EQ(out.runs.size(), 2U);
  EXPECT_EQ(out.runs[0].cause, Cause::Person);
  EXPECT_EQ(out.runs[0].ended, 40);
  EXPECT_NEAR(out.runs[1].ended, 96, 0.7) << "250 rows after that";
}

TEST(VacuumSimulator, TooMuchWorkIsRefused) {
  const Trace trace = trace_of({5}, 1e10);
  const auto out = replay(trace, workload_of(trace), {.model = model_of(trace)});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, ErrorCode::Limit);
}

// The server's doing by the replay of one phase, moved by `late`.
Trace recorded(Trace trace, double late) {
  const auto times = ends(replayed(trace, {.phases = 1}), 0);
  int64_t count = 0;
  for (Sample& sample : trace.samples) {
    Outcome outcome{.rows_dead = 100};
    for (const double time : times) {
      if (time + late <= sample.at) outcome.autovacuum_at = time + late;
    }
    count = std::ranges::count_if(times, [&](double time) { return time + late <= sample.at; });
    outcome.autovacuums = count;
    sample.tables[0].outcome = outcome;
  }
  return trace;
}

TEST(VacuumSimulator, RunsOfTheServerAreHeldAgainstThoseOfTheReplay) {
  const Trace bare = trace_of({5}, 300);
  const Trace trace = recorded(bare, 2);
  const Replay out = replayed(trace, {.probes = probe_times(trace)});
  EXPECT_FALSE(compare(bare, out, 20));
  const auto compared = compare(trace, out, 20);
  ASSERT_TRUE(compared);
  EXPECT_GE(compared->runs.size(), 4U);
  EXPECT_EQ(compared->missed() + compared->unseen, 0);
  EXPECT_NEAR(compared->worst_s(), 2, 0.5);
  EXPECT_NEAR(compared->median_s(), 2, 0.5);
  ASSERT_EQ(compared->dead.size(), 1U);
  EXPECT_EQ(compared->dead[0].measured_peak, 100);
  EXPECT_NEAR(compared->dead[0].simulated_peak, 275, 5);
  const auto apart = compare(trace, out, 1);
  EXPECT_GE(apart->missed(), 4) << "none is so near";
  EXPECT_GE(apart->extra(), 4);
}

}  // namespace
}  // namespace pgtend::vacuum
