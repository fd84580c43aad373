// Partitions become wider or narrower while the table is used, and come back.
#include <atomic>
#include <fstream>
#include <iterator>

#include "e2e/support/partition_online.h"
#include "partition/recut.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::OnlineReport;
using partition::RecutPlan;
using partition::RecutRequest;
using partition::Verb;

class PartitionMerge : public PartitionOnline {
 protected:
  // t, divided by months; the rows of the load lie in three of them.
  void make_months() {
    make_table();
    must(conn_->exec(
        "ALTER TABLE t RENAME TO whole; DROP INDEX t_at; CREATE TABLE t (LIKE whole INCLUDING "
        "DEFAULTS, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE INDEX t_at "
        "ON t (at)"));
    must(conn_->exec(cat(
        "DO $$DECLARE m timestamptz; BEGIN SET LOCAL timezone = 'UTC'; FOR i IN -2..8 LOOP m := "
        "date_trunc('month', ",
        kOracleStart,
        ") + i * interval '1 month'; EXECUTE format('CREATE TABLE t_%s PARTITION OF t FOR VALUES "
        "FROM (%L) TO (%L)', to_char(m, 'YYYY_MM'), m, m + interval '1 month'); END LOOP; END$$; "
        "INSERT INTO t SELECT * FROM whole; DROP TABLE whole; ANALYZE t")));
  }
  RecutPlan recut(const std::string& every, const std::string& from = "") {
    RecutPlan plan = must(partition::plan_recut(
        *conn_, {.table = "t", .every = must(partition::width_from(every)), .from = from}));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    return plan;
  }
  std::string refused(const RecutRequest& request) {
    const auto plan = partition::plan_recut(*conn_, request);
    return plan ? join(plan->refusals, "; ") : plan.error().message;
  }
  std::string refused_for_weeks() {
    return refused({.table = "t", .every = must(partition::width_from("1 week"))});
  }
  // Partitions with their bounds.
  std::string bounds() {
    return one(
        "SELECT string_agg(c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid), E'\\n' ORDER BY "
        "c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = "
        "'t'::regclass");
  }
  // Partitions that lack a part of an index of t, or have a CHECK of ours.
  std::string not_whole() {
    return one(
        "SELECT count(*) FROM pg_inherits p CROSS JOIN pg_index x WHERE p.inhparent = "
        "'t'::regclass "
        "AND x.indrelid = 't'::regclass AND (NOT EXISTS (SELECT FROM pg_index y, pg_inherits q "
        "WHERE y.indrelid = p.inhrelid AND q.inhrelid = y.indexrelid AND q.inhparent = "
        "x.indexrelid AND y.indisvalid) OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = "
        "p.inhrelid AND k.conname LIKE 'pgtend%'))");
  }
};

TEST_P(PartitionMerge, MonthsBecomeWeeksAndComeBackUnderLoad) {
  make_months();
  const std::string before = everything();
  const std::string months = bounds();
  const RecutPlan plan = recut("1 week");
  EXPECT_EQ(plan.sources.size(), 11U);
  OnlineReport report;

  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_GT(report.job.keys_applied, 0);
  EXPECT_EQ(not_whole(), "0");
  EXPECT_EQ(one("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"),
            cat(plan.slices.size()));
  // All of the time that was covered is, once.
  must(conn_->exec(cat("INSERT INTO t (id, at) SELECT -g, g * interval '1 day' + ", kOracleStart,
                       " - interval '2 months' FROM generate_series(1, 300) g; DELETE FROM t WHERE "
                       "id < 0")));
  EXPECT_EQ(one("SELECT count(*) FROM (SELECT date_trunc('week', at AT TIME ZONE 'UTC'), "
                "date_trunc('month', at AT TIME ZONE 'UTC') FROM t GROUP BY 1, 2, tableoid HAVING "
                "count(DISTINCT tableoid) > 1) x"),
            "0");

  OnlineReport back;
  OracleLoad load(options(), kOnlineRows, 5'000'000);
  must_be(run(plan.job, Verb::TakeBack, back));
  EXPECT_EQ(load.end().error, "");
  EXPECT_EQ(difference(), "0");
  EXPECT_GT(back.job.keys_applied, 0);
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(bounds(), months);
  EXPECT_EQ(not_whole(), "0");
}

