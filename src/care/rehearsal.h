// Running one statement to see what it does, in a transaction that is always rolled back, with the
// gate's manners: dry run by default, limits, cancel, the audit trail.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "care/finding.h"
#include "care/gate.h"

namespace pgtend::care {

struct Rehearsal {
  std::string kind = {};    // of the audit trail
  std::string object = {};  // qualified, quoted name of a table that is written to
  // Statements of ours in the transaction before it: SET LOCAL, PREPARE.
  std::vector<std::string> before = {};
  std::string sql = {};  // exactly one statement
  LockMode lock = LockMode::RowExclusive;
  milliseconds statement_timeout{30'000};
  milliseconds lock_timeout{1'000};
  // Looks, in the same transaction, at what the statement has done; it is told with its error.
  std::function<Status(pg::Connection&)> look = {};
};

struct Rehearsed {
  std::string action_id = {};
  bool ran = false;                      // false in a dry run
  std::vector<std::string> values = {};  // the first column of what `sql` returned
  milliseconds lock_wait = {};
  milliseconds duration = {};
};

// Runs `rehearsal` on a connection of its own named pgtend/<action id>, which is closed afterwards,
// so that nothing of the session stays either. Nothing is run unless setup.policy.apply. Errors:
// Denied (no audit trail; a standby or a session that may only read), Conflict (a lock was not
// obtained), Timeout, Cancelled, and what the statement fails with. Whatever happens, it is rolled
// back.
Result<Rehearsed> rehearse(const GateSetup& setup, const Rehearsal& rehearsal);

}  // namespace pgtend::care
