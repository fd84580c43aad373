// Column statistics as pg_restore_attribute_stats() of PostgreSQL 18 takes them back. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"

namespace pgtend::facts {

inline constexpr int kVersionRestoresStatistics = 180000;

// One row of pg_stats.
struct KeptColumn {
  std::string name = {};
  bool inherited = false;
  // Those that are not NULL: "most_common_vals" and its text. Values are texts of the session that
  // read them: to be put back by a session with the same settings of output.
  std::vector<std::pair<std::string, std::string>> members = {};

  size_t bytes() const;
  // "pg_catalog.pg_restore_attribute_stats('schemaname', …)", which gives true when all of it was
  // taken.
  std::string restore_call(const std::string& schema, const std::string& table) const;
  // "pg_catalog.pg_clear_attribute_stats(…)": what stands there now and was not in `members` goes.
  std::string clear_call(const std::string& schema, const std::string& table) const;
};

// What is known of the columns of the table `oid` (of a partitioned one over all its partitions) in
// the order of the columns, at most 200; nothing before version 18, and nothing that pg_stats does
// not show our role. Needs no lock. Errors: those of the connection.
Result<std::vector<KeptColumn>> load_kept_statistics(pg::Connection& conn, uint32_t oid);

// How often a table was analysed since its counters began.
struct AnalyzeCounts {
  int64_t by_hand = 0;
  int64_t by_autovacuum = 0;
};
// Of the tables `oids`. Errors: those of the connection.
Result<std::map<uint32_t, AnalyzeCounts>> load_analyze_counts(pg::Connection& conn,
                                                              const std::vector<uint32_t>& oids);

}  // namespace pgtend::facts
