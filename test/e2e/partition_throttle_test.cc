// A conversion makes room: for clients, for a budget of WAL, for the disk, and at the end of its
// time.
#include "e2e/support/partition_online.h"

namespace pgtend::e2e {
namespace {

using partition::OnlineReport;
using partition::Verb;

class PartitionThrottle : public PartitionOnline {
 protected:
  Status run_with(const care::ThrottleLimits& limits, const reshape::Job& job,
                  OnlineReport& report) {
    reshape::Setup setup = small_chunks();
    setup.throttle = limits;
    care::GateSetup with = gate();
    with.on_moment = [this](const care::Moment& moment) {
      if (moment.what.starts_with("making room")) seen_making_room_ = true;
      if (moment.what.starts_with("copying")) seen_copying_ = true;
    };
    return partition::run_job(with, job, Verb::Run, setup, report);
  }
  std::atomic<bool> seen_making_room_ = false;
  std::atomic<bool> seen_copying_ = false;
};

TEST_P(PartitionThrottle, WaitsUntilClientsAreCalm) {
  make_table();
  std::atomic<int> asked = 0;
  OnlineReport report;

  must_be(run_with({.latency =
                        [&]() {
                          ++asked;
                          return seen_making_room_ ? milliseconds(1) : milliseconds(900);
                        },
                    .latency_max = milliseconds(100),
                    .latency_every = milliseconds(1)},
                   planned().job, report));

  EXPECT_TRUE(seen_making_room_);
  EXPECT_GT(report.job.held.latency.count(), 0);
  EXPECT_EQ(report.job.held.clients, "latency 900 ms, limit 100 ms");
  EXPECT_GE(asked, 8);  // three to be high, five to be calm
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionThrottle, KeepsABudgetOfWal) {
  make_table();
  OnlineReport report;

  must_be(run_with({.wal_second = Bytes{5'000'000}}, planned().job, report));

  EXPECT_GT(report.job.held.wal.count(), 0);
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionThrottle, EndsWithItsTimeAndGoesOnFromThere) {
  make_table();
  const reshape::Job job = planned().job;
  OnlineReport report;

  const Status over = run_with(
      {.over = [&] { return seen_copying_ ? std::string("its time is over") : ""; }}, job, report);

  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(over.error().message, "its time is over");
  const auto ledger = must(reshape::find_ledger(*conn_, "t"));
  ASSERT_TRUE(ledger);
  EXPECT_EQ(ledger->phase, reshape::Phase::Capturing);
  EXPECT_GT(ledger->next_page, 0);
  EXPECT_LT(ledger->next_page, ledger->pages);
  OnlineReport rest;
  under_load(job, Verb::Run, rest);
  EXPECT_GT(rest.job.rows_copied, 0);
}

TEST_P(PartitionThrottle, StopsBeforeTheDiskIsFull) {
  make_table();
  const std::string before = everything();
  const reshape::Job job = planned().job;
  OnlineReport report;

  const Status full = run_with({.room_min = Bytes{int64_t{1} << 60}}, job, report);

  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::Limit);
  EXPECT_NE(full.error().message.find("are needed and"), std::string::npos) << full.error().message;
  EXPECT_EQ(report.job.rows_copied, 0);
  OnlineReport aborted;
  must_be(run(job, Verb::Abort, aborted));
  EXPECT_EQ(everything(), before);
}

// What cannot be known stops nobody.
TEST_P(PartitionThrottle, WithoutTheRightTheDiskIsNotLookedAt) {
  make_table();
  must(
      conn_->exec("CREATE ROLE plain LOGIN; ALTER TABLE t OWNER TO plain; ALTER TABLE o OWNER TO "
                  "plain; GRANT CREATE ON SCHEMA public TO plain; SET ROLE plain"));
  const reshape::Job job = planned().job;
  care::GateSetup with = gate();
  with.options.set("options", "-c role=plain");
  reshape::Setup setup = small_chunks();
  setup.throttle.room_min = Bytes{int64_t{1} << 60};
  OnlineReport report;

  must_be(partition::run_job(with, job, Verb::Run, setup, report));

  EXPECT_EQ(difference(), "0");
}

PGTEND_ON_SOME_VERSIONS(PartitionThrottle);

}  // namespace
}  // namespace pgtend::e2e
