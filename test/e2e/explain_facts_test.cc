// What the rules learn from a real server of every version, and the advice on partitioned tables.
#include <gmock/gmock.h>

#include <algorithm>

#include "e2e/support/database.h"
#include "explain/explain.h"
#include "explain/read_plans.h"
#include "explain/relations.h"
#include "explain/render_term.h"
#include "facts/columns.h"
#include "facts/indexes.h"
#include "facts/tables.h"

namespace pgtend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ExplainFacts : public e2e::VersionTest {};

TEST_P(ExplainFacts, IndexesTellKeysMethodAndState) {
  auto conn = connect();
  e2e::must(conn.exec(R"(CREATE TABLE "T x" (id int PRIMARY KEY, "C y" text, ts timestamptz);
    CREATE INDEX a_expr ON "T x" (lower("C y"), id);
    CREATE INDEX b_part ON "T x" (ts) WHERE id > 5;
    CREATE INDEX c_brin ON "T x" USING brin (ts);
    CREATE INDEX d_incl ON "T x" ("C y" text_pattern_ops) INCLUDE (ts))"));
  const uint32_t oid = e2e::must(facts::resolve_table(conn, "\"T x\""));

  auto list = e2e::must(facts::load_indexes(conn, oid));

  ASSERT_EQ(list.size(), 5u);
  const auto by_name = [&](std::string_view name) -> const facts::IndexFacts& {
    return *std::ranges::find(list, name, &facts::IndexFacts::name);
  };
  EXPECT_TRUE(by_name("T x_pkey").primary && by_name("T x_pkey").unique);
  EXPECT_THAT(by_name("a_expr").keys, ElementsAre("", "id"));
  EXPECT_THAT(by_name("b_part").predicate, HasSubstr("id > 5"));
  EXPECT_EQ(by_name("c_brin").method, "brin");
  EXPECT_THAT(by_name("d_incl").keys, ElementsAre("C y"));
  EXPECT_THAT(by_name("d_incl").include, ElementsAre("ts"));
  EXPECT_FALSE(by_name("d_incl").default_classes);
  EXPECT_TRUE(by_name("c_brin").valid && by_name("c_brin").default_classes);
}

TEST_P(ExplainFacts, ColumnsTellTypesOrderAndDistinctValues) {
  auto conn = connect();
  e2e::must(conn.exec(R"(CREATE DOMAIN d AS varchar; CREATE TYPE e AS ENUM ('a', 'b');
    CREATE TABLE t (ts timestamptz, dom d, en e, arr int[], js json, num numeric);
    INSERT INTO t SELECT now() + i * interval '1 s', 'x', 'a', '{1}', '{}', i % 10
      FROM generate_series(1, 1000) i;
    ANALYZE t)"));
  const uint32_t oid = e2e::must(facts::resolve_table(conn, "t"));

  const auto list =
      e2e::must(facts::load_columns(conn, oid, {"ts", "dom", "en", "arr", "js", "num", "none"}));

  ASSERT_EQ(list.size(), 6u);
  EXPECT_EQ(list[0].type, "timestamp with time zone");
  EXPECT_TRUE(list[0].btree && list[0].brin && list[0].deduplicates);
  ASSERT_TRUE(list[0].stats);
  EXPECT_NEAR(list[0].stats->correlation.value_or(0), 1, 1e-6);
  EXPECT_GT(list[0].stats->histogram_bounds.size(), 10u);
  EXPECT_EQ(list[1].type, "character varying");
  EXPECT_TRUE(list[1].btree && list[2].btree && list[3].btree);
  EXPECT_FALSE(list[4].btree);
  EXPECT_FALSE(list[5].deduplicates);
  EXPECT_DOUBLE_EQ(list[5].stats->distinct(1000), 10);
}

TEST_P(ExplainFacts, UnseenStatisticsAreUnknownWithTheGrant) {
  auto conn = connect();
  e2e::must(conn.exec("CREATE TABLE t AS SELECT 1 AS id; ANALYZE t"));
  const uint32_t oid = e2e::must(facts::resolve_table(conn, "t"));
  auto plain = connect(create_role());
  e2e::must(conn.exec("CREATE TABLE fresh (id int)"));

  const auto hidden = e2e::must(facts::load_columns(plain, oid, {"id"}));
  const auto fresh =
      e2e::must(facts::load_columns(conn, e2e::must(facts::resolve_table(conn, "fresh")), {"id"}));

  ASSERT_EQ(hidden.size(), 1u);
  EXPECT_FALSE(hidden[0].stats);
  EXPECT_THAT(hidden[0].stats_why_not, HasSubstr("GRANT SELECT ON public.t TO"));
  EXPECT_THAT(fresh[0].stats_why_not, HasSubstr("ANALYZE public.fresh"));
}

// The plan of a scan of temporary table "T x", as the session that owns it gets it.
explain::Plan temporary_plan(pg::Connection& owner) {
  const auto rows = e2e::must(owner.query("EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM \"T x\""));
  return std::move(e2e::must(explain::read_plans(rows[0].text(0))).plans.at(0).plan);
}

TEST_P(ExplainFacts, TemporaryTableOfAnotherSessionIsKnownWhileItIsTheOnlyOne) {
  auto conn = connect(), owner = connect(), another = connect();
  const char* table = "CREATE TEMP TABLE \"T x\" AS SELECT i FROM generate_series(1, 500) i";
  e2e::must(owner.exec(table));
  const explain::Plan plan = temporary_plan(owner);

  const explain::Facts alone = e2e::must(explain::load_facts(conn, plan));
  e2e::must(another.exec(table));
  const explain::Facts one_of_two = e2e::must(explain::load_facts(conn, plan));

  ASSERT_EQ(alone.relations.size(), 1u);
  ASSERT_TRUE(alone.relations[0].table) << alone.relations[0].why_not;
  EXPECT_TRUE(alone.relations[0].temporary());
  // Up to PostgreSQL 13 the plan itself tells which.
  const bool told = plan.root().object.schema != "pg_temp";
  EXPECT_EQ(one_of_two.relations[0].table.has_value(), told);
}

TEST_P(ExplainFacts, WidthOfARowIsKnownOnceAllColumnsHaveStatistics) {
  auto conn = connect();
  e2e::must(conn.exec(
      "CREATE TABLE t AS SELECT i::int8 AS a, CASE WHEN i % 2 = 0 THEN repeat('x', 19) END AS b "
      "FROM generate_series(1, 1000) i"));
  const auto rows = e2e::must(conn.query("EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM t"));
  const auto read = e2e::must(explain::read_plans(rows[0].text(0)));

  const auto before = e2e::must(explain::load_facts(conn, read.plans.at(0).plan));
  e2e::must(conn.exec("ANALYZE t"));
  const auto after = e2e::must(explain::load_facts(conn, read.plans.at(0).plan));

  EXPECT_EQ(before.relations.at(0).row_width, 0);
  EXPECT_NEAR(after.relations.at(0).row_width, 8 + 20 / 2.0, 0.5);
}

constexpr const char* kPartitioned = R"(
CREATE SCHEMA "S x";
CREATE TABLE "S x".p (ts timestamptz NOT NULL, meter int, v int) PARTITION BY RANGE (ts);
CREATE TABLE "S x"."p 1" PARTITION OF "S x".p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "S x".p2 PARTITION OF "S x".p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
  PARTITION BY LIST (meter);
CREATE TABLE "S x".p2_rest PARTITION OF "S x".p2 DEFAULT;
INSERT INTO "S x".p SELECT '2024-01-01'::timestamptz + i * interval '5 minutes', i % 5000, i
  FROM generate_series(0, 200000) i;
ANALYZE "S x".p;
)";

TEST_P(ExplainFacts, PartitionedTableGivesOneFindingAndAValidIndex) {
  auto conn = connect();
  e2e::must(conn.exec(kPartitioned));
  explain::Request request;
  request.sql = "EXPLAIN ANALYZE SELECT sum(v) FROM \"S x\".p WHERE meter = 7";

  const explain::Report report = e2e::must(explain::examine(conn, request));

  ASSERT_EQ(report.findings.size(), 1u) << explain::render_term(report, {});
  EXPECT_EQ(report.findings[0].object, "\"S x\".p");
  EXPECT_TRUE(report.timing.adds_up());
  ASSERT_FALSE(report.findings[0].actions.empty());
  const care::Action& action = report.findings[0].actions[0];
  for (const care::Step& step : action.steps) e2e::must(conn.exec(step.sql));
  EXPECT_EQ(e2e::must(e2e::must(conn.query(action.verify_sql)).scalar()), "t");
  EXPECT_TRUE(e2e::must(explain::examine(conn, request)).findings.empty());
  for (const std::string& undo : action.undo) e2e::must(conn.exec(undo));
  EXPECT_EQ(e2e::must(explain::examine(conn, request)).findings.size(), 1u);
}

TEST_P(ExplainFacts, TakenNameIsAvoided) {
  auto conn = connect();
  e2e::must(
      conn.exec("CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v "
                "FROM generate_series(1, 100000) i; ANALYZE t; CREATE TABLE t_id_idx ()"));
  explain::Request request;
  request.sql = "SELECT * FROM t WHERE id = 5";

  const explain::Report report = e2e::must(explain::examine(conn, request));

  ASSERT_EQ(report.findings.size(), 1u) << explain::render_term(report, {});
  EXPECT_THAT(report.findings[0].actions[0].steps[0].sql, HasSubstr(" t_id_idx1 ON"));
  EXPECT_THAT(report.warnings, testing::Contains(HasSubstr("estimate only")));
}

PGTEND_ON_ALL_VERSIONS(ExplainFacts);

}  // namespace
}  // namespace pgtend
