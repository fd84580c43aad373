// Settings of autovacuum: advised, set, in effect, and taken back, but for what a person changed.
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "e2e/support/database.h"
#include "store/audit.h"
#include "vacuum/tune_apply.h"

namespace pgtend::e2e {
namespace {

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";
constexpr const char* kTable = "\"Lédger\".\"t\"\"; drop\"";
constexpr const char* kOid = "to_regclass('\"Lédger\".\"t\"\"; drop\"')";
const std::string kScale = "autovacuum_vacuum_scale_factor";
const std::string kChanges = "autovacuum_analyze_scale_factor";

class VacuumTune : public VersionTest {
 protected:
  // A worker that needs longer than that to start is given up, which happens on busy machines.
  Settings settings() const override { return {{"autovacuum_naptime", "4s"}}; }

  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped()) return;
    conn_ = connect();
    must(conn_->exec(cat("CREATE SCHEMA \"Lédger\"; CREATE TABLE ", kTable,
                         " (id int PRIMARY KEY, v int, pad text) WITH (",
                         "autovacuum_enabled = false, fillfactor = 80)")));
    // In a session of its own, so that its counters have come when VACUUM sets them.
    must(connect().exec(cat("INSERT INTO ", kTable,
                            " SELECT i, 0, repeat('x', 50) FROM generate_series(1, 100000) i")));
    ASSERT_TRUE(wait_until([&] { return live_rows() == "100000"; }, seconds(30)));
    must(conn_->exec(cat("VACUUM ANALYZE ", kTable)));
    must(conn_->exec(
        cat("ALTER TABLE ", kTable, " RESET (autovacuum_enabled), SET (", kChanges, " = 0.4)")));
  }
  void TearDown() override {
    conn_.reset();
    VersionTest::TearDown();
  }

