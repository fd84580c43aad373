// A partition that has become too wide is divided in its turn, while the table above it is used:
// its rows go into a finer set that takes its place.
#include <atomic>
#include <fstream>
#include <iterator>

#include "e2e/support/partition_online.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Interval;
using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Verb;

class PartitionRecut : public PartitionOnline {
 protected:
  // t is converted without a copy: all its rows are in one partition from MINVALUE on.
  void make_legacy() {
    make_table();
    const OnlinePlan plan = planned("t", Mode::Instant);
    OnlineReport report;
    must_be(run(plan.job, Verb::Run, report));
    must_be(run(plan.job, Verb::Finish, report));
    ASSERT_EQ(one("SELECT count(*) FROM t_legacy"), cat(kOnlineRows));
  }
  std::string refusals(const std::string& table, Mode mode = Mode::Shadow) {
    const OnlinePlan plan = must(partition::plan_online(
        *conn_, {.table = table, .interval = Interval::Month, .ahead = 2}, {}, mode));
    return join(plan.refusals, "; ");
  }
  // Leaves below `table` with their bounds, in the order of their names.
  std::string leaves(const std::string& table) {
    return one(cat(
        "SELECT string_agg(c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid), E'\\n' ORDER BY "
        "c.relname) FROM pg_partition_tree('",
        table, "') p JOIN pg_class c ON c.oid = p.relid WHERE p.isleaf"));
  }
  // Indexes of t that are not whole: without a part in some partition below it, or not valid.
  std::string broken_indexes() {
    return one(
        "SELECT count(*) FROM pg_partition_tree('t') p CROSS JOIN pg_index x WHERE x.indrelid = "
        "'t'::regclass AND NOT EXISTS (SELECT FROM pg_index y, pg_partition_tree(x.indexrelid) q "
        "WHERE y.indrelid = p.relid AND q.relid = y.indexrelid AND y.indisvalid)");
  }
};

TEST_P(PartitionRecut, TheLegacyPartitionIsDividedUnderLoadAndNothingIsLost) {
  make_legacy();
  const std::string bound =
      one("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 't_legacy'::regclass");
  const OnlinePlan plan = planned("t_legacy");
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_GT(report.job.keys_applied, 0);
  EXPECT_EQ(one("SELECT relkind::text || pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = "
                "'t_legacy'::regclass"),
            "p" + bound);
  EXPECT_EQ(broken_indexes(), "0");
  // Every moment of the old bound has one place, also those long before the first row.
  must(conn_->exec("INSERT INTO t (id, at) VALUES (-1, '1990-01-01'), (-2, '-infinity')"));
  EXPECT_EQ(one("SELECT count(*) FROM t_before"), "2");
  EXPECT_EQ(one("SELECT count(*) FROM (SELECT date_trunc('month', at AT TIME ZONE 'UTC') FROM t "
                "WHERE id > 0 GROUP BY 1, tableoid) x GROUP BY date_trunc ORDER BY 1 DESC LIMIT 1"),
            "1");
  EXPECT_EQ(
      one("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'pgtend%' AND contype = 'c'"),
      "0");
}

TEST_P(PartitionRecut, UndoPutsTheWidePartitionBackUnderLoad) {
  make_legacy();
  const std::string before = everything();
  const std::string bounds = leaves("t");
  const OnlinePlan plan = planned("t_legacy");
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));

  OnlineReport back;
  under_load(plan.job, Verb::TakeBack, back);

  EXPECT_GT(back.job.keys_applied, 0);
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(leaves("t"), bounds);
  EXPECT_EQ(broken_indexes(), "0");
}

TEST_P(PartitionRecut, NeitherSwapReadsTheRowsUnderItsLock) {
  make_legacy();
  const OnlinePlan plan = planned("t_legacy");
  // At this level the server tells when it reads a table to prove a bound, and when a constraint
  // spares it that.
  must(
      conn_->exec(cat("ALTER DATABASE ", pg::ident(database()), " SET log_min_messages = debug1")));
  std::ifstream log(cluster().log_file());
  const auto told = [&](Verb verb) {
    log.clear();
    log.seekg(0, std::ios::end);
    OnlineReport report;
    must_be(run(plan.job, verb, report));
    log.clear();
    std::string text((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
    return text;
  };
  for (const Verb verb : {Verb::Run, Verb::TakeBack}) {
    const std::string text = told(verb);
    EXPECT_NE(text.find("partition constraint for table \"t_legacy\" is implied by existing"),
              std::string::npos)
        << text;
  }
}

TEST_P(PartitionRecut, AbortLeavesNothingAndFinishOnlyTheFinerSet) {
  make_legacy();
  const std::string before = everything();
  std::atomic<bool> stop = false;
  care::GateSetup setup = gate();
  setup.cancel = &stop;
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what.starts_with("comparing")) stop = true;
  };
  const OnlinePlan plan = planned("t_legacy");
  OnlineReport report;
  ASSERT_FALSE(partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report));
  must_be(run(must(reshape::find_ledger(*conn_, "t_legacy"))->job, Verb::Abort, report));
  EXPECT_EQ(everything(), before);

  must_be(run(planned("t_legacy").job, Verb::Run, report));
  must_be(run(plan.job, Verb::Finish, report));
  EXPECT_EQ(everything().find("pgtend_"), std::string::npos) << everything();
  EXPECT_EQ(everything().find("_old"), std::string::npos) << everything();
  EXPECT_EQ(difference(), "0");
}

