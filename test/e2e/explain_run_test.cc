// Asking for plans must never do harm: what is run, what is only planned, what is refused.
#include "explain/run.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "e2e/support/database.h"
#include "explain/explain.h"
#include "explain/reach.h"
#include "explain/refusal.h"

namespace pgtend {
namespace {

using explain::ExplainOptions;
using testing::HasSubstr;

constexpr const char* kSchema = R"(
CREATE TABLE t (id int, v text);
INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i;
CREATE SEQUENCE s;
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO t VALUES (0, 'f'); RETURN 1; END$$;
CREATE FUNCTION "Odd ""f"() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 + (random() * 0)::int';
CREATE VIEW hides AS SELECT writes() AS w;
CREATE FUNCTION eq(int, text) RETURNS bool LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN true; END';
CREATE OPERATOR === (leftarg = int, rightarg = text, function = eq);
)";

class ExplainRun : public e2e::VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (!IsSkipped()) e2e::must(connect().exec(kSchema));
  }
};

int64_t rows_of(pg::Connection& conn) {
  return e2e::must(parse_int(e2e::must(e2e::must(conn.query("SELECT count(*) FROM t")).scalar())));
}

TEST_P(ExplainRun, ReadingSelectIsRunOnlyWhenAsked) {
  auto conn = connect();

  const auto planned = e2e::must(explain::explain(conn, "SELECT * FROM t WHERE id = 5;"));
  const auto run =
      e2e::must(explain::explain(conn, "SELECT * FROM t WHERE id = 5", {.analyze = true}));

  EXPECT_FALSE(planned.analyzed());
  EXPECT_TRUE(run.analyzed());
  EXPECT_TRUE(run.has_blocks());
  EXPECT_EQ(run.root().actual->rows, 1);
  EXPECT_FALSE(conn.in_transaction());
}

TEST_P(ExplainRun, ChangesArePlannedButNeverRun) {
  auto conn = connect();
  for (const char* sql :
       {"DELETE FROM t", "UPDATE t SET v = 'y'", "INSERT INTO t VALUES (1)",
        "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "SELECT * FROM t FOR UPDATE",
        "SELECT * INTO made FROM t", "EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1"}) {
    EXPECT_TRUE(explain::explain(conn, sql)) << sql;
    const auto refused = explain::explain(conn, sql, {.analyze = true});
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code, ErrorCode::Invalid) << sql;
  }
  EXPECT_EQ(rows_of(conn), 100);
  EXPECT_EQ(e2e::must(e2e::must(conn.query("SELECT to_regclass('made') IS NULL")).scalar()), "t");
}

TEST_P(ExplainRun, VolatileFunctionsAreRefusedWhereverTheyHide) {
  auto conn = connect();
  for (const char* sql :
       {"SELECT writes()", "SELECT * FROM hides", "SELECT * FROM writes()",
        "SELECT \"Odd \"\"f\"()", "SELECT * FROM t WHERE id === v", "SELECT nextval('s')",
        "SELECT pg_advisory_lock(1)", "SELECT set_config('work_mem', '1MB', false)"}) {
    const auto refused = explain::explain(conn, sql, {.analyze = true});
    ASSERT_FALSE(refused) << sql;
    EXPECT_THAT(refused.error().message, HasSubstr("not run")) << sql;
  }
  EXPECT_TRUE(explain::explain(conn, "SELECT random(), clock_timestamp()", {.analyze = true}));
  EXPECT_EQ(rows_of(conn), 100);
}

TEST_P(ExplainRun, ConsentStillMeetsTheReadOnlyTransaction) {
  auto conn = connect();

  const auto refused =
      explain::explain(conn, "SELECT writes()", {.analyze = true, .allow_volatile = true});
  const auto denied =
      explain::explain(conn, "SELECT nextval('s')", {.analyze = true, .allow_volatile = true});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate, "25006");
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().message, HasSubstr("outlives"));
  EXPECT_EQ(rows_of(conn), 100);
  EXPECT_FALSE(conn.in_transaction());
}

// Names of everything that `sql` reaches.
std::vector<std::string> reached_by(pg::Connection& conn, std::string_view sql) {
  explain::ReachFrom from;
  from.names = e2e::must(sql::classify(sql)).names;
  std::vector<std::string> out;
  const auto reached =
      e2e::must(explain::in_read_only(conn, {}, [&] { return explain::reach(conn, from); }));
  for (const explain::Routine& routine : reached.routines) out.push_back(routine.shown());
  return out;
}

