// Partitions are made ahead and retired while others read and write, and nobody notices.
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "partition/status.h"
#include "partition/upkeep.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

using partition::Retire;
using partition::SetPlan;
using partition::SetReport;
using partition::UpkeepPolicy;
using partition::UpkeepSetup;
using partition::Width;

constexpr const char* kNow = "2025-03-15 12:00+00";

class PartitionMaintain : public AuditedTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  // Readings by months, January to March 2025, with rows in each.
  void months(const std::string& table = "r") {
    must(conn_->exec(cat("CREATE TABLE ", table, R"( (id bigint NOT NULL, at timestamptz NOT NULL,
  kwh numeric(10,4), note text DEFAULT 'n', twice numeric GENERATED ALWAYS AS (kwh * 2) STORED,
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX ON )",
                         table, " (at)")));
    for (const char* month : {"2025-01", "2025-02", "2025-03"}) {
      const std::string next = month[6] == '3'   ? "2025-04"
                               : month[6] == '2' ? "2025-03"
                                                 : "2025-02";
      const std::string leaf = cat(table, "_", std::string(month).replace(4, 1, "_"));
      must(conn_->exec(cat("CREATE TABLE ", leaf, " PARTITION OF ", table, " FOR VALUES FROM ('",
                           month, "-01 00:00+00') TO ('", next, "-01 00:00+00')")));
    }
    must(conn_->exec(cat("INSERT INTO ", table,
                         " (id, at, kwh) SELECT i, '2025-01-01 00:00+00'"
                         "::timestamptz + i * interval '1 hour', i / 7.0 FROM "
                         "generate_series(0, 1700) i")));
  }
  UpkeepSetup setup(const std::string& now = kNow, bool apply = true) {
    UpkeepSetup out{.now = now};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.tries = 4;
    out.gate.policy.back_off = milliseconds(10);
    out.on_event = [this](const std::string& line) { told_.push_back(line); };
    return out;
  }
  SetReport maintain(const UpkeepPolicy& policy, const std::string& now = kNow) {
    return must(partition::run_upkeep(setup(now), {policy})).at(0);
  }
  std::string told() const { return join(told_, "\n"); }
  std::string leaves(const std::string& table = "r") {
    return one(
        cat("SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass"
            "::text) FROM pg_inherits WHERE inhparent = '",
            table, "'::regclass"));
  }
  bool before_14() const { return version() == "13"; }

  std::vector<std::string> told_;
};

