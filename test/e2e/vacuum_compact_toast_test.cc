// Compaction of values that lie outside of their rows, of many types, under writers, killed.
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "vacuum/compact.h"

namespace pgtend::e2e {
namespace {

using vacuum::CompactReport;
using vacuum::CompactSetup;
using vacuum::Way;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";
constexpr int kHotRows = 20;  // ids from 1 on, which writers change

class VacuumCompactToast : public AuditedTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    AuditedTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    must(connect().exec(R"(
CREATE FUNCTION noise(bytes int, seed int) RETURNS text LANGUAGE sql AS
  'SELECT string_agg(md5((seed * 1000 + i)::text), '''') FROM generate_series(1, bytes / 32) i';
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN words AS text CHECK (value <> '');
CREATE DOMAIN list AS int[];
CREATE TABLE "D ocs" (id int PRIMARY KEY, v int NOT NULL DEFAULT 0, small text, t text, b bytea,
  j jsonb, js json, a text[], n int[], l list, c pair, cs pair[], w words, x varchar(20000),
  s tsvector, e text, num numeric);
ALTER TABLE "D ocs" ALTER e SET STORAGE EXTERNAL, ALTER x SET STORAGE MAIN;
INSERT INTO "D ocs" SELECT i, 0, 'small ' || i, noise(3000 + i % 7 * 500, i),
  decode(noise(6000, i + 1), 'hex'), jsonb_build_object('k', noise(3000, i), 'n', i),
  json_build_object('k', noise(3000, i + 2)), ARRAY[noise(1500, i), NULL, noise(1500, i + 3)],
  ARRAY(SELECT hashint4(g + i) FROM generate_series(1, 800) g),
  ('[0:799]=' || ARRAY(SELECT hashint4(g - i) FROM generate_series(1, 800) g)::text)::list,
  ROW(i, noise(3000, i + 4))::pair, ARRAY[ROW(i, noise(3000, i + 5))::pair, NULL],
  noise(3000, i + 6), noise(320, i + 7), to_tsvector('simple', noise(2000, i + 8) || ' x ' || i),
  repeat('e' || i, 900), ('1e' || 8000 + i)::numeric / 3
FROM generate_series(1, 420) i;
INSERT INTO "D ocs" (id, t, j, a) VALUES (1001, NULL, to_jsonb(noise(3000, 1)), '{}'),
  (1002, '', to_jsonb(ARRAY[noise(3000, 2), 'x']), ARRAY[NULL]::text[]), (1003, 't', '5', NULL))"));
    must(connect().exec("DELETE FROM \"D ocs\" WHERE id % 10 < 6 AND id BETWEEN 21 AND 999"));
    must(connect().exec("VACUUM ANALYZE \"D ocs\""));
  }
  CompactSetup setup(bool apply = true) {
    CompactSetup out{.table = "\"D ocs\""};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.lock_timeout_patient = milliseconds(3'000);
    out.gate.policy.back_off = milliseconds(20);
    out.gate.policy.back_off_max = milliseconds(100);
    out.policy.toast_pages_min = 50;
    return out;
  }
  CompactReport compacted(const CompactSetup& how) {
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_TRUE(status) << status.error().message;
    return report;
  }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  int64_t toast_pages(const std::string& table = "\"D ocs\"") {
    return must(
        parse_int(one(cat("SELECT pg_relation_size(reltoastrelid) / 8192 FROM pg_class "
                          "WHERE oid = '",
                          table, "'::regclass"))));
  }
  int64_t dense() {
    must(
        conn_->exec("CREATE TABLE dense (LIKE \"D ocs\" INCLUDING STORAGE); INSERT INTO dense "
                    "TABLE \"D ocs\""));
    const int64_t out = toast_pages("dense");
    must(conn_->exec("DROP TABLE dense"));
    return out;
  }
  // Of all rows but for `v`: the values as texts, and how many bytes each takes as it is stored.
  std::string checksum(const std::string& where = "true") {
    return one(cat(R"(SELECT count(*) || ' ' || sum(hashtextextended(
  row(id, small, t, b, j, js, a, n, l, c, cs, w, x, s, e, num)::text, 0)::numeric) || ' ' ||
  sum(hashtextextended(row(id, pg_column_size(t), pg_column_size(b), pg_column_size(j),
    pg_column_size(js), pg_column_size(a), pg_column_size(n), pg_column_size(l), pg_column_size(c),
    pg_column_size(cs), pg_column_size(w), pg_column_size(x), pg_column_size(s), pg_column_size(e),
    pg_column_size(num))::text, 0)::numeric) FROM "D ocs" WHERE )",
                   where));
  }
  void expect_dense(const CompactReport& report) {
    EXPECT_LE(static_cast<double>(toast_pages()), 1.2 * static_cast<double>(dense()) + 24)
        << to_text(report);
  }
};

TEST_P(VacuumCompactToast, ThePlanTellsThatTheToastIsWorthItAndMayLeaveItOut) {
  const CompactReport report = compacted(setup(false));
  CompactSetup without = setup(false);
  without.policy.toast = false;

  EXPECT_EQ(report.plan.pick, Way::InPlace);
  EXPECT_TRUE(report.plan.toast) << report.plan.because;
  EXPECT_NE(report.plan.because.find("of its TOAST is free"), std::string::npos);
  EXPECT_FALSE(compacted(without).plan.toast);
}

TEST_P(VacuumCompactToast, ValuesOfAllTypesAreEqualAfterwardsAndLieInFront) {
  const std::string before = checksum();
  const int64_t pages = toast_pages();

  const CompactReport report = compacted(setup());

  EXPECT_EQ(checksum(), before);
  EXPECT_EQ(report.toast_before, pages);
  EXPECT_EQ(report.toast_after, toast_pages());
  EXPECT_GT(report.stored.rows, 100);
  EXPECT_EQ(report.stored.skipped, 0);
  EXPECT_LT(toast_pages(), pages * 6 / 10);
  expect_dense(report);
  GTEST_LOG_(INFO) << to_text(report);
}

TEST_P(VacuumCompactToast, ASecondRunFindsNothingToDo) {
  compacted(setup());

  must(connect().exec("ANALYZE \"D ocs\""));

  EXPECT_FALSE(compacted(setup(false)).plan.toast);
}

TEST_P(VacuumCompactToast, WhatWritersChangeMeanwhileIsNeitherLostNorUndone) {
  const std::string rest = cat("id > ", kHotRows);
  const std::string before = checksum(rest);
  std::atomic<int64_t> acknowledged = 0;
  std::vector<std::jthread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&, i](const std::stop_token& stop) {
      std::minstd_rand random(static_cast<unsigned>(i) + 1);
      pg::Connection conn = connect();
      while (!stop.stop_requested()) {
        // The value always tells which count of its row it was written with.
        const pg::Rows rows =
            must(conn.query("UPDATE \"D ocs\" SET v = v + 1, t = noise(3000, v + 1) WHERE id = $1",
                            {std::to_string(random() % kHotRows + 1)}));
        acknowledged += rows.affected();
        must(conn.query("SELECT pg_sleep(0.02)"));
      }
    });
  }
  ASSERT_TRUE(wait_until([&] { return acknowledged > 20; }));
  CompactSetup how = setup();
  CompactReport report;

  const Status status = vacuum::compact(how, report);

  // So few pages that the rows that writers put at the end count.
  EXPECT_TRUE(status || exit_code(status.error()) == 6) << status.error().message;
  for (auto& writer : writers) writer.request_stop();
  writers.clear();
  EXPECT_EQ(checksum(rest), before);
  EXPECT_EQ(one("SELECT sum(v) FROM \"D ocs\""), std::to_string(acknowledged));
  EXPECT_EQ(one("SELECT count(*) FROM \"D ocs\" WHERE v > 0 AND t <> noise(3000, v)"), "0");
  EXPECT_GT(report.stored.rows, 100);
}

TEST_P(VacuumCompactToast, KilledAtAnyMomentItLeavesRightValuesAndGoesOn) {
  const char* wanted = std::getenv("PGTEND_COMPACT_KILLS");
  const int kills = wanted == nullptr ? 4 : std::atoi(wanted);
  std::mt19937 random(static_cast<unsigned>(kills));
  const std::string before = checksum();
  for (int i = 0; i < kills; ++i) {
    const std::string delay = cat(static_cast<double>(200 + random() % 1'500) / 1'000);
    const auto outcome = run({"timeout", "-s", "KILL", delay, kProgram, "vacuum", "compact",
                              "\"D ocs\"", "--way", "in-place", "--apply", "--quiet"},
                             [&] {
                               auto out = environment_of(options());
                               out.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
                               return out;
                             }());
    EXPECT_EQ(checksum(), before) << "after " << delay << " s, " << outcome.exit_code;
  }
  CompactSetup how = setup();
  how.way = Way::InPlace;
  CompactReport report;

  const Status status = vacuum::compact(how, report);

  // So few pages that the rows that writers put at the end count.
  EXPECT_TRUE(status || exit_code(status.error()) == 6) << status.error().message;
  EXPECT_EQ(checksum(), before);
  expect_dense(report);
}

TEST_P(VacuumCompactToast, AnOldSnapshotKeepsWhatWasStoredAndIsNamed) {
  pg::Options who = options();
  who.set("application_name", "forgotten report");
  pg::Connection holder = connect(who);
  must(holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ"));
  const std::string seen =
      must(must(holder.query("SELECT sum(length(t)) FROM \"D ocs\"")).scalar());
  const int64_t pages = toast_pages();
  CompactReport report;

  const Status status = vacuum::compact(setup(), report);

  ASSERT_FALSE(status);
  EXPECT_EQ(exit_code(status.error()), 6);
  EXPECT_NE(status.error().message.find("forgotten report"), std::string::npos)
      << status.error().message;
  EXPECT_LT(toast_pages(), pages * 13 / 10);
  EXPECT_EQ(must(must(holder.query("SELECT sum(length(t)) FROM \"D ocs\"")).scalar()), seen);
  must(holder.exec("COMMIT"));
  expect_dense(compacted(setup()));
}

TEST_P(VacuumCompactToast, ValuesThatMustNotBeWrittenAreNamedWithAnotherWay) {
  must(connect().exec(
      "CREATE FUNCTION noise_of(s int) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT noise(6000, "
      "s)'; CREATE TABLE g (id int, s int, w text GENERATED ALWAYS AS (noise_of(s)) STORED)"));
  must(connect().exec("INSERT INTO g SELECT i, i FROM generate_series(1, 600) i"));
  must(connect().exec("DELETE FROM g WHERE id % 10 < 6"));
  must(connect().exec("VACUUM ANALYZE g"));
  CompactSetup how = setup(false);
  how.table = "g";

  const CompactReport report = compacted(how);

  EXPECT_FALSE(report.plan.toast);
  EXPECT_NE(report.plan.because.find("w is generated"), std::string::npos) << report.plan.because;
  EXPECT_NE(report.plan.because.find("VACUUM FULL"), std::string::npos) << report.plan.because;
}

PGTEND_ON_SOME_VERSIONS(VacuumCompactToast);

}  // namespace
}  // namespace pgtend::e2e
