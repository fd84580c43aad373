#include "sql/classify.h"

#include <gmock/gmock.h>

namespace pgtend::sql {
namespace {

StatementKind kind_of(std::string_view sql) {
  const auto info = classify(sql);
  EXPECT_TRUE(info) << sql << ": " << (info ? "" : info.error().message);
  return info ? info->kind : StatementKind::Utility;
}

TEST(Classify, ReadingSelectsAreToldFromAllOthers) {
  EXPECT_EQ(kind_of("SELECT 1"), StatementKind::Select);
  EXPECT_EQ(kind_of("WITH x AS (SELECT 1) SELECT * FROM x UNION SELECT 2"), StatementKind::Select);
  EXPECT_EQ(kind_of("VALUES (1), (2)"), StatementKind::Select);
  EXPECT_EQ(kind_of("TABLE t"), StatementKind::Select);
  EXPECT_EQ(kind_of("SELECT * FROM t FOR UPDATE"), StatementKind::Locking);
  EXPECT_EQ(kind_of("SELECT * FROM (SELECT * FROM t FOR KEY SHARE) s"), StatementKind::Locking);
  EXPECT_EQ(kind_of("SELECT 1 INTO x"), StatementKind::Into);
  EXPECT_EQ(kind_of("SELECT 1 INTO x UNION SELECT 2"), StatementKind::Into);
  EXPECT_EQ(kind_of("CREATE TABLE x AS SELECT 1"), StatementKind::Into);
  EXPECT_EQ(kind_of("CREATE MATERIALIZED VIEW x AS SELECT 1"), StatementKind::Into);
}

TEST(Classify, ChangesAreFoundWhereverTheyHide) {
  EXPECT_EQ(kind_of("DELETE FROM t"), StatementKind::Modifying);
  EXPECT_EQ(kind_of("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"),
            StatementKind::Modifying);
  EXPECT_EQ(kind_of("SELECT * FROM (WITH d AS (UPDATE t SET a = 1 RETURNING a) SELECT * FROM d) s"),
            StatementKind::Modifying);
  EXPECT_EQ(kind_of("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE"),
            StatementKind::Modifying);
  EXPECT_EQ(kind_of("DROP TABLE t"), StatementKind::Utility);
  EXPECT_EQ(kind_of("EXECUTE p"), StatementKind::Utility);
  EXPECT_EQ(kind_of("DECLARE c CURSOR FOR SELECT 1"), StatementKind::Utility);
  EXPECT_EQ(kind_of("PREPARE p AS DELETE FROM t"), StatementKind::Utility);
  EXPECT_EQ(kind_of("COPY (SELECT 1) TO STDOUT"), StatementKind::Utility);
}

TEST(Classify, ExactlyOneStatementIsAccepted) {
  EXPECT_FALSE(classify("SELECT 1; DROP TABLE t"));
  EXPECT_FALSE(classify(""));
  EXPECT_FALSE(classify("-- only a comment"));
  EXPECT_TRUE(classify("SELECT ';'; -- end"));
}

TEST(Classify, LeadingExplainIsTakenOff) {
  const auto plain = classify("explain /* x */ SELECT 1");
  const auto analyze = classify("EXPLAIN ANALYZE VERBOSE SELECT 2;");
  const auto options = classify("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) (SELECT 3)");
  const auto off = classify("EXPLAIN (ANALYZE false) SELECT 4");
  const auto bracket = classify("EXPLAIN (SELECT 5)");

  ASSERT_TRUE(plain && analyze && options && off && bracket);
  EXPECT_EQ(plain->text, "SELECT 1");
  EXPECT_TRUE(plain->asked_explain);
  EXPECT_FALSE(plain->asked_analyze);
  EXPECT_EQ(analyze->text, "SELECT 2");
  EXPECT_TRUE(analyze->asked_analyze);
  EXPECT_EQ(options->text, "(SELECT 3)");
  EXPECT_TRUE(options->asked_analyze);
  EXPECT_FALSE(off->asked_analyze);
  EXPECT_EQ(bracket->text, "(SELECT 5)");
}

TEST(Classify, ExplainDoesNotHideWhatItExplains) {
  EXPECT_EQ(kind_of("EXPLAIN ANALYZE DELETE FROM t"), StatementKind::Modifying);
  EXPECT_EQ(kind_of("EXPLAIN CREATE TABLE x AS SELECT 1"), StatementKind::Into);
}

TEST(Classify, TemporaryTablesAreTold) {
  EXPECT_TRUE(classify("CREATE TEMP TABLE x AS SELECT 1")->temporary);
  EXPECT_TRUE(classify("SELECT 1 INTO TEMPORARY x")->temporary);
  EXPECT_TRUE(classify("SELECT 1 INTO pg_temp.x")->temporary);
  EXPECT_FALSE(classify("SELECT 1 INTO x")->temporary);
}

TEST(Classify, NamesAndParametersAreListed) {
  const auto info = classify("SELECT s.f(a) FROM t WHERE b ~~ $2 AND now() > g($1)");

  ASSERT_TRUE(info);
  EXPECT_TRUE(info->names.functions.contains({"s", "f"}));
  EXPECT_EQ(info->parameters, 2);
}

}  // namespace
}  // namespace pgtend::sql