TEST_P(PartitionMaintain, NewPartitionsAreLikeTheirNeighboursAndNobodyWaits) {
  months();
  const std::string role = create_role().get("user");
  must(
      conn_->exec(cat("ALTER TABLE r_2025_03 SET (fillfactor = 70, toast.autovacuum_enabled = off);"
                      "ALTER TABLE r_2025_03 ALTER COLUMN kwh SET STATISTICS 77;"
                      "ALTER TABLE r_2025_03 REPLICA IDENTITY USING INDEX r_2025_03_pkey;"
                      "ALTER TABLE r_2025_03 ENABLE ROW LEVEL SECURITY;"
                      "CREATE POLICY p ON r_2025_03 FOR SELECT USING (kwh > 0);"
                      "CREATE UNIQUE INDEX ON r_2025_03 (lower(note), id);"
                      "GRANT SELECT ON r_2025_03 TO ",
                      pg::ident(role))));
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT count(*) FROM r"));
  std::atomic<bool> done{false};
  std::atomic<int> reads{0};
  std::string failure;
  std::atomic<bool> queued{false};
  // A second reader would fail the moment it had to wait; a sampler looks for locks in the queue.
  std::thread second([&] {
    pg::Connection conn = connect();
    must(conn.exec("SET lock_timeout = '60ms'"));
    while (!done) {
      const auto rows = conn.query("SELECT count(*) FROM r");
      if (!rows) failure = rows.error().message;
      const auto waiting = conn.query(
          "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'r'::regclass AND mode = "
          "'AccessExclusiveLock'");
      if (waiting && (*waiting)[0].text(0) != "0") queued = true;
      ++reads;
    }
  });

  const SetReport report = maintain({.table = "r", .ahead = 3});
  wait_until([&] { return reads > 2; });
  done = true;
  second.join();

  EXPECT_FALSE(report.failed()) << told();
  EXPECT_EQ(failure, "");
  EXPECT_FALSE(queued);
  EXPECT_EQ(leaves(), "r_2025_01 r_2025_02 r_2025_03 r_2025_04 r_2025_05 r_2025_06");
  EXPECT_EQ(report.plan.width, "1 month");
  EXPECT_EQ(one("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'r_2025_04'"),
            one("SELECT 'FOR VALUES FROM (''' || '2025-04-01 00:00:00+00'::timestamptz || ''') TO "
                "(''' || '2025-05-01 00:00:00+00'::timestamptz || ''')'"));
  EXPECT_EQ(
      one("SELECT reloptions::text || relreplident::text || relrowsecurity FROM pg_class WHERE "
          "relname = 'r_2025_05'"),
      "{fillfactor=70}itrue");
  EXPECT_EQ(one(cat("SELECT has_table_privilege(", pg::literal(role), ", 'r_2025_06', 'SELECT')")),
            "t");
  EXPECT_EQ(one("SELECT attstattarget FROM pg_attribute WHERE attrelid = 'r_2025_04'::regclass AND "
                "attname = 'kwh'"),
            "77");
  EXPECT_EQ(one("SELECT count(*) FROM pg_index WHERE indrelid = 'r_2025_04'::regclass"), "3");
  EXPECT_EQ(one("SELECT count(*) FROM pg_policy WHERE polrelid = 'r_2025_04'::regclass"), "1");
  EXPECT_EQ(one("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'pgtend%'"), "0");
  told_.clear();
  EXPECT_TRUE(maintain({.table = "r", .ahead = 3}).births.empty()) << told();
}

TEST_P(PartitionMaintain, DataAheadOfTheClockCountsButOutliersDoNot) {
  months();
  must(
      conn_->exec("CREATE TABLE r_far PARTITION OF r FOR VALUES FROM ('2099-01-01 00:00+00') TO "
                  "('2099-02-01 00:00+00'); INSERT INTO r (id, at) VALUES (1, '2099-01-15')"));

  // By the clock of January the newest row, of March, is ahead; that of 2099 lies behind a gap.
  const SetReport ahead = maintain({.table = "r", .ahead = 1}, "2025-01-20 00:00+00");
  const SetReport narrow =
      maintain({.table = "r", .ahead = 1, .data_ahead = 1}, "2025-01-20 00:00+00");

  ASSERT_EQ(ahead.births.size(), 1U) << told();
  EXPECT_EQ(ahead.births[0].partition, "public.r_2025_04");
  EXPECT_EQ(ahead.plan.newest.substr(0, 7), "2025-03");
  EXPECT_NE(join(ahead.plan.warnings, ";").find("behind a gap"), std::string::npos);
  EXPECT_TRUE(narrow.births.empty()) << told();
  // Each of the two index builds counts as one: ATTACH has scanned nothing.
  if (!before_14()) {
    EXPECT_EQ(one("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'r_2025_04'"), "2");
  }
  // A table that fell behind is filled up to the present, but not by thousands.
  EXPECT_EQ(maintain({.table = "r", .ahead = 0}, "2025-06-10 00:00+00").births.size(), 2U);
  const SetReport late =
      maintain({.table = "r", .every = Width{partition::Unit::Days, 1}}, "2026-06-10 00:00+00");
  EXPECT_TRUE(late.births.empty());
  EXPECT_NE(late.plan.refusal.find("create_max"), std::string::npos) << late.plan.refusal;
}

