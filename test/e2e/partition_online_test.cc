// A table becomes partitioned under load: nobody gets an error, nothing is lost, and whatever ends
// the program in the middle can be gone on with or taken away.
#include <atomic>
#include <thread>

#include "e2e/support/partition_online.h"
#include "partition/upkeep.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Interval;
using partition::Mode;
using partition::OnlinePlan;
using partition::OnlineReport;
using partition::Verb;

constexpr int kRows = kOnlineRows;

class PartitionUnderLoad : public PartitionOnline {};

TEST_P(PartitionUnderLoad, NothingIsLostUnderLoadAndNobodyGetsAnError) {
  make_table();
  const OnlinePlan plan = planned();
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_GT(std::min({deeds.inserted, deeds.updated, deeds.moved, deeds.renamed, deeds.deleted}),
            0);
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
  EXPECT_GT(report.job.chunks, 3);
  EXPECT_GT(report.job.keys_applied, 0);
  EXPECT_EQ(
      one("SELECT string_agg(i.relname, ' ' ORDER BY i.relname) FROM pg_index x JOIN pg_class i ON "
          "i.oid = x.indexrelid WHERE x.indrelid = 't'::regclass AND x.indisvalid"),
      "t_at t_pkey");
}

TEST_P(PartitionUnderLoad, UndoBringsBackWhatWasWrittenSinceUnderLoad) {
  make_table();
  const std::string before = everything();
  const OnlinePlan plan = planned();
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));

  OnlineReport back;
  under_load(plan.job, Verb::TakeBack, back);

  EXPECT_GT(back.job.keys_applied, 0);
  EXPECT_EQ(everything(), before);
}

TEST_P(PartitionOnline, FinishLeavesThePartitionedTableAlone) {
  make_table();
  const OnlinePlan plan = planned();
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  EXPECT_EQ(one("SELECT to_regclass('t_old') IS NOT NULL"), "t");
  // Nothing is retired that a way back would miss.
  const partition::UpkeepPolicy policy{.table = "t",
                                       .keep = must(partition::width_from("1 month")),
                                       .retire = partition::Retire::Drop};
  const partition::SetPlan held = must(partition::plan_upkeep(*conn_, policy));
  ASSERT_FALSE(held.departures.empty());
  for (const partition::Departure& departure : held.departures) {
    EXPECT_NE(departure.refusal.find("pgtend partition finish"), std::string::npos);
    EXPECT_TRUE(departure.detach.steps.empty());
  }

  must_be(run(plan.job, Verb::Finish, report));

  for (const auto& departure : must(partition::plan_upkeep(*conn_, policy)).departures) {
    EXPECT_EQ(departure.refusal, "");
  }
  EXPECT_EQ(everything().find("pgtend_"), std::string::npos) << everything();
  EXPECT_EQ(everything().find("_old"), std::string::npos) << everything();
  EXPECT_EQ(difference(), "0");
}

// Ends it at every moment that it tells of, takes it away, and looks for what is left; then it is
// begun again, ended at the same moment, and gone on with.
TEST_P(PartitionOnline, WhateverIsInterruptedCanBeTakenAwayOrGoneOnWith) {
  make_table();
  const std::string before = everything();
  for (const std::string moment : {"copying", "catching up", "comparing"}) {
    for (const Verb then : {Verb::Abort, Verb::Run}) {
      const OnlinePlan plan = planned();
      std::atomic<bool> stop = false;
      bool touched = false;
      care::GateSetup setup = gate();
      setup.cancel = &stop;
      setup.on_moment = [&](const care::Moment& now) {
        if (now.what.starts_with(moment)) stop = true;
        // The log has to hold something, or there is nothing to catch up with.
        if (now.what.starts_with("copying") && moment != "copying" && !touched) {
          touched = true;
          must(
              connect().exec("UPDATE t SET v = v + 0.01 WHERE id % 5 = 0; UPDATE o SET v = v + "
                             "0.01 WHERE id % 5 = 0"));
        }
      };
      OnlineReport report;
      const Status ended = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);
      ASSERT_FALSE(ended) << moment;
      EXPECT_EQ(ended.error().code, ErrorCode::Cancelled) << moment << ended.error().message;
      EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "r");

      const auto ledger = must(reshape::find_ledger(*conn_, "t"));
      ASSERT_TRUE(ledger.has_value()) << moment;
      must_be(run(ledger->job, then, report));
      if (then == Verb::Run) {
        EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
        EXPECT_EQ(difference(), "0") << moment;
        must_be(run(ledger->job, Verb::TakeBack, report));
      }
      EXPECT_EQ(everything(), before) << moment;
      EXPECT_EQ(difference(), "0") << moment;
    }
  }
}

