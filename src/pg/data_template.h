// A data folder made by initdb once and copied from then on: initdb takes seconds, a copy does not.
#pragma once

#include <string>

#include "base/result.h"
#include "pg/account.h"
#include "pg/binaries.h"

namespace pgtend::pg {

// The superuser of a private PostgreSQL.
inline constexpr const char* kSuperuser = "postgres";

// The folder for templates and copied programs, below the first of `bases`: `pgtend-cache-<uid>`,
// ours and enterable by all. When somebody else owns that name, `fallback` is returned.
std::string cache_folder(const std::string& base, const std::string& fallback);

// Writes `text` to a new file, mode 0600, owned by `account`. Errors: Internal, also if it exists.
Status write_secret(const std::string& path, const std::string& text, const Account& account);

// 32 random characters, letters and digits. Errors: Internal.
Result<std::string> random_password();

struct DataPlan {
  std::string cache = {};
  std::string data = {};
  bool durable = true;
};

// Makes `data` (must not exist; its parent is writable by `account`) a fresh data folder owned by
// `account`, encoding UTF8, SCRAM for all logins. Returns the superuser's password in it. With
// `cache` not empty a template is kept there, safely against others doing the same now. Without
// `durable` nothing is forced to disk, and the template is not used again after a reboot.
// Errors: Internal with initdb's or cp's text.
Result<std::string> make_data(const Binaries& binaries, const Account& account,
                              const DataPlan& plan);

}  // namespace pgtend::pg
