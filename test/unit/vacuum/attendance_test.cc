#include "vacuum/attendance.h"

#include <gtest/gtest.h>

namespace pgtend::vacuum {
namespace {

using facts::AutovacuumNow;
using facts::TableFacts;

constexpr uint32_t kQueue = 7;

// A server with a naptime of 10 s, looked at each second, its tables each third one.
class AttendanceTest : public ::testing::Test {
 protected:
  AttendanceTest() {
    settings_.version = 150000;
    settings_.autovacuum.naptime_s = 10;
    settings_.autovacuum.workers_max = 2;
    queue_ = {.oid = kQueue, .schema = "public", .name = "queue", .reltuples = 1000};
    queue_.counters = {.present = true, .rows_live = 1000, .rows_dead = 600};
  }
  void pass(int seconds_long, const AutovacuumNow& now) {
    for (int i = 0; i < seconds_long; ++i) {
      if (second_ % 3 == 0) attendance_.tables({queue_}, visits_, settings_, at());
      attendance_.look(now, at());
      ++second_;
    }
  }
  SteadyTime at() const { return SteadyTime{} + seconds(second_); }
  std::vector<Neglected> neglected() { return attendance_.neglected(); }

  static AutovacuumNow idle() { return {.workers_max = 2}; }
  static AutovacuumNow working(int pid, uint32_t table, const char* work = "VACUUM public.queue") {
    AutovacuumNow out = idle();
    out.workers = {{.pid = pid, .database = "d", .table = table, .work = work, .runs_s = 1}};
    return out;
  }
  static AutovacuumNow busy() {
    AutovacuumNow out = working(1, 70, "VACUUM public.big");
    out.workers.push_back({.pid = 2, .database = "d", .table = 71, .work = "VACUUM public.huge"});
    return out;
  }
  static AutovacuumNow locked(bool granted = true) {
    AutovacuumNow out = idle();
    out.locks = {{.table = kQueue,
                  .granted = granted,
                  .session = {.pid = 9, .application = "etl", .lock_mode = "ShareLock"}}};
    return out;
  }