TEST_P(PartitionMaintain, BoundsDecideWhatIsTooOldAndOneFailureStopsNoOther) {
  months();
  must(
      conn_->exec("ALTER TABLE r_2025_01 RENAME TO r_2099_12; ALTER TABLE r_2025_03 RENAME TO "
                  "r_1999_01; CREATE TABLE plain (at date); CREATE TABLE s (at date NOT NULL) "
                  "PARTITION BY RANGE (at); CREATE TABLE s_1 PARTITION OF s FOR VALUES FROM "
                  "('2025-03-01') TO ('2025-04-01')"));
  const Width month = must(partition::width_from("1 month"));
  const std::vector<UpkeepPolicy> policies = {
      {.table = "no_such_table"},
      {.table = "plain"},
      {.table = "r", .ahead = 1, .keep = month, .retire = Retire::Drop},
      {.table = "s", .ahead = 2}};

  auto dry = setup();
  dry.gate.policy.apply = false;
  const auto shown = must(partition::run_upkeep(dry, policies));
  EXPECT_EQ(leaves(), "r_1999_01 r_2025_02 r_2099_12");
  const auto reports = must(partition::run_upkeep(setup(), policies));

  EXPECT_EQ(shown.at(2).departures.size(), 1U);
  EXPECT_TRUE(reports.at(0).failed());
  EXPECT_TRUE(reports.at(1).failed());
  EXPECT_FALSE(reports.at(2).failed()) << told();
  EXPECT_FALSE(reports.at(3).failed()) << told();
  EXPECT_EQ(leaves(), "r_1999_01 r_2025_02 r_2025_04");
  EXPECT_EQ(one("SELECT to_regclass('r_2099_12') IS NULL"), "t");
  EXPECT_EQ(leaves("s"), "s_1 s_2025_04 s_2025_05");
  EXPECT_EQ(one("SELECT count(*) FROM pgtend_" + one("SELECT 'r'::regclass::oid") + "_retired"),
            "0");
}

TEST_P(PartitionMaintain, AHalfDoneDetachIsFinishedByTheNextRun) {
  if (before_14()) GTEST_SKIP() << "there is no DETACH CONCURRENTLY";
  months();
  pg::Connection reader = connect();
  must(reader.exec("BEGIN; SELECT count(*) FROM r"));
  const UpkeepPolicy policy{.table = "r",
                            .ahead = 0,
                            .keep = must(partition::width_from("1 month")),
                            .retire = Retire::Drop};
  auto impatient = setup();
  impatient.detach_patience = milliseconds(200);

  const auto first = must(partition::run_upkeep(impatient, {policy}));
  const std::string pending = one(
      "SELECT string_agg(inhrelid::regclass::text, ' ') FROM pg_inherits WHERE inhdetachpending");
  must(reader.exec("COMMIT"));
  const SetReport second = maintain(policy);

  ASSERT_TRUE(first.at(0).failed());
  EXPECT_EQ(first[0].departures.at(0).error->code, ErrorCode::Conflict);
  EXPECT_NE(first[0].departures[0].error->message.find("half detached"), std::string::npos)
      << told();
  EXPECT_EQ(pending, "r_2025_01");
  EXPECT_FALSE(second.failed()) << told();
  EXPECT_EQ(leaves(), "r_2025_02 r_2025_03");
  EXPECT_EQ(one("SELECT to_regclass('r_2025_01') IS NULL"), "t");
}