TEST_P(PartitionOnline, ATruncateInTheMiddleEmptiesTheNewTableToo) {
  make_table();
  const OnlinePlan plan = planned();
  care::GateSetup setup = gate();
  bool done = false;
  setup.on_moment = [&](const care::Moment& now) {
    if (done || !now.what.starts_with("copying")) return;
    done = true;
    for (const char* table : {"t", "o"}) {
      must(connect().exec(cat("DELETE FROM ", table, " WHERE id = 1; TRUNCATE ", table,
                              "; INSERT INTO ", table, " SELECT i, ", kOracleStart,
                              ", 1 FROM generate_series(1, 500) i; "
                              "DELETE FROM ",
                              table, " WHERE id = 7")));
    }
  };
  OnlineReport report;
  must_be(partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report));

  ASSERT_TRUE(done);
  EXPECT_EQ(one("SELECT count(*) FROM t"), "499");
  EXPECT_EQ(difference(), "0");
}

// One wrong row, of each kind that a copy could make.
TEST_P(PartitionOnline, ADifferenceKeepsTheTablesWhereTheyAre) {
  make_table();
  // % is the partition of that row.
  for (const std::string damage :
       {"UPDATE % SET v = v + 0.01 WHERE id = 12000", "DELETE FROM % WHERE id = 12000",
        "INSERT INTO % (id, at, v) SELECT -1, at, 1 FROM % WHERE id = 12000",
        "WITH x AS (DELETE FROM % WHERE id = 12000 RETURNING at, v, pad) INSERT INTO % "
        "SELECT -1, at, v, pad FROM x"}) {
    const OnlinePlan plan = planned();
    care::GateSetup setup = gate();
    std::string leaf;
    setup.on_moment = [&](const care::Moment& now) {
      if (now.what != "comparing all rows") return;
      leaf = one("SELECT tableoid::regclass FROM t_new WHERE id = 12000");
      std::string sql = damage;
      for (size_t at = 0; (at = sql.find('%')) != std::string::npos;) sql.replace(at, 1, leaf);
      must(connect().query(sql));
    };
    OnlineReport report;
    const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);

    ASSERT_FALSE(done) << damage;
    EXPECT_EQ(done.error().code, ErrorCode::Internal);
    EXPECT_NE(done.error().message.find(cat("public.", leaf)), std::string::npos)
        << done.error().message;
    EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "r");
    must_be(run(plan.job, Verb::Abort, report));
    EXPECT_EQ(difference(), "0");
  }
}

// The last changes, brought over under the lock, are compared one by one.
TEST_P(PartitionOnline, AnAlteredTableIsNotSwapped) {
  make_table();
  const OnlinePlan plan = planned();
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what == "comparing all rows")
      must(connect().exec("ALTER TABLE t ADD COLUMN IF NOT EXISTS extra int"));
  };
  OnlineReport report;
  const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);

  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("altered"), std::string::npos) << done.error().message;
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "r");
}

