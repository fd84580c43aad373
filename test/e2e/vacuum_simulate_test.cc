// The simulator against real servers: workloads by seed are recorded while autovacuum works, then
// replayed without anything that autovacuum did, and what is foretold is held against what was
// seen.
#include "vacuum/simulate.h"

#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/quote.h"
#include "vacuum/simulate_compare.h"
#include "vacuum/trace_record.h"

namespace pgtend::e2e {
namespace {

// Sessions send their counters once a second at most. That is little beside the naptime of a minute
// that servers have, and should be here.
constexpr double kNaptimeS = 3;
constexpr milliseconds kEvery(500);
// A machine that stood still makes the launcher late, or a run fall together with writes, so that
// the recorder cannot tell their doing apart.
constexpr double kWrongMax = 0.05;        // of the runs of autovacuum
constexpr double kTablesWrongMax = 0.15;  // of the tables

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : must(parse_int(text));
}

// Waits for a moment that others do not hasten; false when the run is over.
class Pace {
 public:
  explicit Pace(std::stop_token stop) : stop_(std::move(stop)) {}
  bool until(SteadyTime time) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop_, time, [] { return false; });
    return !stop_.stop_requested();
  }

 private:
  std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
};

// What a table of a workload is like and what is done with it at each step.
struct Profile {
  std::string name = {};
  std::string options = {};
  bool key = true;  // a primary key
  int rows = 1000;
  int updated = 0;
  int deleted = 0;
  int inserted = 0;
  int every = 1;  // steps
};

// What all recordings together came to.
struct Tally {
  int64_t runs = 0;
  std::vector<double> stepped = {};  // seconds between a run and its prediction
  std::vector<double> steady = {};
  std::vector<std::string> wrong = {};
  int64_t tables = 0;
  std::vector<std::string> tables_wrong = {};
  std::vector<std::string> recordings_wrong = {};  // dead rows of all their tables
};

std::string errors_text(std::vector<double> errors) {
  std::ranges::sort(errors);
  if (errors.empty()) return "none";
  return cat(errors.size(), ", median error ", errors[errors.size() / 2], " s, 95 % within ",
             errors[errors.size() * 95 / 100], " s, worst ", errors.back(), " s");
}

// One run: a database, its tables, and the pace of its writers.
class Recording {
 public:
  Recording(std::string version, uint32_t seed)
      : version_(std::move(version)), seed_(seed), dice_(seed) {
    held_ = seed % 4 == 3;
    pace_ms_ = from_environment("PGTEND_SIMULATE_STEADY", 0) != 0 ? 1100 : 3300;
    const int kinds = 3 + pick(0, 2);
    for (int i = 0; i < kinds; ++i) profiles_.push_back(profile(i));
  }

  std::string title() const {
    return cat("version ", version_, ", seed ", seed_, held_ ? ", held horizon" : "",
               ", a step each ", pace_ms_, " ms or more");
  }

  // A server of its own: where databases share one and a worker is late, the launcher deals its
  // visits out anew, and a database may wait for nearly two naptimes.
  void prepare() {
    cluster_ = must(pg::Cluster::start(
        must(cluster_options(version_, {{"autovacuum", "off"}, {"autovacuum_naptime", "3s"}}))));
    options_ = cluster_->options();
    auto conn = must(pg::Connection::open(options_));
    for (const Profile& one : profiles_) {
      must(conn.exec(cat("CREATE TABLE ", one.name, " (id int, v int, t text)",
                         one.options.empty() ? "" : cat(" WITH (", one.options, ")"))));
      must(conn.exec(insert_sql(one, one.rows)));
      if (one.key) must(conn.exec(cat("ALTER TABLE ", one.name, " ADD PRIMARY KEY (id)")));
      next_[one.name] = one.rows;
    }
    // By another session: this one has counters to send yet.
    conn = must(pg::Connection::open(options_));
    for (const Profile& one : profiles_) must(conn.exec(cat("VACUUM ANALYZE ", one.name)));
  }