  facts::ServerSettings settings_;
  TableFacts queue_;
  std::map<uint32_t, facts::Visits> visits_ = {{kQueue, {.vacuums = 5, .analyzes = 5}}};
  Attendance attendance_;
  int second_ = 0;
};

TEST_F(AttendanceTest, TableThatIsVisitedInTimeIsNotNamed) {
  for (int i = 0; i < 10; ++i) {
    pass(9, busy());
    pass(3, working(3, kQueue));
    ++visits_[kQueue].vacuums;  // dead rows that a horizon holds: due again at once
    EXPECT_TRUE(neglected().empty()) << i;
  }
}

TEST_F(AttendanceTest, WorkersThatAreBusyElsewhereAreNamed) {
  pass(30, busy());
  EXPECT_TRUE(neglected().empty()) << "three naptimes are not over";
  pass(4, busy());
  ASSERT_EQ(neglected().size(), 1U);
  const Neglected one = neglected()[0];
  EXPECT_EQ(one.obstacle, Obstacle::WorkersBusy);
  EXPECT_EQ(one.job, Job::Vacuum);
  ASSERT_EQ(one.who.size(), 2U);
  const care::Finding finding = to_finding(one, settings_);
  EXPECT_EQ(finding.id, "autovacuum-starved");
  EXPECT_EQ(finding.severity, care::Severity::Warning);
  ASSERT_EQ(finding.actions.size(), 1U);
  EXPECT_NE(finding.why.find("all 2 workers are busy on other tables: pid 1: VACUUM public.big"),
            std::string::npos)
      << finding.why;
  EXPECT_NE(finding.what.find("(600 against a limit of 250)"), std::string::npos) << finding.what;
}

TEST_F(AttendanceTest, WorkersThatComeAndGoWithoutItDoneWereCancelled) {
  AutovacuumNow visit = working(3, kQueue);
  visit.locks = locked(false).locks;
  for (int i = 0; i < 4; ++i) {
    pass(9, idle());
    pass(2, visit);
  }
  EXPECT_TRUE(neglected().empty()) << "a worker is there";
  pass(2, idle());
  ASSERT_EQ(neglected().size(), 1U);
  const Neglected one = neglected()[0];
  EXPECT_EQ(one.obstacle, Obstacle::Cancelled);
  EXPECT_EQ(one.tries, 4);
  ASSERT_EQ(one.who.size(), 1U);
  EXPECT_NE(one.who[0].find("etl"), std::string::npos);
  EXPECT_EQ(to_finding(one, settings_).id, "autovacuum-cancelled");

  ++visits_[kQueue].vacuums;
  pass(3, idle());
  EXPECT_TRUE(neglected().empty()) << "the fifth try did it";
}

TEST_F(AttendanceTest, OneTryIsNoPattern) {
  pass(2, working(3, kQueue));
  pass(40, busy());
  ASSERT_EQ(neglected().size(), 1U);
  EXPECT_EQ(neglected()[0].obstacle, Obstacle::WorkersBusy);
}

TEST_F(AttendanceTest, AnalyzeOfTheSameTableIsNoTryOfItsVacuum) {
  queue_.counters.modified_since_analyze = 600;
  for (int i = 0; i < 4; ++i) {
    pass(9, locked());
    pass(2, working(3, kQueue, "ANALYZE public.queue"));
    ++visits_[kQueue].analyzes;
  }
  pass(3, locked());
  ASSERT_EQ(neglected().size(), 1U);
  EXPECT_EQ(neglected()[0].job, Job::Vacuum);
  EXPECT_EQ(neglected()[0].obstacle, Obstacle::Locked);
  EXPECT_EQ(neglected()[0].tries, 0);
}

TEST_F(AttendanceTest, LockThatIsMostlyHeldIsNamed) {
  pass(12, idle());
  pass(25, locked());
  ASSERT_EQ(neglected().size(), 1U);
  EXPECT_EQ(neglected()[0].obstacle, Obstacle::Locked);
  EXPECT_TRUE(to_finding(neglected()[0], settings_).actions.empty()) << "it would wait as well";
}

TEST_F(AttendanceTest, DatabaseThatTakesAllWorkersIsNamed) {
  AutovacuumNow forced = idle();
  forced.forced_databases = {"old\x1b"};
  pass(40, forced);
  ASSERT_EQ(neglected().size(), 1U);
  EXPECT_EQ(neglected()[0].obstacle, Obstacle::OtherDatabase);
  EXPECT_EQ(neglected()[0].who[0].find('\x1b'), std::string::npos);
}

TEST_F(AttendanceTest, WithoutAnyReasonItWaitsTwiceAsLong) {
  pass(58, idle());
  EXPECT_TRUE(neglected().empty());
  pass(6, idle());
  ASSERT_EQ(neglected().size(), 1U);
  EXPECT_EQ(neglected()[0].obstacle, Obstacle::Unseen);
  EXPECT_EQ(to_finding(neglected()[0], settings_).severity, care::Severity::Notice);
}

TEST_F(AttendanceTest, WhatIsNotDueOrSwitchedOffIsNotNamed) {
  queue_.options["autovacuum_enabled"] = "off";
  pass(100, busy());
  EXPECT_TRUE(neglected().empty());
  queue_.options.clear();
  queue_.counters.rows_dead = 250;
  pass(100, busy());
  EXPECT_TRUE(neglected().empty());
}

TEST_F(AttendanceTest, RoleThatSeesNothingSaysNothing) {
  AutovacuumNow blind = busy();
  blind.seen = false;
  pass(200, blind);
  EXPECT_TRUE(neglected().empty());
}

TEST_F(AttendanceTest, TableThatIsGoneIsForgotten) {
  pass(40, busy());
  attendance_.tables({}, {}, settings_, at());
  EXPECT_TRUE(neglected().empty());
}

}  // namespace
}  // namespace pgtend::vacuum