// A reader that keeps the table, and a transaction that has not looked at it yet but would find it
// empty: both are named, nobody else waits for long, and when they end the swap comes.
TEST_P(PartitionOnline, ReadersAndOlderSnapshotsAreWaitedFor) {
  make_table();
  must(conn_->exec("CREATE TABLE other (id int)"));
  for (const char* first : {"SELECT count(*) FROM t", "SELECT count(*) FROM other"}) {
    const OnlinePlan plan = planned();
    pg::Connection reader = connect();
    int times = 0;
    care::GateSetup setup = gate();
    setup.on_moment = [&](const care::Moment& now) {
      if (now.what == "comparing all rows") {
        must(reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ"));
        must(reader.query(first));
        must(connect().exec(
            "UPDATE t SET v = v + 1 WHERE id < 50; UPDATE o SET v = v + 1 WHERE id < 50"));
      }
      if (!now.what.starts_with("changing places: waiting")) return;
      EXPECT_NE(now.what.find(cat("pid ", reader.backend_pid())), std::string::npos) << now.what;
      // Others are not kept waiting while we wait.
      pg::Connection client = connect();
      must(client.exec("SET lock_timeout = '2s'; SELECT count(*) FROM t"));
      if (++times == 3) {
        EXPECT_EQ(must(must(reader.query("SELECT count(*) FROM t")).scalar()), "20000");
        must(reader.exec("COMMIT"));
      }
    };
    OnlineReport report;
    must_be(partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report));

    EXPECT_EQ(times, 3);
    EXPECT_EQ(report.job.swap_tries, 4);
    EXPECT_NE(report.job.waited_for.find(cat("pid ", reader.backend_pid())), std::string::npos)
        << report.job.waited_for;
    EXPECT_EQ(difference(), "0");
    must_be(run(plan.job, Verb::TakeBack, report));
  }
}

// It waits for the table like others, but its snapshot is from before the rows were copied.
TEST_P(PartitionOnline, AWaiterWithAnOlderSnapshotIsNotShownAnEmptyTable) {
  make_table();
  must(conn_->exec("CREATE TABLE other (id int)"));
  const OnlinePlan plan = planned();
  pg::Connection reader = connect();
  pg::Connection old = connect();
  std::optional<std::jthread> helper;
  std::string seen;
  const auto waits = [&](const char* mode) {
    return one(cat("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND NOT granted "
                   "AND mode = '",
                   mode, "'")) == "1";
  };
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what.starts_with("copying") && !old.in_transaction()) {
      must(old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ"));
      must(old.query("SELECT count(*) FROM other"));
    }
    if (now.what == "comparing all rows") {
      must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));
    }
    if (now.what != "changing places" || helper) return;
    helper.emplace([&] {
      EXPECT_TRUE(wait_until([&] { return waits("AccessExclusiveLock"); }));
      must(old.start("SELECT count(*) FROM t"));
      EXPECT_TRUE(wait_until([&] { return waits("AccessShareLock"); }));
      must(reader.exec("COMMIT"));
      const auto rows = must(old.finish_within(seconds(20)));
      if (rows) seen = must(rows->scalar());
      must(old.exec("COMMIT"));
    });
  };
  reshape::Setup slow = small_chunks();
  slow.lock_timeout = seconds(10);
  OnlineReport report;
  must_be(partition::run_job(setup, plan.job, Verb::Run, slow, report));
  helper.reset();

  EXPECT_EQ(seen, cat(kRows));
  EXPECT_GT(report.job.swap_tries, 1);
}

// What stands in the ledger is run, and what stands in the log is believed.
TEST_P(PartitionOnline, DefaultPrivilegesGiveNobodyTheLedger) {
  make_table();
  must(conn_->exec(
      "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO pg_monitor, PUBLIC"));
  OnlinePlan plan = planned();
  // The new table would get them, too, and is refused for it.
  OnlineReport report;
  EXPECT_FALSE(run(plan.job, Verb::Run, report));
  must(conn_->exec("GRANT ALL ON t TO pg_monitor, PUBLIC"));
  plan = planned();
  care::GateSetup setup = gate();
  std::string others;
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what != "comparing all rows") return;
    others =
        one("SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE relname LIKE "
            "'pgtend%' AND a.grantee <> c.relowner");
    must(connect().exec(cat("GRANT UPDATE ON ", plan.job.own("ledger"), " TO PUBLIC")));
  };
  must_be(partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report));

  EXPECT_EQ(others, "0");
  const auto found = reshape::find_ledger(*conn_, "t");
  EXPECT_TRUE(!found || !found->has_value());
}

TEST_P(PartitionOnline, WhoHasNoPatienceIsToldWhoWasInTheWayAndCanResume) {
  make_table();
  const OnlinePlan plan = planned();
  pg::Connection reader = connect();
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what == "comparing all rows") must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));
  };
  reshape::Setup hasty = small_chunks();
  hasty.patience = milliseconds(0);
  OnlineReport report;
  const Status done = partition::run_job(setup, plan.job, Verb::Run, hasty, report);

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Conflict);
  EXPECT_NE(done.error().message.find(cat("pid ", reader.backend_pid())), std::string::npos);
  must(reader.exec("COMMIT"));
  must_be(run(plan.job, Verb::Run, report));
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
}

