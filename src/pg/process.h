// Short-lived child processes of the private PostgreSQL: initdb, cp, postgres --version.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/account.h"

namespace pgtend::pg {

// What a child may see of our environment: enough to find programs, nothing of PG*, no secrets.
std::vector<std::string> child_environment();

// Pointers for execve, null-terminated; they borrow `texts`.
std::vector<char*> pointers(std::vector<std::string>& texts);

// Runs argv[0] (a path) as `account` to its end and returns the first 64 KiB of what it wrote. The
// child is killed when we die or when `timeout` is over. Errors: NotFound or Denied when it cannot
// be executed, Timeout, Internal when it ends with a failure (its output is in the message).
// Thread: any, blocking.
Result<std::string> run_to_end(std::vector<std::string> argv, const Account& account,
                               seconds timeout = seconds(120));

// Whether `account` may enter the folder `path` and use what is in it. Thread: any.
bool can_enter(const Account& account, const std::string& path);

}  // namespace pgtend::pg