TEST_P(PartitionMerge, MonthsAreMergedIntoQuartersForGood) {
  make_months();
  const RecutPlan plan = recut("3 months");
  OnlineReport report;

  under_load(plan.job, Verb::Run, report);
  must_be(run(plan.job, Verb::Finish, report));

  EXPECT_EQ(everything().find("pgtend_"), std::string::npos) << everything();
  EXPECT_EQ(everything().find("_aside"), std::string::npos) << everything();
  EXPECT_EQ(difference(), "0");
  EXPECT_EQ(not_whole(), "0");
  EXPECT_EQ(refused({.table = "t", .every = must(partition::width_from("3 months"))}),
            "no partition of public.t has to change to be 3 months wide");
}

TEST_P(PartitionMerge, NeitherSwapReadsTheRowsUnderItsLock) {
  make_months();
  const RecutPlan plan = recut("3 months");
  must(
      conn_->exec(cat("ALTER DATABASE ", pg::ident(database()), " SET log_min_messages = debug1")));
  std::ifstream log(cluster().log_file());
  const auto implied = [&](Verb verb) {
    log.clear();
    log.seekg(0, std::ios::end);
    OnlineReport report;
    must_be(run(plan.job, verb, report));
    log.clear();
    const std::string text((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
    size_t count = 0;
    const std::string_view needle = "is implied by existing constraints";
    for (size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) {
      ++count;
    }
    return count;
  };
  // Each new one when it is made and in its place, each old one where it is put aside; then back.
  EXPECT_EQ(implied(Verb::Run), 2 * plan.slices.size() + plan.sources.size());
  EXPECT_EQ(implied(Verb::TakeBack), plan.sources.size());
}

TEST_P(PartitionMerge, ATruncateOfOnePartitionIsFollowed) {
  make_months();
  const RecutPlan plan = recut("1 week");
  std::atomic<int> truncated = 0;
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    const std::string part = plan.sources[truncated == 0 ? 2 : 3].qualified();
    const bool due = truncated == 0 ? now.what.starts_with("copying: ")
                                    : truncated == 1 && now.what.starts_with("comparing");
    if (!due) return;
    ++truncated;
    pg::Connection other = connect();
    must(other.exec(cat("BEGIN; DELETE FROM o WHERE id IN (SELECT id FROM ", part, "); TRUNCATE ",
                        part,
                        "; WITH n AS (INSERT INTO t SELECT -id, at, v, pad FROM "
                        "o WHERE id BETWEEN 9000 AND 9010 RETURNING *) INSERT INTO o SELECT * FROM "
                        "n ON CONFLICT DO NOTHING; COMMIT")));
  };
  OnlineReport report;

  must_be(partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report));

  EXPECT_EQ(truncated, 2);
  EXPECT_EQ(difference(), "0");
  const std::string made = plan.job.results[10].table;
  must(conn_->exec(cat("DELETE FROM o WHERE id IN (SELECT id FROM ", made, "); TRUNCATE ", made)));
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(difference(), "0");
}

// What only some of the partitions are like is kept, too.
TEST_P(PartitionMerge, RightsOptionsAndGuardsOfThePartitionsAreKept) {
  make_months();
  must(conn_->exec(
      "CREATE ROLE reader; DO $$DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid::regclass FROM "
      "pg_inherits WHERE inhparent = 't'::regclass LOOP EXECUTE format('ALTER TABLE %s SET "
      "(fillfactor = 77); GRANT SELECT ON %s TO reader; ALTER TABLE %s ENABLE ROW LEVEL SECURITY; "
      "CREATE POLICY mine ON %s USING (id > 0); COMMENT ON POLICY mine ON %s IS ''hers''; ALTER "
      "TABLE %s ALTER v SET STATISTICS 321; CREATE "
      "INDEX ON %s (v)', p, p, p, p, p, p, p); END LOOP; END$$; CREATE STATISTICS pair ON id, v "
      "FROM t; "
      "ALTER TABLE t ADD CONSTRAINT sane CHECK (id <> 0); COMMENT ON COLUMN t.v IS 'kWh'"));
  const std::string like =
      "SELECT string_agg(DISTINCT concat_ws(' ', c.reloptions, c.relacl, c.relrowsecurity, (SELECT "
      "pg_get_expr(polqual, polrelid) || obj_description(oid) FROM pg_policy WHERE polrelid = "
      "c.oid), (SELECT "
      "attstattarget FROM pg_attribute WHERE attrelid = c.oid AND attname = 'v'), (SELECT count(*) "
      "FROM pg_index WHERE indrelid = c.oid AND indisvalid), (SELECT count(*) FROM pg_constraint "
      "WHERE conrelid = c.oid AND contype = 'c' AND coninhcount = 1)), ';') FROM pg_inherits i "
      "JOIN "
      "pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 't'::regclass";
  const std::string before = one(like);
  const RecutPlan plan = recut("1 week");
  OnlineReport report;

  must_be(run(plan.job, Verb::Run, report));

  EXPECT_EQ(one(like), before);
  EXPECT_EQ(difference(), "0");
  must(conn_->exec("DROP OWNED BY reader; DROP ROLE reader"));
}

