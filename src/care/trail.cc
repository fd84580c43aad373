#include "care/trail.h"

#include <pwd.h>
#include <unistd.h>

#include "base/text.h"

namespace pgtend::care {
namespace {

using store::AuditEvent;
using store::AuditRecord;

std::string system_user() {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
    return entry.pw_name;
  }
  return cat("uid ", geteuid());
}

std::string error_text(const Error& error) {
  return error.sqlstate.empty() ? error.message : cat(error.sqlstate, ": ", error.message);
}

// With what is run beside it.
std::string whole_sql(const Step& step) {
  std::string out;
  for (const std::string& sql : step.beside) out += cat("/* beside */ ", sql, ";\n");
  return out + step.sql;
}

}  // namespace

Result<std::string> place_of(pg::Connection& conn) {
  const pg::Rows rows =
      TRY(conn.query("select coalesce(host(inet_server_addr()), 'socket') || ':' || "
                     "current_setting('port') || '/' || current_database()"));
  return rows.scalar();
}

Result<Trail> Trail::start(store::Audit* audit, pg::Connection& conn, const Action& action,
                           const std::string& action_id) {
  AuditRecord base;
  base.action_id = action_id;
  base.who = system_user();
  const pg::Rows role = TRY(conn.query("select current_user"));
  base.role = TRY(role.scalar());
  base.place = TRY(place_of(conn));
  base.kind = action.kind;
  base.object = action.object;
  base.undo = join(action.undo, ";\n");
  Trail trail(audit, std::move(base));
  std::vector<std::string> statements;
  for (const Step& step : action.steps) statements.push_back(whole_sql(step));
  trail.all_sql_ = join(statements, ";\n");
  return trail;
}

Status Trail::append(AuditRecord record) {
  return audit_ == nullptr ? ok() : audit_->append(record);
}

Status Trail::dry_run(const std::string& refusal) {
  AuditRecord record = base_;
  record.event = AuditEvent::DryRun;
  record.sql = all_sql_;
  record.result = refusal.empty() ? "nothing was changed" : cat("would be refused: ", refusal);
  return append(std::move(record));
}

Status Trail::refused(const Error& error) {
  AuditRecord record = base_;
  record.event = AuditEvent::Refused;
  record.sql = all_sql_;
  record.result = error_text(error);
  return append(std::move(record));
}

void Trail::set_before(const json::object& before) { before_ = to_text(before); }

Status Trail::begin(const Step& step) {
  AuditRecord record = base_;
  record.event = AuditEvent::Begin;
  record.sql = whole_sql(step);
  record.lock_mode = name(step.lock);
  record.before = before_;
  return append(std::move(record));
}

Status Trail::done(const Step& step, milliseconds lock_wait, milliseconds duration,
                   const std::string& result) {
  AuditRecord record = base_;
  record.event = AuditEvent::Done;
  record.sql = step.sql;
  record.lock_mode = name(step.lock);
  record.lock_wait = lock_wait;
  record.duration = duration;
  record.result = result;
  return append(std::move(record));
}

Status Trail::failed(const Step& step, const Error& error, milliseconds lock_wait,
                     milliseconds duration) {
  AuditRecord record = base_;
  record.event = error.code == ErrorCode::Cancelled ? AuditEvent::Cancelled : AuditEvent::Failed;
  record.sql = step.sql;
  record.lock_mode = name(step.lock);
  record.lock_wait = lock_wait;
  record.duration = duration;
  record.result = error_text(error);
  return append(std::move(record));
}

Status Trail::rolled_back() { return undone("ROLLBACK", "the transaction was rolled back"); }

Status Trail::undone(const std::string& sql, const std::string& result) {
  AuditRecord record = base_;
  record.event = AuditEvent::Undone;
  record.sql = sql;
  record.result = result;
  return append(std::move(record));
}

Status Trail::ended(const Error& error) {
  AuditRecord record = base_;
  record.event = error.code == ErrorCode::Cancelled ? AuditEvent::Cancelled : AuditEvent::Failed;
  record.result = error_text(error);
  record.before = before_;
  return append(std::move(record));
}

Status Trail::verified(const json::object& after) {
  AuditRecord record = base_;
  record.event = AuditEvent::Verified;
  record.result = "ok";
  record.before = before_;
  record.after = to_text(after);
  return append(std::move(record));
}

}  // namespace pgtend::care
