// pgtend explain --apply: what is proposed is built, measured, and taken back when it does not
// help.
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "support/database.h"

namespace pgtend {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kQuery = "SELECT * FROM readings WHERE meter = 17";

class ExplainApply : public e2e::DatabaseTest {
 protected:
  void SetUp() override {
    e2e::DatabaseTest::SetUp();
    auto conn = connect();
    e2e::must(conn.exec(
        "CREATE TABLE readings AS SELECT i AS id, i % 2000 AS meter, repeat('x', 50) AS note "
        "FROM generate_series(1, 100000) i"));
    e2e::must(conn.exec("ANALYZE readings"));
  }

  e2e::Outcome explain(std::vector<std::string> words, const std::string& session = "") {
    words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain", "-c", kQuery});
    auto environment = e2e::environment_of(options());
    environment.emplace_back("PGTEND_STATE", scratch_.path() + "/state.db");
    environment.emplace_back("PGOPTIONS", session);
    return e2e::run(words, environment);
  }

  int64_t indexes() {
    auto conn = connect();
    const auto rows = e2e::must(
        conn.query("SELECT count(*) FROM pg_index WHERE indrelid = 'readings'::regclass"));
    return e2e::must(rows[0].get<int64_t>(0));
  }

  e2e::Scratch scratch_;
};

class ExplainApplyWorkload : public ExplainApply {
 protected:
  e2e::Settings settings() const override {
    return {{"shared_preload_libraries", "pg_stat_statements"}};
  }
};

// Sessions whose planner takes no index, whatever it is.
constexpr const char* kNoIndexes = "-c enable_indexscan=off -c enable_bitmapscan=off";

TEST_F(ExplainApply, WithoutItNothingChanges) {
  const auto outcome = explain({"--analyze"});
  EXPECT_THAT(outcome.out, HasSubstr("CREATE INDEX CONCURRENTLY"));
  EXPECT_EQ(indexes(), 0);
}

TEST_F(ExplainApply, BuildsWhatIsProposedAndTellsWhatItBrought) {
  const auto outcome = explain({"--apply", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(indexes(), 1);
  const json::value data = parse_json(outcome.out)->at("data");
  const json::value& finding = data.at("plans").at(0).at("findings").at(0);
  EXPECT_EQ(finding.at("id"), "A1");
  EXPECT_EQ(finding.at("level"), "L2");
  EXPECT_TRUE(finding.at("saving").at("predicted").is_string());
  EXPECT_THAT(std::string(finding.at("saving").at("measured").as_string()), HasSubstr("buffers"));
  EXPECT_LT(data.at("measured").at("after").at("blocks").as_double(),
            data.at("measured").at("before").at("blocks").as_double() / 5);
  EXPECT_EQ(data.at("measured").at("kept"), true);
  EXPECT_THAT(explain({"--apply"}).err, HasSubstr("nothing to apply"));
}

TEST_F(ExplainApplyWorkload, OtherStatementsAndWritesAreLookedAt) {
  auto conn = connect();
  if (!conn.exec("CREATE EXTENSION pg_stat_statements")) GTEST_SKIP() << "not in the package";
  e2e::must(conn.exec("CREATE VIEW of_meter AS SELECT * FROM readings"));
  for (const char* other :
       {"SELECT sum(id) FROM of_meter WHERE meter = 5", "SELECT count(*) FROM readings",
        "SELECT count(*) FROM pg_class", "SELECT note FROM readings WHERE meter = 3"}) {
    e2e::must(conn.query(other));
  }
  e2e::must(conn.exec("UPDATE readings SET note = 'y' WHERE id = 7"));

  const auto outcome = explain({"--apply", "--json"});

  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json::value data = parse_json(outcome.out)->at("data");
  const json::value& finding = data.at("plans").at(0).at("findings").at(0);
  EXPECT_EQ(finding.at("level"), "L3") << to_text(data.at("measured"));
  const json::value& others = data.at("measured").at("others");
  // The view's statement and the one with another list of columns take the index; the UPDATE and
  // the count of everything keep their plans.
  std::vector<std::string> changed;
  for (const json::value& each : others.at("changed").as_array()) {
    EXPECT_LT(each.at("cost_after").to_number<double>(),
              each.at("cost_before").to_number<double>());
    changed.emplace_back(each.at("query").as_string());
  }
  EXPECT_THAT(changed,
              testing::UnorderedElementsAre("SELECT sum(id) FROM of_meter WHERE meter = $1",
                                            "SELECT note FROM readings WHERE meter = $1"));
  EXPECT_EQ(others.at("planned"), 4);
  EXPECT_THAT(to_text(finding.at("evidence")), HasSubstr("each writes one entry more"));
}

TEST_F(ExplainApply, TakesBackWhatDoesNotHelpUnlessItIsToBeKept) {
  auto outcome = explain({"--apply", "--no-hypopg"}, kNoIndexes);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("it did not help"));
  EXPECT_THAT(outcome.out, HasSubstr("DROP INDEX CONCURRENTLY"));
  EXPECT_EQ(indexes(), 0);

  outcome = explain({"--apply", "--no-hypopg", "--keep"}, kNoIndexes);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(indexes(), 1);
}

TEST_F(ExplainApply, RefusesWhatItCannotMeasureOrDoesNotPropose) {
  EXPECT_THAT(explain({"--apply", "--finding", "9"}).err, HasSubstr("there is no finding 9"));
  const auto plan = e2e::run({PGTEND_BINARY_DIR "/pgtend", "explain", "--apply", "-"},
                             e2e::environment_of(options()),
                             "Seq Scan on readings  (cost=0.00..1.00 rows=1 width=4)\n");
  EXPECT_THAT(plan.err, HasSubstr("--apply needs the statement"));
  EXPECT_EQ(indexes(), 0);
}

}  // namespace
}  // namespace pgtend
