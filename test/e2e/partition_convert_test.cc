// A table becomes partitioned and keeps all that it was; what cannot be kept is refused.
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "partition/partition.h"
#include "partition/prove.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using care::GateSetup;
using partition::Conversion;
using partition::ConvertOptions;
using partition::ConvertReport;
using partition::Interval;
using partition::Request;

constexpr const char* kHostile = "\"Sélect\".\"\"\"; drop\"";

class PartitionConvert : public AuditedTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"}, {"timezone", "America/New_York"}, {"wal_level", "logical"}};
  }
  // The metering tables with readings from February to April 2025.
  void metering() {
    must(conn_->exec(R"(
CREATE TABLE m_meterinfo (meter_id int PRIMARY KEY, msn text UNIQUE);
INSERT INTO m_meterinfo SELECT i, 'm' || i FROM generate_series(1, 50) i;
CREATE TABLE t_dlpdata (reading_id bigserial PRIMARY KEY, meter_id int NOT NULL,
  reading_timestamp timestamptz NOT NULL, kwh_reading numeric(10,4) NOT NULL);
INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading)
SELECT 1 + i % 50, '2025-02-01 00:00:00+00'::timestamptz + i * interval '15 minutes', i / 7.0
FROM generate_series(0, 8000) i;
CREATE INDEX readings_by_time ON t_dlpdata (reading_timestamp);
ANALYZE t_dlpdata)"));
  }

  GateSetup gate(bool apply = true) {
    GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = apply;
    out.policy.tries = 3;
    out.policy.lock_timeout = milliseconds(100);
    out.policy.back_off = milliseconds(10);
    out.policy.seed = 7;
    return out;
  }
  Conversion planned(const Request& request, const ConvertOptions& options = {}) {
    return must(partition::plan(*conn_, request, options));
  }
  static Request mission() {
    return {.table = "t_dlpdata", .interval = Interval::Month, .from = "2025-01-01", .ahead = 2};
  }
  bool refused(const std::string& needle, const std::string& table = "t_dlpdata") {
    const Conversion conversion = planned({.table = table, .interval = Interval::Month});
    EXPECT_TRUE(conversion.action.steps.empty());
    for (const std::string& reason : conversion.refusals) {
      if (reason.find(needle) != std::string::npos) return true;
    }
    ADD_FAILURE() << "not refused for " << needle << ": " << join(conversion.refusals, " | ");
    return false;
  }
};

TEST_P(PartitionConvert, MissionTableLandsInMonthsAndTheInsertInJanuary) {
  metering();
  const Conversion conversion = planned(mission());
  ASSERT_TRUE(conversion.refusals.empty()) << join(conversion.refusals, "; ");

  const ConvertReport report = must(partition::convert(gate(), conversion));

  EXPECT_TRUE(report.outcome.applied);
  EXPECT_TRUE(report.warnings.empty()) << join(report.warnings, "; ");
  must(
      conn_->exec("INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
                  "VALUES (1, '2025-01-15 10:00:00+00', 123.45)"));
  EXPECT_EQ(one("SELECT tableoid::regclass::text FROM t_dlpdata WHERE kwh_reading = 123.45"),
            "t_dlpdata_2025_01");
  EXPECT_EQ(one("SELECT count(*) FROM t_dlpdata"), "8002");
  EXPECT_EQ(one("SELECT reading_id FROM t_dlpdata WHERE kwh_reading = 123.45"), "8002");
  const auto layout = must(partition::show(*conn_, "t_dlpdata"));
  EXPECT_EQ(layout.partitions.at(0).bound,
            "FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2025-02-01 00:00:00+00')");
  EXPECT_TRUE(layout.gaps.empty());
  EXPECT_GT(*layout.runway_s, 31 * 86400);
  EXPECT_EQ(one("SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ';') FROM "
                "pg_constraint WHERE conrelid = 't_dlpdata'::regclass AND contype = 'p'"),
            "t_dlpdata_pkey PRIMARY KEY (reading_id, reading_timestamp)");
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE indrelid = 't_dlpdata_2025_03'::regclass"),
            "2");
  EXPECT_EQ(one("SELECT pg_get_serial_sequence('t_dlpdata', 'reading_id')"),
            "public.t_dlpdata_reading_id_seq");
  EXPECT_EQ(one("SELECT last_analyze IS NOT NULL FROM pg_stat_all_tables WHERE relid = "
                "'t_dlpdata_2025_03'::regclass"),
            "t");
}

