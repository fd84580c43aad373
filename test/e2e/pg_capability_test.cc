#include <algorithm>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/capability.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

class PgCapability : public VersionTest {
 protected:
  // A table of another role, in a schema of its own: what a monitored application looks like.
  void create_application() {
    owner_ = create_role("Owner of \"app\"").get("user");
    auto admin = connect();
    must(admin.exec(cat("CREATE SCHEMA app AUTHORIZATION ", pg::ident(owner_), "; SET ROLE ",
                        pg::ident(owner_),
                        "; CREATE TABLE app.r AS SELECT generate_series(1, 100) AS id")));
  }

  pg::LevelReport level_of(const pg::Options& login) {
    auto conn = connect(login);
    const auto capability = must(pg::read_capability(conn));
    return must(pg::read_level(conn, capability, owner_));
  }

  std::string owner_;
};

TEST_P(PgCapability, SuperuserOfAPrivateServerMayDoEverything) {
  create_application();
  auto conn = connect();

  const auto capability = must(pg::read_capability(conn));
  const auto report = must(pg::read_level(conn, capability, owner_));

  EXPECT_EQ(cat(capability.major()), version());
  EXPECT_EQ(capability.version_number, conn.server_version());
  EXPECT_FALSE(capability.in_recovery);
  EXPECT_TRUE(capability.superuser);
  EXPECT_EQ(capability.database, database());
  EXPECT_EQ(capability.user, "postgres");
  EXPECT_EQ(capability.provider, "self-managed or unknown");
  EXPECT_EQ(capability.provider_because, "");
  EXPECT_TRUE(capability.has_role("pg_monitor"));
  EXPECT_EQ(report.reached, pg::Level::Change);
  EXPECT_TRUE(report.missing.empty());
}

TEST_P(PgCapability, PlainRoleHasNoLevelAndLearnsAllFourGrants) {
  create_application();

  const auto report = level_of(create_role());

  EXPECT_EQ(report.reached, pg::Level::None);
  ASSERT_EQ(report.missing.size(), 4U);
  EXPECT_EQ(report.missing[0].level, pg::Level::Watch);
  EXPECT_EQ(report.missing[3].level, pg::Level::Change);
}

// The grants a report proposes are the whole way up, and each level means what it says.
TEST_P(PgCapability, EachProposedGrantLiftsTheRoleByOneLevel) {
  create_application();
  const pg::Options login = create_role();
  auto admin = connect();

  std::vector<pg::Level> reached;
  for (auto report = level_of(login); !report.missing.empty(); report = level_of(login)) {
    ASSERT_LT(reached.size(), 4U) << "the grants do not lead up";
    reached.push_back(report.reached);
    must(admin.exec(report.missing.front().grant));
  }

  // Before 17 only membership in the owner role gives the maintain level, and change with it.
  std::vector<pg::Level> expected = {pg::Level::None, pg::Level::Watch, pg::Level::Advise};
  if (std::stoi(version()) >= 17) expected.push_back(pg::Level::Maintain);
  EXPECT_EQ(reached, expected);
  EXPECT_EQ(level_of(login).reached, pg::Level::Change);
  auto conn = connect(login);
  must(conn.query("EXPLAIN SELECT * FROM app.r"));
  must(conn.query("ANALYZE app.r"));
  EXPECT_TRUE(conn.take_notices().empty());
  EXPECT_EQ(must(must(conn.query("SELECT count(*) FROM pg_stats WHERE tablename = 'r'")).scalar()),
            "1");
  must(conn.exec(cat("SET ROLE ", pg::ident(owner_), "; CREATE INDEX ON app.r (id)")));
}

TEST_P(PgCapability, WithoutTheMaintainLevelAnalyzeOnlyWarns) {
  create_application();
  auto conn =
      connect(create_role("watcher", {"GRANT pg_monitor TO %", "GRANT USAGE ON SCHEMA app TO %",
                                      "GRANT SELECT ON app.r TO %"}));
  const auto capability = must(pg::read_capability(conn));

  const auto report = must(pg::read_level(conn, capability, owner_));
  must(conn.query("ANALYZE app.r"));

  EXPECT_EQ(report.reached, pg::Level::Advise);
  EXPECT_EQ(pg::name(report.missing.front().level), "maintain");
  const auto notices = conn.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].severity, "WARNING");
}

TEST_P(PgCapability, PredefinedRolesAreThoseOfTheVersion) {
  auto conn = connect(create_role("reader", {"GRANT pg_signal_backend TO %"}));

  const auto capability = must(pg::read_capability(conn));

  const auto known = [&](std::string_view role_name) {
    return std::ranges::any_of(capability.roles,
                               [&](const auto& role) { return role.name == role_name; });
  };
  EXPECT_FALSE(capability.superuser);
  EXPECT_TRUE(capability.has_role("pg_signal_backend"));
  EXPECT_FALSE(capability.has_role("pg_monitor"));
  EXPECT_EQ(known("pg_read_all_data"), capability.major() >= 14);
  EXPECT_EQ(known("pg_maintain"), capability.major() >= 17);
}

TEST_P(PgCapability, ExtensionsTellAvailableFromInstalled) {
  auto conn = connect();
  must(conn.exec("CREATE SCHEMA \"Ext\"; CREATE EXTENSION pgstattuple SCHEMA \"Ext\""));

  const auto capability = must(pg::read_capability(conn));

  EXPECT_TRUE(capability.installed("pgstattuple"));
  EXPECT_EQ(capability.extension("pgstattuple")->schema, "Ext");
  ASSERT_NE(capability.extension("pg_stat_statements"), nullptr);
  EXPECT_FALSE(capability.installed("pg_stat_statements"));
  EXPECT_EQ(capability.extension("no_such_extension"), nullptr);
}

TEST_P(PgCapability, ProviderIsKnownByItsRoles) {
  auto conn = connect();
  must(conn.exec("BEGIN; CREATE ROLE cloudsqlsuperuser"));

  const auto capability = must(pg::read_capability(conn));
  must(conn.exec("ROLLBACK"));

  EXPECT_EQ(capability.provider, "Google Cloud SQL");
  EXPECT_EQ(capability.provider_because, "there is a role cloudsqlsuperuser");
}

TEST_P(PgCapability, UnknownOwnerIsNotFound) {
  auto conn = connect();
  const auto capability = must(pg::read_capability(conn));

  const auto report = pg::read_level(conn, capability, "nobody\"; DROP TABLE x");

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::NotFound);
}

PGTEND_ON_ALL_VERSIONS(PgCapability);

}  // namespace
}  // namespace pgtend::e2e
