// explain --anonymize through the built program: no mode prints a name or literal of the database.
#include <gmock/gmock.h>

#include "base/text.h"
#include "e2e/support/database.h"

namespace pgtend {
namespace {

using testing::HasSubstr;
using testing::Not;

// Everything that somebody could name holds "zqx".
constexpr const char* kSchema = R"(
CREATE SCHEMA zqx_s;
CREATE TABLE zqx_s."Zqx t" (zqx_id int PRIMARY KEY, "zqx v" text, date date);
INSERT INTO zqx_s."Zqx t" SELECT i, 'zqx' || i, '2024-01-01' FROM generate_series(1, 20000) i;
CREATE FUNCTION zqx_f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || ''zqx''';
CREATE VIEW zqx_view AS SELECT * FROM zqx_s."Zqx t" WHERE "zqx v" <> 'zqx';
ANALYZE;
)";
constexpr const char* kSql =
    "WITH zqx_cte AS MATERIALIZED (SELECT zqx_id AS zqx_x FROM zqx_view WHERE date > '2001-02-03') "
    "/* zqx */ SELECT count(*) FROM zqx_s.\"Zqx t\" AS zqx_a JOIN zqx_cte ON zqx_x = zqx_id "
    "WHERE \"zqx v\" = zqx_f('zqx7') OR zqx_id = 774411 -- zqx";

class ExplainAnonymize : public e2e::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (!IsSkipped()) e2e::must(connect().exec(kSchema));
  }
  e2e::Outcome explain(std::vector<std::string> words) {
    words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain", "--anonymize"});
    return e2e::run(words, e2e::environment_of(options()));
  }
  void expect_hidden(const std::vector<std::string>& words) {
    const auto outcome = explain(words);
    const std::string all = lower(cat(outcome.out, outcome.err));
    SCOPED_TRACE(cat(join(words, " "), "\n", outcome.err, outcome.out.substr(0, 2000)));
    EXPECT_LE(outcome.exit_code, 1);
    EXPECT_GT(outcome.out.size(), 100u);
    EXPECT_THAT(all, Not(HasSubstr("zqx")));
    EXPECT_THAT(all, Not(HasSubstr("774411")));
    EXPECT_THAT(all, Not(HasSubstr("2001-02-03")));
  }

  e2e::Scratch scratch_;
};

TEST_F(ExplainAnonymize, StatementsAreShownWithoutNamesInAllModes) {
  for (const std::vector<std::string>& mode :
       std::vector<std::vector<std::string>>{{},
                                             {"--all"},
                                             {"--text"},
                                             {"--json"},
                                             {"--html", "-"},
                                             {"--analyze"},
                                             {"--analyze", "--json"}}) {
    std::vector<std::string> words = {"-c", kSql};
    words.insert(words.end(), mode.begin(), mode.end());
    expect_hidden(words);
  }
}

TEST_F(ExplainAnonymize, PlansOfAllFormatsAndLogsAreToo) {
  auto conn = connect();
  for (const char* format : {"TEXT", "JSON", "YAML", "XML"}) {
    std::string plan;
    for (const pg::Row row : e2e::must(
             conn.query(cat("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT ", format, ") ", kSql)))) {
      plan += cat(row.text(0), "\n");
    }
    const std::string file = scratch_.write(cat("plan.", lower(format)), plan);
    expect_hidden({"--plan", file});
    expect_hidden({"--plan", file, "--json"});
    expect_hidden({"--plan", file, "--html", "-"});
    expect_hidden({"--diff", file, file});
    if (std::string_view(format) != "TEXT") continue;
    std::string record = cat("2026-01-01 00:00:00.000 UTC [7] LOG:  duration: 900.000 ms  plan:\n",
                             "\tQuery Text: ", kSql, "\n");
    for (const std::string_view line : split(trim(plan), '\n')) record += cat("\t", line, "\n");
    const std::string log = scratch_.write("server.log", cat(record, record));
    expect_hidden({"--log", log});
    expect_hidden({"--log", log, "--json"});
  }
}

TEST_F(ExplainAnonymize, WhatNeedsTheNamesIsRefused) {
  for (const char* flag : {"--verify", "--apply"}) {
    const auto outcome = explain({"-c", kSql, flag});
    EXPECT_EQ(outcome.exit_code, 2) << flag;
    EXPECT_THAT(outcome.err, HasSubstr("cannot be had together"));
  }
}

}  // namespace
}  // namespace pgtend
