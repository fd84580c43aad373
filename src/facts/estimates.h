// What the planner believes of columns that plans depend on, and what indexes, keys and partitions
// prove about their values. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// A number of rows or values, and who says so ("index public.t_a_idx").
struct Told {
  double number = 0;
  std::string by = {};
};

// A btree without condition that begins with the column.
struct IndexRoom {
  std::string index = {};  // qualified, quoted name
  double entries = 0;      // as of the last VACUUM, ANALYZE or CREATE INDEX
  int64_t pages = 0;       // now
  bool seekable = true;    // in the column's own order: it finds the next value
};

// Rows that are few, and that an index finds at once.
struct RareRows {
  std::string condition = {};  // as SQL: "note IS NOT NULL"
  bool not_null = false;       // the condition is no more than that
  std::string index = {};
  double rows = 0;
  bool counted = false;  // else what the server counted in the index some time ago
  bool more = false;     // counting ended at its limit: there are at least so many
  double believed = 0;   // share of the rows, as the planner sees it
};

// What counting values through an index gave (vacuum/count_values.h).
struct CountedValues {
  double low = 0;
  double best = 0;
  double high = 0;
  bool at_least = false;  // ended early: `low` is sure, the others are not known
  std::string how = {};   // "all 100 ranges of the index"
};

struct ColumnEstimate {
  std::string name = {};
  bool unique = false;     // by an index: the planner asks no statistics for their number
  bool inherited = false;  // of a partitioned table: its statistics over all partitions
  // Of a partitioned table: a btree of the whole table begins with it, in the column's own order,
  // so that the next value is found through the partitions' indexes.
  bool seekable = false;
  // Of all rows, as the statistics of a partitioned table have no count of their own.
  double rows = 0;
  double null_frac = 0;
  double n_distinct = 0;  // as in pg_stats: negative is a share of the rows
  // What a person has set with ALTER COLUMN … SET (n_distinct = …).
  std::optional<double> set_distinct = {};
  int64_t target = 100;         // its own, or the server's
  int64_t sample_target = 100;  // the largest of the table: it decides how many rows are sampled
  std::string used_by = {};     // an index, a foreign key or extended statistics on it
  std::vector<Told> at_least = {};  // that many distinct values, by unique indexes and partitions
  std::vector<Told> at_most = {};   // by foreign keys
  std::vector<IndexRoom> room = {};
  std::vector<RareRows> rare = {};
  std::optional<CountedValues> counted = {};

  // Rows that ANALYZE looks at.
  double sample_rows() const { return 300 * static_cast<double>(sample_target); }
  // Distinct values as the planner reads `n_distinct`; at least 1.
  double distinct() const;
};

using Estimates = std::map<uint32_t, std::vector<ColumnEstimate>>;  // by table

// A table whose columns are asked for.
struct EstimateTable {
  uint32_t oid = 0;
  double rows = 0;
};

// Reads the columns of `tables` that an index, a foreign key or extended statistics are on, and
// whose statistics our role sees. Of rows that are rare by an index, those of the first 20 such
// indexes are counted: read only, through the index alone, at most 10,000 rows and a second each;
// what cannot be counted is left as the server knows it. Errors: those of the connection.
Result<Estimates> load_estimates(pg::Connection& conn, const std::vector<EstimateTable>& tables);

// {"16384": [{"name": …}, …]} and back, for golden tests. Errors: Invalid naming the member.
json::object to_json(const Estimates& estimates);
json::object to_json(const CountedValues& counted);
Result<Estimates> estimates_from_json(const json::value& value);

}  // namespace pgtend::facts
