#include "pg/account.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

#include "base/text.h"

namespace pgtend::pg {
namespace {

template <class Lookup>
bool look_up(Account& account, Lookup lookup) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  if (lookup(&entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return false;
  account = {entry.pw_uid, entry.pw_gid, entry.pw_name};
  return true;
}

}  // namespace

Result<Account> server_account() {
  Account account;
  const uid_t self = geteuid();
  if (self != 0) {
    const bool named = look_up(account, [&](auto... rest) { return getpwuid_r(self, rest...); });
    return Account{self, getegid(), named ? account.name : cat(self)};
  }
  for (const char* name : {"postgres", "nobody"}) {
    const bool found = look_up(account, [&](auto... rest) { return getpwnam_r(name, rest...); });
    if (found && account.uid != 0) return account;
  }
  return Error{ErrorCode::NotFound,
               "PostgreSQL refuses to run as root, and there is no user postgres or nobody",
               {},
               "run as an ordinary user, or create the user postgres"};
}

bool become(const Account& account) {
  if (geteuid() == account.uid) return true;
  if (setgroups(1, &account.gid) != 0) return false;
  if (setgid(account.gid) != 0) return false;
  if (setuid(account.uid) != 0) return false;
  return setuid(0) != 0 && getuid() == account.uid && geteuid() == account.uid;
}

}  // namespace pgtend::pg
