// What the server knows about the indexes of a table. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "pg/connection.h"

namespace pgtend::facts {

struct IndexFacts {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  std::string method = {};             // "btree", "brin", …
  std::vector<std::string> keys = {};  // column names in order; "" for an expression
  // Of each key that is an expression its text ("lower(email)"), "" of a column.
  std::vector<std::string> expressions = {};
  std::vector<std::string> include = {};
  std::string predicate = {};  // of a partial index, else ""
  bool unique = false;
  bool primary = false;
  bool valid = true;                  // false: left by a failed build, or being built now
  bool default_classes = true;        // every key uses its type's default operator class
  bool default_collations = true;     // and its column's collation
  std::vector<bool> descending = {};  // of each key
  Bytes size = {};
  int64_t scans = 0;        // since the counters were reset
  std::string parent = {};  // qualified name of the partitioned index it is attached to, else ""
  std::string definition = {};  // pg_get_indexdef
};

// All indexes of the table `oid`, by name. Needs no right beyond connecting.
// Errors: those of the connection.
Result<std::vector<IndexFacts>> load_indexes(pg::Connection& conn, uint32_t oid);
// The same of many tables in one query, by table.
Result<std::map<uint32_t, std::vector<IndexFacts>>> load_indexes(pg::Connection& conn,
                                                                 const std::vector<uint32_t>& oids);

// As JSON and back, for --json and golden tests. Errors: Invalid naming the member.
json::object to_json(const IndexFacts& index);
Result<IndexFacts> index_from_json(const json::value& value);

}  // namespace pgtend::facts
