// Maintenance where it cannot work: on a standby, on a server that goes away, on a table that goes
// away, without the rights. Each time a reason, the right exit code, and nothing changed.
#include <fstream>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";
constexpr int kNoSuchThing = 2;
constexpr int kNotAllowed = 4;
constexpr int kNoServer = 3;

using Words = std::vector<std::string>;

// Every changing command of the area, on table t.
const std::vector<Words> kCommands = {
    {"vacuum", "run", "t", "--apply"},
    {"analyze", "t", "--apply"},
    {"vacuum", "compact", "t", "--way", "in-place", "--apply"},
    {"vacuum", "tune", "t", "--apply"},
};

class VacuumAdversity : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto there = binaries_of(GetParam()); !there) {
      GTEST_SKIP() << there.error().message;
    }
    cluster_.emplace(
        must(pg::Cluster::start(must(cluster_options(GetParam(), {{"autovacuum", "off"}})))));
    pg::Connection conn = connect();
    must(
        conn.exec("CREATE TABLE t (id int PRIMARY KEY, v int, pad text);"
                  "INSERT INTO t SELECT i, 0, repeat('x', 200) FROM generate_series(1, 60000) i"));
    must(conn.exec("VACUUM ANALYZE t"));
    must(conn.exec("DELETE FROM t WHERE id % 5 <> 0"));
    before_ = state(conn);
  }

  pg::Connection connect() { return must(pg::Connection::open(cluster_->options())); }
  Outcome tend(const Words& words, const pg::Options& options) {
    Words all = {kProgram};
    all.insert(all.end(), words.begin(), words.end());
    Environment environment = environment_of(options);
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return run(all, environment);
  }
  Outcome tend(const Words& words) { return tend(words, cluster_->options()); }
  // The rows of t, its options and its size.
  static std::string state(pg::Connection& conn) {
    return must(must(conn.query("select (select count(*) || ' ' || sum(id::int8) || ' ' || "
                                "sum(length(pad)) from t) || ' ' || coalesce(reloptions::text, '') "
                                "from pg_class where oid = 't'::regclass"))
                    .scalar());
  }

  Scratch scratch_;
  std::optional<pg::Cluster> cluster_;
  std::string before_;
};

TEST_P(VacuumAdversity, AStandbyIsToldSoAndAsksForThePrimary) {
  must(cluster_->stop());
  std::ofstream(cluster_->data_folder() + "/standby.signal") << "";
  must(cluster_->restart());
  for (const Words& words : kCommands) {
    const Outcome outcome = tend(words);
    EXPECT_EQ(outcome.exit_code, kNoServer) << join(words, " ") << ": " << outcome.err;
    EXPECT_NE(outcome.err.find("standby"), std::string::npos) << join(words, " ") << outcome.err;
    EXPECT_NE(outcome.err.find("connect to the primary"), std::string::npos) << outcome.err;
  }
  // What only looks works there.
  EXPECT_EQ(tend({"vacuum"}).exit_code, 0);
  EXPECT_EQ(tend({"vacuum", "tune", "--verify"}).exit_code, 0);
  pg::Connection conn = connect();
  EXPECT_EQ(state(conn), before_);
}

TEST_P(VacuumAdversity, WhoMayNotIsToldTheGrantAndNothingIsChanged) {
  pg::Connection conn = connect();
  must(
      conn.exec("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT pg_monitor TO plain;"
                "GRANT SELECT ON t TO plain"));
  pg::Options plain = cluster_->options();
  plain.set("user", "plain");
  plain.set("password", "plain");
  for (const Words& words : kCommands) {
    const bool tune = words[1] == "tune";
    const Outcome outcome = tend(words, plain);
    EXPECT_EQ(outcome.exit_code, tune ? 0 : kNotAllowed) << join(words, " ") << outcome.err;
    if (!tune) {
      EXPECT_NE(outcome.err.find("GRANT"), std::string::npos) << outcome.err;
    }
  }
  EXPECT_EQ(state(conn), before_);
}

TEST_P(VacuumAdversity, AServerThatGoesAwayMeanwhileLeavesARightTable) {
  for (const Words& words :
       std::vector<Words>{{"vacuum", "run", "t", "--apply", "--io", "1"},
                          {"vacuum", "compact", "t", "--way", "in-place", "--apply"}}) {
    Outcome outcome;
    std::jthread runner([&] { outcome = tend(words); });
    pg::Connection conn = connect();
    const bool works = wait_until(
        [&] {
          return !must(conn.query("select from pg_stat_activity where application_name like "
                                  "'pgtend/%' and (query ~ '^VACUUM|^UPDATE|^DO' or query ~ "
                                  "'update.*ctid') and state = 'active'"))
                      .empty();
        },
        seconds(30));
    EXPECT_TRUE(works) << join(words, " ");
    must(cluster_->crash());
    runner.join();
    EXPECT_EQ(outcome.exit_code, kNoServer) << join(words, " ") << ": " << outcome.err;
    EXPECT_FALSE(outcome.err.empty());
    must(cluster_->restart());
    pg::Connection again = connect();
    EXPECT_EQ(state(again), before_) << join(words, " ");
  }
  // And the work can be done now.
  EXPECT_EQ(tend({"vacuum", "compact", "t", "--way", "in-place", "--apply"}).exit_code, 0);
  pg::Connection conn = connect();
  EXPECT_EQ(state(conn), before_);
}

TEST_P(VacuumAdversity, ATableThatIsDroppedUnderVacuumIsNotWaitedFor) {
  Outcome outcome;
  std::jthread runner([&] { outcome = tend({"vacuum", "run", "t", "--apply", "--io", "1"}); });
  pg::Connection conn = connect();
  ASSERT_TRUE(
      wait_until([&] { return !must(conn.query("select from pg_stat_progress_vacuum")).empty(); },
                 seconds(30)));
  must(conn.exec("SET lock_timeout = '20s'; DROP TABLE t"));
  runner.join();
  EXPECT_EQ(outcome.exit_code, kNoSuchThing) << outcome.err;
  EXPECT_NE(outcome.err.find("t"), std::string::npos) << outcome.err;
}

PGTEND_ON_SOME_VERSIONS(VacuumAdversity);

}  // namespace
}  // namespace pgtend::e2e