// What pg_dump would tell of a table, but for how it is divided.
std::string description(pg::Connection& conn, const std::string& table) {
  return must(
      must(conn.query(cat(
               "SELECT concat_ws(E'\\n', relacl::text, relowner::regrole, obj_description(oid), "
               "(SELECT string_agg(concat_ws(',', attname, format_type(atttypid, atttypmod), "
               "attnotnull, attidentity, attgenerated, attstattarget, "
               "(SELECT string_agg(o, ',') FROM unnest(attoptions) o WHERE o NOT LIKE 'pg\\_%'), "
               "attacl::text, attstorage, col_description(attrelid, attnum), "
               "pg_get_expr(adbin, adrelid)), '|' ORDER BY attnum) FROM pg_attribute LEFT JOIN "
               "pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = c.oid AND "
               "attnum > 0 AND NOT attisdropped), (SELECT string_agg(conname || "
               "pg_get_constraintdef(k.oid) || coalesce(obj_description(k.oid), ''), ',' ORDER "
               "BY conname) FROM pg_constraint k WHERE conrelid = c.oid AND contype <> 'n'), "
               "(SELECT string_agg(replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') || "
               "coalesce(obj_description(indexrelid), ''), ',' ORDER BY "
               "indexrelid::regclass::text) FROM pg_index WHERE indrelid = c.oid), (SELECT "
               "string_agg(pg_get_triggerdef(t.oid) || tgenabled::text || "
               "coalesce(obj_description(t.oid), ''), ',' ORDER BY tgname) "
               "FROM pg_trigger t WHERE tgrelid = c.oid AND NOT tgisinternal AND tgname NOT LIKE "
               "'pgtend%'), (SELECT string_agg(pg_get_statisticsobjdef(s.oid) || "
               "coalesce(stxstattarget, -1) || coalesce(obj_description(s.oid), ''), ',' ORDER BY "
               "stxname) FROM pg_statistic_ext s WHERE stxrelid = c.oid), (SELECT "
               "concat(relname, relacl, obj_description(s.oid)) FROM pg_class s WHERE s.oid = "
               "pg_get_serial_sequence(",
               pg::literal(table), ", 'x')::regclass), pg_get_serial_sequence(", pg::literal(table),
               ", 'serial col')) FROM pg_class c WHERE oid = ", pg::literal(table), "::regclass")))
          .scalar());
}

class PartitionKeeps : public PartitionOnline {
 protected:
  void all(Mode mode);
};