TEST_P(PartitionMaintain, AnArchiveBringsEveryRowBack) {
  months();
  must(conn_->exec(
      "UPDATE r SET note = E'tab\\t new\\nline \\\\ \\\\. ''é' WHERE id % 3 = 0; UPDATE "
      "r SET note = NULL WHERE id % 3 = 1"));
  const std::string sum = "SELECT count(*) || ' ' || sum(hashtextextended(r::text, 0)) FROM r";
  const std::string before = one(sum);
  const UpkeepPolicy policy{.table = "r",
                            .ahead = 0,
                            .keep = must(partition::width_from("1 month")),
                            .retire = Retire::Archive,
                            .folder = scratch_.path()};

  const SetReport report = maintain(policy);

  EXPECT_FALSE(report.failed()) << told();
  EXPECT_EQ(leaves(), "r_2025_02 r_2025_03");
  EXPECT_EQ(one("SELECT to_regclass('r_2025_01') IS NULL"), "t");
  const std::string file = scratch_.path() + "/public.r_2025_01.copy";
  ASSERT_TRUE(std::filesystem::exists(file)) << told();
  EXPECT_FALSE(std::filesystem::exists(file + ".part"));
  const Outcome restored = run({"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file + ".sql"},
                               environment_of(options()));
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(one(sum), before);
}

TEST_P(PartitionMaintain, AnArchiveWithOneWrongByteDropsNothingUntilItIsRight) {
  months();
  const UpkeepPolicy policy{.table = "r",
                            .ahead = 0,
                            .keep = must(partition::width_from("1 month")),
                            .retire = Retire::Archive,
                            .folder = scratch_.path()};
  const std::string part = scratch_.path() + "/public.r_2025_01.copy.part";
  auto hostile = setup();
  int flipped = 0;
  hostile.gate.on_moment = [&](const care::Moment& moment) {
    if (moment.what != "comparing the archive") return;
    std::fstream file(part, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(part)) - 12);
    file.put('7');
    ++flipped;
  };

  const auto first = must(partition::run_upkeep(hostile, {policy}));
  const std::string kept = one("SELECT count(*) FROM r_2025_01");
  const SetReport second = maintain(policy);

  EXPECT_GE(flipped, 1);
  ASSERT_TRUE(first.at(0).failed());
  EXPECT_NE(first[0].departures.at(0).error->message.find("does not hold what"), std::string::npos)
      << told();
  EXPECT_EQ(kept, "744");
  EXPECT_FALSE(second.failed()) << told();
  EXPECT_EQ(one("SELECT to_regclass('r_2025_01') IS NULL"), "t");
  EXPECT_TRUE(std::filesystem::exists(scratch_.path() + "/public.r_2025_01.copy"));
}

TEST_P(PartitionMaintain, ADefaultPartitionWithRowsIsNamedAndOneWithoutIsNot) {
  months();
  must(
      conn_->exec("CREATE TABLE r_rest PARTITION OF r DEFAULT; INSERT INTO r (id, at) VALUES (1, "
                  "'2025-05-05 00:00+00')"));

  const SetReport report =
      maintain({.table = "r", .ahead = 2, .keep = must(partition::width_from("1 month"))});

  EXPECT_TRUE(report.failed());
  EXPECT_EQ(leaves(), "r_2025_02 r_2025_03 r_2025_04 r_rest");
  ASSERT_EQ(report.births.size(), 2U);
  EXPECT_FALSE(report.births[0].error);
  EXPECT_NE(report.births[1].error->message.find("r_rest has rows"), std::string::npos) << told();
}

TEST_P(PartitionMaintain, ABigDefaultPartitionIsNotScannedUnderItsLock) {
  must(conn_->exec(
      "CREATE TABLE d (at timestamptz, pad text) PARTITION BY RANGE (at); CREATE TABLE d_1 "
      "PARTITION OF d FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00'); CREATE "
      "TABLE d_rest PARTITION OF d DEFAULT; INSERT INTO d SELECT '2020-01-01', repeat('x', 1000) "
      "FROM generate_series(1, 20000); INSERT INTO d VALUES (NULL, NULL); ALTER TABLE d_rest ADD "
      "CONSTRAINT pgtend_bounds CHECK (at < now())"));
  auto told = setup();
  std::vector<std::string> notices;
  told.gate.on_done = [&](care::Outcome& outcome) {
    for (const pg::Notice& notice : outcome.notices) notices.push_back(notice.message);
  };
  told.gate.options.set("options", "-c client_min_messages=debug1 -c TimeZone=UTC");

  const auto report =
      must(partition::run_upkeep(told, {UpkeepPolicy{.table = "d", .ahead = 1}})).at(0);

  EXPECT_FALSE(report.failed()) << this->told();
  EXPECT_EQ(leaves("d"), "d_1 d_2025_04 d_rest");
  EXPECT_NE(join(notices, ";")
                .find("updated partition constraint for default partition \"d_rest\" is implied"),
            std::string::npos)
      << join(notices, "\n");
  EXPECT_EQ(one("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'pgtend%'"), "0");
}