// Its own and the parent's triggers fire once for each row, before and after; rights, options and
// comment of the partition are those of the new one.
TEST_P(PartitionRecut, WhatBelongsToThePartitionStaysAndWhatIsTheParentsComesOnce) {
  make_legacy();
  must(conn_->exec(
      "CREATE TABLE seen (who text); "
      "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen "
      "VALUES (TG_NAME); RETURN NEW; END'; "
      "CREATE TRIGGER own AFTER INSERT ON t_legacy FOR EACH ROW EXECUTE FUNCTION see(); "
      "CREATE TRIGGER above AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION see(); "
      "GRANT SELECT ON t_legacy TO PUBLIC; COMMENT ON TABLE t_legacy IS 'the past'; "
      "CREATE VIEW past AS SELECT id, at FROM t_legacy"));
  const std::string fired =
      "WITH x AS (DELETE FROM seen RETURNING who) SELECT string_agg(who, ' ' ORDER BY who) FROM x";
  const auto insert = [&](int id) {
    must(conn_->exec(cat("INSERT INTO t (id, at) VALUES (", id, ", now() - interval '1 month')")));
    return one(fired);
  };
  EXPECT_EQ(insert(-1), "above own");
  const OnlinePlan plan = planned("t_legacy");
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));

  EXPECT_EQ(insert(-2), "above own");
  EXPECT_EQ(one("SELECT obj_description('t_legacy'::regclass) || "
                "has_table_privilege('public', 't_legacy', 'SELECT')"),
            "the pasttrue");
  EXPECT_EQ(one("SELECT count(*) FROM past WHERE id = -2"), "1");
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(insert(-3), "above own");
  EXPECT_EQ(one("SELECT count(*) FROM past WHERE id < 0"), "3");
}

TEST_P(PartitionRecut, APartitionCanBeDividedByAnotherColumnThanTheTableAboveIt) {
  must(conn_->exec(
      "CREATE TABLE s (site int, at date, v int, PRIMARY KEY (site, at)) PARTITION BY LIST (site); "
      "CREATE TABLE s_1 PARTITION OF s FOR VALUES IN (1, 2); "
      "CREATE TABLE s_3 PARTITION OF s FOR VALUES IN (3); "
      "INSERT INTO s SELECT 1 + i % 3, current_date - i / 3, i FROM generate_series(0, 299) i; "
      "CREATE TABLE o AS TABLE s"));
  const OnlinePlan plan = planned("s_1");
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));

  EXPECT_EQ(one("SELECT relkind::text || pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = "
                "'s_1'::regclass"),
            "pFOR VALUES IN (1, 2)");
  EXPECT_EQ(one("SELECT count(*) FROM ((TABLE s EXCEPT ALL TABLE o) UNION ALL (TABLE o EXCEPT ALL "
                "TABLE s)) x"),
            "0");
}

TEST_P(PartitionRecut, WhatItCannotKeepIsRefusedWithTheReason) {
  make_table();
  const OnlinePlan plan = planned("t", Mode::Instant);
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  const auto early =
      partition::plan_online(*conn_, {.table = plan.proposal.slices.back().name}, {}, Mode::Shadow);
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().message.find("can still be taken back"), std::string::npos);
  must_be(run(plan.job, Verb::Finish, report));

  EXPECT_NE(refusals("t_legacy", Mode::Instant).find("partition of public.t: use --mode shadow"),
            std::string::npos);
  must(
      conn_->exec("CREATE TABLE m (id bigint PRIMARY KEY); ALTER TABLE t ADD COLUMN m bigint "
                  "REFERENCES m"));
  EXPECT_NE(refusals("t_legacy").find("t above it has foreign key t_m_fkey"), std::string::npos)
      << refusals("t_legacy");
  must(
      conn_->exec("ALTER TABLE t DROP COLUMN m; CREATE TABLE r (id bigint, at timestamptz, FOREIGN "
                  "KEY (id, at) REFERENCES t)"));
  EXPECT_NE(refusals("t_legacy").find("is referenced by foreign key"), std::string::npos)
      << refusals("t_legacy");
  must(conn_->exec("DROP TABLE r; CREATE TABLE rest PARTITION OF t DEFAULT"));
  EXPECT_NE(refusals("t_legacy").find("a DEFAULT partition stands beside it, public.rest"),
            std::string::npos)
      << refusals("t_legacy");
  EXPECT_NE(refusals("rest").find("pgtend partition drain makes partitions"), std::string::npos)
      << refusals("rest");
}

// Somebody takes it out, or moves its bound, while it is copied.
TEST_P(PartitionRecut, APartitionThatLosesItsPlaceIsNotSwapped) {
  make_legacy();
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what != "comparing all rows") return;
    (void)connect().exec("ALTER TABLE t DETACH PARTITION t_legacy");
  };
  OnlineReport report;
  const OnlinePlan plan = planned("t_legacy");
  const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Invalid) << done.error().message;
  must_be(run(plan.job, Verb::Abort, report));
  EXPECT_EQ(one("SELECT count(*) FROM t_legacy"), cat(kOnlineRows));
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionRecut);

}  // namespace
}  // namespace pgtend::e2e
