// A conversion whose clients come through a pool, which holds them while the tables change places.
#include <memory>

#include "base/text.h"
#include "cli/table_holder.h"
#include "e2e/support/oracle_load.h"
#include "e2e/support/pool.h"
#include "partition/online.h"

namespace pgtend::e2e {
namespace {

using cli::TableHolder;
using partition::Verb;

constexpr int kRows = 5'000;

class PartitionPool : public PoolTest {
 protected:
  static constexpr const char* kSettings =
      "workers = 2\ndefault_pool_size = 5\npool_mode = transaction\n";

  void SetUp() override {
    PoolTest::SetUp();
    if (HasFatalFailure()) return;
    conn_.emplace(connect());
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
    must(conn_->exec(
        cat("CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, v numeric(10,2)); "
            "INSERT INTO t SELECT i, ",
            kOracleStart, " + i * interval '5 minutes', i / 7.0 FROM generate_series(1, ", kRows,
            ") i; CREATE TABLE o (LIKE t INCLUDING ALL); INSERT INTO o SELECT * FROM t; "
            "ALTER TABLE t OWNER TO CURRENT_USER; ANALYZE t, o")));
  }
  pg::Options console_at(const PoolProcess& pool) const {
    auto out = through(pool);
    out.set("dbname", "pgbouncer");
    return out;
  }
  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = true;
    out.policy.back_off = milliseconds(10);
    out.policy.back_off_max = milliseconds(50);
    out.policy.statement_timeout = milliseconds(0);
    return out;
  }
  std::string one(const std::string& sql) {
    return std::string(must(conn_->query(sql))[0].text(0));
  }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
  std::optional<store::Audit> audit_;
};

TEST_F(PartitionPool, ClientsAreHeldWhileTheTablesChangePlaces) {
  PoolProcess pool(ini(kSettings));
  auto load_options = through(pool);
  const auto plan = must(partition::plan_online(
      *conn_, {.table = "t", .interval = partition::Interval::Month, .ahead = 2}));
  ASSERT_EQ(join(plan.refusals, "; "), "");
  auto holder = must(TableHolder::open(console_at(pool), *conn_, plan.job.table()));
  EXPECT_FALSE(holder.pauses());
  int64_t held = 0;
  std::string shown;
  reshape::Setup setup{.chunk = milliseconds(5), .patience = seconds(60)};
  setup.hold = [&] {
    const Status status = holder.hold();
    if (status) ++held;
    shown = console(pool, "SHOW HOLDS")[0].text(2);
    return status;
  };
  setup.release = [&] { return holder.release(); };
  OracleLoad load(load_options, kRows);
  partition::OnlineReport report;
  const Status done = partition::run_job(gate(), plan.job, Verb::Run, setup, report);
  const OracleDeeds deeds = load.end();

  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(deeds.error, "");
  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.deleted}), 0);
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
  EXPECT_EQ(one("SELECT count(*) FROM ((TABLE t EXCEPT ALL TABLE o) UNION ALL (TABLE o EXCEPT ALL "
                "TABLE t)) x"),
            "0");
  EXPECT_EQ(join(report.job.warnings, "; "), "");
  EXPECT_EQ(report.job.swap_holds, report.job.swap_tries);
  EXPECT_EQ(held, report.job.swap_tries);
  EXPECT_EQ(shown, "public.t");
  EXPECT_TRUE(console(pool, "SHOW HOLDS").empty());
}

TEST_F(PartitionPool, WhatTheTableIsUsedByIsHeldToo) {
  must(
      conn_->exec("CREATE VIEW w AS SELECT id FROM t; CREATE VIEW \"W of w\" AS SELECT id FROM w; "
                  "CREATE TABLE child (t_id bigint REFERENCES t)"));
  PoolProcess pool(ini(kSettings));
  auto holder = must(TableHolder::open(console_at(pool), *conn_, "public.t"));
  ASSERT_TRUE(holder.hold());
  EXPECT_EQ(console(pool, "SHOW HOLDS")[0].text(2),
            "public.t, public.\"W of w\", public.w, public.child");
  EXPECT_EQ(console(pool, "SHOW HOLDS")[0].text(1), database());
  EXPECT_TRUE(holder.release());
  EXPECT_TRUE(console(pool, "SHOW HOLDS").empty());
  EXPECT_TRUE(holder.release()) << "nothing is held";

  auto pooled = must(pg::Connection::open(through(pool)));
  const auto refused = TableHolder::open(console_at(pool), pooled, "public.t");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("must not lead through a pooler"), std::string::npos);
}

// A pool that has ended: the swap goes on without it, and says so.
TEST_F(PartitionPool, WithoutItsConsoleTheSwapIsTriedAllTheSame) {
  const auto plan = must(partition::plan_online(
      *conn_, {.table = "t", .interval = partition::Interval::Month, .ahead = 2}));
  auto pool = std::make_unique<PoolProcess>(ini(kSettings));
  auto holder = must(TableHolder::open(console_at(*pool), *conn_, plan.job.table()));
  pool.reset();
  reshape::Setup setup{.chunk = milliseconds(50), .patience = seconds(60)};
  setup.hold = [&] { return holder.hold(); };
  setup.release = [&] { return holder.release(); };
  partition::OnlineReport report;
  const Status done = partition::run_job(gate(), plan.job, Verb::Run, setup, report);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(report.job.swap_holds, 0);
  ASSERT_EQ(report.job.warnings.size(), 1u);
  EXPECT_NE(report.job.warnings[0].find("the table was not held"), std::string::npos);
}

}  // namespace
}  // namespace pgtend::e2e
