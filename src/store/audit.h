// The audit trail: what pgtend changed in a database, tried to change, or refused to. Append-only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/store.h"

namespace pgtend::store {

// What a record tells. A statement that runs has a Begin record, written before it is sent, and one
// of the others after it; a Begin without a successor is a program that died in between.
enum class AuditEvent : uint8_t {
  DryRun,
  Refused,
  Begin,
  Done,
  Failed,
  Cancelled,
  Undone,
  Verified
};
std::string_view name(AuditEvent event);  // "dry-run", "refused", "begin", …

// One line of the trail. Secrets never enter: statements carry none and `place` has no password.
struct AuditRecord {
  std::string action_id = {};  // joins the records of one action; also in application_name
  AuditEvent event = AuditEvent::Begin;
  std::string who = {};     // user of the operating system
  std::string role = {};    // role in the database
  std::string place = {};   // host:port/database
  std::string kind = {};    // Action::kind
  std::string object = {};  // qualified name
  std::string sql = {};
  std::string lock_mode = {};
  milliseconds lock_wait = {};
  milliseconds duration = {};
  std::string result = {};  // "ok", or the error with its SQLSTATE
  std::string before = {};  // JSON, "" when not measured
  std::string after = {};
  std::string undo = {};  // statements that take it back, one a line
};

struct AuditEntry {
  int64_t id = 0;
  std::string at = {};  // UTC, 2026-01-31T12:00:00.123Z
  AuditRecord record = {};
};

// Thread: one at a time. The file itself refuses to change or delete records (triggers), so the
// trail can be trusted as far as the file's owner can.
class Audit {
 public:
  // Errors: those of Store::open and migrate.
  static Result<Audit> open(const std::string& path, const Clock& clock);

  // Appends one record, on disk when this returns. Errors: those of Store.
  Status append(const AuditRecord& record);
  // The newest `count` records, oldest first.
  Result<std::vector<AuditEntry>> latest(int64_t count);
  // The newest Verified record of `kind` on `object` at `place`.
  Result<std::optional<AuditEntry>> last_verified(std::string_view place, std::string_view kind,
                                                  std::string_view object);
  // All records of `kind`, oldest first.
  Result<std::vector<AuditEntry>> history(std::string_view kind);
  const std::string& path() const { return store_.path(); }

 private:
  Audit(Store store, const Clock& clock) : store_(std::move(store)), clock_(&clock) {}

  Store store_;
  const Clock* clock_;
};

// A time of the calendar as UTC text, milliseconds kept: "2026-01-31T12:00:00.123Z".
std::string utc_text(WallTime time);

}  // namespace pgtend::store
