// Tables that are divided by ranges of whole numbers.
#include "e2e/support/partition_online.h"

namespace pgtend::e2e {
namespace {

using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Request;
using partition::Verb;

class PartitionIntegers : public PartitionOnline {
 protected:
  OnlinePlan planned_by(const std::string& column, int64_t step, int ahead,
                        Mode mode = Mode::Shadow) {
    OnlinePlan plan = must(partition::plan_online(
        *conn_, {.table = "t", .column = column, .step = step, .ahead = ahead}, {}, mode));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    return plan;
  }
  std::string bounds(const std::string& table = "t") {
    return one(
        cat("SELECT string_agg(c.relname || ' ' || substr(pg_get_expr(c.relpartbound, c.oid), 12), "
            "E'\\n' ORDER BY c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE "
            "i.inhparent = '",
            table, "'::regclass"));
  }
  std::string refusal(const Request& request) {
    const auto plan = partition::plan_online(*conn_, request);
    return plan ? join(plan->refusals, "; ") : cat(plan.error().message, "; ", plan.error().hint);
  }
};

TEST_P(PartitionIntegers, NothingIsLostUnderLoadThereAndBack) {
  make_table();
  const std::string before = everything();
  // New ids of the load have their place ahead.
  const OnlinePlan plan = planned_by("id", 10'000, 30);
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report, 25'000);
  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_EQ(one("SELECT count(*) FROM (SELECT tableoid, id / 10000 FROM t GROUP BY 1, 2) x"),
            one("SELECT count(DISTINCT tableoid) FROM t"));
  EXPECT_EQ(plan.proposal.slices.size(), 33u);

  OnlineReport back;
  under_load(plan.job, Verb::TakeBack, back, 150'000);
  EXPECT_EQ(everything(), before);
}

TEST_P(PartitionIntegers, InstantlyTheTableBecomesTheFirstPartition) {
  must(
      conn_->exec("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM "
                  "generate_series(1, 950) i; CREATE TABLE o AS TABLE t"));
  const OnlinePlan plan = planned_by("id", 100, 3, Mode::Instant);
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  EXPECT_EQ(
      bounds(),
      "t_legacy FROM (MINVALUE) TO (1200)\nt_1200 FROM (1200) TO (1300)\nt_1300 FROM (1300) TO "
      "(1400)\nt_1400 FROM (1400) TO (1500)");
  must(conn_->exec("INSERT INTO t VALUES (1250, 1); INSERT INTO o VALUES (1250, 1)"));
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(difference(), "0");
}

// Rows that came behind the bound since the plan are found before it turns anybody away.
TEST_P(PartitionIntegers, AnInstantBoundThatNumbersHavePassedIsNotSet) {
  must(conn_->exec("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (5, 5)"));
  const OnlinePlan plan = planned_by("id", 10, 3, Mode::Instant);
  must(conn_->exec("INSERT INTO t VALUES (30, 1)"));
  OnlineReport report;
  const Status done = run(plan.job, Verb::Run, report);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("the bound of the conversion has passed"), std::string::npos)
      << done.error().message;
  must_be(run(must(reshape::find_ledger(*conn_, "t"))->job, Verb::Abort, report));
  EXPECT_EQ(one("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = "
                "'c'"),
            "0");
}

TEST_P(PartitionIntegers, TheEndsOfATypeAreReached) {
  must(conn_->exec(
      "CREATE TABLE t (id smallint PRIMARY KEY, v int); INSERT INTO t VALUES (-32768, 1), (-1, 2), "
      "(0, 3), (32767, 4); CREATE TABLE o AS TABLE t"));
  const OnlinePlan plan = planned_by("id", 20'000, 3);
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  EXPECT_EQ(bounds(),
            "t_min FROM (MINVALUE) TO ('-20000')\nt_m20000 FROM ('-20000') TO ('0')\nt_0 FROM "
            "('0') TO ('20000')\nt_20000 FROM ('20000') TO (MAXVALUE)");
  EXPECT_EQ(difference(), "0");
  EXPECT_NE(refusal({.table = "o", .column = "id", .step = 1}).find("more than 2000"),
            std::string::npos);
  EXPECT_NE(refusal({.table = "o", .column = "nope", .step = 5}).find("has no column nope"),
            std::string::npos);
  EXPECT_NE(refusal({.table = "o", .column = "id"}).find("--every 1000000"), std::string::npos);
  must(conn_->exec("ALTER TABLE o ADD COLUMN f float8"));
  EXPECT_NE(refusal({.table = "o", .column = "f", .step = 5}).find("not smallint, integer or big"),
            std::string::npos);
}

TEST_P(PartitionIntegers, APartitionIsTiledFromBoundToBound) {
  must(conn_->exec(
      "CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE t_1 "
      "PARTITION OF t FOR VALUES FROM (5) TO (2500); CREATE TABLE t_2 PARTITION OF t FOR VALUES "
      "FROM (MINVALUE) TO (5); INSERT INTO t SELECT i, i FROM generate_series(-150, 2000) i; "
      "CREATE TABLE o AS TABLE t"));
  OnlineReport report;
  for (const char* part : {"t_1", "t_2"}) {
    const OnlinePlan plan =
        must(partition::plan_online(*conn_, {.table = part, .column = "id", .step = 1'000}));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    must_be(run(plan.job, Verb::Run, report));
    must_be(run(plan.job, Verb::Finish, report));
  }
  EXPECT_EQ(bounds("t_1"),
            "t_5 FROM (5) TO (1000)\nt_1000 FROM (1000) TO (2000)\nt_2000 FROM "
            "(2000) TO (2500)");
  EXPECT_EQ(one("SELECT count(*) FROM t_before"), "0");
  EXPECT_EQ(difference(), "0");
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionIntegers);

}  // namespace
}  // namespace pgtend::e2e
