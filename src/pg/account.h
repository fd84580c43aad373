// Whom a private PostgreSQL runs as: PostgreSQL refuses root.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace pgtend::pg {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name = {};
};

// The account for server processes: who we are, or when we are root the user `postgres`, else
// `nobody`. Errors: NotFound when root finds neither. Thread: any.
Result<Account> server_account();

// Becomes `account` for good, with no other groups; nothing to do when we are it already. False
// when the system refused, also if root could be had back. Only async-signal-safe calls: for the
// child between fork and exec.
bool become(const Account& account);

}  // namespace pgtend::pg
