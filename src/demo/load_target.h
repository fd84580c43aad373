// Where load clients connect and as whom, worked out once for all of them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "pg/options.h"
#include "wire/scram.h"

namespace pgtend::demo {

struct LoadTarget {
  net::Address address;
  std::string user;
  std::string password;
  std::string dbname;
  std::string application_name;
  // The last challenge and its keys: all clients have one user, so one derivation serves them all.
  wire::ScramChallenge challenge = {};
  wire::ScramKeys keys = {};
};

// Errors: Invalid (TLS or several hosts asked for, bad port), Unavailable (unknown host). May block
// on name resolution.
Result<LoadTarget> load_target(const pg::Options& options);

}  // namespace pgtend::demo
