// What the server knows about its tables: sizes, row counters, ages, storage options and our
// rights. Plain data; the loader works with the least rights it can and says what it could not see.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "pg/connection.h"

namespace pgtend::facts {

// Sizes on disk. `heap` is the main fork with its maps, without TOAST. All 0 for a partitioned
// table, which stores nothing itself.
struct TableSize {
  Bytes heap = {};
  Bytes indexes = {};
  Bytes toast = {};
  int64_t pages = 0;        // of the heap now
  int64_t pages_known = 0;  // pg_class.relpages: as of the last VACUUM or ANALYZE
  int64_t pages_visible = 0;
  std::optional<int64_t> pages_frozen = {};  // 18 and later
};

// The cumulative statistics of one table. Estimates; lost at a crash and not on a standby.
struct TableCounters {
  bool present = false;  // false: the server has no entry, all others are 0
  int64_t rows_live = 0;
  int64_t rows_dead = 0;
  int64_t inserted_since_vacuum = 0;
  int64_t modified_since_analyze = 0;
  int64_t inserted = 0;
  int64_t updated = 0;
  int64_t updated_hot = 0;
  int64_t deleted = 0;
  int64_t scans_seq = 0;
  int64_t scans_index = 0;
};

// Seconds ago by the server's clock; nullopt is never (or not since the counters were reset).
struct TableTimes {
  std::optional<double> vacuum = {};
  std::optional<double> autovacuum = {};
  std::optional<double> analyze = {};
  std::optional<double> autoanalyze = {};
};

// What the connected role may do with the table.
struct TableRights {
  bool owner = false;     // is or belongs to the owner, or is a superuser: may change the schema
  bool maintain = false;  // may VACUUM and ANALYZE
  bool select = false;    // sees rows, EXPLAIN and pg_stats
};

struct TableFacts {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  std::string owner = {};
  char kind = 'r';          // pg_class.relkind: r table, p partitioned table, m materialised view
  std::string parent = {};  // qualified, quoted name of the partitioned parent, else ""
  int leaves = 0;           // partitions that store rows below a partitioned table, all levels
  double reltuples = -1;    // the planner's row count; -1 never vacuumed or analysed
  // Of a partitioned table: whether it has column statistics of its own; nullopt without SELECT.
  std::optional<bool> statistics = {};
  TableSize size = {};
  TableCounters counters = {};
  TableTimes age = {};
  TableRights rights = {};
  std::map<std::string, std::string> options = {};  // pg_class.reloptions; TOAST's as "toast.x"
  int64_t xid_age = 0;
  int64_t mxid_age = 0;

  // schema.name, each quoted when needed: for SQL.
  std::string qualified() const;
  // The row count to reason with: the larger of reltuples and the live counter, 0 when unknown.
  double rows() const;
};

// A fact that could not be read and what would show it.
struct MissingRight {
  std::string what = {};   // "column statistics of app.t"
  std::string grant = {};  // the SQL that would show it
};

struct Tables {
  std::vector<TableFacts> tables = {};
  std::vector<MissingRight> missing = {};
};

// Which tables to read. Catalogs and TOAST tables are never listed, temporary ones only by name.
struct TableFilter {
  // One table as the user wrote it ("t", "app.t", "\"T x\""), resolved by the server's search path,
  // with its partitions; "" is all tables of the database.
  std::string table = {};
  int64_t tables_max = 20'000;  // a database with more tables is a Limit error
};

// Reads the tables of the connected database, partitioned parents before their partitions, else
// biggest first. Takes no lock stronger than AccessShare, and on catalogs only, except for the
// sizes of the tables. Errors: NotFound for an unknown `filter.table`, Invalid for a view or a
// malformed name, Limit, and those of the connection.
Result<Tables> load_tables(pg::Connection& conn, const TableFilter& filter = {});

// The oid of the relation a user named, resolved by the server. Errors: NotFound, Invalid.
Result<uint32_t> resolve_table(pg::Connection& conn, const std::string& table);

// The facts as JSON and back: what --json prints and golden tests are written in. Members that
// are absent keep their defaults. Errors: Invalid naming the member that is unknown or mistyped.
json::object to_json(const TableFacts& table);
Result<TableFacts> table_from_json(const json::value& value);
json::object to_json(const MissingRight& missing);

}  // namespace pgtend::facts
