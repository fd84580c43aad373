// pgtend is killed at random moments of a conversion, and the server crashes, while clients write:
// it is gone on with, and nothing is lost or there twice.
#include <atomic>
#include <cmath>
#include <random>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "e2e/support/oracle_load.h"

namespace pgtend::e2e {
namespace {

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";
constexpr int kRows = 30'000;
constexpr int kKilled = 137;

class PartitionKill : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto there = binaries_of(GetParam()); !there) {
      GTEST_SKIP() << there.error().message;
    }
    cluster_.emplace(must(pg::Cluster::start(
        must(cluster_options(GetParam(), {{"autovacuum", "off"}, {"fsync", "off"}})))));
  }
  pg::Connection connect() { return must(pg::Connection::open(cluster_->options())); }
  std::string one(const std::string& sql) {
    return std::string(must(connect().query(sql))[0].text(0));
  }
  void make_tables() {
    pg::Connection conn = connect();
    must(conn.exec(cat(
        "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, v numeric(10,2), pad text "
        "DEFAULT repeat('x', 50)); INSERT INTO t SELECT i, ",
        kOracleStart, " + i * interval '4 minutes', i / 7.0 FROM generate_series(1, ", kRows,
        ") i; CREATE INDEX t_at ON t (at); CREATE TABLE o (LIKE t INCLUDING ALL); "
        "INSERT INTO o SELECT * FROM t")));
  }
  bool begun() {
    return one("SELECT count(*) FROM pg_class WHERE relname ~ '^pgtend_.*_ledger$'") != "0";
  }
  // One run of the program, killed after `after` (0: not). Begins (`way` is a mode of conversion,
  // or "recut"), or goes on.
  Outcome once(const std::string& way, bool begun, milliseconds after) {
    const bool recut = way == "recut";
    std::vector<std::string> words;
    if (after > milliseconds(0)) {
      words = {"timeout", "-s", "KILL",
               cat(after.count() / 1000, ".", 1000 + after.count() % 1000)};
      words.back().erase(words.back().find('.') + 1, 1);
    }
    const char* verb = begun ? "resume" : recut ? "recut" : "convert";
    for (const char* word : {kProgram.c_str(), "partition", verb, "t"}) words.emplace_back(word);
    if (!begun) words.insert(words.end(), {"--every", recut ? "week" : "month"});
    if (!begun && !recut) words.insert(words.end(), {"--mode", way});
    words.emplace_back("--apply");
    Environment environment = environment_of(cluster_->options());
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return run(words, environment);
  }
  Outcome verb(const std::string& word) {
    Environment environment = environment_of(cluster_->options());
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    return run({kProgram, "partition", word, "t", "--apply"}, environment);
  }
  void difference_is_none() {
    EXPECT_EQ(one("SELECT count(*) FROM ((TABLE t EXCEPT ALL TABLE o) UNION ALL (TABLE o EXCEPT "
                  "ALL TABLE t)) x"),
              "0");
  }

  Scratch scratch_;
  std::optional<pg::Cluster> cluster_;
};

TEST_P(PartitionKill, KilledAtRandomMomentsItIsGoneOnWith) {
  std::mt19937_64 random(1);
  for (const char* way : {"shadow", "instant"}) {
    make_tables();
    OracleLoad load(cluster_->options(), kRows);
    int killed = 0;
    Outcome outcome;
    do {
      // Longer and longer, so that it comes to its end on any machine.
      const double longer = std::pow(1.15, killed);
      const milliseconds after(std::llround((300 + static_cast<double>(random() % 600)) * longer));
      outcome = once(way, begun(), after);
      if (outcome.exit_code == kKilled) ++killed;
    } while (outcome.exit_code == kKilled && killed < 60);
    const OracleDeeds deeds = load.end();

    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(deeds.error, "");
    EXPECT_GT(killed, 0);
    EXPECT_GT(std::min({deeds.inserted, deeds.moved, deeds.renamed, deeds.deleted}), 0);
    EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
    difference_is_none();
    EXPECT_EQ(verb("finish").exit_code, 0);
    EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname ~ '^pgtend_'"), "0");
    must(connect().exec("DROP TABLE t, o"));
  }
}

// Months become weeks; after each kill some rows change, of all kinds.
TEST_P(PartitionKill, ARecutThatIsKilledIsGoneOnWith) {
  std::mt19937_64 random(2);
  make_tables();
  ASSERT_EQ(once("shadow", false, milliseconds(0)).exit_code, 0);
  ASSERT_EQ(verb("finish").exit_code, 0);
  int killed = 0;
  Outcome outcome;
  do {
    const double longer = std::pow(1.15, killed);
    const milliseconds after(std::llround((300 + static_cast<double>(random() % 600)) * longer));
    outcome = once("recut", begun(), after);
    if (outcome.exit_code != kKilled) break;
    ++killed;
    for (const char* table : {"t", "o"}) {
      must(connect().exec(cat("DELETE FROM ", table, " WHERE id % 50 = ", killed, "; UPDATE ",
                              table, " SET at = at + interval '9 days' WHERE id % 60 = ", killed,
                              " AND id < 20000; UPDATE ", table,
                              " SET v = v + 1 WHERE id % 70 = ", killed, "; INSERT INTO ", table,
                              " SELECT ", killed, " * 1000000 + i, ", kOracleStart,
                              " + i * interval '3 hours', i FROM generate_series(1, 300) i")));
    }
  } while (killed < 60);

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GT(killed, 0);
  difference_is_none();
  EXPECT_EQ(verb("finish").exit_code, 0);
  EXPECT_EQ(one("SELECT count(*) FROM pg_class WHERE relname ~ '^pgtend_|_aside$'"), "0");
}

// At each boundary that the ledger tells of, and in the middle of copying.
TEST_P(PartitionKill, ACrashOfTheServerCostsNothing) {
  make_tables();
  OracleLoad load(cluster_->options(), kRows);
  for (const char* when : {"phase = 'made'", "phase = 'capturing'", "next_page > 20",
                           "phase = 'copied'", "phase = 'built'", "phase = 'swapped'"}) {
    const bool goes_on = begun();
    std::atomic<bool> over = false;
    std::jthread crasher([&] {
      const auto reached = [&] {
        auto conn = pg::Connection::open(cluster_->options());
        if (!conn) return false;
        const auto name = conn->query("SELECT relname FROM pg_class WHERE relname ~ '_ledger$'");
        if (!name || name->empty()) return false;
        const auto seen =
            conn->query(cat("SELECT count(*) FROM ", (*name)[0].text(0), " WHERE ", when));
        return seen && (*seen)[0].text(0) == "1";
      };
      if (!wait_until([&] { return over || reached(); }, seconds(60)) || over) return;
      must(cluster_->crash());
      must(cluster_->restart());
    });
    (void)once("shadow", goes_on, milliseconds(0));
    over = true;
    crasher.join();
  }
  const Outcome outcome = once("shadow", begun(), milliseconds(0));
  const OracleDeeds deeds = load.end();

  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(deeds.error, "");
  EXPECT_EQ(one("SELECT relkind FROM pg_class WHERE oid = 't'::regclass"), "p");
  difference_is_none();
}

PGTEND_ON_OLDEST_AND_NEWEST(PartitionKill);

}  // namespace
}  // namespace pgtend::e2e