TEST_P(PartitionConvert, BoundsAreTheSameInEverySessionZone) {
  metering();
  std::vector<std::string> seen;
  for (const char* zone : {"Asia/Kolkata", "America/New_York", "UTC"}) {
    must(conn_->query("SELECT set_config('TimeZone', $1, false)", {zone}));
    seen.push_back(to_text(json::value(to_json(must(partition::propose(*conn_, mission()))))));
  }

  // Only the data's own extent is a matter of the moment; all of it is the same here.
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

TEST_P(PartitionConvert, DaysTileAcrossClockChanges) {
  must(
      conn_->exec("CREATE TABLE t (at timestamptz NOT NULL); INSERT INTO t VALUES "
                  "('2025-03-01 00:00+00'), (now())"));

  const auto proposal = must(partition::propose(
      *conn_, {.table = "t", .interval = Interval::Day, .time_zone = "Europe/Berlin"}));

  for (size_t i = 1; i < proposal.slices.size(); ++i) {
    EXPECT_EQ(proposal.slices[i].from, proposal.slices[i - 1].to);
    EXPECT_NE(proposal.slices[i].name, proposal.slices[i - 1].name);
  }
  EXPECT_EQ(proposal.slices[29].from, "2025-03-30 00:00:00+01");
  EXPECT_EQ(proposal.slices[29].to, "2025-03-31 00:00:00+02");
}

TEST_P(PartitionConvert, DryRunPrintsEveryStatementAndChangesNothing) {
  metering();
  const Conversion conversion = planned(mission());

  const ConvertReport report = must(partition::convert(gate(false), conversion));

  EXPECT_FALSE(report.outcome.applied);
  EXPECT_EQ(report.outcome.statements.size(), conversion.action.steps.size() + 1);
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't_dlpdata'::regclass"), "r");
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname LIKE 't\\_dlpdata\\_2%'"), "0");
}

TEST_P(PartitionConvert, EverythingAboutTheTableIsKept) {
  const pg::Options reader = create_role("reader");
  const std::string role = pg::ident(reader.get("user"));
  must(conn_->exec(
      cat(R"(
CREATE SCHEMA "Sélect";
CREATE TABLE ref (id int PRIMARY KEY); INSERT INTO ref VALUES (1);
CREATE FUNCTION "Sélect".touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TABLE )",
          kHostile, R"( (
  "x" int GENERATED ALWAYS AS IDENTITY, "at ""; drop" timestamptz NOT NULL DEFAULT now(),
  ref_id int REFERENCES ref, note text DEFAULT 'it''s' CHECK (note <> 'bad'), gone int,
  twice int GENERATED ALWAYS AS (ref_id * 2) STORED,
  CONSTRAINT "k ""; drop" PRIMARY KEY ("x", "at ""; drop") DEFERRABLE)
  WITH (fillfactor = 90, autovacuum_analyze_scale_factor = 0.02,
  toast.autovacuum_enabled = false);
ALTER TABLE )",
          kHostile, " DROP COLUMN gone; ALTER TABLE ", kHostile,
          " ALTER COLUMN note SET STATISTICS 777; ALTER TABLE ", kHostile,
          " ALTER COLUMN ref_id SET (n_distinct = -0.5); CREATE INDEX \"i ;\" ON ", kHostile,
          " (lower(note)) WHERE ref_id > 0; COMMENT ON INDEX \"Sélect\".\"i ;\" IS 'ix';",
          "COMMENT ON TABLE ", kHostile, " IS 'it''s \\ mine'; COMMENT ON COLUMN ", kHostile,
          ".note IS 'n'; GRANT SELECT, INSERT ON ", kHostile, " TO ", role,
          " WITH GRANT OPTION; GRANT UPDATE (note) ON ", kHostile, " TO ", role,
          "; CREATE TRIGGER tg AFTER INSERT ON ", kHostile,
          " FOR EACH ROW EXECUTE FUNCTION \"Sélect\".touch(); INSERT INTO ", kHostile,
          " (ref_id, note) SELECT 1, 'n' || i FROM generate_series(1, 100) i")));
  const auto columns = [&] {
    return one(
        cat("SELECT string_agg(concat_ws(',', attname, format_type(atttypid, atttypmod), "
            "attnotnull, attidentity, attgenerated, attstattarget, "
            "(SELECT string_agg(o, ',') FROM unnest(attoptions) o WHERE o NOT LIKE 'pg\\_%'), "
            "attacl::text, col_description(attrelid, attnum), "
            "pg_get_expr(adbin, adrelid)), '|' ORDER BY attnum) FROM pg_attribute LEFT JOIN "
            "pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = ",
            pg::literal(kHostile), "::regclass AND attnum > 0 AND NOT attisdropped"));
  };
  const auto table = [&] {
    return one(
        cat("SELECT concat_ws('|', relacl::text, obj_description(oid), (SELECT string_agg("
            "conname || pg_get_constraintdef(k.oid), ',' ORDER BY conname) FROM pg_constraint k "
            "WHERE conrelid = c.oid AND contype <> 'n'), (SELECT string_agg(replace("
            "pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') || coalesce(obj_description("
            "indexrelid), ''), ',' ORDER BY indexrelid::regclass::text) FROM pg_index "
            "WHERE indrelid = c.oid), (SELECT string_agg(pg_get_triggerdef(t.oid), ',') FROM "
            "pg_trigger t WHERE tgrelid = c.oid AND NOT tgisinternal)) FROM pg_class c "
            "WHERE oid = ",
            pg::literal(kHostile), "::regclass"));
  };
  const std::string columns_before = columns();
  const std::string table_before = table();

  const Conversion conversion = planned({.table = kHostile, .interval = Interval::Month});
  ASSERT_TRUE(conversion.refusals.empty()) << join(conversion.refusals, "; ");
  must(partition::convert(gate(), conversion));

  EXPECT_EQ(columns(), columns_before);
  EXPECT_EQ(table(), table_before);
  EXPECT_EQ(one(cat("SELECT count(*) FROM ", kHostile)), "100");
  EXPECT_EQ(one(cat("INSERT INTO ", kHostile, " (ref_id, note) VALUES (1, 'z') RETURNING x")),
            "101");
  EXPECT_EQ(one(cat("SELECT reloptions::text FROM pg_class WHERE oid = (SELECT tableoid FROM ",
                    kHostile, " LIMIT 1)")),
            "{fillfactor=90,autovacuum_analyze_scale_factor=0.02}");
  EXPECT_EQ(one(cat("SELECT t.reloptions::text FROM pg_class c JOIN pg_class t ON t.oid = "
                    "c.reltoastrelid WHERE c.oid = (SELECT tableoid FROM ",
                    kHostile, " LIMIT 1)")),
            "{autovacuum_enabled=false}");
}