void PartitionKeeps::all(Mode mode) {
  const std::string role = pg::ident(create_role("reader").get("user"));
  const std::string table = "\"Sélect\".\"\"\"; drop %x\"";
  must(conn_->exec(cat(
      R"(
CREATE SCHEMA "Sélect"; CREATE TABLE ref (id int PRIMARY KEY); INSERT INTO ref VALUES (1);
CREATE FUNCTION "Sélect".touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  IF tg_table_name LIKE '%new' OR tg_table_name LIKE '%old' THEN RAISE 'too early'; END IF;
  RETURN NULL; END$$;
CREATE DOMAIN "Sélect".small AS int CHECK (value < 1000);
CREATE TYPE "Sélect"."mood" AS ENUM ('a', 'b');
CREATE TABLE )",
      table, R"( ("x" int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 2),
  "at ""; drop" timestamptz NOT NULL DEFAULT now(), "serial col" serial,
  ref_id int REFERENCES ref, note text DEFAULT 'it''s' CHECK (note <> 'bad'), gone int,
  twice int GENERATED ALWAYS AS (ref_id * 2) STORED, d "Sélect".small, e "Sélect"."mood",
  a int[] DEFAULT '{1,2}', j jsonb, n text COLLATE "C", toasted text,
  CONSTRAINT "k ""; drop" PRIMARY KEY ("x", "at ""; drop") DEFERRABLE)
  WITH (fillfactor = 90, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE )",
      table, " DROP COLUMN gone; ALTER TABLE ", table,
      " ALTER COLUMN note SET STATISTICS 777, ALTER COLUMN ref_id SET (n_distinct = -0.5), ALTER "
      "COLUMN toasted SET STORAGE EXTERNAL; CREATE INDEX \"i ;\" ON ",
      table, " (lower(note)) WHERE ref_id > 0; COMMENT ON INDEX \"Sélect\".\"i ;\" IS 'ix';",
      "COMMENT ON CONSTRAINT \"k \"\"; drop\" ON ", table, " IS 'pk'; COMMENT ON TABLE ", table,
      " IS 'it''s \\ mine'; COMMENT ON COLUMN ", table, ".note IS 'n'; GRANT SELECT, INSERT ON ",
      table, " TO ", role, " WITH GRANT OPTION; GRANT UPDATE (note) ON ", table, " TO ", role,
      "; CREATE TRIGGER tg AFTER INSERT OR UPDATE OR DELETE ON ", table,
      " FOR EACH ROW EXECUTE FUNCTION \"Sélect\".touch(); COMMENT ON TRIGGER tg ON ", table,
      " IS 'tr''g'; CREATE STATISTICS \"Sélect\".\"st; %s\" (dependencies) ON note, ref_id FROM ",
      table, "; ALTER STATISTICS \"Sélect\".\"st; %s\" SET STATISTICS 55; COMMENT ON STATISTICS ",
      "\"Sélect\".\"st; %s\" IS 'st'; INSERT INTO ", table,
      " (ref_id, note, \"at \"\"; drop\", toasted) SELECT 1, 'n' || i, now() - i * interval '1 "
      "day', "
      "repeat(md5(i::text), 200) FROM generate_series(1, 100) i")));
  const std::string sequence =
      one(cat("SELECT pg_get_serial_sequence(", pg::literal(table), ", 'x')"));
  must(conn_->exec(cat("GRANT USAGE ON SEQUENCE ", sequence, " TO ", role, "; COMMENT ON SEQUENCE ",
                       sequence, " IS 'sq'")));
  const std::string before = description(*conn_, table);
  const std::string rows =
      cat("SELECT count(*) || ' ' || sum(hashtext(t::text)) FROM ", table, " t");
  const std::string rows_before = one(rows);
  const OnlinePlan plan = planned(table, mode);
  OnlineReport report;
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    // Changes on the way do not fire the table's own triggers a second time.
    if (now.what == "comparing all rows") {
      must(conn_->exec(cat("UPDATE ", table, " SET note = note || '!' WHERE x < 50; UPDATE ", table,
                           " SET note = rtrim(note, '!') WHERE x < 50")));
    }
  };

  const Status done = partition::run_job(setup, plan.job, Verb::Run, small_chunks(), report);
  ASSERT_TRUE(done) << done.error().message;

  EXPECT_EQ(description(*conn_, table), before);
  EXPECT_EQ(one(rows), rows_before);
  EXPECT_EQ(one(cat("INSERT INTO ", table,
                    " (ref_id, note) VALUES (1, 'z') RETURNING x || ' ' || "
                    "\"serial col\"")),
            "205 101");
  EXPECT_FALSE(conn_->exec(cat("INSERT INTO ", table, " (ref_id) VALUES (2)")));
  EXPECT_FALSE(conn_->exec("DELETE FROM ref"));
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(description(*conn_, table), before);
  EXPECT_EQ(one(cat("INSERT INTO ", table,
                    " (ref_id, note) VALUES (1, 'z') RETURNING x || ' ' || "
                    "\"serial col\"")),
            "209 103");
  EXPECT_FALSE(conn_->exec("DELETE FROM ref"));
}

TEST_P(PartitionKeeps, EverythingWhenItIsCopiedAndBack) { all(Mode::Shadow); }
TEST_P(PartitionKeeps, EverythingWhenItBecomesAPartitionAndBack) { all(Mode::Instant); }