TEST_P(PartitionMerge, WhereverItIsInterruptedItGoesOnOrLeavesNothing) {
  make_months();
  const std::string before = everything();
  const RecutPlan plan = recut("1 week");
  OracleLoad load(options(), kOnlineRows);
  OnlineReport report;
  Status status = ok();
  int stops = 0;
  do {
    std::atomic<bool> stop = false;
    std::atomic<int> left = 2 + stops * (stops + 3);
    care::GateSetup setup = gate();
    setup.cancel = &stop;
    setup.on_moment = [&](const care::Moment&) { stop = --left < 0; };
    status = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);
    if (status) break;
    ASSERT_EQ(status.error().code, ErrorCode::Cancelled) << status.error().message;
    if (++stops == 2) {
      must_be(run(plan.job, Verb::Abort, report));
      EXPECT_EQ(everything(), before);
    }
  } while (stops < 200);
  const OracleDeeds deeds = load.end();

  EXPECT_TRUE(status) << status.error().message;
  EXPECT_GT(stops, 2);
  EXPECT_EQ(deeds.error, "");
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionMerge, WhoeverAltersTheTableMeanwhileStopsIt) {
  make_months();
  const RecutPlan plan = recut("1 week");
  must(conn_->exec("ALTER TABLE t ADD COLUMN more int"));
  OnlineReport report;

  const Status status = run(plan.job, Verb::Run, report);

  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("was altered"), std::string::npos)
      << status.error().message;
}

// Planned by a session that writes times in its own way, run by another.
TEST_P(PartitionMerge, HowASessionWritesTimesMakesNoDifference) {
  make_months();
  must(conn_->exec("SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'"));
  const RecutPlan plan = recut("3 months");
  OnlineReport report;

  must_be(run(plan.job, Verb::Run, report));

  EXPECT_EQ(not_whole(), "0");
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionMerge, WhatCannotBeKeptIsRefused) {
  make_months();
  const auto has = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  const std::string part = one(
      "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass ORDER BY 1 LIMIT "
      "1");
  must(conn_->exec(cat("CREATE VIEW v AS SELECT id FROM ", part)));
  has(refused_for_weeks(), "knows it: drop that first");
  must(
      conn_->exec("DROP VIEW v; CREATE TABLE other (id int PRIMARY KEY); ALTER TABLE t ADD COLUMN "
                  "x int REFERENCES other"));
  has(refused_for_weeks(), "by which all rows would be read again under the lock");
  must(conn_->exec("ALTER TABLE t DROP COLUMN x; CREATE TABLE rest PARTITION OF t DEFAULT"));
  has(refused_for_weeks(), "a DEFAULT partition stands beside it");
  must(conn_->exec("DROP TABLE rest"));
  has(refused({.table = "t", .every = must(partition::width_from("1 week")), .time_zone = "Mars"}),
      "Mars");
  has(refused({.table = "o", .every = must(partition::width_from("1 week"))}),
      "is not partitioned by ranges");
  EXPECT_EQ(refused_for_weeks(), "");
  const RecutPlan plan = recut("1 week");
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  has(refused_for_weeks(), "has begun: it is settled");
}