  void switch_on() {
    must(cluster_->set({{"autovacuum", "on"}}));
    must(must(pg::Connection::open(options_)).exec("SELECT pg_reload_conf()"));
  }

  // Writes until stopped.
  void write(const std::stop_token& stop) {
    auto conn = must(pg::Connection::open(options_));
    std::optional<pg::Connection> holder;
    Pace pace(stop);
    const auto begin = std::chrono::steady_clock::now();
    auto next = begin;
    for (int step = 0;; ++step) {
      std::string sql;
      for (const Profile& one : profiles_) {
        if (step % one.every == 0) sql += step_sql(one);
      }
      if (!sql.empty()) must(conn.exec(sql));
      next += milliseconds(pace_ms_ + pick(0, pace_ms_ / 2));
      if (!pace.until(next)) return;
      const auto passed = std::chrono::steady_clock::now() - begin;
      if (held_ && !holder && passed > seconds(30) && passed < seconds(75)) {
        holder.emplace(must(pg::Connection::open(options_)));
        must(holder->exec("BEGIN ISOLATION LEVEL REPEATABLE READ"));
        must(holder->exec("SELECT 1"));
      }
      if (holder && passed > seconds(75)) holder.reset();
    }
  }

  void record(const std::stop_token& stop) {
    auto conn = must(pg::Connection::open(options_));
    auto recorder = must(vacuum::Recorder::begin(conn));
    trace_ = recorder.head();
    Pace pace(stop);
    auto next = std::chrono::steady_clock::now();
    do {
      trace_.samples.push_back(must(recorder.sample(conn, false)));
      next += kEvery;
    } while (pace.until(next));
    EXPECT_EQ(recorder.resets(), 0);
  }

  // Replays the recording and holds it against the server; adds to `tally`.
  void check(Tally& tally) {
    SCOPED_TRACE(title());
    if (const char* folder = std::getenv("PGTEND_SIMULATE_KEEP")) {
      std::ofstream(cat(folder, "/", version_, "_", seed_, ".jsonl"))
          << vacuum::write_trace(trace_);
    }
    // As a file, so that all that the replay knows has gone through it.
    const auto bare =
        must(vacuum::read_trace(vacuum::write_trace(vacuum::without_outcome(trace_))));
    const vacuum::ReplaySetup setup{.model = vacuum::model_of(bare),
                                    .probes = vacuum::probe_times(trace_)};
    const auto replay = must(vacuum::replay(bare, vacuum::workload_of(bare), setup));
    const auto compared = vacuum::compare(trace_, replay, (steady() ? 4 : 2) * kNaptimeS);
    ASSERT_TRUE(compared);
    EXPECT_GE(compared->runs.size(), 6U) << "nothing much happened";
    double measured = 0;
    double simulated = 0;
    for (const vacuum::Matched& run : compared->runs) check_run(run, tally);
    for (const vacuum::DeadCompared& dead : compared->dead) {
      check_dead(dead, replay, tally);
      measured += dead.measured_average;
      simulated += dead.simulated_average;
    }
    if (std::abs(simulated - measured) > 0.1 * measured + 20) {
      tally.recordings_wrong.push_back(
          cat(title(), ": dead rows on average ", measured, ", simulated ", simulated));
    }
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(dice_); }

