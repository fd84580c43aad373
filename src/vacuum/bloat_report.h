// Bloat of tables with their TOAST and their indexes: read, estimated, measured where that was
// asked for, and summed up for partitioned tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "facts/layout.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/bloat.h"

namespace pgtend::vacuum {

struct IndexBloat {
  std::string name = {};    // schema.name, quoted when needed
  std::string method = {};  // "btree", …
  Bloat bloat = {};
  bool concurrently = true;  // REINDEX CONCURRENTLY takes it
};

struct TableBloat {
  uint32_t oid = 0;
  std::string table = {};    // schema.name, quoted when needed
  std::string parent = {};   // of a partition, else ""
  bool partitioned = false;  // all numbers are sums over its partitions, all levels
  int partitions = 0;        // that store rows
  Bloat heap = {};
  std::optional<Bloat> toast = {};  // absent when nothing is stored there
  std::vector<IndexBloat> indexes = {};
  // Rows that the table wins a day, as a share of those it has; nullopt: unknown.
  std::optional<double> growth_day = {};
};

struct BloatReport {
  int block_size = 8192;
  int64_t pages_read = 0;               // by measuring
  std::vector<TableBloat> tables = {};  // partitioned parents first, then the most wasted first
  std::vector<facts::MissingRight> missing = {};  // what would turn unknown numbers into known ones
};

struct BloatSetup {
  std::vector<std::string> tables = {};  // as the user wrote them; all when empty
  // Every table is read as a whole, instead of estimates.
  bool exact = false;
  // Pages that measuring may read in all. Within it relations are measured whose estimate is
  // unknown, or large: both limits below are passed. Free space maps are read also when it is 0.
  int64_t pages_max = 20'000;
  double share_min = 0.2;
  Bytes wasted_min = 100_MiB;
  int64_t sample_blocks = 1'000;  // of each sampled table
};

// The estimates for these tables. Pure. Thread: any.
BloatReport estimate_bloat(const std::vector<facts::TableFacts>& tables,
                           const facts::Layouts& layouts);

// Reads what it needs, estimates, and measures as `setup` says. Errors: those of
// facts::load_tables and facts::load_layouts, and of the connection while measuring.
Result<BloatReport> load_bloat(pg::Connection& conn, const BloatSetup& setup = {});

// The estimates, and measures as `setup` says, for `tables`. Errors: those of facts::load_layouts
// and of the connection.
Result<BloatReport> load_bloat_of(pg::Connection& conn,
                                  const std::vector<facts::TableFacts>& tables,
                                  const BloatSetup& setup);

json::object to_json(const Interval& interval);
json::object to_json(const Bloat& bloat, int block_size);
json::object to_json(const TableBloat& table, int block_size);
json::object to_json(const BloatReport& report);
// Back, without missing rights. Errors: Invalid naming the member that is unknown or mistyped.
Result<TableBloat> table_bloat_from_json(const json::value& value);
Result<BloatReport> bloat_report_from_json(const json::value& value);

}  // namespace pgtend::vacuum