TEST_P(PartitionConvert, UndoBringsTheTableBackWithLaterRows) {
  metering();
  const Conversion conversion = planned(mission());
  must(partition::convert(gate(), conversion));
  must(
      conn_->exec("INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
                  "VALUES (1, '2025-01-15 10:00:00+00', 123.45)"));

  must(conn_->exec(cat("BEGIN; ", join(conversion.action.undo, ";\n"), "; COMMIT")));

  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't_dlpdata'::regclass"), "r");
  EXPECT_EQ(one("SELECT count(*) FROM t_dlpdata"), "8002");
  EXPECT_EQ(one("SELECT to_regclass('t_dlpdata_2025_01') IS NULL"), "t");
  EXPECT_EQ(one("INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
                "VALUES (1, now(), 1) RETURNING reading_id"),
            "8003");
  EXPECT_TRUE(planned(mission()).refusals.empty());
}

TEST_P(PartitionConvert, OldTableIsDroppedWhenAskedTo) {
  metering();
  const Conversion conversion = planned(mission(), {.drop_old = true});

  must(partition::convert(gate(), conversion));

  EXPECT_TRUE(conversion.action.undo.empty());
  EXPECT_EQ(one("SELECT to_regclass('t_dlpdata_old') IS NULL"), "t");
  EXPECT_EQ(one("SELECT nextval('t_dlpdata_reading_id_seq')"), "8002");
}

TEST_P(PartitionConvert, WriterMakesItRetreat) {
  metering();
  const Conversion conversion = planned(mission());
  pg::Connection writer = connect();
  must(writer.exec("BEGIN; UPDATE t_dlpdata SET kwh_reading = 0 WHERE reading_id = 1"));

  const auto report = partition::convert(gate(), conversion);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Conflict) << report.error().message;
  EXPECT_NE(report.error().message.find(cat("pid ", writer.backend_pid())), std::string::npos);
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't_dlpdata'::regclass"), "r");
}

