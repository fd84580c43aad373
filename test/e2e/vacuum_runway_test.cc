// What is used up of the ids, as servers of all versions tell it.
#include "base/text.h"
#include "e2e/support/database.h"
#include "facts/runway.h"

namespace pgtend::e2e {
namespace {

class VacuumRunway : public VersionTest {
 protected:
  Settings settings() const override { return {{"autovacuum", "off"}}; }
};

TEST_P(VacuumRunway, ConsumptionSinceTheCheckpointIsCounted) {
  auto conn = connect();
  auto other = connect();
  must(conn.exec("CREATE TABLE t (i int); INSERT INTO t VALUES (1); CHECKPOINT"));
  const auto before = must(facts::load_runway(conn));

  for (int i = 0; i < 50; ++i) must(conn.query("select txid_current()"));
  for (int i = 0; i < 3; ++i) {
    must(conn.exec("BEGIN; SELECT * FROM t FOR KEY SHARE"));
    must(other.exec("BEGIN; SELECT * FROM t FOR KEY SHARE; COMMIT"));
    must(conn.exec("COMMIT"));
  }
  const auto after = must(facts::load_runway(conn));

  ASSERT_TRUE(before.used && after.used);
  EXPECT_GE(after.used->xids - before.used->xids, 50);
  EXPECT_LT(after.used->xids - before.used->xids, 100);
  EXPECT_EQ(after.used->mxids - before.used->mxids, 3);
  EXPECT_GE(after.used->seconds, before.used->seconds);
  EXPECT_GT(after.used->mxid_next, 0);
}

TEST_P(VacuumRunway, AgesAreThoseOfDatabasesTablesAndToast) {
  auto conn = connect();
  must(conn.exec("CREATE TABLE \"T x\" (v text)"));
  const pg::Options plain = create_role("plain");
  auto poor = connect(plain);

  const auto all = must(facts::load_runway(poor));

  const auto names = [&](const std::string& name) {
    return std::ranges::count(all.databases, name, &facts::DatabaseAge::name);
  };
  EXPECT_EQ(names("template0"), 1);
  EXPECT_EQ(names(database()), 1);
  ASSERT_EQ(all.relations.size(), 20U);
  for (const auto& relation : all.relations) {
    EXPECT_GE(relation.xid_age, all.relations.back().xid_age);
    EXPECT_TRUE(relation.catalog) << relation.table;
    EXPECT_EQ(relation.table.find("pg_toast."), std::string::npos) << relation.table;
  }
  EXPECT_TRUE(std::ranges::any_of(all.relations, &facts::RelationAge::toast));
  EXPECT_TRUE(all.used);
}

PGTEND_ON_SOME_VERSIONS(VacuumRunway);

}  // namespace
}  // namespace pgtend::e2e
