// An ANALYZE that drew an odd sample is undone where the server can (18), else drawn again; what is
// true stays.
#include <atomic>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/quote.h"
#include "vacuum/restore_statistics.h"
#include "vacuum/vacuum.h"
#include "vacuum/watch.h"

namespace pgtend::e2e {
namespace {

using vacuum::Job;
using vacuum::RunReport;

// Half of the rows share 100 values, each other row has its own: what 300 rows tell of the number
// of values is hundreds of times too low. The server's target is 1, that of its first ANALYZE
// 1,000.
constexpr const char* kTokens =
    "CREATE TABLE tokens AS SELECT i, CASE WHEN i % 2 = 0 THEN 'bot-' || (i / 2 % 100) "
    "ELSE md5(i::text) END AS token FROM generate_series(1, 100000) i;";
constexpr const char* kGoodSample =
    "SET default_statistics_target = 1000; ANALYZE tokens; RESET default_statistics_target";

class VacuumSamples : public VersionTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum", "off"},
            {"default_statistics_target", "1"},
            {"shared_preload_libraries", GetParam() == "18" ? "pg_stat_statements" : ""}};
  }
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
  }
  bool restores() const { return version() == "18"; }
  std::string one(const std::string& sql) { return must(must(conn_->query(sql)).scalar()); }
  // All that pg_stats knows of the column.
  std::string statistics(const std::string& column = "token") {
    return one(cat("select s::text from pg_stats s where tablename = 'tokens' and attname = ",
                   pg::literal(column)));
  }
  double distinct() {
    return must(
        parse_double(one("select case when n_distinct < 0 then -n_distinct * 100000 else "
                         "n_distinct end from pg_stats where attname = 'token'")));
  }
  std::string plan() {
    const auto rows =
        must(conn_->query("EXPLAIN (COSTS OFF) SELECT * FROM tokens WHERE token = "
                          "'c81e728d9d4c2f636f067f89cc14862c'"));
    std::string out;
    for (const pg::Row row : rows) out += cat(row.text(0), "\n");
    return out;
  }
  void load(const std::string& more) {
    must(connect().exec(kTokens));
    must(conn_->exec(more));
    must(conn_->exec(kGoodSample));
    // The counters of a session come late, after its ANALYZE as well.
    ASSERT_TRUE(wait_until([&] {
      must(conn_->exec("ANALYZE tokens (i)"));
      return one("select n_mod_since_analyze from pg_stat_user_tables where relname = 'tokens'") ==
             "0";
    }));
  }
  // As after a crash: nobody knows that the table was changed.
  void forget_changes() {
    must(conn_->exec("SELECT pg_stat_reset()"));
    ASSERT_TRUE(wait_until([&] {
      return one("select n_mod_since_analyze from pg_stat_user_tables where relname = 'tokens'") ==
             "0";
    }));
  }
  care::GateSetup gate() {
    care::GateSetup out{.options = options(), .audit = &*audit_, .clock = &system_clock()};
    out.policy.apply = true;
    return out;
  }
  RunReport analyze() {
    return must(vacuum::run({.gate = gate(), .table = "tokens", .job = Job::Analyze}));
  }
  // The events of the actions that put statistics back.
  std::string trail() {
    std::vector<std::string> out;
    for (const store::AuditEntry& entry : must(audit_->history("restore-statistics"))) {
      out.emplace_back(name(entry.record.event));
    }
    return join(out, " ");
  }

  Scratch scratch_;
  std::optional<store::Audit> audit_;
  std::optional<pg::Connection> conn_;
};

