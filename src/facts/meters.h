// Functions of extensions that measure relations, where the role may call them.
#pragma once

#include <string>

#include "pg/connection.h"

namespace pgtend::facts {

struct Meter {
  std::string function = {};  // qualified and quoted, for SQL; "" when its extension is not there
  bool allowed = false;       // our role may execute it

  bool usable() const { return allowed && !function.empty(); }
};

struct Meters {
  Meter free_space = {};     // pg_freespace(regclass, bigint)
  Meter approximate = {};    // pgstattuple_approx(regclass)
  Meter tuples = {};         // pgstattuple(regclass)
  Meter index = {};          // pgstatindex(regclass)
  Meter visible = {};        // pg_visibility_map_summary(regclass)
  int server_version = 0;    // 150018
  bool map_on_disk = false;  // CREATE EXTENSION pg_freespacemap would find its files
  std::string role = {};     // current_user, quoted when needed

  // The SQL that makes free_space usable; "" when it is, or when nothing would.
  std::string free_space_grant() const;
};

// Works with any role. Takes no lock on relations but catalogs. Errors: those of the connection.
Result<Meters> load_meters(pg::Connection& conn);

}  // namespace pgtend::facts
