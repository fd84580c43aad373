// How much of the transaction and multixact ids is used up, and how fast. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// A database and its oldest ids: those of its oldest tables, also when nobody may connect to it.
struct DatabaseAge {
  std::string name = {};
  int64_t xid_age = 0;
  int64_t mxid_age = 0;
};

// A relation of the connected database; TOAST tables and catalogs are among them.
struct RelationAge {
  std::string table = {};  // schema.name, each quoted when needed; of TOAST its table's
  bool toast = false;
  bool catalog = false;
  bool temporary = false;
  int64_t xid_age = 0;
  int64_t mxid_age = 0;
  int64_t pages = 0;  // of the relation and its indexes, as last counted
};

// Ids that were used since the last checkpoint, which tells what they were then.
struct Consumption {
  double seconds = 0;
  int64_t xids = 0;
  int64_t mxids = 0;
  int64_t mxid_next = 0;    // at the checkpoint
  int64_t member_next = 0;  // at the checkpoint: place of the next member, modulo 2^32
};

struct Runway {
  std::vector<DatabaseAge> databases = {};  // oldest transaction id first
  std::vector<RelationAge> relations = {};  // the 20 oldest of the connected database, either id
  std::optional<Consumption> used = {};     // nullopt on a standby, or when the role may not ask
};

// Every role may. Errors: those of the connection.
Result<Runway> load_runway(pg::Connection& conn);

json::object to_json(const Runway& runway);
// Absent members keep their defaults. Errors: Invalid naming the member.
Result<Runway> runway_from_json(const json::value& value);

}  // namespace pgtend::facts