TEST_P(VacuumSamples, WhatAnIndexProvesOddIsUndoneAtOnce) {
  ASSERT_NO_FATAL_FAILURE(load("CREATE INDEX tokens_token ON tokens (token)"));
  const std::string plan_before = plan();
  must(conn_->exec("ANALYZE tokens"));
  ASSERT_LT(distinct(), 20'000) << "the sample is not odd";
  ASSERT_NE(plan(), plan_before) << plan_before;
  must(conn_->exec(kGoodSample));
  ASSERT_EQ(plan(), plan_before);
  const std::string before = statistics();

  if (restores()) {
    must(conn_->exec("CREATE EXTENSION pg_stat_statements"));
    must(conn_->query("SELECT i FROM tokens WHERE token = $1", {"bot-3"}));
  }

  const RunReport report = analyze();

  ASSERT_TRUE(report.second);
  EXPECT_EQ(report.second->odd.size(), 1U);
  EXPECT_TRUE(report.second->confirmed.empty());
  EXPECT_EQ(plan(), plan_before) << to_text(report);
  if (restores()) {
    const auto asked = std::ranges::find_if(report.second->probes, [](const auto& probe) {
      return probe.column.empty() && probe.sql.find("token = $1") != std::string::npos;
    });
    ASSERT_NE(asked, report.second->probes.end()) << "what clients ask is explained, too";
    EXPECT_GT(asked->after.value_or(0), 10 * asked->before.value_or(1e9));
    EXPECT_EQ(asked->truth, 500);
    EXPECT_EQ(statistics(), before);
    EXPECT_EQ(report.second->target, 0) << "no second sample was needed";
    EXPECT_EQ(report.second->restored, std::vector<std::string>{"token"});
    EXPECT_NE(to_text(report).find("its statistics from before are back"), std::string::npos)
        << to_text(report);
    EXPECT_NE(to_text(report).find(" counted; "), std::string::npos) << to_text(report);
    EXPECT_NE(trail().find("verified"), std::string::npos) << trail();
  } else {
    EXPECT_GT(distinct(), 20'000);
    EXPECT_EQ(report.second->target, 1'000);
    EXPECT_NE(to_text(report).find("has put it right"), std::string::npos) << to_text(report);
    EXPECT_EQ(trail(), "");
  }
}

TEST_P(VacuumSamples, WithoutAnIndexALargerSampleDecides) {
  ASSERT_NO_FATAL_FAILURE(load(""));
  const std::string before = statistics();

  const RunReport report = analyze();

  ASSERT_TRUE(report.second);
  EXPECT_EQ(report.second->target, 1'000);
  EXPECT_TRUE(report.second->confirmed.empty());
  EXPECT_GT(distinct(), 20'000);
  if (!restores()) return;
  EXPECT_EQ(statistics(), before);
  EXPECT_NE(to_text(report).find(" by the larger sample; "), std::string::npos) << to_text(report);
}

// The counters know nothing of the change: only what is counted, or sampled, tells that it is true.
TEST_P(VacuumSamples, TrueChangeStaysWhetherAnIndexShowsItOrNot) {
  for (const bool indexed : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(load(indexed ? "CREATE INDEX ON tokens (token)" : ""));
    must(connect().exec("UPDATE tokens SET token = 'bot-' || i % 100"));
    ASSERT_TRUE(wait_until([&] {
      return one("select n_tup_upd from pg_stat_user_tables where relname = 'tokens'") == "100000";
    }));
    forget_changes();

    const RunReport report = analyze();

    ASSERT_TRUE(report.second) << indexed;
    EXPECT_EQ(report.second->confirmed.size(), 1U) << to_text(report);
    EXPECT_TRUE(report.second->restored.empty()) << to_text(report);
    EXPECT_NEAR(distinct(), 100, 5);
    EXPECT_EQ(trail().find("verified"), std::string::npos) << trail();
    must(conn_->exec("DROP TABLE tokens"));
  }
}

// Almost all values went away at once; an index proves it without a second sample.
TEST_P(VacuumSamples, ValuesThatAreReallyGoneAreNotBroughtBack) {
  ASSERT_NO_FATAL_FAILURE(load("CREATE INDEX ON tokens (token)"));
  must(connect().exec("UPDATE tokens SET token = NULL WHERE token NOT LIKE 'bot-1%'"));
  ASSERT_TRUE(wait_until([&] {
    return one("select n_tup_upd > 50000 from pg_stat_user_tables where relname = 'tokens'") == "t";
  }));
  forget_changes();

  const RunReport report = analyze();

  ASSERT_TRUE(report.second);
  EXPECT_EQ(report.second->confirmed.size(), 1U) << to_text(report);
  EXPECT_TRUE(report.second->restored.empty()) << to_text(report);
  EXPECT_GT(must(parse_double(one("select null_frac from pg_stats where attname = 'token'"))), 0.8);
}

// Rare rows that the larger sample misses as well: only a count knows them.
TEST_P(VacuumSamples, ColumnOfItsOwnTargetIsUndoneToo) {
  ASSERT_NO_FATAL_FAILURE(load("CREATE INDEX tokens_token ON tokens (token)"));
  must(conn_->exec("ALTER TABLE tokens ALTER COLUMN token SET STATISTICS 1"));

  const RunReport report = analyze();

  ASSERT_TRUE(report.second);
  if (restores()) {
    EXPECT_GT(distinct(), 20'000) << to_text(report);
  } else {
    EXPECT_LT(distinct(), 20'000) << "it keeps its target: the second sample is like the first";
  }
}

TEST_P(VacuumSamples, MaintainIsEnoughToPutStatisticsBack) {
  if (!restores()) GTEST_SKIP() << "nothing is put back before 18";
  ASSERT_NO_FATAL_FAILURE(load("CREATE INDEX tokens_token ON tokens (token)"));
  must(
      conn_->exec("CREATE ROLE keeper LOGIN PASSWORD 'keeper'; GRANT SELECT ON tokens TO keeper; "
                  "GRANT MAINTAIN ON tokens TO keeper"));
  care::GateSetup as_keeper = gate();
  as_keeper.options.set("user", "keeper");
  as_keeper.options.set("password", "keeper");

  const RunReport report =
      must(vacuum::run({.gate = as_keeper, .table = "tokens", .job = Job::Analyze}));

  ASSERT_TRUE(report.second);
  EXPECT_EQ(report.second->restored.size(), 1U) << to_text(report);
  must(conn_->exec("DROP OWNED BY keeper; DROP ROLE keeper"));
}

TEST_P(VacuumSamples, StatisticsOfEachKindComeBackAsTheyWere) {
  if (!restores()) GTEST_SKIP() << "nothing is put back before 18";
  must(connect().exec(
      "CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\", {so}');"
      "CREATE TABLE \"T k\" (\"C 1\" text, n numeric, a int[], r int4range, e mood, "
      "t timestamptz, b bytea, j jsonb, x interval) PARTITION BY RANGE (n);"
      "CREATE TABLE leaf PARTITION OF \"T k\" DEFAULT;"
      "INSERT INTO leaf SELECT case when i % 3 > 0 then 'q\"\\,{}'' ' || i % 40 end, i / 7.0, "
      "array[i % 5, i], int4range(i, i + i % 9), case when i % 4 = 0 then 'it''s \"ok\", {so}' "
      "else 'sad' end::mood, timestamptz '2026-01-01' + i * interval '1 h', "
      "decode(md5(i::text), 'hex'), jsonb_build_object('k', i % 11), i % 17 * interval '1 day 3 s' "
      "FROM generate_series(1, 5000) i; SET default_statistics_target = 50; ANALYZE \"T k\""));
  const auto known = [&](const std::string& table) {
    return one(
        cat("select string_agg(s::text, chr(10) order by attname) from pg_stats s where "
            "tablename = ",
            pg::literal(table)));
  };
  vacuum::Facts facts = must(vacuum::load(*conn_, {}));
  for (const std::string table : {"T k", "leaf"}) {
    const auto found = std::ranges::find(facts.tables, table, &facts::TableFacts::name);
    ASSERT_NE(found, facts.tables.end());
    const auto kept = must(facts::load_kept_statistics(*conn_, found->oid));
    ASSERT_EQ(kept.size(), 9U);
    const std::string before = known(table);
    must(connect().exec("SET default_statistics_target = 3; ANALYZE \"T k\""));
    ASSERT_NE(known(table), before);
    const auto now = must(facts::load_kept_statistics(*conn_, found->oid));

    const auto outcome = must(care::Gate(gate()).run(vacuum::restore_action(*found, kept, now)));

    EXPECT_TRUE(outcome.applied);
    EXPECT_EQ(known(table), before);
    // Whoever has analysed meanwhile goes before us.
    const auto late = care::Gate(gate()).run(vacuum::restore_action(*found, kept, now));
    ASSERT_TRUE(late && late->already) << "they are there already";
    must(connect().exec("SET default_statistics_target = 5; ANALYZE \"T k\""));
    const std::string newer = known(table);
    const auto refused = care::Gate(gate()).run(vacuum::restore_action(*found, kept, now));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("somebody has analysed"), std::string::npos)
        << refused.error().message;
    EXPECT_EQ(known(table), newer);
    must(connect().exec("SET default_statistics_target = 50; ANALYZE \"T k\""));
  }
}

// Autovacuum's own ANALYZE, with a watch that follows it. 800 changes are too few for the watch
// itself, which leaves what is below 1,000 alone.
class VacuumSamplesByAutovacuum : public VersionTest {
 protected:
  Settings settings() const override {
    return {{"autovacuum_naptime", "1s"}, {"default_statistics_target", "1"}};
  }
};

TEST_P(VacuumSamplesByAutovacuum, OddSampleOfAutovacuumIsUndoneByTheWatch) {
  auto conn = connect();
  const auto one = [&](const std::string& sql) { return must(must(conn.query(sql)).scalar()); };
  must(connect().exec(kTokens));
  must(
      conn.exec("ALTER TABLE tokens SET (autovacuum_enabled = off); "
                "CREATE INDEX tokens_token ON tokens (token)"));
  must(conn.exec(kGoodSample));
  const Scratch scratch;
  auto audit = must(store::Audit::open(scratch.path() + "/audit.db", system_clock()));
  std::atomic<bool> cancel = false;
  std::mutex mutex;
  std::string said;
  vacuum::WatchSetup setup;
  setup.tables.gate = {
      .options = options(), .audit = &audit, .clock = &system_clock(), .cancel = &cancel};
  setup.tables.gate.policy.apply = true;
  setup.tables.on_event = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    said += line + "\n";
  };
  setup.tick = setup.look = milliseconds(50);
  setup.review = seconds(3'600);
  std::optional<Result<vacuum::WatchReport>> report;
  std::jthread thread([&] { report = vacuum::watch(setup); });
  const auto heard = [&] {
    const std::lock_guard lock(mutex);
    return said;
  };
  // Counters that come late must not look like changes.
  EXPECT_TRUE(wait_until(
      [&] {
        must(conn.exec("ANALYZE tokens (i)"));
        return one("select n_mod_since_analyze from pg_stat_user_tables where relname = "
                   "'tokens'") == "0";
      },
      seconds(20)));
  must(
      conn.exec("ALTER TABLE tokens SET (autovacuum_enabled = on, "
                "autovacuum_analyze_threshold = 600, autovacuum_analyze_scale_factor = 0)"));
  const std::string before = one("select s::text from pg_stats s where attname = 'token'");
  must(connect().exec("UPDATE tokens SET i = -i WHERE i <= 400"));
  // The last that the watch asks for when it keeps statistics of some table.
  EXPECT_TRUE(wait_until(
      [&] {
        return one("select count(*) from pg_stat_activity where application_name = "
                   "'pgtend/watch' and query like '%pg_stat_get_autoanalyze_count(o)%'") == "1";
      },
      seconds(30)))
      << heard();
  must(connect().exec("UPDATE tokens SET i = -i WHERE i > 99600"));

  const bool told = wait_until(
      [&] { return heard().find("autovacuum has analysed public.tokens") != std::string::npos; },
      seconds(60));
  cancel = true;
  thread.join();

  EXPECT_TRUE(told) << heard();
  EXPECT_EQ(must(*report).odd_samples, 1) << heard();
  if (version() == "18") {
    EXPECT_EQ(one("select s::text from pg_stats s where attname = 'token'"), before);
    EXPECT_EQ(must(*report).restored, 1);
    EXPECT_NE(heard().find("its statistics from before are back"), std::string::npos) << heard();
  } else {
    EXPECT_NE(heard().find("has put it right"), std::string::npos) << heard();
  }
}

PGTEND_ON_SOME_VERSIONS(VacuumSamplesByAutovacuum);

PGTEND_ON_SOME_VERSIONS(VacuumSamples);

}  // namespace
}  // namespace pgtend::e2e