  Profile profile(int number) {
    Profile out{.name = cat("t", number)};
    out.rows = pick(1, 4) == 1 ? pick(20'000, 60'000) : pick(500, 6'000);
    out.key = pick(0, 3) != 0;
    const double vacuum_share = 0.05 * pick(2, 8);
    const double analyze_share = 0.05 * pick(2, 8);
    out.options = cat("autovacuum_vacuum_scale_factor=", vacuum_share,
                      ", autovacuum_analyze_scale_factor=", analyze_share,
                      ", autovacuum_vacuum_threshold=", pick(10, 200));
    if (pick(0, 2) == 0) out.options += cat(", fillfactor=", pick(70, 95));
    const int rows = out.rows;
    switch (pick(0, 4)) {
      case 0:
        out.updated = rows * pick(2, 6) / 100;
        break;
      case 1:
        out.deleted = rows / 200;
        out.inserted = rows / 200;
        out.updated = rows / 50;
        break;
      case 2:
        out.inserted = rows * pick(3, 8) / 100;
        out.options += ", autovacuum_vacuum_insert_scale_factor=0.1";
        break;
      case 3:
        out.updated = rows / 4;
        out.every = pick(4, 8);
        break;  // bursts
      case 4:
        out.deleted = rows / 100;
        out.inserted = rows / 30;
        break;
    }
    if (steady() && out.every == 1) {  // as much in the same time
      for (int* rows_each : {&out.updated, &out.deleted, &out.inserted})
        *rows_each = *rows_each / 3;
    }
    return out;
  }

  static std::string insert_sql(const Profile& one, int count, int64_t from = 0) {
    return cat("INSERT INTO ", one.name,
               " SELECT i, 0, repeat('x', 20 + i % 30) FROM generate_series(", from + 1, ", ",
               from + count, ") i;");
  }
  // Rows anywhere in the table, as many as the profile says: a residue of their ids.
  static std::string some(int64_t rows, int64_t wanted, int64_t turn) {
    const int64_t of = std::max<int64_t>(rows / std::max<int64_t>(wanted, 1), 1);
    return cat(" WHERE id % ", of, " = ", turn % of, ";");
  }
  std::string step_sql(const Profile& one) {
    std::string out;
    int64_t& next = next_[one.name];
    const int64_t turn = turns_[one.name]++;
    if (one.deleted > 0) out += cat("DELETE FROM ", one.name, some(one.rows, one.deleted, turn));
    if (one.inserted > 0) {
      out += insert_sql(one, one.inserted, next);
      next += one.inserted;
    }
    if (one.updated > 0) {
      out += cat("UPDATE ", one.name, " SET v = v + 1", some(one.rows, one.updated, turn));
    }
    return out;
  }

  std::string name_of(size_t table) const {
    const facts::TableFacts& facts = trace_.tables[table].facts;
    return cat(facts.name, " (", facts.reltuples, " rows at first)");
  }

  // How much later than planned a sample near `time` came: the machine was that slow.
  double late_near(double time) const {
    double late = 0;
    for (size_t i = 1; i < trace_.samples.size(); ++i) {
      if (std::abs(trace_.samples[i].at - time) > 2 * kNaptimeS) continue;
      late = std::max(late, trace_.samples[i].at - trace_.samples[i - 1].at - 0.5);
    }
    return late;
  }

  // Writers that come more often than the launcher: whether a limit is passed just before or just
  // after a visit hangs on the launcher's phase, and so does all that follows.
  bool steady() const { return pace_ms_ < 1000 * kNaptimeS; }

  void check_run(const vacuum::Matched& run, Tally& tally) {
    const std::string what = cat(run.analyze ? "ANALYZE" : "VACUUM", " of ", name_of(run.table));
    const double end = trace_.duration_s();
    ++tally.runs;
    if (run.measured && run.simulated) {
      (steady() ? tally.steady : tally.stepped).push_back(run.off_s());
      const double off = steady() ? run.off_span_s() : run.off_s();
      if (off <= kNaptimeS + late_near(*run.measured)) return;
      tally.wrong.push_back(cat(title(), ": ", what, " measured at ", *run.measured,
                                ", simulated at ", *run.simulated, " (", run.earliest, " to ",
                                run.latest, ")"));
    } else if (run.measured && *run.measured < end - 2 * kNaptimeS) {
      tally.wrong.push_back(
          cat(title(), ": ", what, " measured at ", *run.measured, ", not foretold"));
    } else if (run.simulated && *run.simulated < end - 2 * kNaptimeS) {
      tally.wrong.push_back(
          cat(title(), ": ", what, " foretold at ", *run.simulated, ", did not happen"));
    }
  }

  // Within 10 %, and what a naptime brings: at the peak writes, on average rows that wait for it.
  void check_dead(const vacuum::DeadCompared& dead, const vacuum::Replay& replay, Tally& tally) {
    const double naps = trace_.duration_s() / kNaptimeS;
    const vacuum::Writes& end = last_writes(trace_.tables[dead.table].facts.oid);
    const double peak = 0.1 * dead.measured_peak + (end.updated + end.deleted) / naps;
    const auto vacuums = static_cast<double>(replay.tables[dead.table].vacuums);
    const double average = 0.1 * dead.measured_average + dead.measured_peak / 2 * vacuums / naps;
    ++tally.tables;
    if (std::abs(dead.simulated_peak - dead.measured_peak) <= peak + 10 &&
        std::abs(dead.simulated_average - dead.measured_average) <= average + 10) {
      return;
    }
    tally.tables_wrong.push_back(cat(title(), ": ", name_of(dead.table), ": dead rows at most ",
                                     dead.measured_peak, ", simulated ", dead.simulated_peak,
                                     "; on average ", dead.measured_average, ", simulated ",
                                     dead.simulated_average));
  }

  const vacuum::Writes& last_writes(uint32_t oid) const {
    static const vacuum::Writes none;
    const vacuum::Writes* last = &none;
    for (const vacuum::Sample& sample : trace_.samples) {
      for (const vacuum::TableSample& table : sample.tables) {
        if (table.oid == oid) last = &table.writes;
      }
    }
    return *last;
  }

  std::string version_;
  uint32_t seed_;
  std::mt19937 dice_;
  std::vector<Profile> profiles_;
  bool held_ = false;
  int pace_ms_ = 0;
  std::map<std::string, int64_t> next_;  // by table: the highest id given out, and the steps made
  std::map<std::string, int64_t> turns_;
  std::optional<pg::Cluster> cluster_;
  pg::Options options_;
  vacuum::Trace trace_;
};

TEST(VacuumSimulate, RunsAndDeadRowsAreForetoldOnRecordedWorkloads) {
  const int64_t first = from_environment("PGTEND_SIMULATE_SEED", 1);
  // Of each version; all at once, so more of them are in each other's way on a small machine.
  const int64_t each = from_environment("PGTEND_SIMULATE_RUNS", thorough() ? 4 : 2);
  const seconds length(from_environment("PGTEND_SIMULATE_SECONDS", 150));
  std::vector<std::unique_ptr<Recording>> runs;
  for (const std::string version : {"13", "15", "18"}) {
    if (!cluster_options(version)) continue;
    for (int64_t i = 0; i < each; ++i) {
      const auto seed = static_cast<uint32_t>(first) + static_cast<uint32_t>(runs.size());
      runs.push_back(std::make_unique<Recording>(version, seed));
      runs.back()->prepare();
    }
  }
  if (runs.empty()) GTEST_SKIP() << "no server to record";
  for (const auto& run : runs) run->switch_on();
  {
    std::stop_source stop;
    std::vector<std::jthread> threads;
    for (const auto& run : runs) {
      threads.emplace_back([&run, token = stop.get_token()] { run->record(token); });
      threads.emplace_back([&run, token = stop.get_token()] { run->write(token); });
    }
    Pace(std::stop_token()).until(std::chrono::steady_clock::now() + length);
    stop.request_stop();
  }
  Tally tally;
  for (const auto& run : runs) run->check(tally);
  std::cout << runs.size() << " recordings, runs of autovacuum at steps longer than a naptime: "
            << errors_text(tally.stepped) << "; at shorter ones: " << errors_text(tally.steady)
            << "; tables whose dead rows are off: " << tally.tables_wrong.size() << " of "
            << tally.tables << "\n";
  const auto share = [](size_t part, int64_t all) {
    return static_cast<double>(part) / static_cast<double>(all);
  };
  ASSERT_GT(tally.runs, 8 * static_cast<int64_t>(runs.size()));
  // What steady writers make of an unknown phase is told, not asked for.
  if (!tally.steady.empty()) GTEST_SKIP() << "steady writers: only the numbers above";
  EXPECT_LE(share(tally.wrong.size(), tally.runs), kWrongMax) << join(tally.wrong, "\n");
  EXPECT_LE(share(tally.tables_wrong.size(), tally.tables), kTablesWrongMax)
      << join(tally.tables_wrong, "\n");
  EXPECT_LE(tally.recordings_wrong.size(), 1U) << join(tally.recordings_wrong, "\n");
}

class VacuumRecord : public VersionTest {
 protected:
  static int64_t number(const Outcome& outcome, const std::string& member) {
    const auto value = must(parse_json(outcome.out));
    return value.at("data").at(member).to_number<int64_t>();
  }
};

TEST_P(VacuumRecord, ARecordingIsSimulatedWithOtherSettings) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 1000) i"));
  must(conn.exec("VACUUM t"));
  const Scratch scratch;
  const std::string trace = scratch.path() + "/app.trace";
  const std::string program = PGTEND_BINARY_DIR "/pgtend";
  const std::vector<std::string> record = {program, "vacuum", "record",  "-o", trace,
                                           "--for", "1",      "--every", "1",  "--json"};
  const Outcome recorded = run(record, environment_of(options()));
  ASSERT_EQ(recorded.exit_code, 0) << recorded.err;
  EXPECT_EQ(number(recorded, "samples"), 2);
  EXPECT_EQ(number(recorded, "resets"), 0);
  EXPECT_EQ(run(record, environment_of(options())).exit_code, 2) << "the file is there";

  const Outcome text = run({program, "vacuum", "simulate", trace, "--set",
                            "autovacuum_vacuum_scale_factor=0.02,t.autovacuum_enabled=off"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("public.t"), std::string::npos) << text.out;
  const Outcome data =
      run({program, "vacuum", "simulate", trace, "--json", "--set", "autovacuum_naptime=15"});
  ASSERT_EQ(data.exit_code, 0) << data.err;
  EXPECT_EQ(must(parse_json(data.out)).at("data").at("variants").as_array().size(), 2U);
  const Outcome wrong = run({program, "vacuum", "simulate", trace, "--set", "autovacuum_nap=15"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(run({program, "vacuum", "simulate", trace + "x"}).exit_code, 2);
}

TEST_P(VacuumRecord, CountersThatACrashLosesBeginAnew) {
  auto server = must(pg::Cluster::start(must(cluster_options(version()))));
  auto conn = must(pg::Connection::open(server.options()));
  must(conn.exec("CREATE TABLE t (id int) WITH (autovacuum_enabled=off)"));
  auto recorder = must(vacuum::Recorder::begin(conn));
  // Counters travel when the session that wrote ends, and up to 14 by way of another process.
  const auto write_until = [&](double rows) {
    must(must(pg::Connection::open(server.options()))
             .exec("INSERT INTO t SELECT 1 FROM generate_series(1, 100)"));
    vacuum::TableSample last;
    EXPECT_TRUE(wait_until([&] {
      auto again = must(pg::Connection::open(server.options()));
      for (const auto& table : must(recorder.sample(again, true)).tables) {
        if (table.writes.inserted > 0) last = table;
      }
      return last.writes.inserted == rows;
    })) << last.writes.inserted;
    return last;
  };
  EXPECT_FALSE(write_until(100).reset);
  must(conn.exec("CHECKPOINT"));  // commits do not wait for the disk here
  must(server.crash());
  must(server.restart());
  // What the crash cost is noticed when the counters are seen below what they were.
  auto again = must(pg::Connection::open(server.options()));
  EXPECT_TRUE(wait_until([&] {
    return recorder.resets() > 0 || (must(recorder.sample(again, false)), recorder.resets() > 0);
  }));
  EXPECT_EQ(write_until(200).writes.live, 200);
  EXPECT_EQ(recorder.resets(), 1);
}
PGTEND_ON_SOME_VERSIONS(VacuumRecord);

}  // namespace
}  // namespace pgtend::e2e
