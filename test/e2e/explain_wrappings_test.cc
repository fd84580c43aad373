// Plans read back from psql's frames and from the server's own log must be those that EXPLAIN
// gives.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/compare.h"
#include "explain/read_plans.h"

namespace pgtend {
namespace {

using explain::PlanInput;

constexpr const char* kSchema = R"sql(
CREATE TABLE t (a int, b text);
CREATE TABLE "odd ""t (cost=1)" (a int, "c d" text);
INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 1000) i;
CREATE INDEX i ON t (a);
ANALYZE t;
)sql";

constexpr const char* kStatements[] = {
    "SELECT 1",
    "SELECT * FROM t WHERE a = 3",
    "SELECT count(*) FROM t x JOIN t y USING (a) WHERE x.b <> y.b GROUP BY x.b ORDER BY 1 LIMIT 3",
    "SELECT * FROM \"odd \"\"t (cost=1)\" AS \"->  x\" WHERE \"c d\" = 'it''s'",
    "SELECT *, '(3 rows)\n\n->  Seq Scan on x  (cost=1.00..2.00 rows=3 width=4)\n日本+' FROM t\n"
    " WHERE b = E'a\\nExecution Time: 1 ms\\n' || b AND a IN (SELECT a FROM t WHERE b > 'y\nz')",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r",
    "UPDATE t SET b = 'q' WHERE a = (SELECT max(a) FROM t)",
};

constexpr const char* kFormats[] = {"TEXT", "JSON", "YAML", "XML"};

class ExplainWrappings : public e2e::VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (!IsSkipped()) e2e::must(connect().exec(kSchema));
  }

  std::string script() const {
    std::string out = "SET jit = off;\n";
    for (const char* statement : kStatements) {
      for (const char* format : kFormats) {
        out += cat("EXPLAIN (VERBOSE, FORMAT ", format, ") ", statement, ";\n");
      }
    }
    return out;
  }

  PlanInput through_psql(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"psql", "-X"});
    const auto outcome = e2e::run(flags, e2e::environment_of(options()), script());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    auto input = explain::read_plans(outcome.out);
    EXPECT_TRUE(input) << input.error().message << outcome.out;
    return input ? std::move(input).take() : PlanInput{};
  }
};

void expect_equal(const PlanInput& found, const PlanInput& wanted, const std::string& where) {
  ASSERT_EQ(found.plans.size(), wanted.plans.size()) << where;
  EXPECT_TRUE(found.warnings.empty()) << where;
  for (size_t i = 0; i < found.plans.size(); ++i) {
    const explain::Plan& plan = found.plans[i].plan;
    EXPECT_EQ(found.plans[i].format, wanted.plans[i].format) << where << " plan " << i;
    EXPECT_EQ(explain::describe_difference(plan, wanted.plans[i].plan), "")
        << where << " plan " << i;
    EXPECT_TRUE(plan.warnings.empty()) << where << " plan " << i << ": " << plan.warnings.front();
  }
}

TEST_P(ExplainWrappings, EveryFrameOfPsqlGivesBackThePlans) {
  const PlanInput wanted = through_psql({"-A", "-t", "-q"});
  ASSERT_EQ(wanted.plans.size(), std::size(kStatements) * std::size(kFormats));
  for (size_t i = 0; i < wanted.plans.size(); i += std::size(kFormats)) {
    for (size_t other = 1; other < std::size(kFormats); ++other) {
      EXPECT_EQ(explain::describe_difference(wanted.plans[i].plan, wanted.plans[i + other].plan),
                "")
          << kStatements[i / std::size(kFormats)] << " as " << kFormats[other];
    }
  }
  for (const std::string border : {"0", "1", "2"}) {
    for (const std::string lines : {"ascii", "old-ascii", "unicode"}) {
      for (const std::string expanded : {"off", "on"}) {
        const std::string where = cat("border ", border, " ", lines, " expanded ", expanded);
        expect_equal(through_psql({"-P", "border=" + border, "-P", "linestyle=" + lines, "-P",
                                   "expanded=" + expanded}),
                     wanted, where);
      }
    }
  }
  expect_equal(through_psql({"-A"}), wanted, "unaligned");
  expect_equal(through_psql({"--csv"}), wanted, "csv");
  expect_equal(through_psql({"-a", "-P", "border=2"}), wanted, "with the statements echoed");
  expect_equal(through_psql({"-P", "format=wrapped", "-P", "columns=70"}), wanted, "wrapped");
}

TEST_P(ExplainWrappings, ServerLogGivesBackThePlansOfAutoExplain) {
  auto conn = connect();
  if (!conn.exec("LOAD 'auto_explain'")) GTEST_SKIP() << "no auto_explain";
  const auto log_size = [&] { return std::filesystem::file_size(cluster().log_file()); };
  e2e::must(conn.exec("SET jit = off; SET auto_explain.log_verbose = on"));
  for (const char* format : kFormats) {
    for (const char* statement : kStatements) {
      const auto wanted = explain::read_plans(
          *e2e::must(conn.query(cat("EXPLAIN (VERBOSE, FORMAT JSON) ", statement))).scalar());
      const auto begin = static_cast<std::streamoff>(log_size());
      e2e::must(conn.exec(cat("SET auto_explain.log_min_duration = 0; ",
                              "SET auto_explain.log_format = ", format)));
      e2e::must(conn.exec(cat("BEGIN; ", statement, "; ROLLBACK")));
      e2e::must(conn.exec("SET auto_explain.log_min_duration = -1"));
      std::ifstream in(cluster().log_file(), std::ios::binary);
      in.seekg(begin);
      const std::string log{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};

      auto found = explain::read_plans(log);

      ASSERT_TRUE(found && wanted) << log;
      ASSERT_EQ(found->plans.size(), 1u) << log;
      explain::Plan& plan = found->plans[0].plan;
      EXPECT_THAT(plan.query_text, testing::HasSubstr(statement));
      EXPECT_TRUE(plan.execution_ms) << log;
      plan.properties.erase("Query Text");
      EXPECT_EQ(explain::describe_difference(plan, wanted->plans[0].plan), "") << log;
    }
  }
}

PGTEND_ON_SOME_VERSIONS(ExplainWrappings);

}  // namespace
}  // namespace pgtend
