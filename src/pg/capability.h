// What this server and this role let us do: version, provider, rights, extensions. Plain data from
// a few catalog queries that every role may run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pg/connection.h"

namespace pgtend::pg {

// The four levels of rights; each contains the ones before it.
enum class Level : uint8_t {
  None,
  Watch,     // statistics, activity and progress of everybody
  Advise,    // column statistics and plans of the owner's tables
  Maintain,  // VACUUM, ANALYZE, REINDEX of the owner's tables
  Change,    // DDL in the owner's name
};
std::string_view name(Level level);  // "none", "watch", "advise", "maintain", "change"

struct Extension {
  std::string name = {};
  std::string available = {};  // the version CREATE EXTENSION would make; "" if gone from the disk
  std::string installed = {};  // in this database; "" if not
  std::string schema = {};     // of the installed one
};

// A predefined role and whether the current user has its rights (inherited, or as superuser).
struct PredefinedRole {
  std::string name = {};
  bool has = false;
};

struct Capability {
  int version_number = 0;             // 150018
  std::string version = {};           // "15.18 (Debian 15.18-0+deb12u1)"
  bool in_recovery = false;           // a standby: nothing can be changed here
  std::string provider = {};          // "Amazon RDS", …, or "self-managed or unknown"
  std::string provider_because = {};  // the fact that gave it away; "" if unknown
  std::string user = {};              // current_user
  std::string database = {};
  bool superuser = false;
  std::vector<PredefinedRole> roles = {};  // those that this version has
  std::vector<Extension> extensions = {};  // available or installed, by name

  int major() const { return version_number / 10000; }
  // nullptr if neither available nor installed.
  const Extension* extension(std::string_view extension_name) const;
  bool installed(std::string_view extension_name) const;
  // Whether the user has the rights of predefined role `role_name`; false if there is no such role.
  bool has_role(std::string_view role_name) const;
};

// Reads all of it in one round trip. Errors: as Connection.
Result<Capability> read_capability(Connection& conn);

// A right that is not there, and the statement that would give it.
struct MissingRight {
  Level level = Level::None;  // the first level that needs it
  std::string what = {};      // what cannot be done or seen without it
  std::string grant = {};     // SQL for the owner or a superuser; several statements joined by "; "
};

struct LevelReport {
  Level reached = Level::None;
  std::vector<MissingRight> missing = {};  // of all levels, lowest first
};

// The level the current user has reached for the relations of role `owner` in this database.
// Errors: NotFound when there is no such role; as Connection.
Result<LevelReport> read_level(Connection& conn, const Capability& capability,
                               const std::string& owner);

}  // namespace pgtend::pg
