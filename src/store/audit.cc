#include "store/audit.h"

#include <cstdlib>
#include <ctime>

#include "base/text.h"

namespace pgtend::store {
namespace {

constexpr std::string_view kSteps[] = {
    R"(CREATE TABLE audit (
         id INTEGER PRIMARY KEY,
         at TEXT NOT NULL,
         action_id TEXT NOT NULL,
         event TEXT NOT NULL CHECK (event IN ('dry-run', 'refused', 'begin', 'done', 'failed',
                                              'cancelled', 'undone', 'verified')),
         who TEXT NOT NULL,
         role TEXT NOT NULL,
         place TEXT NOT NULL,
         kind TEXT NOT NULL,
         object TEXT NOT NULL,
         sql TEXT NOT NULL,
         lock_mode TEXT NOT NULL,
         lock_wait_ms INTEGER NOT NULL,
         duration_ms INTEGER NOT NULL,
         result TEXT NOT NULL,
         before_json TEXT NOT NULL,
         after_json TEXT NOT NULL,
         undo TEXT NOT NULL
       ) STRICT;
       CREATE INDEX audit_object ON audit (place, object, kind, id);
       CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
         BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
       CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
         BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
       CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
         WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
         BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END)",
};

#define AUDIT_COLUMNS                                                                       \
  "id, at, action_id, event, who, role, place, kind, object, sql, lock_mode, lock_wait_ms," \
  " duration_ms, result, before_json, after_json, undo"

constexpr AuditEvent kEvents[] = {AuditEvent::DryRun, AuditEvent::Refused, AuditEvent::Begin,
                                  AuditEvent::Done,   AuditEvent::Failed,  AuditEvent::Cancelled,
                                  AuditEvent::Undone, AuditEvent::Verified};

std::string text(const Value& value) {
  const auto* found = std::get_if<std::string>(&value);
  return found == nullptr ? "" : *found;
}

int64_t number(const Value& value) {
  const auto* found = std::get_if<int64_t>(&value);
  return found == nullptr ? 0 : *found;
}

AuditEntry entry_from(const Record& row) {
  AuditEntry entry{.id = number(row[0]), .at = text(row[1])};
  AuditRecord& record = entry.record;
  record.action_id = text(row[2]);
  for (const AuditEvent event : kEvents) {
    if (name(event) == text(row[3])) record.event = event;
  }
  record.who = text(row[4]);
  record.role = text(row[5]);
  record.place = text(row[6]);
  record.kind = text(row[7]);
  record.object = text(row[8]);
  record.sql = text(row[9]);
  record.lock_mode = text(row[10]);
  record.lock_wait = milliseconds(number(row[11]));
  record.duration = milliseconds(number(row[12]));
  record.result = text(row[13]);
  record.before = text(row[14]);
  record.after = text(row[15]);
  record.undo = text(row[16]);
  return entry;
}

}  // namespace

std::string_view name(AuditEvent event) {
  switch (event) {
    case AuditEvent::DryRun:
      return "dry-run";
    case AuditEvent::Refused:
      return "refused";
    case AuditEvent::Begin:
      return "begin";
    case AuditEvent::Done:
      return "done";
    case AuditEvent::Failed:
      return "failed";
    case AuditEvent::Cancelled:
      return "cancelled";
    case AuditEvent::Undone:
      return "undone";
    case AuditEvent::Verified:
      return "verified";
  }
  std::abort();
}

std::string utc_text(WallTime time) {
  const auto since = time.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  const auto millis = std::chrono::duration_cast<milliseconds>(since - whole).count();
  const std::time_t stamp = whole.count();
  std::tm parts{};
  gmtime_r(&stamp, &parts);
  char buffer[32];
  const size_t length = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string digits = cat(millis);
  return cat(std::string_view(buffer, length), '.', std::string(3 - digits.size(), '0'), digits,
             'Z');
}

Result<Audit> Audit::open(const std::string& path, const Clock& clock) {
  Store store = TRY_DURING(Store::open(path), "opening the audit trail");
  TRY_DURING(store.migrate(kSteps), "opening the audit trail");
  return Audit(std::move(store), clock);
}

Status Audit::append(const AuditRecord& r) {
  Status status = store_.run(
      "INSERT INTO audit (" AUDIT_COLUMNS
      ") VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
      {utc_text(clock_->wall()), r.action_id, std::string(name(r.event)), r.who, r.role, r.place,
       r.kind, r.object, r.sql, r.lock_mode, int64_t{r.lock_wait.count()},
       int64_t{r.duration.count()}, r.result, r.before, r.after, r.undo});
  if (!status) return std::move(status).error().during("writing the audit trail");
  return status;
}

Result<std::vector<AuditEntry>> Audit::latest(int64_t count) {
  const std::vector<Record> rows = TRY(store_.query(
      "SELECT * FROM (SELECT " AUDIT_COLUMNS " FROM audit ORDER BY id DESC LIMIT ?1) ORDER BY id",
      {count}));
  std::vector<AuditEntry> entries;
  for (const Record& row : rows) entries.push_back(entry_from(row));
  return entries;
}

Result<std::optional<AuditEntry>> Audit::last_verified(std::string_view place,
                                                       std::string_view kind,
                                                       std::string_view object) {
  const std::vector<Record> rows =
      TRY(store_.query("SELECT " AUDIT_COLUMNS
                       " FROM audit WHERE place = ?1 AND object = ?2 AND kind = ?3"
                       " AND event = 'verified' ORDER BY id DESC LIMIT 1",
                       {std::string(place), std::string(object), std::string(kind)}));
  if (rows.empty()) return std::optional<AuditEntry>();
  return std::optional<AuditEntry>(entry_from(rows[0]));
}

Result<std::vector<AuditEntry>> Audit::history(std::string_view kind) {
  const std::vector<Record> rows = TRY(store_.query(
      "SELECT " AUDIT_COLUMNS " FROM audit WHERE kind = ?1 ORDER BY id", {std::string(kind)}));
  std::vector<AuditEntry> entries;
  for (const Record& row : rows) entries.push_back(entry_from(row));
  return entries;
}

}  // namespace pgtend::store
