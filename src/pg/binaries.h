// Finding the programs of a PostgreSQL server, and making them reachable for its account.
#pragma once

#include <string>

#include "base/result.h"
#include "pg/account.h"

namespace pgtend::pg {

struct Binaries {
  std::string folder = {};   // absolute; holds postgres and initdb
  std::string version = {};  // "15.18 (Debian 15.18-0+deb12u1)", as `postgres --version` says
  int major = 0;             // 15
};

// The server programs of major `version` ("" is any): in `folder` if that is given (a bin folder,
// or one that has bin/), else in PATH, else the newest of /usr/lib/postgresql/*/bin. When `account`
// may not reach them (a folder below somebody's home), they are copied once into `cache`, which it
// may enter, and the copy is meant. Errors: NotFound with what was looked at; Denied.
Result<Binaries> find_binaries(const std::string& version, const std::string& folder,
                               const Account& account, const std::string& cache);

}  // namespace pgtend::pg
