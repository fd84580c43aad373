// Statements that store values anew.
#include "vacuum/compact_toast.h"

#include <gmock/gmock.h>

namespace pgtend::vacuum {
namespace {

using testing::HasSubstr;
using testing::Not;

ToastTarget target(int version) {
  ToastTarget out{.oid = 4711, .table = "a.\"B c\"", .version = version};
  out.fit.columns = {{.name = "\"D\""}, {.name = "e", .array = true}};
  return out;
}

TEST(CompactToast, From17OnTheServerTellsWhichValuesLieOutside) {
  EXPECT_EQ(
      store_statement(target(170000)),
      "UPDATE ONLY a.\"B c\" SET \"D\" = CASE WHEN pg_column_toast_chunk_id(\"D\") IS NOT NULL "
      "THEN (ARRAY[\"D\"])[1] ELSE \"D\" END, e = CASE WHEN pg_column_toast_chunk_id(e) IS NOT "
      "NULL THEN pg_catalog.array_cat(e, '{}') ELSE e END WHERE ctid = ANY (ARRAY(SELECT ctid "
      "FROM ONLY a.\"B c\" WHERE ctid = ANY ($1) AND tableoid = 4711 FOR NO KEY UPDATE SKIP "
      "LOCKED)) RETURNING ctid");
  EXPECT_THAT(stored_outside(target(170000)),
              HasSubstr("AND (pg_column_toast_chunk_id(\"D\") IS NOT NULL OR "));
}

TEST(CompactToast, BeforeThatRowsAreTakenThatAreLongEnough) {
  const std::string sql = stored_outside(target(150000));

  EXPECT_THAT(sql, Not(HasSubstr("chunk_id")));
  EXPECT_THAT(sql,
              HasSubstr("coalesce(pg_column_size(\"D\"), 0) + coalesce(pg_column_size(e), 0) > "));
  EXPECT_THAT(sql, HasSubstr("ctid >= $1 AND ctid < $2"));
  EXPECT_THAT(stored_outside(target(130000)), HasSubstr("generate_series"));
}

TEST(CompactToast, AValueThatMayBePartOfAKeyTakesTheStrongerLock) {
  ToastTarget keyed = target(150000);
  keyed.fit.indexed = true;

  EXPECT_THAT(store_statement(keyed), HasSubstr(" FOR UPDATE SKIP LOCKED"));
}

TEST(CompactToast, TriggersAreSilencedOnlyWhereThatIsAllowed) {
  ToastTarget silent = target(150000);
  silent.fit.replica_role = true;

  EXPECT_THAT(store_preparation(silent),
              testing::Contains("SET session_replication_role = replica"));
  EXPECT_THAT(store_preparation(target(150000)), Not(testing::Contains(HasSubstr("replica"))));
}

}  // namespace
}  // namespace pgtend::vacuum
