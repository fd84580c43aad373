// Statements with parameters: given values are data, sampled ones come from pg_stats and are told.
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/explain.h"

namespace pgtend {
namespace {

using testing::HasSubstr;
using testing::Not;

// Half of the rows have the value 1 of `kind`, so the planner's choice depends on the value.
constexpr const char* kSchema = R"(
CREATE SCHEMA app;
CREATE TABLE app.t (id int PRIMARY KEY, kind int, "Odd v" text);
INSERT INTO app.t SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE i END, 'v' || i % 3
  FROM generate_series(1, 20000) i;
CREATE INDEX ON app.t (kind);
ANALYZE app.t;
CREATE TABLE app.log (what text);
CREATE FUNCTION app.writes(int) RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$BEGIN INSERT INTO app.log VALUES ('x'); RETURN $1; END$$;
)";

class ExplainParameters : public e2e::VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (!IsSkipped()) e2e::must(connect().exec(kSchema));
  }
  e2e::Outcome explain(std::vector<std::string> words) {
    words.insert(words.begin(), {PGTEND_BINARY_DIR "/pgtend", "explain"});
    return e2e::run(words, e2e::environment_of(options()));
  }
  json::value plan(std::vector<std::string> words) {
    words.insert(words.begin(), "--json");
    const auto outcome = explain(std::move(words));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
    return e2e::must(parse_json(outcome.out)).at("data").at("plans").at(0);
  }
};

std::string filter_of(const json::value& plan) {
  const json::object& properties = plan.at("root").at("properties").as_object();
  const json::value* filter = properties.if_contains("Filter");
  return filter ? std::string(filter->as_string()) : "";
}

// What is ours alone needs one server.
class ExplainParametersOnce : public ExplainParameters {};

TEST_P(ExplainParameters, GivenValuesGetThePlanForThem) {
  const std::string sql = "SELECT * FROM app.t WHERE kind = $1 AND \"Odd v\" <> $2";

  const json::value common = plan({"-c", sql, "--param", "1", "--param", "x'; DROP TABLE app.t"});
  const json::value rare = plan({"-c", sql, "--param", "7", "--param=-1", "--analyze"});

  EXPECT_EQ(common.at("root").at("type"), "Seq Scan");
  EXPECT_THAT(filter_of(common), HasSubstr("'x''; DROP TABLE app.t'"));
  EXPECT_NE(rare.at("root").at("type"), "Seq Scan");
  EXPECT_THAT(filter_of(rare), HasSubstr("'-1'"));
  EXPECT_TRUE(rare.at("analyzed").as_bool());
  EXPECT_EQ(rare.at("parameters").at(0).at("origin"), "given");
  EXPECT_TRUE(connect().query("SELECT FROM app.t LIMIT 1"));
}

TEST_P(ExplainParametersOnce, NullIsWrittenAsCopyWritesIt) {
  const std::string sql = "SELECT * FROM app.t WHERE \"Odd v\" IS NOT DISTINCT FROM $1";

  EXPECT_TRUE(plan({"-c", sql, "--param", "\\N"}).at("parameters").at(0).at("value").is_null());
  EXPECT_EQ(plan({"-c", sql, "--param", "\\\\N"}).at("parameters").at(0).at("value"), "\\N");
  EXPECT_EQ(plan({"-c", sql, "--param", ""}).at("parameters").at(0).at("value"), "");
}

TEST_P(ExplainParameters, SampledValuesComeFromTheStatisticsAndAreTold) {
  const std::string sql = "SELECT * FROM app.t x WHERE x.kind = $1 AND x.id BETWEEN $2 AND $3";

  const json::value found = plan({"-c", sql, "--analyze"});
  const auto text = explain({"-c", sql, "--sample"});

  EXPECT_TRUE(found.at("analyzed").as_bool());
  EXPECT_EQ(found.at("parameters").at(0).at("value"), "1");
  EXPECT_THAT(std::string(found.at("parameters").at(0).at("origin").as_string()),
              HasSubstr("the most common value (50 % of the rows) of app.t.kind"));
  EXPECT_THAT(std::string(found.at("parameters").at(1).at("origin").as_string()),
              HasSubstr("45 % bound of the histogram of app.t.id"));
  EXPECT_THAT(text.out, HasSubstr("$1 = '1'"));
  EXPECT_THAT(text.out, HasSubstr("of app.t.kind"));
}

