// Writes what one action does into the audit trail.
#pragma once

#include <string>

#include "care/finding.h"
#include "pg/connection.h"
#include "store/audit.h"

namespace pgtend::care {

// Thread: one at a time. All calls succeed and do nothing when there is no audit (dry runs only).
class Trail {
 public:
  // Asks the server who and where we are. `audit` is borrowed and may be null.
  static Result<Trail> start(store::Audit* audit, pg::Connection& conn, const Action& action,
                             const std::string& action_id);

  Status dry_run(const std::string& refusal);
  Status refused(const Error& error);
  void set_before(const json::object& before);
  // One statement: before it is sent, and how it ended.
  Status begin(const Step& step);
  Status done(const Step& step, milliseconds lock_wait, milliseconds duration,
              const std::string& result = "ok");
  Status failed(const Step& step, const Error& error, milliseconds lock_wait,
                milliseconds duration);
  Status rolled_back();
  Status undone(const std::string& sql, const std::string& result);
  // The action as a whole: it failed, or it was verified.
  Status ended(const Error& error);
  Status verified(const json::object& after);

 private:
  Trail(store::Audit* audit, store::AuditRecord base) : audit_(audit), base_(std::move(base)) {}
  Status append(store::AuditRecord record);

  store::Audit* audit_;
  store::AuditRecord base_;
  std::string before_;
  std::string all_sql_;
};

// "host:port/database" of a connection as the audit trail names it, the server's own words.
Result<std::string> place_of(pg::Connection& conn);

}  // namespace pgtend::care
