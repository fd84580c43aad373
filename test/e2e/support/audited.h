// A suite that acts through the gate: a connection to the test's own database and an audit trail.
#pragma once

#include <optional>

#include "e2e/support/database.h"
#include "store/audit.h"

namespace pgtend::e2e {

class AuditedTest : public VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    conn_.emplace(connect());
    audit_.emplace(must(store::Audit::open(scratch_.path() + "/audit.db", system_clock())));
  }

  // The first value of the answer.
  std::string one(const std::string& sql) {
    const pg::Rows rows = must(conn_->query(sql));
    return rows.empty() ? "no row" : std::string(rows[0].text(0));
  }

  Scratch scratch_;
  std::optional<pg::Connection> conn_;
  std::optional<store::Audit> audit_;
};

}  // namespace pgtend::e2e