TEST_P(ExplainParameters, WithoutValuesThePlanIsTheGenericOne) {
  const json::value found = plan({"-c", "SELECT * FROM app.t WHERE kind > $1"});

  EXPECT_TRUE(found.at("parameters").as_array().empty());
  EXPECT_THAT(to_text(found.at("root")), HasSubstr("$1"));
}

TEST_P(ExplainParametersOnce, ParameterWithoutAColumnIsNamed) {
  const auto none = explain({"-c", "SELECT * FROM app.t WHERE kind = $1 LIMIT $2", "--analyze"});
  const auto helped =
      explain({"-c", "SELECT * FROM app.t WHERE kind = $2 LIMIT $1", "--param", "3", "--analyze"});
  const auto many = explain({"-c", "SELECT * FROM app.t", "--param", "3"});
  const auto few = explain({"-c", "SELECT * FROM app.t WHERE kind IN ($1, $2)", "--param", "3"});

  EXPECT_EQ(none.exit_code, 2) << none.err;
  EXPECT_THAT(none.err, HasSubstr("$2"));
  EXPECT_THAT(none.err, HasSubstr("--param"));
  EXPECT_EQ(helped.exit_code, 0) << helped.err;
  EXPECT_THAT(many.err, HasSubstr("has 0 parameters"));
  EXPECT_THAT(few.err, HasSubstr("no value is given for $2"));
}

TEST_P(ExplainParametersOnce, StatisticsAreThoseThatTheRoleMayRead) {
  const pg::Options plain = create_role("plain", {"GRANT USAGE ON SCHEMA app TO %"});
  auto conn = connect(plain);
  explain::Request request;
  request.sql = "SELECT FROM app.t WHERE kind = $1";
  request.sample = true;

  const auto refused = explain::examine(conn, request);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("GRANT SELECT ON app.t"));
}

TEST_P(ExplainParametersOnce, CodeIsCheckedAsWithoutParameters) {
  auto conn = connect();
  explain::Request request;
  request.options.analyze = true;
  request.options.values = {"1"};
  for (const char* sql :
       {"SELECT app.writes($1)", "UPDATE app.t SET kind = $1",
        "SELECT set_config('a.b', $1, false)", "SELECT 1 FROM app.t WHERE id = $1 FOR UPDATE"}) {
    request.sql = sql;
    const auto refused = explain::examine(conn, request);
    ASSERT_FALSE(refused) << sql;
    EXPECT_THAT(refused.error().message, HasSubstr("not run")) << sql;
  }
  EXPECT_EQ(e2e::must(e2e::must(conn.query("SELECT count(*) FROM app.log")).scalar()), "0");
}

TEST_P(ExplainParameters, GenericPlanOfAnotherShapeIsFoundAndMeasured) {
  const std::string sql = "SELECT count(\"Odd v\") FROM app.t WHERE kind = $1";

  const json::value common = plan({"-c", sql, "--param", "1", "--analyze", "--verify"});
  const json::value rare = plan({"-c", sql, "--param", "7"});

  const json::value* generic = nullptr;
  for (const json::value& each : common.at("findings").as_array()) {
    if (each.at("id") == "D10") generic = &each;
  }
  ASSERT_NE(generic, nullptr) << to_text(common.at("findings"));
  EXPECT_EQ(generic->at("level"), "L2");
  EXPECT_THAT(to_text(*generic), HasSubstr("instead of Seq Scan on t"));
  for (const json::value& each : rare.at("findings").as_array()) EXPECT_NE(each.at("id"), "D10");
}

PGTEND_ON_SOME_VERSIONS(ExplainParameters);
INSTANTIATE_TEST_SUITE_P(Default, ExplainParametersOnce, testing::Values(e2e::kDefaultVersion));

}  // namespace
}  // namespace pgtend