  Environment environment() {
    Environment out = environment_of(options());
    out.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return out;
  }
  Outcome tune(std::vector<std::string> words) {
    words.insert(words.begin(), {kProgram, "vacuum", "tune"});
    return run(words, environment());
  }
  json::object data(const std::vector<std::string>& words) {
    std::vector<std::string> all = words;
    all.emplace_back("--json");
    const Outcome outcome = tune(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    return must(parse_json(outcome.out)).as_object().at("data").as_object();
  }
  // The table's reloptions, "" when none is left.
  std::string reloptions() {
    return must(must(conn_->query(cat("select coalesce(array_to_string(array(select x from "
                                      "unnest(reloptions) x order by 1), ' '), '') from pg_class "
                                      "where oid = ",
                                      kOid)))
                    .scalar());
  }
  std::string live_rows() {
    return must(must(conn_->query(cat("select pg_stat_get_live_tuples(", kOid, ")"))).scalar());
  }
  // "setting: now" of --verify, of all that is ours.
  std::string verified() {
    std::vector<std::string> out;
    const json::object shown = data({"--verify"});
    for (const json::value& one : shown.at("settings").as_array()) {
      out.push_back(cat(std::string_view(one.at("setting").as_string()), ": ",
                        std::string_view(one.at("now").as_string())));
    }
    return join(out, ", ");
  }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
};

const std::string kBefore = "autovacuum_analyze_scale_factor=0.4 fillfactor=80";
const std::string kTuned =
    "autovacuum_analyze_scale_factor=0.03 autovacuum_vacuum_insert_scale_factor=0.04 "
    "autovacuum_vacuum_scale_factor=0.05 fillfactor=80";

TEST_P(VacuumTune, AdviceIsShownSetAndTakenBack) {
  const json::object advice = data({kTable});
  ASSERT_GE(advice.at("settings").as_array().size(), 2);
  EXPECT_EQ(reloptions(), kBefore) << "a dry run changes nothing";
  EXPECT_EQ(verified(), "");

  const Outcome applied = tune({kTable, "--apply"});
  EXPECT_EQ(applied.exit_code, 0) << applied.out << applied.err;
  EXPECT_EQ(reloptions(), kTuned) << applied.out;
  EXPECT_EQ(verified().find("changed"), std::string::npos);
  EXPECT_NE(verified().find(kScale + ": in force"), std::string::npos) << verified();
  // A second run finds nothing more to do.
  EXPECT_EQ(data({kTable}).at("settings").as_array().size(), 0);

  EXPECT_NE(reloptions(), kBefore);
  EXPECT_EQ(tune({"--restore"}).exit_code, 0);
  EXPECT_NE(reloptions(), kBefore) << "a dry run changes nothing";
  const Outcome restored = tune({"--restore", "--apply"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(reloptions(), kBefore);
  EXPECT_EQ(verified(), "");
}

TEST_P(VacuumTune, WhatAPersonChangedMeanwhileStays) {
  ASSERT_EQ(tune({kTable, "--apply"}).exit_code, 0);
  must(conn_->exec(cat("ALTER TABLE ", kTable, " SET (", kChanges, " = 0.2)")));
  EXPECT_NE(verified().find(kChanges + ": changed since by somebody, to 0.2"), std::string::npos)
      << verified();
  ASSERT_EQ(tune({"--restore", "--apply"}).exit_code, 0);
  EXPECT_EQ(reloptions(), "autovacuum_analyze_scale_factor=0.2 fillfactor=80");
}

// Its sessions are ended while it waits for the lock; then, of a run that has changed the options,
// the trail has the begin alone. Both times everything can be taken back.
TEST_P(VacuumTune, AKilledRunCanBeTakenBack) {
  pg::Connection holder = connect();
  must(holder.exec(cat("BEGIN; LOCK TABLE ", kTable, " IN SHARE UPDATE EXCLUSIVE MODE")));
  std::jthread killed([&] {
    run({"timeout", "-s", "KILL", "20", kProgram, "vacuum", "tune", kTable, "--apply"},
        environment());
  });
  const bool waits = wait_until(
      [&] {
        return !must(conn_->query("select from pg_stat_activity where wait_event_type = 'Lock' and "
                                  "application_name like 'pgtend/%'"))
                    .empty();
      },
      seconds(30));
  ASSERT_TRUE(waits);
  must(
      conn_->query("select pg_terminate_backend(pid) from pg_stat_activity where application_name "
                   "like 'pgtend/%'"));
  killed.join();
  must(holder.exec("ROLLBACK"));
  EXPECT_EQ(reloptions(), kBefore);

  ASSERT_EQ(tune({kTable, "--apply"}).exit_code, 0);
  // What a program that died before it could say so leaves: the begin of the change alone.
  {
    auto trail = must(store::Audit::open(scratch_.path() + "/state.db", system_clock()));
    const auto entries = must(trail.history("tune"));
    ASSERT_FALSE(entries.empty());
    auto fresh = must(store::Audit::open(scratch_.path() + "/died.db", system_clock()));
    for (const store::AuditEntry& entry : entries) {
      if (entry.record.event == store::AuditEvent::Begin) must(fresh.append(entry.record));
    }
  }
  Environment died = environment_of(options());
  died.emplace_back("PGTEND_STATE", scratch_.path() + "/died.db");
  const Outcome restored = run({kProgram, "vacuum", "tune", "--restore", "--apply"}, died);
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(reloptions(), kBefore);
}

TEST_P(VacuumTune, AutovacuumFollowsTheNewLimits) {
  ASSERT_EQ(tune({kTable, "--apply"}).exit_code, 0);
  // Above 5 %, far below the stock 20 %.
  must(connect().exec(cat("UPDATE ", kTable, " SET v = 1 WHERE id % 10 = 0")));
  const bool came = wait_until(
      [&] {
        return must(must(conn_->query(cat("select pg_stat_get_autovacuum_count(", kOid,
                                          ") > 0 and pg_stat_get_autoanalyze_count(", kOid,
                                          ") > 0")))
                        .scalar()) == "t";
      },
      seconds(120));
  EXPECT_TRUE(came);
  const json::object after = data({"--verify"});
  ASSERT_EQ(after.at("effects").as_array().size(), 1);
  const json::value& effect = after.at("effects").as_array()[0];
  EXPECT_GE(effect.at("autovacuums").to_number<int64_t>(), 1);
  EXPECT_EQ(std::string_view(effect.at("verdict").as_string()),
            "autovacuum follows the new limits");
}

TEST_P(VacuumTune, TablesOfOthersAreLeftAloneAndBadWordsAreNamed) {
  const pg::Options plain = create_role("plain", {"GRANT pg_monitor TO %"});
  const std::string role = must(must(connect(plain).query("select current_user")).scalar());
  Environment environment = environment_of(plain);
  environment.emplace_back("PGTEND_STATE", scratch_.path() + "/plain.db");
  const Outcome others =
      run({kProgram, "vacuum", "tune", "--min-size", "0", "--apply"}, environment);
  EXPECT_EQ(others.exit_code, 0) << others.err;
  EXPECT_EQ(reloptions(), kBefore) << "tables of others are not advised on";

  const Outcome both = tune({"--verify", "--apply"});
  EXPECT_EQ(both.exit_code, 2) << both.err;
  const Outcome unknown = tune({"nothing_like_it"});
  EXPECT_NE(unknown.exit_code, 0);
  EXPECT_NE(unknown.err.find("nothing_like_it"), std::string::npos) << unknown.err;
}

// 2,000 rows are well served by the stock limits, their 10,000 chunks of TOAST are not.
TEST_P(VacuumTune, ToastOfASmallTableGetsOptionsOfItsOwn) {
  must(
      connect().exec("CREATE TABLE docs (id int, body text) WITH (autovacuum_enabled = off);"
                     "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;"
                     "INSERT INTO docs SELECT i, repeat(md5(i::text), 300) FROM "
                     "generate_series(1, 2000) i"));
  must(
      conn_->exec("ALTER TABLE docs SET (autovacuum_enabled = on, "
                  "autovacuum_vacuum_cost_delay = 3)"));
  must(conn_->exec("VACUUM ANALYZE docs"));
  const auto of_toast = [&] {
    return must(must(conn_->query("select coalesce(array_to_string(array(select x from "
                                  "unnest(t.reloptions) x order by 1), ' '), '') from pg_class c "
                                  "join pg_class t on t.oid = c.reltoastrelid "
                                  "where c.relname = 'docs'"))
                    .scalar());
  };
  const std::string toast =
      must(must(conn_->query("select t.relname from pg_class c join pg_class t on t.oid = "
                             "c.reltoastrelid where c.relname = 'docs'"))
               .scalar());
  const std::string trace = scratch_.write("load.json", cat(R"({"pgtend_load": 1,
    "duration_s": 600, "settings": {"version": 150020}, "tables": [{"table": {"schema":
    "pg_toast", "name": ")",
                                                            toast, R"(", "kind": "t",
    "reltuples": 10000}, "load": [{"inserted_per_s": 5, "deleted_per_s": 5}]}]})"));

  const Outcome applied = tune({"docs", "--trace", trace, "--apply"});

  EXPECT_EQ(applied.exit_code, 0) << applied.out << applied.err;
  EXPECT_NE(applied.out.find("toast.autovacuum_vacuum_scale_factor"), std::string::npos)
      << applied.out;
  // What it has followed its table in is kept.
  EXPECT_NE(of_toast().find("autovacuum_vacuum_cost_delay=3 autovacuum_vacuum_scale_factor=0.0"),
            std::string::npos)
      << of_toast();
  EXPECT_NE(verified().find("toast.autovacuum_vacuum_scale_factor: in force"), std::string::npos)
      << verified();
  ASSERT_EQ(tune({"--restore", "--apply"}).exit_code, 0);
  EXPECT_EQ(of_toast(), "");
}

TEST_P(VacuumTune, MaterialisedViewsAreTunedAndTakenBack) {
  must(connect().exec("CREATE MATERIALIZED VIEW mv AS SELECT i FROM generate_series(1, 100000) i"));
  must(conn_->exec("VACUUM ANALYZE mv"));
  const auto options_of_mv = [&] {
    return must(must(conn_->query("select coalesce(array_to_string(reloptions, ' '), '') from "
                                  "pg_class where relname = 'mv'"))
                    .scalar());
  };

  const Outcome applied = tune({"mv", "--apply"});

  EXPECT_EQ(applied.exit_code, 0) << applied.out << applied.err;
  EXPECT_NE(options_of_mv().find("autovacuum_vacuum_scale_factor=0.05"), std::string::npos)
      << options_of_mv();
  const Outcome restored = tune({"--restore", "--apply"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(options_of_mv(), "");
}

TEST_P(VacuumTune, WhatTheServerWasStartedWithIsKnown) {
  const auto now = must(vacuum::load_settings_now(*conn_, {""}, {"autovacuum_naptime", "port"}));
  ASSERT_EQ(now.size(), 1U);
  EXPECT_EQ(now[0].fixed, std::vector<std::string>{"port"});
}

PGTEND_ON_SOME_VERSIONS(VacuumTune);

// The server's settings need a server of the test's own.
class VacuumTuneServer : public ::testing::TestWithParam<std::string> {};

TEST_P(VacuumTuneServer, SettingsAreSetByAlterSystemAndTakenBack) {
  auto known = cluster_options(GetParam());
  if (!known) GTEST_SKIP() << known.error().message;
  auto cluster = must(pg::Cluster::start(std::move(known).take()));
  pg::Connection conn = must(pg::Connection::open(cluster.options()));
  must(conn.exec("CREATE TABLE queue (id int)"));
  const Scratch scratch;
  Environment environment = environment_of(cluster.options());
  environment.emplace_back("PGTEND_STATE", scratch.path() + "/state.db");
  // A load that a recording tells: 500 rows come and go each second.
  const std::string trace = scratch.write("load.json", R"({"pgtend_load": 1, "duration_s": 600,
    "settings": {"version": 150020},
    "tables": [{"table": {"schema": "public", "name": "queue", "kind": "r", "reltuples": 100},
                "load": [{"inserted_per_s": 500, "deleted_per_s": 500}]}]})");
  const auto tune = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {kProgram, "vacuum", "tune"});
    return run(words, environment);
  };
  const auto naptime = [&] {
    return must(must(must(pg::Connection::open(cluster.options()))
                         .query("select setting || ' ' || source from pg_settings where name = "
                                "'autovacuum_naptime'"))
                    .scalar());
  };
  const std::string before = naptime();

  const Outcome shown = tune({"--trace", trace, "--apply"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_NE(shown.out.find("autovacuum_naptime"), std::string::npos) << shown.out;
  EXPECT_EQ(naptime(), before) << "the server's are changed with --server only";

  const Outcome applied = tune({"--trace", trace, "--server", "--apply"});
  EXPECT_EQ(applied.exit_code, 0) << applied.out << applied.err;
  EXPECT_TRUE(wait_until([&] { return naptime().starts_with("15 "); })) << naptime();
  const Outcome verified = tune({"--verify"});
  EXPECT_NE(verified.out.find("in force"), std::string::npos) << verified.out;

  const Outcome restored = tune({"--restore", "--apply"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_TRUE(wait_until([&] { return naptime() == before; })) << naptime();

  // A person's ALTER SYSTEM in between wins.
  ASSERT_EQ(tune({"--trace", trace, "--server", "--apply"}).exit_code, 0);
  must(conn.exec("ALTER SYSTEM SET autovacuum_naptime = '30s'"));
  must(conn.query("SELECT pg_reload_conf()"));
  ASSERT_TRUE(wait_until([&] { return naptime().starts_with("30 "); }));
  ASSERT_EQ(tune({"--restore", "--apply"}).exit_code, 0);
  EXPECT_TRUE(naptime().starts_with("30 ")) << naptime();
}

PGTEND_ON_SOME_VERSIONS(VacuumTuneServer);

}  // namespace
}  // namespace pgtend::e2e
