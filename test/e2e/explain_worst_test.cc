// pgtend explain --worst and --query: statements by what they cost, from pg_stat_statements and
// from the pool's own counters.
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "facts/statements.h"
#include "support/database.h"
#include "support/pool.h"

namespace pgtend {
namespace {

using testing::HasSubstr;
using testing::Not;

class ExplainWorst : public e2e::VersionTest {
 protected:
  e2e::Settings settings() const override {
    return {{"shared_preload_libraries", "pg_stat_statements"}};
  }

  void SetUp() override {
    VersionTest::SetUp();
    auto conn = connect();
    e2e::must(
        conn.exec("CREATE TABLE readings AS SELECT i AS id, i % 100 AS meter "
                  "FROM generate_series(1, 50000) i"));
    e2e::must(conn.exec("ANALYZE readings"));
  }

  e2e::Outcome explain(std::vector<std::string> words) {
    words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain"});
    return e2e::run(words, e2e::environment_of(options()));
  }

  json::value data(std::vector<std::string> words) {
    words.insert(words.begin(), "--json");
    const auto outcome = explain(std::move(words));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return e2e::must(parse_json(outcome.out)).at("data");
  }
};

const std::string kSlow = "SELECT count(*) FROM readings WHERE meter = ";

TEST_P(ExplainWorst, TakesThoseThatCostMostAndExplainsThem) {
  auto conn = connect();
  if (!conn.exec("CREATE EXTENSION pg_stat_statements")) GTEST_SKIP() << "not in the package";
  for (int i = 0; i < 20; ++i) e2e::must(conn.query(cat(kSlow, i)));
  e2e::must(conn.query("SELECT 1"));

  const json::value found = data({"--worst", "30"});
  const json::value* slow = nullptr;
  for (const json::value& each : found.at("worst").as_array()) {
    if (std::string_view(each.at("query").as_string()).starts_with(kSlow)) slow = &each;
    // What is no query is told with the reason, not left out.
    EXPECT_NE(each.at("plan").is_null(), each.at("why_not").is_null());
  }
  ASSERT_NE(slow, nullptr);
  EXPECT_EQ(slow->at("calls").as_int64(), 20);
  EXPECT_THAT(std::string(slow->at("query").as_string()), HasSubstr("$1"));
  const json::value& plan = found.at("plans").at(static_cast<size_t>(slow->at("plan").as_int64()));
  EXPECT_EQ(plan.at("root").at("type"), "Aggregate");

  const std::string id(slow->at("id").as_string());
  const json::value one = data({"--query", id});
  EXPECT_EQ(one.at("worst").as_array().size(), 1u);
  const json::value run = data({"--query", id, "--analyze"}).at("plans").at(0);
  EXPECT_TRUE(run.at("analyzed").as_bool());
  EXPECT_THAT(std::string(run.at("parameters").at(0).at("origin").as_string()),
              HasSubstr("of readings.meter"));
  EXPECT_THAT(explain({"--query", "12"}).err, HasSubstr("no query 12 is known"));
  EXPECT_THAT(explain({"--worst", "1"}).out, Not(HasSubstr("\n#2 ")));
}

TEST_P(ExplainWorst, StatementsOfOtherRolesAreLeftOutForThoseWhoMayNotReadThem) {
  auto conn = connect();
  if (!conn.exec("CREATE EXTENSION pg_stat_statements")) GTEST_SKIP() << "not in the package";
  e2e::must(conn.query(kSlow + "1"));
  auto plain = connect(create_role());
  e2e::must(plain.query("SELECT 41 + 1 AS mine"));
  const auto seen = e2e::must(facts::load_statements(plain, 100));
  EXPECT_EQ(seen.why_not, "");
  bool mine = false;
  for (const facts::StatementFacts& statement : seen.statements) {
    EXPECT_THAT(statement.text, Not(HasSubstr("FROM readings WHERE")));
    mine = mine || statement.text.find("AS mine") != std::string::npos;
  }
  EXPECT_TRUE(mine);
}

TEST_P(ExplainWorst, WithoutTheCounterItSaysWhatToDo) {
  const auto outcome = explain({"--worst", "3"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("CREATE EXTENSION pg_stat_statements"));
}

TEST_P(ExplainWorst, ThePoolsShapesAreExplainedToo) {
  const e2e::PoolProcess pool(cat("[databases]\n", database(), " = host=", options().get("host"),
                                  " port=", options().get("port"), " user=", options().get("user"),
                                  " password='", options().get("password"),
                                  "'\n[pgbouncer]\nauth_type = trust\nadmin_users = app\n"));
  pg::Options by_pool;
  by_pool.set("host", "127.0.0.1").set("port", cat(pool.port())).set("user", "app");
  by_pool.set("dbname", database()).set("sslmode", "disable");
  auto conn = connect(by_pool);
  for (int i = 0; i < 5; ++i) e2e::must(conn.query(cat(kSlow, i)));

  const std::string console = cat("host=127.0.0.1 sslmode=disable user=app port=", pool.port());
  const json::value found = data({"--worst", "1", "--pool", console});
  const json::value& worst = found.at("worst").at(0);
  EXPECT_EQ(worst.at("calls").as_int64(), 5);
  EXPECT_EQ(found.at("plans").at(0).at("root").at("type"), "Aggregate");
  EXPECT_EQ(data({"--query", std::string(worst.at("id").as_string()), "--pool", console})
                .at("worst")
                .as_array()
                .size(),
            1u);
}

PGTEND_ON_SOME_VERSIONS(ExplainWorst);

}  // namespace
}  // namespace pgtend
