// A plain table t, its oracle o, and the means to convert t while it is in use.
#pragma once

#include <optional>
#include <string>

#include "base/text.h"
#include "e2e/support/audited.h"
#include "e2e/support/oracle_load.h"
#include "partition/online.h"

namespace pgtend::e2e {

inline constexpr int kOnlineRows = 20'000;

inline void must_be(const Status& status) { ASSERT_TRUE(status) << status.error().message; }

class PartitionOnline : public AuditedTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
  void make_table() {
    must(conn_->exec(cat(
        "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, v numeric(10,2), pad text "
        "DEFAULT repeat('x', 50)); INSERT INTO t SELECT i, ",
        kOracleStart, " + i * interval '5 minutes', i / 7.0 FROM generate_series(1, ", kOnlineRows,
        ") i; CREATE INDEX t_at ON t (at); CREATE TABLE o (LIKE t INCLUDING ALL); "
        "INSERT INTO o SELECT * FROM t; ANALYZE t, o")));
  }
  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = true;
    out.policy.back_off = milliseconds(10);
    out.policy.back_off_max = milliseconds(50);
    out.policy.statement_timeout = milliseconds(0);
    return out;
  }
  partition::OnlinePlan planned(const std::string& table = "t",
                                partition::Mode mode = partition::Mode::Shadow) {
    partition::OnlinePlan plan = must(partition::plan_online(
        *conn_, {.table = table, .interval = partition::Interval::Month, .ahead = 2}, {}, mode));
    EXPECT_EQ(join(plan.refusals, "; "), "");
    return plan;
  }
  static reshape::Setup small_chunks() {
    return {.chunk = milliseconds(5), .patience = seconds(30)};
  }
  Status run(const reshape::Job& job, partition::Verb verb, partition::OnlineReport& report) {
    return partition::run_job(gate(), job, verb, small_chunks(), report);
  }
  // What takes a row to another partition, as OracleLoad's.
  virtual std::string move() const { return ""; }
  // The same while others write, of whom nobody may get an error; nothing may be lost.
  OracleDeeds under_load(const reshape::Job& job, partition::Verb verb,
                         partition::OnlineReport& report, int64_t fresh = 1'000'000) {
    OracleLoad load(options(), kOnlineRows, fresh, move());
    const Status done = run(job, verb, report);
    OracleDeeds deeds = load.end();
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(deeds.error, "");
    EXPECT_EQ(difference(), "0");
    return deeds;
  }
  // Rows that are in one of the tables only.
  std::string difference() {
    return one(
        "SELECT count(*) FROM ((TABLE t EXCEPT ALL TABLE o) UNION ALL (TABLE o EXCEPT ALL TABLE "
        "t)) x");
  }
  // All that is there: whoever leaves something behind changes it.
  std::string everything() {
    return one(
        "SELECT concat_ws(E'\\n', (SELECT string_agg(relname || relkind::text, ' ' ORDER BY "
        "relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace), (SELECT "
        "string_agg(tgname || tgrelid::regclass::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE "
        "NOT tgisinternal), (SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = "
        "'public'::regnamespace), (SELECT string_agg(conname, ' ' ORDER BY conname) FROM "
        "pg_constraint WHERE connamespace = 'public'::regnamespace))");
  }
};

}  // namespace pgtend::e2e
