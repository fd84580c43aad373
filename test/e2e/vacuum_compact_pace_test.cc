// What slows a compaction down and what it waits for: clients, a WAL budget, standbys, quiet times.
#include <atomic>
#include <fstream>

#include "base/text.h"
#include "e2e/support/database.h"
#include "vacuum/compact.h"

namespace pgtend::e2e {
namespace {

using vacuum::CompactReport;
using vacuum::CompactSetup;
using vacuum::Way;

constexpr int64_t kBytesOfMove = 100;  // of WAL: less no moved row of this table takes

bool tells(const care::Moment& moment, std::string_view what) {
  return moment.what.find(what) != std::string::npos;
}

// A server of the test's own, and a second one that may become its standby.
class CompactPace : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto there = binaries_of(GetParam()); !there) {
      GTEST_SKIP() << there.error().message;
    }
    const auto options =
        must(cluster_options(GetParam(), {{"autovacuum", "off"}, {"wal_level", "replica"}}));
    primary_.emplace(must(pg::Cluster::start(options)));
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
    must(
        connect().exec("CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t SELECT i, "
                       "repeat('x', 100) FROM generate_series(1, 30000) i"));
    must(connect().exec("DELETE FROM t WHERE id % 10 < 6"));
    must(connect().exec("VACUUM ANALYZE t"));
  }
  pg::Connection connect() { return must(pg::Connection::open(primary_->options())); }
  // The second server goes on from the first one's data, as its standby.
  void follow() {
    const auto options =
        must(cluster_options(GetParam(), {{"autovacuum", "off"}, {"wal_level", "replica"}}));
    standby_.emplace(must(pg::Cluster::start(options)));
    must(primary_->stop());
    must(standby_->stop());
    const std::string to = standby_->data_folder();
    ASSERT_EQ(run({"cp", "-a", primary_->data_folder() + "/.", to}).exit_code, 0);
    std::ofstream(to + "/standby.signal") << "";
    // Each cluster knows its own password alone, and the roles are now the primary's.
    std::ofstream(to + "/pg_hba.conf") << "local all all trust\n";
    must(primary_->restart());
    const pg::Options at = primary_->options();
    must(standby_->set(
        {{"wal_receiver_status_interval", "1s"},
         {"primary_conninfo",
          cat("host=", at.get("host"), " port=", at.get("port"), " user=", at.get("user"),
              " password=", at.get("password"), " application_name=reports")}}));
    must(standby_->restart());
    pg::Connection conn = connect();
    ASSERT_TRUE(wait_until(
        [&] {
          return *must(conn.query("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS "
                                  "NOT NULL AND state = 'streaming'"))
                      .scalar() == "1";
        },
        seconds(30)));
  }
  CompactSetup setup(bool apply = true) {
    CompactSetup out{.table = "t"};
    out.gate = {.options = primary_->options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.lock_timeout_patient = seconds(30);
    out.gate.policy.back_off = milliseconds(20);
    out.way = Way::InPlace;
    return out;
  }
  CompactReport compacted(const CompactSetup& how) {
    const std::string before = checksum();
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(checksum(), before);
    return report;
  }
  std::string checksum() {
    pg::Connection conn = connect();
    return must(must(conn.query("SELECT count(*) || ' ' || sum(hashtextextended(t::text, "
                                "0)::numeric) FROM t"))
                    .scalar());
  }
  int64_t pages() {
    pg::Connection conn = connect();
    return must(parse_int(must(must(conn.query("SELECT pg_relation_size('t') / 8192")).scalar())));
  }

  Scratch scratch_;
  std::optional<pg::Cluster> primary_;
  std::optional<pg::Cluster> standby_;
  std::optional<store::Audit> audit_;
};

TEST_P(CompactPace, WithoutAnyOfItNothingHoldsItBack) {
  const CompactReport report = compacted(setup());

  EXPECT_FALSE(report.held.any()) << care::held_text(report.held);
  EXPECT_EQ(to_text(report).find("held back"), std::string::npos);
}

TEST_P(CompactPace, TheWalBudgetIsKept) {
  CompactSetup how = setup();
  how.throttle.wal_second = Bytes{500'000};

  const CompactReport report = compacted(how);

  EXPECT_GT(report.held.wal.count(), 0);
  const double least = static_cast<double>(report.moved.rows * kBytesOfMove) / 500'000;
  EXPECT_GE(static_cast<double>(report.took.count()) / 1'000, least);
  EXPECT_NE(to_text(report).find("for the WAL budget"), std::string::npos) << to_text(report);
}

TEST_P(CompactPace, WhileClientsWaitNothingIsMovedAndThenItGoesOn) {
  std::atomic<bool> slow = false;
  CompactSetup how = setup();
  how.throttle.latency = [&] { return std::optional(milliseconds(slow ? 90 : 1)); };
  how.throttle.latency_max = milliseconds(50);
  how.throttle.latency_every = milliseconds(5);
  int waits = 0;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (waits == 0 && tells(moment, "rows moved")) slow = true;
    if (!tells(moment, "making room")) return;
    if (++waits == 3) slow = false;
  };

  const CompactReport report = compacted(how);

  EXPECT_GE(waits, 3);
  EXPECT_GT(report.held.latency.count(), 0);
  EXPECT_NE(to_text(report).find("latency 90.0 ms, limit 50.0 ms"), std::string::npos)
      << to_text(report);
  EXPECT_EQ(report.unfinished, "");
}

TEST_P(CompactPace, AVacuumThatClientsFeelIsStoppedAndBegunAgain) {
  // Slow enough that it is asked while it runs.
  must(connect().exec("ALTER SYSTEM SET vacuum_cost_delay = '20ms'"));
  must(connect().exec("ALTER SYSTEM SET vacuum_cost_limit = 20"));
  must(connect().query("SELECT pg_reload_conf()"));
  std::atomic<bool> slow = false;
  std::atomic<int> asked = 0;
  CompactSetup how = setup();
  how.throttle.latency = [&] {
    ++asked;
    return std::optional(milliseconds(slow ? 90 : 1));
  };
  how.throttle.latency_max = milliseconds(50);
  how.throttle.latency_every = milliseconds(5);
  bool felt = false;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (!felt && moment.progress && moment.progress->command == "VACUUM") felt = slow = true;
    if (tells(moment, "making room")) slow = false;
  };

  const CompactReport report = compacted(how);

  EXPECT_TRUE(felt);
  EXPECT_GT(report.held.latency.count(), 0);
  bool stopped = false;
  for (const auto& entry : must(audit_->latest(100))) {
    stopped = stopped || entry.record.result.find("clients wait too long") != std::string::npos;
  }
  EXPECT_TRUE(stopped);
}