TEST_P(PartitionConvert, OlderSnapshotMakesItRetreat) {
  metering();
  const Conversion conversion = planned(mission());
  pg::Connection reader = connect();
  must(reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM m_meterinfo LIMIT 1"));

  const auto report = partition::convert(gate(), conversion);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Conflict) << report.error().message;
  EXPECT_NE(report.error().message.find(cat("pid ", reader.backend_pid())), std::string::npos)
      << report.error().message;
  EXPECT_EQ(must(reader.query("SELECT count(*) FROM t_dlpdata"))[0].text(0), "8001");
}

TEST_P(PartitionConvert, ChangeSincePlanningStopsIt) {
  metering();
  const Conversion conversion = planned(mission());
  must(conn_->exec("ALTER TABLE t_dlpdata ADD COLUMN tariff int"));

  const auto report = partition::convert(gate(), conversion);

  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("has changed since"), std::string::npos)
      << report.error().message;
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't_dlpdata'::regclass"), "r");
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname = 't_dlpdata_old'"), "0");
}

TEST_P(PartitionConvert, RowOutsideThePlanRollsEverythingBack) {
  metering();
  const Conversion conversion = planned(mission());
  must(
      conn_->exec("INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading) "
                  "VALUES (1, '1999-01-01', 1)"));

  const auto report = partition::convert(gate(), conversion);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().sqlstate, "23514") << report.error().message;
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't_dlpdata'::regclass"), "r");
  EXPECT_EQ(one("SELECT count(*) FROM t_dlpdata"), "8002");
}

TEST_P(PartitionConvert, CancelInTheMiddleLeavesNothing) {
  metering();
  const Conversion conversion = planned(mission());
  std::atomic<bool> cancel = false;
  GateSetup setup = gate();
  setup.cancel = &cancel;
  Conversion slow = conversion;
  const auto insert = std::ranges::find_if(
      slow.action.steps, [](const care::Step& step) { return step.sql.starts_with("INSERT"); });
  ASSERT_NE(insert, slow.action.steps.end());
  slow.action.steps.insert(insert + 1, {.sql = "SELECT pg_sleep(60)"});
  setup.on_moment = [&](const care::Moment& moment) {
    if (moment.step + 1 < slow.action.steps.size() && moment.what == "running" &&
        slow.action.steps[moment.step].sql.starts_with("SELECT pg_sleep")) {
      cancel = true;
    }
  };

  const auto report = partition::convert(setup, slow);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Cancelled) << report.error().message;
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname LIKE 't\\_dlpdata\\_2%' OR "
                "relname = 't_dlpdata_old'"),
            "0");
  EXPECT_EQ(one("SELECT count(*) FROM t_dlpdata"), "8001");
}

TEST_P(PartitionConvert, WhatCannotBeKeptIsRefused) {
  metering();
  must(conn_->exec("CREATE TABLE child (id bigint REFERENCES t_dlpdata)"));
  EXPECT_TRUE(refused("foreign key to it"));
  must(conn_->exec("DROP TABLE child; CREATE PUBLICATION \"p ;\" FOR TABLE t_dlpdata"));
  EXPECT_TRUE(refused("publication \"p ;\""));
  must(
      conn_->exec("DROP PUBLICATION \"p ;\"; ALTER TABLE t_dlpdata ALTER COLUMN "
                  "reading_timestamp DROP NOT NULL"));
  EXPECT_FALSE(partition::plan(*conn_, {.table = "t_dlpdata"}));
  const Conversion nullable =
      planned({.table = "t_dlpdata", .column = "reading_timestamp", .interval = Interval::Month});
  ASSERT_EQ(nullable.refusals.size(), 1U) << join(nullable.refusals, "; ");
  EXPECT_NE(nullable.refusals[0].find("SET NOT NULL"), std::string::npos);
  must(
      conn_->exec("ALTER TABLE t_dlpdata ALTER COLUMN reading_timestamp SET NOT NULL; "
                  "CREATE UNIQUE INDEX u ON t_dlpdata (meter_id, kwh_reading)"));
  EXPECT_TRUE(refused("unique index u"));
  must(
      conn_->exec("DROP INDEX u; CREATE FUNCTION f(t_dlpdata) RETURNS int LANGUAGE sql AS "
                  "'SELECT 1'"));
  EXPECT_TRUE(refused("function"));
  must(conn_->exec("DROP FUNCTION f; CREATE TABLE t_dlpdata_old ()"));
  EXPECT_TRUE(refused("public.t_dlpdata_old already"));
  must(
      conn_->exec("DROP TABLE t_dlpdata_old; INSERT INTO t_dlpdata (meter_id, "
                  "reading_timestamp, kwh_reading) VALUES (1, 'infinity', 1)"));
  EXPECT_EQ(partition::plan(*conn_, {.table = "t_dlpdata"}).error().code, ErrorCode::Invalid);
  must(
      conn_->exec("UPDATE t_dlpdata SET reading_timestamp = '1500-01-01' WHERE "
                  "reading_timestamp = 'infinity'"));
  EXPECT_EQ(partition::plan(*conn_, {.table = "t_dlpdata", .interval = Interval::Day}).error().code,
            ErrorCode::Limit);
}

