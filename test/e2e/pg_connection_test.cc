#include "e2e/support/database.h"

namespace pgtend::e2e {
namespace {

class PgConnection : public VersionTest {};

TEST_P(PgConnection, QueryReturnsWhatTheServerComputed) {
  auto conn = connect();
  const auto rows = must(conn.query("SELECT $1::int + 1", {"41"}));
  EXPECT_EQ(rows[0].text(0), "42");
}
PGTEND_ON_ALL_VERSIONS(PgConnection);

}  // namespace
}  // namespace pgtend::e2e