TEST_P(PartitionUnderLoad, AsAPartitionNoRowIsCopiedAndNothingIsScannedUnderTheLock) {
  make_table();
  const std::string before = everything();
  const std::string file = one("SELECT pg_relation_filenode('t')");
  const OnlinePlan plan = planned("t", Mode::Instant);
  OnlineReport report;
  const OracleDeeds deeds = under_load(plan.job, Verb::Run, report);

  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
  EXPECT_EQ(one("SELECT pg_relation_filenode('t_legacy')"), file);
  // One scan to validate the CHECK, none to attach; the unique index is built by two.
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE indrelid = 't_legacy'::regclass"), "2");
  EXPECT_EQ(one("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass"), "t");
  // Beyond the cutoff rows go to a partition of their own.
  const std::string late = plan.proposal.slices.front().from;
  must(conn_->exec(cat("INSERT INTO t VALUES (-5, '", late, "', 1), (-6, '", late,
                       "', 2); INSERT "
                       "INTO o TABLE t_",
                       one(cat("SELECT to_char('", late,
                               "'::timestamptz AT TIME ZONE 'UTC', "
                               "'YYYY_MM')")))));
  EXPECT_EQ(difference(), "0");
  must_be(run(plan.job, Verb::TakeBack, report));
  EXPECT_EQ(difference(), "0");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(one("SELECT pg_relation_filenode('t')"), file);
}

// CREATE INDEX CONCURRENTLY reads the table twice and VALIDATE once; nothing else does.
TEST_P(PartitionOnline, AsAPartitionItIsNotReadToBeAttached) {
  make_table();
  const auto scans = [&](const char* table) {
    return must(connect().query(cat("SELECT pg_stat_get_numscans('", table, "'::regclass)")));
  };
  conn_.emplace(connect());  // what the first one has counted is told when it ends
  ASSERT_TRUE(wait_until([&] { return scans("t")[0].text(0) != "0"; }));
  const int64_t before = must(scans("t")[0].get<int64_t>(0));
  OnlineReport report;
  must_be(run(planned("t", Mode::Instant).job, Verb::Run, report));

  EXPECT_TRUE(wait_until([&] { return must(scans("t_legacy")[0].get<int64_t>(0)) >= before + 3; }));
  EXPECT_EQ(must(scans("t_legacy")[0].get<int64_t>(0)), before + 3);
}

// At each of its steps: taken away, and gone on with.
TEST_P(PartitionOnline, AsAPartitionItCanBeStoppedAnywhere) {
  make_table();
  const std::string before = everything();
  const size_t steps = planned("t", Mode::Instant).job.build.size();
  for (size_t at = 0; at <= steps; ++at) {
    for (const Verb then : {Verb::Abort, Verb::Run}) {
      OnlinePlan plan = planned("t", Mode::Instant);
      reshape::Job broken = plan.job;
      broken.build.insert(broken.build.begin() + static_cast<ptrdiff_t>(at),
                          {.sql = "SELECT 1 / 0"});
      OnlineReport report;
      const Status ended = run(broken, Verb::Run, report);
      ASSERT_FALSE(ended);
      // As if it had been killed there: the ledger's own job has not that step.
      must_be(run(plan.job, then, report));
      if (then == Verb::Run) {
        EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
        must_be(run(plan.job, Verb::Finish, report));
        EXPECT_EQ(everything().find("pgtend"), std::string::npos) << everything();
        EXPECT_EQ(difference(), "0");
        must(conn_->exec("DROP TABLE t, o"));
        make_table();
      }
      EXPECT_EQ(everything(), before) << at;
    }
  }
}

TEST_P(PartitionOnline, AWayBackThatWasGivenUpLeavesNothingBehindWhenItIsFinished) {
  make_table();
  const OnlinePlan plan = planned("t", Mode::Instant);
  OnlineReport report;
  must_be(run(plan.job, Verb::Run, report));
  pg::Connection reader = connect();
  care::GateSetup setup = gate();
  setup.on_moment = [&](const care::Moment& now) {
    if (now.what == "changing places back") must(reader.exec("BEGIN; SELECT FROM t LIMIT 1"));
  };
  reshape::Setup hasty = small_chunks();
  hasty.patience = milliseconds(0);
  EXPECT_FALSE(partition::run_job(setup, plan.job, Verb::TakeBack, hasty, report));
  EXPECT_NE(everything().find("narrow"), std::string::npos);
  must(reader.exec("COMMIT"));

  must_be(run(plan.job, Verb::Finish, report));

  EXPECT_EQ(everything().find("pgtend_"), std::string::npos) << everything();
  EXPECT_EQ(difference(), "0");
}