TEST_P(CompactPace, WhatHasNoTimeLeftEndsAndSaysThatTheNextRunGoesOn) {
  std::atomic<bool> over = false;
  CompactSetup how = setup();
  how.throttle.over = [&] { return std::string(over ? "its time is over" : ""); };
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (tells(moment, "rows moved")) over = true;
  };
  const std::string before = checksum();
  CompactReport report;

  const Status status = vacuum::compact(how, report);

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "its time is over");
  EXPECT_NE(status.error().hint.find("next run"), std::string::npos);
  EXPECT_EQ(checksum(), before);
  over = false;
  how.gate.on_moment = {};
  compacted(how);
}

TEST_P(CompactPace, AStandbyThatDoesNotReplayIsWaitedForAndNamed) {
  ASSERT_NO_FATAL_FAILURE(follow());
  pg::Connection there = must(pg::Connection::open(standby_->options()));
  CompactSetup how = setup();
  how.throttle.lag_max = milliseconds(40);
  how.throttle.lag_every = milliseconds(10);
  bool paused = false;
  int waits = 0;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (!paused && tells(moment, "rows moved")) {
      must(there.query("SELECT pg_wal_replay_pause()"));
      paused = true;
    }
    if (paused && tells(moment, "waiting for a standby: reports") && ++waits == 3) {
      must(there.query("SELECT pg_wal_replay_resume()"));
    }
  };

  const CompactReport report = compacted(how);

  EXPECT_TRUE(paused);
  EXPECT_GE(waits, 3);
  EXPECT_GT(report.held.lag.count(), 0);
  EXPECT_NE(report.held.standby.find("reports is "), std::string::npos) << report.held.standby;
  EXPECT_FALSE(report.held.lag_unknown);
}

TEST_P(CompactPace, TheCutWaitsForTheQuietTimesWhileAStandbyIsThere) {
  ASSERT_NO_FATAL_FAILURE(follow());
  std::atomic<bool> quiet = false;
  CompactSetup how = setup();
  how.cut = {.quiet = [&] { return quiet.load(); }, .times = "22:30-05:00"};
  const int64_t before = pages();
  int64_t while_waiting = 0;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (!tells(moment, "waiting for the quiet times 22:30-05:00") || quiet) return;
    while_waiting = pages();
    // A row at the end, as writers leave one: it must not keep the file.
    must(connect().exec("UPDATE t SET pad = pad WHERE ctid = (SELECT max(ctid) FROM t)"));
    quiet = true;
  };

  const CompactReport report = compacted(how);

  EXPECT_GE(while_waiting, before);
  EXPECT_LT(pages(), before / 2 + 10);
  EXPECT_NE(join(report.schedule, "\n").find("22:30-05:00"), std::string::npos);
  EXPECT_NE(join(report.schedule, "\n").find("reports"), std::string::npos);
}

TEST_P(CompactPace, WithoutStandbysItWaitsOnlyWhenAsked) {
  CompactSetup how = setup();
  how.cut = {.quiet = [] { return false; }, .times = "22:30-05:00"};
  const int64_t before = pages();

  const CompactReport report = compacted(how);

  EXPECT_LT(pages(), before / 2 + 10);
  EXPECT_EQ(join(report.schedule, "\n").find("22:30-05:00"), std::string::npos);
  how.cut.always = true;
  how.gate.policy.apply = false;
  EXPECT_NE(join(compacted(how).schedule, "\n").find("22:30-05:00"), std::string::npos);
}

TEST_P(CompactPace, QuietTimesThatEndBeforeTheCutLeaveItToTheNextRun) {
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));
  std::atomic<bool> quiet = true;
  CompactSetup how = setup();
  how.cut = {.quiet = [&] { return quiet.load(); }, .times = "22:30-05:00", .always = true};
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (tells(moment, "waiting to give back")) quiet = false;
  };
  CompactReport report;

  const Status status = vacuum::compact(how, report);

  ASSERT_FALSE(status);
  EXPECT_EQ(exit_code(status.error()), 6) << status.error().message;
  EXPECT_NE(status.error().message.find("quiet times are over"), std::string::npos)
      << status.error().message;
  must(reader.exec("COMMIT"));
  quiet = true;
  compacted(how);
}

PGTEND_ON_SOME_VERSIONS(CompactPace);

}  // namespace
}  // namespace pgtend::e2e
