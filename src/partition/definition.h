// All that makes a table what it is, read from the catalogs, so that it can be built again as a
// partitioned table, and a list of what cannot be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "partition/followers.h"
#include "pg/connection.h"

namespace pgtend::partition {

struct Column {
  std::string name = {};
  std::string type = {};
  bool not_null = false;
  bool generated = false;
  std::string identity = {};       // "a" always, "d" by default, "" none
  std::string sequence = {};       // qualified; owned by the column or behind its identity
  std::string sequence_name = {};  // its bare name
  // Whether = on it is pg_catalog's own, so that it means the same under every search path.
  bool plain_equality = true;
  std::vector<std::string> alter = {};  // "SET STATISTICS 777", what LIKE does not copy
  // Of an identity's sequence, which is made anew: GRANT …, COMMENT …, by its name of now.
  std::vector<std::string> sequence_rest = {};
};

// What an index has beside its definition.
struct IndexTraits {
  std::string with = {};        // " WITH (fillfactor='70')"
  std::string tablespace = {};  // as SQL takes it; "" for the database's own
  bool clustered = false;
  bool identity = false;                // rows are told apart by it in replication
  std::vector<std::string> alter = {};  // "ALTER COLUMN 2 SET STATISTICS 321"
  std::string comment = {};
};

// Primary key, unique, foreign key. Checks are copied by LIKE.
struct Constraint {
  std::string name = {};
  std::string kind = {};  // p, u, f
  std::vector<std::string> columns = {};
  std::string definition = {};  // pg_get_constraintdef
  std::string index = {};       // behind p and u: its bare name
  std::string references = {};  // of f: the qualified table
  std::string options = {};     // " DEFERRABLE INITIALLY DEFERRED" of p and u
  std::string include = {};     // " INCLUDE (a, b)"
  std::string comment = {};
  IndexTraits traits = {};  // of the index
};

struct Index {
  std::string name = {};  // bare
  std::string definition = {};
  std::string where = {};  // its end: " WHERE …"
  bool unique = false;
  bool expressions = false;
  std::vector<std::string> columns = {};  // plain key columns
  IndexTraits traits = {};
};

struct Trigger {
  std::string name = {};
  std::string definition = {};  // CREATE TRIGGER …
  std::string state = {};       // "DISABLE", "ENABLE ALWAYS"; "" for the ordinary one
  std::string comment = {};
};

// Extended statistics.
struct Statistics {
  std::string schema = {};
  std::string name = {};  // bare
  std::string what = {};  // what stands between the name and FROM: "(ndistinct) ON a, b"
  int target = -1;        // -1: not set
  std::string comment = {};
};

// Where a partition sits; all empty for a table that is none.
struct Seat {
  std::string parent = {};       // qualified
  std::string parent_name = {};  // bare
  std::string column = {};       // of a parent that is divided by ranges of one column
  std::string bound = {};        // "FOR VALUES FROM ('…') TO ('…')"
  std::string check = {};        // what it says of a row, and what those above say, as SQL
};

struct Definition {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  std::string owner = {};
  bool owned = true;  // by the connected role itself: new tables need no change of owner
  std::string comment = {};
  std::string tablespace = {};
  std::vector<std::string> options = {};  // "fillfactor=90", "toast.…=…"
  std::vector<Column> columns = {};
  std::vector<Constraint> constraints = {};
  std::vector<Index> indexes = {};
  std::vector<Trigger> triggers = {};
  std::vector<Statistics> statistics = {};
  std::vector<Follower> followers = {};
  Seat seat = {};
  std::string replica_identity = {};       // "FULL", "NOTHING"; "" the default, or an index
  std::vector<std::string> grants = {};    // GRANT …
  std::vector<std::string> refusals = {};  // why it cannot be converted, each with the next step
  double rows = 0;
  Bytes heap = {};  // with TOAST
  Bytes index_bytes = {};
  int version = 0;
  int64_t locks_max = 0;  // entries of the server's lock table
  std::string fingerprint = {};

  std::string qualified() const;
  bool seated() const { return !seat.parent.empty(); }
  bool is_default() const { return seat.bound == "DEFAULT"; }
  bool row_security() const;
  // nullptr if there is none of that name.
  const Column* column(std::string_view column) const;
};

// Reads it in a read-only transaction of its own with an empty search path, so that every name in
// it is qualified. Errors: NotFound, Invalid (no plain table), and those of the connection.
Result<Definition> load_definition(pg::Connection& conn, const std::string& table);

// SQL for the fingerprint of table `qualified` as it is when it runs (with an empty search path):
// one text that changes with any change of its place, columns, constraints, indexes, triggers,
// statistics, rights or followers.
std::string fingerprint_sql(const std::string& qualified, int version);

// SQL of one text a row, of why table `oid` cannot be replaced by another, as the definition's
// refusals; with an empty search path. What our own jobs have added does not count.
std::string refusals_sql(uint32_t oid, int version);

json::object to_json(const Definition& definition);
// Errors: Invalid naming the member.
Result<Definition> definition_from_json(const json::value& value);

}  // namespace pgtend::partition
