// Column types and what pg_stats says about their values. Plain data; what the role cannot see is
// unknown, with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// One row of pg_stats.
struct ColumnStats {
  double null_frac = 0;
  double n_distinct = 0;  // as in pg_stats: negative is a share of the rows
  std::optional<double> correlation = {};
  double avg_width = 0;                            // bytes
  double top_frequency = 0;                        // share of the most common value; 0 if none
  std::vector<std::string> common_values = {};     // as text, most common first; empty if none
  std::vector<double> common_frequencies = {};     // one each, shares of the rows
  std::vector<std::string> histogram_bounds = {};  // as text, ascending; empty if none

  // The share of the rows with this value, as the planner sees it: of the list of common ones, else
  // what the other values have on average.
  double frequency(const std::string& value, double rows) const;
  // Distinct values among `rows` rows, at least 1.
  double distinct(double rows) const;
};

struct ColumnFacts {
  std::string name = {};
  std::string type = {};  // as format_type writes it, without modifier; a domain's base type
  bool btree = false;     // the type has a default operator class for the method
  bool brin = false;
  bool deduplicates = false;  // equal btree keys share one entry (PostgreSQL 13)
  bool byte_order = true;     // no collation, or C: a plain btree finds prefixes of texts
  std::optional<ColumnStats> stats = {};
  std::string stats_why_not = {};  // why `stats` is unknown, and what would show it
};

// The named columns of the table `oid`, in the order of `names`; unknown names are left out.
// pg_stats of a partitioned table are those of all its partitions together. Needs SELECT on the
// columns for the statistics only. Errors: those of the connection.
Result<std::vector<ColumnFacts>> load_columns(pg::Connection& conn, uint32_t oid,
                                              const std::vector<std::string>& names);

// As JSON and back, for --json and golden tests. Errors: Invalid naming the member.
json::object to_json(const ColumnFacts& column);
Result<ColumnFacts> column_from_json(const json::value& value);

// The texts of a list in JSON, as to_jsonb() gives an array of any type; NULLs inside an array of
// arrays are left out. Errors: Invalid for what is no JSON. Thread: any.
Result<std::vector<std::string>> texts_of(std::string_view json_list);

}  // namespace pgtend::facts
