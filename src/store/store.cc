#include "store/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/text.h"

namespace pgtend::store {
namespace {

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::Conflict;
    case SQLITE_FULL:
      return ErrorCode::Limit;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::Corrupt;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
      return ErrorCode::Invalid;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return ErrorCode::Denied;
    default:
      return ErrorCode::Internal;
  }
}

Error failure(sqlite3* handle, const std::string& path) {
  return {code_of(sqlite3_extended_errcode(handle)), cat(path, ": ", sqlite3_errmsg(handle))};
}

Error system_failure(const std::string& path) {
  const ErrorCode code = errno == ENOSPC ? ErrorCode::Limit : ErrorCode::Denied;
  return Error{code, cat(path, ": ", std::generic_category().message(errno))}.hinting(
      "set PGTEND_STATE to a file in a folder you own");
}

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, Finalize>;

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *number);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return sqlite3_bind_double(statement, index, *real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, index);
}

Value column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_NULL:
      return std::monostate{};
    default: {
      const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, index));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, index));
      return text == nullptr ? std::string() : std::string(text, size);
    }
  }
}

// Compiles the first statement of `sql` and cuts it off; null at the end of `sql`.
Result<Prepared> prepare(sqlite3* handle, std::string_view& sql, const std::string& path) {
  if (sql.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Error{ErrorCode::Limit, "statement for the state file is too long"};
  }
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &raw, &rest);
  Prepared statement(raw);
  if (code != SQLITE_OK) return failure(handle, path);
  sql.remove_prefix(static_cast<size_t>(rest - sql.data()));
  return statement;
}

// Creates or checks the file itself, so that its rights are right before SQLite writes to it.
Status claim_file(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(folder.parent_path(), failed);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_failure(folder);
  }
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return system_failure(path);
  struct stat info {};
  Status status = ok();
  if (::fstat(file, &info) != 0) {
    status = system_failure(path);
  } else if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid()) {
    status = Error{ErrorCode::Denied, cat(path, ": not a file of this user")}.hinting(
        "set PGTEND_STATE to a file of your own");
  } else if ((info.st_mode & 077) != 0 && ::fchmod(file, 0600) != 0) {
    status = system_failure(path);
  }
  ::close(file);
  return status;
}

}  // namespace

Result<std::string> state_path(const Environment& environment) {
  const auto set = [&](const char* name) -> std::string {
    const char* value = environment(name);
    return value == nullptr ? "" : value;
  };
  if (std::string file = set("PGTEND_STATE"); !file.empty()) return file;
  if (const std::string base = set("XDG_STATE_HOME"); !base.empty()) {
    return cat(base, "/pgtend/pgtend.db");
  }
  if (const std::string home = set("HOME"); !home.empty()) {
    return cat(home, "/.local/state/pgtend/pgtend.db");
  }
  return Error{ErrorCode::NotFound, "no place for the state file: HOME is not set"}.hinting(
      "set PGTEND_STATE to a file of your own");
}

void Store::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Store> Store::open(const std::string& path, milliseconds busy_timeout) {
  TRY(claim_file(path));
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  Handle handle(raw);
  if (code != SQLITE_OK) {
    return raw == nullptr ? Error{ErrorCode::Internal, cat(path, ": out of memory")}
                          : failure(raw, path);
  }
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  Store store(std::move(handle), path);
  TRY(
      store.script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; "
                   "PRAGMA recursive_triggers = ON"));
  return store;
}

Status Store::script(std::string_view sql) {
  while (!trim(sql).empty()) {
    const Prepared statement = TRY(prepare(handle_.get(), sql, path_));
    if (!statement) continue;  // a comment
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = sqlite3_step(statement.get());
    if (code != SQLITE_DONE) return failure(handle_.get(), path_);
  }
  return ok();
}

Status Store::migrate(std::span<const std::string_view> steps) {
  // The write lock first, so that two programs starting together do not both run a step.
  TRY(script("BEGIN IMMEDIATE"));
  const auto upgrade = [&]() -> Status {
    const std::vector<Record> rows = TRY(query("PRAGMA user_version"));
    const auto seen = static_cast<size_t>(std::get<int64_t>(rows.at(0).at(0)));
    if (seen > steps.size()) {
      return Error{ErrorCode::Invalid, cat(path_, ": written by a newer pgtend (schema ", seen,
                                           ", this one knows ", steps.size(), ")")}
          .hinting("use the newer program, or set PGTEND_STATE to another file");
    }
    for (size_t i = seen; i < steps.size(); ++i) {
      TRY_DURING(script(steps[i]), cat("schema step ", i + 1));
    }
    return script(cat("PRAGMA user_version = ", steps.size()));
  };
  Status status = upgrade();
  if (!status) {
    (void)sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return status;
  }
  return script("COMMIT");
}

Status Store::run(std::string_view sql, const Record& values) {
  TRY(query(sql, values));
  return ok();
}

Result<std::vector<Record>> Store::query(std::string_view sql, const Record& values,
                                         size_t rows_max) {
  const Prepared statement = TRY(prepare(handle_.get(), sql, path_));
  CHECK(statement != nullptr && trim(sql).empty());
  for (size_t i = 0; i < values.size(); ++i) {
    if (bind(statement.get(), static_cast<int>(i) + 1, values[i]) != SQLITE_OK) {
      return failure(handle_.get(), path_);
    }
  }
  std::vector<Record> rows;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    if (rows.size() == rows_max) {
      return Error{ErrorCode::Limit, cat(path_, ": more than ", rows_max, " rows")};
    }
    Record record;
    const int width = sqlite3_column_count(statement.get());
    for (int i = 0; i < width; ++i) record.push_back(column(statement.get(), i));
    rows.push_back(std::move(record));
  }
  if (code != SQLITE_DONE) return failure(handle_.get(), path_);
  return rows;
}

}  // namespace pgtend::store