TEST_P(PartitionMaintain, ForeignKeysToTheTableKeepItsPartitions) {
  months();
  must(
      conn_->exec("CREATE TABLE q (id bigint, at timestamptz, FOREIGN KEY (id, at) REFERENCES r)"));

  const SetReport report =
      maintain({.table = "r", .ahead = 0, .keep = must(partition::width_from("1 month"))});

  EXPECT_TRUE(report.failed());
  EXPECT_NE(told().find("public.q refers to public.r"), std::string::npos) << told();
  EXPECT_EQ(leaves(), "r_2025_01 r_2025_02 r_2025_03");
}

TEST_P(PartitionMaintain, TheSessionZoneDoesNotMoveABound) {
  std::vector<std::string> seen;
  for (const char* zone : {"UTC", "Asia/Kolkata", "America/New_York"}) {
    must(
        conn_->exec("DROP TABLE IF EXISTS d; CREATE TABLE d (at timestamptz NOT NULL) PARTITION BY "
                    "RANGE (at)"));
    auto as = setup("2025-10-25 20:00+00");
    as.gate.options.set("options", cat("-c TimeZone=", zone, " -c DateStyle=SQL,DMY"));
    const UpkeepPolicy policy{.table = "d",
                              .every = must(partition::width_from("1 day")),
                              .time_zone = "Europe/Berlin",
                              .ahead = 1};
    const auto report = must(partition::run_upkeep(as, {policy}));
    EXPECT_FALSE(report.at(0).failed()) << told();
    must(conn_->exec("SET TimeZone = 'UTC'"));
    seen.push_back(
        one("SELECT string_agg(relname || pg_get_expr(relpartbound, oid), ' ' ORDER BY "
            "relname) FROM pg_class WHERE relname LIKE 'd\\_%'"));
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_NE(seen[0].find("d_2025_10_26FOR VALUES FROM ('2025-10-25 22:00:00+00') TO ('2025-10-26 "
                         "23:00:00+00')"),
            std::string::npos)
      << seen[0];
}

TEST_P(PartitionMaintain, SimulatedDaysPassWithoutAnErrorOfAWriter) {
  // Each costs about half a second; PGTEND_SIMULATED_DAYS=200 is for a night.
  const char* wanted = std::getenv("PGTEND_SIMULATED_DAYS");
  const int days = wanted != nullptr ? std::atoi(wanted) : before_14() ? 5 : 12;
  must(
      conn_->exec("CREATE TABLE d (id bigserial, at timestamptz NOT NULL, PRIMARY KEY (id, at)) "
                  "PARTITION BY RANGE (at); CREATE TABLE clock AS SELECT '2025-03-01 00:00+00'"
                  "::timestamptz AS t"));
  const UpkeepPolicy policy{.table = "d",
                            .every = must(partition::width_from("1 day")),
                            .time_zone = "Europe/Berlin",
                            .ahead = 2,
                            .keep = must(partition::width_from("5 days")),
                            .retire = Retire::Drop};
  ASSERT_FALSE(maintain(policy, "2025-03-01 00:00+00").failed()) << told();
  std::atomic<bool> done{false};
  std::atomic<int64_t> written{0};
  std::string failure;
  std::thread writer([&] {
    pg::Connection conn = connect();
    while (!done) {
      const auto wrote =
          conn.query("INSERT INTO d (at) SELECT t + interval '3 hours' FROM clock RETURNING at");
      if (!wrote) failure = wrote.error().message;
      const auto read = conn.query("SELECT count(*) FROM d");
      if (!read) failure = read.error().message;
      ++written;
    }
  });

  auto quiet = setup();
  quiet.gate.policy.tries = 30;
  int failed = 0;
  for (int day = 0; day < days; ++day) {
    quiet.now = one("UPDATE clock SET t = t + interval '1 day' RETURNING t");
    const auto report = must(partition::run_upkeep(quiet, {policy}));
    failed += report.at(0).failed();
  }
  done = true;
  writer.join();

  EXPECT_EQ(failed, 0) << told();
  EXPECT_EQ(failure, "");
  EXPECT_GT(written, days);
  EXPECT_EQ(one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'd'::regclass"), "8");
}

TEST_P(PartitionMaintain, StatusTellsWhatIsNotAsThePolicySays) {
  months();
  must(
      conn_->exec("CREATE TABLE h (id int) PARTITION BY HASH (id); CREATE TABLE r_gap PARTITION OF "
                  "r FOR VALUES FROM ('2025-06-01 00:00+00') TO ('2025-07-01 00:00+00'); CREATE "
                  "TABLE r_rest PARTITION OF r DEFAULT; INSERT INTO r (id, at) VALUES (1, "
                  "'2030-01-01')"));
  const UpkeepPolicy policy{.table = "r",
                            .every = must(partition::width_from("1 month")),
                            .ahead = 1,
                            .keep = must(partition::width_from("1 month"))};

  const auto all = must(partition::load_status(*conn_, {policy}, "", kNow));

  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].table, "public.h");
  EXPECT_TRUE(all[1].complaints.empty()) << join(all[1].complaints, "; ");
  const std::string said = join(all[0].complaints, "; ");
  for (const char* what : {"no partition for 2025-04-01", "1 rows are in the DEFAULT",
                           "1 partition is missing ahead", "1 partition is older"}) {
    EXPECT_NE(said.find(what), std::string::npos) << what << " in " << said;
  }
}