TEST_P(PartitionOnline, RowsTooFarAheadStopItBeforeAnythingIsVisible) {
  make_table();
  const OnlinePlan plan = planned("t", Mode::Instant);
  must(conn_->exec("INSERT INTO t VALUES (-1, '2099-01-01', 1)"));
  OnlineReport report;

  const Status done = run(plan.job, Verb::Run, report);

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().sqlstate, "23514");
  EXPECT_NE(done.error().hint.find("--ahead"), std::string::npos) << done.error().hint;
  // And clients are not turned away afterwards.
  must(conn_->exec("INSERT INTO t VALUES (-3, '2099-01-01', 1)"));
  must_be(run(plan.job, Verb::Abort, report));
  must(conn_->exec("INSERT INTO t VALUES (-2, '2099-01-01', 1)"));
}

// The owner has the table, its schema, and nothing else.
TEST_P(PartitionOnline, TheOwnerNeedsNoMoreThanToBeIt) {
  pg::Options owner = create_role("owner");
  const std::string role = pg::ident(owner.get("user"));
  must(conn_->exec(cat("CREATE SCHEMA app AUTHORIZATION ", role)));
  {
    pg::Connection conn = connect(owner);
    must(conn.exec(
        "CREATE TABLE app.t (id int PRIMARY KEY, at date NOT NULL); INSERT INTO app.t SELECT i, "
        "current_date - i % 60 FROM generate_series(1, 3000) i; ANALYZE app.t"));
  }
  must(conn_->exec("SET search_path = app"));
  const std::string before =
      one("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class "
          "WHERE relnamespace = 'app'::regnamespace");
  for (const Mode mode : {Mode::Shadow, Mode::Instant}) {
    care::GateSetup setup = gate();
    setup.options = owner;
    OnlinePlan plan;
    {
      pg::Connection conn = connect(owner);
      plan = must(partition::plan_online(
          conn, {.table = "app.t", .interval = Interval::Month, .ahead = 3}, {}, mode));
    }
    EXPECT_EQ(join(plan.refusals, "; "), "");
    for (const Verb verb : {Verb::Run, Verb::TakeBack}) {
      OnlineReport report;
      must_be(partition::run_job(setup, plan.job, verb, small_chunks(), report));
      EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"),
                verb == Verb::Run ? "p" : "r");
      EXPECT_EQ(one("SELECT count(*) FROM t"), "3000");
      // Others' snapshots are not visible to it, and it says so.
      EXPECT_EQ(report.job.warnings.size(), mode == Mode::Shadow ? 1U : 0U);
    }
    EXPECT_EQ(one("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE "
                  "relnamespace = 'app'::regnamespace"),
              before);
  }
  must(conn_->exec("DROP SCHEMA app CASCADE"));
}

// = of a type from elsewhere is another one, or none, under another search path.
TEST_P(PartitionOnline, AKeyOfAForeignTypeIsRefused) {
  must(
      conn_->exec("CREATE TYPE pair AS (a int, b int); CREATE TYPE mood AS ENUM ('x', 'y');"
                  "CREATE DOMAIN small AS int NOT NULL; CREATE TABLE k3 (id small PRIMARY KEY, at "
                  "date NOT NULL);"
                  "CREATE TABLE k1 (id pair PRIMARY KEY, at date NOT NULL);"
                  "CREATE TABLE k2 (id mood, n int, at date NOT NULL, PRIMARY KEY (id, n))"));
  const auto refusals = [&](const char* table) {
    return join(
        must(partition::plan_online(
                 *conn_, {.table = table, .interval = Interval::Month, .from = "2025-01-01"}))
            .refusals,
        "; ");
  };
  EXPECT_NE(refusals("k1").find("types of PostgreSQL's own"), std::string::npos) << refusals("k1");
  EXPECT_EQ(refusals("k2"), "");
  // A TRUNCATE has no key to note, which such a domain would forbid.
  EXPECT_NE(refusals("k3").find("types of PostgreSQL's own"), std::string::npos);
}

PGTEND_ON_SOME_VERSIONS(PartitionUnderLoad);
PGTEND_ON_SOME_VERSIONS(PartitionKeeps);
PGTEND_ON_OLDEST_AND_NEWEST(PartitionOnline);

}  // namespace
}  // namespace pgtend::e2e
