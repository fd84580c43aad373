// What moving the rows of one table within its file depends on: columns, triggers, rules, rights,
// who reads its changes. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgtend::vacuum {

struct CompactColumn {
  std::string name = {};
  int number = 0;          // attnum
  int length = -1;         // attlen
  char storage = 'x';      // attstorage
  bool generated = false;  // stored or virtual
  bool identity_always = false;
  bool indexed = false;          // a key, included, or in an expression or predicate of an index
  bool feeds_generated = false;  // a stored generated column is computed from it
  bool may_update = true;
  bool array = false;     // of an array type, or a domain over one
  bool in_array = false;  // its type has an array type
};

// A user's trigger for UPDATE, row or statement.
struct CompactTrigger {
  std::string name = {};
  char enabled = 'O';             // tgenabled: O origin, D disabled, R replica, A always
  std::vector<int> columns = {};  // UPDATE OF these; empty: of any
};

struct CompactTable {
  uint32_t oid = 0;
  uint32_t toast_oid = 0;   // 0: it has none
  std::string table = {};   // qualified, quoted when needed
  std::string schema = {};  // as they are
  std::string name = {};
  char kind = 'r';         // relkind
  char persistence = 'p';  // relpersistence
  std::string access_method = "heap";
  int64_t pages = 0;  // of the main fork now
  int block_size = 8192;
  int version = 0;  // of the server, 150020
  bool standby = false;
  bool catalog = false;
  bool may_read = true;                            // SELECT on the table
  bool row_security = false;                       // policies apply to our role
  bool update_rules = false;                       // rules ON UPDATE that are enabled
  bool replica_role = false;                       // we may SET session_replication_role
  std::string role = {};                           // ours, quoted when needed
  std::vector<std::string> checks_not_valid = {};  // CHECK constraints NOT VALID
  std::vector<std::string> publications = {};      // that publish its updates
  std::vector<std::string> decoders = {};   // logical slots here whose plugin asks no publication
  std::vector<CompactColumn> columns = {};  // without dropped ones
  std::vector<CompactTrigger> triggers = {};
  std::vector<std::string> leaves = {};      // of a partitioned table: partitions that store rows
  std::vector<std::string> leftovers = {};   // invalid indexes that REINDEX CONCURRENTLY left
  std::vector<std::string> exclusions = {};  // indexes of exclusion constraints
  // Share of its pages that are all-frozen: 18 and later, or with pg_visibility; else unknown.
  std::optional<double> frozen = {};
};

// Reads it for relation `oid`, all but `replica_role`. Errors: NotFound when it is gone, and those
// of the connection.
Result<CompactTable> load_compact_table(pg::Connection& conn, uint32_t oid);

// Whether our role may SET session_replication_role. Before 15 it is tried in a transaction that is
// rolled back. Errors: those of the connection.
Result<bool> may_silence_triggers(pg::Connection& conn);

// Invalid indexes of `oid` that REINDEX CONCURRENTLY has left, but not while one of the table's is
// being built. Errors: those of the connection.
Result<std::vector<std::string>> load_leftovers(pg::Connection& conn, uint32_t oid);

}  // namespace pgtend::vacuum