TEST_P(PartitionConvert, WrongRequestsAreInvalidWithTheCause) {
  metering();
  Request zone = mission();
  zone.time_zone = "Mars/Olympus";
  Request from = mission();
  from.from = "yesterday-ish";
  Request column = mission();
  column.column = "meter_id";

  EXPECT_EQ(partition::plan(*conn_, zone).error().code, ErrorCode::Invalid);
  EXPECT_EQ(partition::plan(*conn_, from).error().code, ErrorCode::Invalid);
  EXPECT_EQ(partition::plan(*conn_, column).error().code, ErrorCode::Invalid);
  EXPECT_EQ(partition::plan(*conn_, {.table = "nowhere"}).error().code, ErrorCode::NotFound);
  EXPECT_FALSE(conn_->in_transaction());
}

TEST_P(PartitionConvert, OneMorePartitionComesWithoutStoppingReaders) {
  metering();
  must(partition::convert(gate(), planned(mission())));
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT count(*) FROM t_dlpdata"));

  const auto there = must(partition::ensure_partition(*conn_, "t_dlpdata", "2025-01-15 10:00+00"));
  const auto missing =
      must(partition::ensure_partition(*conn_, "t_dlpdata", "2024-11-30 23:59+00"));
  ASSERT_TRUE(missing);
  const auto outcome = must(care::Gate(gate()).run(*missing));

  EXPECT_FALSE(there);
  EXPECT_TRUE(outcome.applied);
  const auto layout = must(partition::show(*conn_, "t_dlpdata"));
  EXPECT_EQ(layout.partitions.at(0).name, "t_dlpdata_2024_11");
  ASSERT_EQ(layout.gaps.size(), 1U);
  EXPECT_EQ(layout.gaps[0].from, "2024-12-01 00:00:00+00");
  EXPECT_EQ(layout.gaps[0].to, "2025-01-01 00:00:00+00");
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE indrelid = 't_dlpdata_2024_11'::regclass"),
            "2");
}

TEST_P(PartitionConvert, PlanProvesThatADayTouchesOnePartition) {
  metering();
  must(partition::convert(gate(), planned(mission())));

  const auto literals = must(partition::prove_statement(
      *conn_, "t_dlpdata",
      "SELECT * FROM t_dlpdata WHERE reading_timestamp >= '2025-03-03 00:00+00' AND "
      "reading_timestamp < '2025-03-04 00:00+00'"));
  const auto moving = must(partition::prove_statement(
      *conn_, "t_dlpdata",
      "SELECT * FROM t_dlpdata WHERE reading_timestamp > now() - interval '1 day'"));
  const auto blind = must(partition::prove_statement(
      *conn_, "t_dlpdata",
      "SELECT * FROM t_dlpdata WHERE date_trunc('day', reading_timestamp) = '2025-03-03'"));

  EXPECT_EQ(literals.observed.planned, 1);
  EXPECT_EQ(literals.observed.started, 1);
  EXPECT_EQ(literals.observed.partitions.at(0), "public.t_dlpdata_2025_03");
  EXPECT_EQ(moving.observed.planned, moving.observed.total);
  EXPECT_LE(moving.observed.started, 4);
  EXPECT_EQ(blind.observed.started, blind.observed.total);
  EXPECT_EQ(partition::prove_statement(*conn_, "t_dlpdata", "SELECT 1; SELECT 2").error().code,
            ErrorCode::Invalid);
  EXPECT_EQ(partition::prove_statement(*conn_, "m_meterinfo", "SELECT 1").error().code,
            ErrorCode::Invalid);
}

PGTEND_ON_SOME_VERSIONS(PartitionConvert);

}  // namespace
}  // namespace pgtend::e2e