TEST_P(PartitionMaintain, TheProgramTellsAndDoesWhatTheFileSays) {
  months();
  const std::string file = scratch_.write(
      "pgtend.toml", "[partition.\"public.r\"]\nahead = 1\n\n[partition.gone]\nahead = 1\n");
  auto environment = environment_of(options());
  environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
  environment.emplace_back("TZ", "Asia/Kolkata");
  const std::string program = PGTEND_BINARY_DIR "/pgtend";

  const Outcome dry =
      run({program, "partition", "maintain", "--config", file, "--at", kNow}, environment);
  const Outcome one_set = run({program, "partition", "maintain", "r", "--ahead", "0", "--every",
                               "1 year", "--apply", "--json"},
                              environment);
  const Outcome status = run({program, "partition", "status", "--config", file}, environment);
  const Outcome wrong = run({program, "partition", "maintain", "--ahead", "2"}, environment);

  EXPECT_EQ(dry.exit_code, 5) << dry.err;
  EXPECT_NE(dry.out.find("r_2025_04"), std::string::npos) << dry.out;
  EXPECT_NE(dry.out.find("gone"), std::string::npos);
  EXPECT_EQ(one_set.exit_code, 0) << one_set.out << one_set.err;
  EXPECT_EQ(
      one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'r'::regclass AND inhrelid"
          "::regclass::text IN ('r_2025', 'r_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY'))"),
      "2");
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_NE(status.out.find("\n    2025 "), std::string::npos) << status.out;
  EXPECT_EQ(wrong.exit_code, 2);
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionMaintain);

}  // namespace
}  // namespace pgtend::e2e