class PartitionDrain : public PartitionMerge {
 protected:
  // All rows of the load are in the DEFAULT partition, with some that no interval takes.
  void make_default() {
    make_months();
    must(conn_->exec(
        "CREATE TABLE heap AS TABLE t; DROP TABLE t; CREATE TABLE t (LIKE o INCLUDING DEFAULTS, "
        "PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE INDEX t_at ON t (at); "
        "CREATE TABLE t_rest PARTITION OF t DEFAULT; CREATE TABLE t_1990 PARTITION OF t FOR VALUES "
        "FROM ('1990-01-01 00:00+00') TO ('1990-02-01 00:00+00'); INSERT INTO t TABLE heap; DROP "
        "TABLE heap; INSERT INTO t (id, at) VALUES (-1, 'infinity'), (-2, '2299-01-01'), (-3, "
        "'1990-01-05'); INSERT INTO o SELECT * FROM t WHERE id < 0; ANALYZE t"));
  }
  RecutPlan drain(const std::string& to = "2200-01-01") {
    RecutPlan plan = must(partition::plan_drain(
        *conn_, {.table = "t", .every = must(partition::width_from("1 month")), .to = to}));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    return plan;
  }
};

TEST_P(PartitionDrain, EachMonthGetsAPartitionUnderLoadAndBack) {
  make_default();
  const std::string before = everything();
  const RecutPlan plan = drain();
  OnlineReport report;

  under_load(plan.job, Verb::Run, report);

  EXPECT_GE(plan.slices.size(), 3U);
  EXPECT_EQ(not_whole(), "0");
  EXPECT_EQ(one("SELECT string_agg(id::text, ' ' ORDER BY id DESC) FROM t WHERE tableoid = "
                "to_regclass('t_rest_2') AND (NOT isfinite(at) OR at > '2200-01-01')"),
            "-1 -2");
  EXPECT_EQ(one("SELECT count(*) FROM (SELECT FROM t WHERE isfinite(at) AND tableoid <> "
                "to_regclass('t_rest_2') GROUP BY tableoid, date_trunc('month', at AT TIME ZONE "
                "'UTC')) x"),
            cat(plan.slices.size() + 1));

  OnlineReport back;
  OracleLoad load(options(), kOnlineRows, 5'000'000);
  must_be(run(plan.job, Verb::TakeBack, back));
  EXPECT_EQ(load.end().error, "");
  EXPECT_EQ(difference(), "0");
  EXPECT_EQ(everything(), before);
}

TEST_P(PartitionDrain, OnlyTheRestIsReadUnderTheLock) {
  make_default();
  const RecutPlan plan = drain();
  must(
      conn_->exec(cat("ALTER DATABASE ", pg::ident(database()), " SET log_min_messages = debug1")));
  std::ifstream log(cluster().log_file());
  for (const Verb verb : {Verb::Run, Verb::TakeBack}) {
    log.clear();
    log.seekg(0, std::ios::end);
    OnlineReport report;
    must_be(run(plan.job, verb, report));
    log.clear();
    const std::string text((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
    // Verified means read: the old one when its CHECK is validated, which locks nobody out.
    const std::string needle = "verifying table \"t_rest\"";
    const size_t first = text.find(needle);
    EXPECT_EQ(first == std::string::npos, verb == Verb::TakeBack) << text;
    if (first != std::string::npos) {
      EXPECT_EQ(text.find(needle, first + 1), std::string::npos);
    }
    for (const partition::Slice& slice : plan.slices) {
      EXPECT_EQ(text.find(cat("verifying table \"", slice.name, "\"")), std::string::npos) << text;
    }
  }
}

TEST_P(PartitionDrain, WhatIsLeftAndWhatIsCoveredStays) {
  make_default();
  const RecutPlan plan = drain();
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  const std::string made = plan.slices.front().name;
  must(conn_->exec(cat("TRUNCATE ", made,
                       ", t_rest_2; DELETE FROM o WHERE id IN (-1, -2) OR id IN "
                       "(SELECT id FROM o EXCEPT SELECT id FROM t)")));
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(difference(), "0");
  must_be(run(drain().job, Verb::Run, report));
  must_be(run(must(reshape::find_ledger(*conn_, "t"))->job, Verb::Finish, report));
  EXPECT_EQ(difference(), "0");

  const auto again = partition::plan_drain(*conn_, {.table = "t"});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("has no rows for which"), std::string::npos)
      << again.error().message;
  const auto none = partition::plan_drain(*conn_, {.table = "o"});
  EXPECT_FALSE(none);
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionMerge);
PGTEND_ON_OLDEST_AND_NEWEST(PartitionDrain);

}  // namespace
}  // namespace pgtend::e2e
