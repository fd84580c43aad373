// pg_repack under guard: under writers, with readers in the way, ended, killed, and picked.
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "vacuum/compact.h"

namespace pgtend::e2e {
namespace {

using vacuum::CompactReport;
using vacuum::CompactSetup;
using vacuum::Way;

constexpr const char* kTable = "\"R epack\"";

// Of Debian's server, for which Debian has the extension.
class VacuumCompactRepack : public DatabaseTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    if (one("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_repack'") == "0") {
      GTEST_SKIP() << "postgresql-15-repack is not installed";
    }
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
    must(connect().exec("CREATE EXTENSION pg_repack"));
    must(connect().exec(cat("CREATE TABLE ", kTable,
                            " (id int PRIMARY KEY, v int NOT NULL DEFAULT 0, ",
                            "pad text); INSERT INTO ", kTable,
                            " SELECT i, 0, repeat('x', 200) FROM generate_series(1, 60000) i")));
    must(connect().exec(cat("DELETE FROM ", kTable, " WHERE id % 10 < 6 AND id > 100")));
    must(connect().exec(cat("VACUUM ANALYZE ", kTable)));
  }
  CompactSetup setup(bool apply = true) {
    CompactSetup out{.table = kTable};
    out.gate = {.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.gate.policy.apply = apply;
    out.gate.policy.back_off = milliseconds(20);
    out.way = Way::Repack;
    return out;
  }
  CompactReport compacted(const CompactSetup& how) {
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_TRUE(status) << status.error().message;
    return report;
  }
  Error refused(const CompactSetup& how) {
    CompactReport report;
    const Status status = vacuum::compact(how, report);
    EXPECT_FALSE(status);
    return status ? Error{} : status.error();
  }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  int64_t pages() {
    return must(parse_int(one(cat("SELECT pg_relation_size('", kTable, "') / 8192"))));
  }
  std::string checksum() {
    return one(
        cat("SELECT count(*) || ' ' || sum(hashtextextended(row(id, pad)::text, "
            "0)::numeric) FROM ",
            kTable));
  }
  std::vector<std::string> leftovers() {
    return must(vacuum::load_repack_leftovers(
        *conn_,
        static_cast<uint32_t>(must(parse_int(one(cat("SELECT '", kTable, "'::regclass::oid")))))));
  }
  void expect_clean() {
    EXPECT_TRUE(leftovers().empty()) << join(leftovers(), ", ");
    EXPECT_EQ(one("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%/repack'"),
              "0");
  }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
  std::optional<store::Audit> audit_;
};

TEST_F(VacuumCompactRepack, TheDryRunShowsItsCommandAndChangesNothing) {
  const int64_t before = pages();

  const CompactReport report = compacted(setup(false));

  EXPECT_EQ(report.plan.pick, Way::Repack);
  ASSERT_EQ(report.steps.size(), 1U);
  EXPECT_NE(report.steps[0].sql.find("--no-kill-backend"), std::string::npos);
  EXPECT_EQ(pages(), before);
}

TEST_F(VacuumCompactRepack, UnderWritersTheTableIsDenseAndNothingIsLost) {
  const std::string before = checksum();
  const int64_t full = pages();
  std::atomic<int64_t> acknowledged = 0;
  std::jthread writer([&](const std::stop_token& stop) {
    pg::Connection conn = connect();
    for (int i = 0; !stop.stop_requested(); ++i) {
      acknowledged += must(conn.query(cat("UPDATE ", kTable, " SET v = v + 1 WHERE id = $1"),
                                      {std::to_string(i % 100 + 1)}))
                          .affected();
      must(conn.query("SELECT pg_sleep(0.005)"));
    }
  });
  ASSERT_TRUE(wait_until([&] { return acknowledged > 10; }));

  const CompactReport report = compacted(setup());

  writer.request_stop();
  writer.join();
  EXPECT_EQ(checksum(), before);
  EXPECT_EQ(one(cat("SELECT sum(v) FROM ", kTable)), std::to_string(acknowledged));
  EXPECT_LT(report.pages_after, full / 2 + 10);
  EXPECT_EQ(report.pages_before, full);
  expect_clean();
  bool told = false;
  for (const auto& entry : must(audit_->latest(20))) {
    told = told || entry.record.sql.starts_with("pg_repack --no-kill-backend");
  }
  EXPECT_TRUE(told);
}

TEST_F(VacuumCompactRepack, AReaderInTheWayEndsItsWaitAndTheTableStaysAsItWas) {
  pg::Connection reader = connect();
  must(reader.exec(cat("BEGIN; SELECT FROM ", kTable, " LIMIT 1")));
  const int64_t before = pages();
  CompactSetup how = setup();
  how.repack_wait_timeout = seconds(1);

  const Error error = refused(how);

  EXPECT_EQ(error.code, ErrorCode::Conflict) << error.message;
  EXPECT_EQ(pages(), before);
  must(reader.exec("COMMIT"));
  expect_clean();
}

TEST_F(VacuumCompactRepack, WhenSomebodyIsHeldUpByItForTooLongItIsEndedAndCleanedUp) {
  pg::Connection reader = connect();
  must(reader.exec(cat("BEGIN; SELECT FROM ", kTable, " LIMIT 1")));
  // Whoever comes after its request waits behind it.
  std::jthread victim([&](const std::stop_token& stop) {
    pg::Options who = options();
    who.set("application_name", "victim");
    pg::Connection conn = connect(who);
    while (!stop.stop_requested()) must(conn.query(cat("SELECT FROM ", kTable, " LIMIT 1")));
  });
  CompactSetup how = setup();
  how.repack_wait_max = milliseconds(60);

  const Error error = refused(how);

  EXPECT_EQ(error.code, ErrorCode::Conflict) << error.message;
  EXPECT_NE(error.message.find("(victim)"), std::string::npos) << error.message;
  victim.request_stop();
  victim.join();
  must(reader.exec("COMMIT"));
  expect_clean();
}

TEST_F(VacuumCompactRepack, ACancelEndsItAndNothingOfItIsLeft) {
  const std::string before = checksum();
  pg::Connection reader = connect();
  must(reader.exec(cat("BEGIN; SELECT FROM ", kTable, " LIMIT 1")));  // it cannot end before
  std::atomic<bool> cancel = false;
  CompactSetup how = setup();
  how.gate.cancel = &cancel;
  how.gate.on_moment = [&](const care::Moment& moment) {
    if (moment.what.find("pg_repack: ") != std::string::npos) cancel = true;
  };

  EXPECT_EQ(refused(how).code, ErrorCode::Cancelled);

  must(reader.exec("COMMIT"));
  EXPECT_EQ(checksum(), before);
  expect_clean();
}

TEST_F(VacuumCompactRepack, WhatAKilledOneHasLeftIsRemovedByTheNextRun) {
  const vacuum::RepackClient client = vacuum::find_repack(150000);
  pg::Connection reader = connect();
  must(reader.exec(cat("BEGIN; LOCK TABLE ", kTable, " IN ROW EXCLUSIVE MODE")));
  auto killed = std::jthread([&] {
    run({"timeout", "-s", "KILL", "4", client.program, "--no-kill-backend", "--no-order",
         cat("--table=", kTable), database()},
        environment_of(options()));
  });
  // It has made its trigger and waits for the transaction that was there before.
  must(reader.exec("COMMIT"));
  ASSERT_TRUE(wait_until(
      [&] {
        must(reader.exec(cat("BEGIN; SELECT FROM ", kTable, " LIMIT 1")));
        const bool made = !leftovers().empty();
        if (!made) must(reader.exec("COMMIT"));
        return made;
      },
      seconds(4)));
  killed.join();
  must(reader.exec("COMMIT"));
  EXPECT_FALSE(leftovers().empty());

  const CompactReport report = compacted(setup());

  EXPECT_LT(report.pages_after, report.pages_before / 2 + 10);
  expect_clean();
}

TEST_F(VacuumCompactRepack, ItIsPickedWhereRowsMustNotBeMoved) {
  CompactSetup how = setup(false);
  how.way.reset();
  EXPECT_EQ(compacted(how).plan.pick, Way::InPlace);
  must(
      conn_->exec(cat("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
                      "NEW; END'; CREATE TRIGGER note BEFORE UPDATE ON ",
                      kTable, " FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE ", kTable,
                      " ENABLE ALWAYS TRIGGER note")));

  const CompactReport report = compacted(how);

  EXPECT_EQ(report.plan.pick, Way::Repack);
  EXPECT_NE(report.plan.because.find("must not be moved"), std::string::npos)
      << report.plan.because;
}

TEST_F(VacuumCompactRepack, WithoutAKeyOrByOthersThanSuperusersItIsRefused) {
  must(conn_->exec(cat("ALTER TABLE ", kTable, " DROP CONSTRAINT \"R epack_pkey\"")));

  EXPECT_NE(refused(setup()).message.find("primary key"), std::string::npos);
}

}  // namespace
}  // namespace pgtend::e2e