TEST_P(ExplainRun, CodeIsReachedThroughViewsBodiesAndOperators) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE FUNCTION outer_one() RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
                "'BEGIN RETURN (SELECT w FROM hides); END'"));

  EXPECT_THAT(reached_by(conn, "SELECT outer_one()"),
              testing::IsSupersetOf({"public.outer_one()", "public.writes()"}));
  EXPECT_THAT(reached_by(conn, "SELECT 1 = ANY (SELECT id FROM t WHERE id === v)"),
              testing::Contains("public.eq()"));
  EXPECT_THAT(reached_by(conn, "SELECT id FROM t"), testing::IsEmpty());
}

TEST_P(ExplainRun, PlanningIsRefusedOnlyForCodeThatActsBeyondTheTransaction) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE FUNCTION moves_wal() RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
                "'BEGIN RETURN pg_switch_wal() IS NULL; END'"));
  const auto refusal = [&](std::string_view sql) {
    const auto info = e2e::must(sql::classify(sql));
    return e2e::must(
        explain::in_read_only(conn, {}, [&] { return explain::planning_refusal(conn, info); }));
  };

  EXPECT_THAT(refusal("SELECT moves_wal()"), HasSubstr("pg_switch_wal()"));
  EXPECT_EQ(refusal("SELECT writes(), nextval('s') FROM hides"), "");
}

TEST_P(ExplainRun, TextAloneRunsNothing) {
  auto conn = connect();
  explain::Request request;
  request.sql = "EXPLAIN ANALYZE SELECT * FROM t";

  const explain::Report report = e2e::must(explain::examine(conn, request));

  EXPECT_FALSE(report.plan.analyzed());
  EXPECT_THAT(report.warnings, testing::Contains(HasSubstr("--analyze runs it")));
}

TEST_P(ExplainRun, SeveralStatementsAndUtilitiesAreRefused) {
  auto conn = connect();
  for (const char* sql : {"SELECT 1; DROP TABLE t", "DROP TABLE t", "VACUUM", "COMMIT",
                          "SELECT 1) TO STDOUT; DROP TABLE t; --", ""}) {
    EXPECT_FALSE(explain::explain(conn, sql)) << sql;
    EXPECT_FALSE(conn.in_transaction()) << sql;
  }
  EXPECT_EQ(rows_of(conn), 100);
}

TEST_P(ExplainRun, TimeLimitEndsTheRunAndLeavesTheSessionUsable) {
  auto conn = connect();

  const auto late = explain::explain(conn, "SELECT pg_sleep(30)",
                                     {.analyze = true, .statement_timeout = milliseconds(100)});

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::Timeout);
  EXPECT_EQ(rows_of(conn), 100);
  EXPECT_EQ(e2e::must(e2e::must(conn.query("SHOW statement_timeout")).scalar()), "0");
}

TEST_P(ExplainRun, LockedTableIsNotWaitedForLongerThanAllowed) {
  auto conn = connect();
  auto other = connect();
  e2e::must(other.exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE"));

  const auto blocked =
      explain::explain(conn, "SELECT * FROM t", {.lock_timeout = milliseconds(50)});

  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().code, ErrorCode::Conflict);
}

TEST_P(ExplainRun, ParametersGetTheGenericPlan) {
  auto conn = connect();

  const auto plan = explain::explain(conn, "SELECT * FROM t WHERE id = $1 AND v = $2");

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(std::string(plan->root().text("Filter")), HasSubstr("$1"));
  EXPECT_TRUE(explain::explain(conn, "SELECT * FROM t WHERE id = $1")) << "name free again";
}

TEST_P(ExplainRun, PlanInsideATransactionIsRefused) {
  auto conn = connect();
  e2e::must(conn.exec("BEGIN"));

  EXPECT_EQ(explain::explain(conn, "SELECT 1").error().code, ErrorCode::Invalid);
}

PGTEND_ON_SOME_VERSIONS(ExplainRun);

class NewerSyntax : public e2e::DatabaseTest {
  std::string version() const override { return "17"; }
};

TEST_F(NewerSyntax, StatementBeyondTheGrammarIsPlannedButNotRun) {
  auto conn = connect();
  const std::string sql = "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$'))";

  const auto planned = explain::explain(conn, sql);
  const auto run = explain::explain(conn, sql, {.analyze = true});

  EXPECT_TRUE(planned) << planned.error().message;
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, HasSubstr("newer"));
}

}  // namespace
}  // namespace pgtend
