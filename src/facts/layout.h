// How rows and index entries are laid out on their pages: columns in stored order and the widths
// that ANALYZE saw. Plain data; what the role cannot see is absent, with the reason.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// What pg_stats says about the stored values of one column. Shares are of all rows.
struct StoredStats {
  double null_frac = 0;
  // Mean bytes of a value that is not null, its header included. The server cuts it to a whole
  // number: the mean itself is in [avg_width, avg_width + 1).
  double avg_width = 0;
  double n_distinct = 0;  // as in pg_stats: negative is a share of the rows
  std::vector<double> common_frequencies = {};
  // Bytes of the value without its header, of each most common value and of each bound of the
  // histogram (those are spread evenly over the other values). Empty for types whose texts do not
  // tell.
  std::vector<int64_t> common_lengths = {};
  std::vector<int64_t> bound_lengths = {};
};

struct StoredColumn {
  std::string name = {};
  int length = -1;     // pg_attribute.attlen: bytes; -1 with a length word, -2 ends with a NUL byte
  int align = 4;       // bytes: 1, 2, 4 or 8
  char storage = 'x';  // p plain, e external, m main, x extended
  bool dropped = false;
  bool not_null = false;
  bool computed = false;  // of an index: an expression, its stats count four bytes of header
  std::optional<StoredStats> stats = {};
  std::string stats_why_not = {};  // why `stats` is unknown
  std::string grant = {};          // the SQL that would show it; "" if no right is missing

  // Whether the stored length cannot be told without `stats`: it varies, or a right is missing.
  bool unseen() const { return !dropped && !stats && (length < 0 || !not_null || !grant.empty()); }
};

struct StoredIndex {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  std::string method = {};                 // "btree", "gin", …
  std::vector<StoredColumn> columns = {};  // the keys, then those of INCLUDE
  int keys = 0;
  bool unique = false;
  bool partial = false;
  bool valid = true;
  bool deduplicates = false;  // by its operator classes, its collations and deduplicate_items
  bool exclusion = false;     // of an exclusion constraint: REINDEX CONCURRENTLY refuses it
  int fillfactor = 90;        // percent
  double reltuples = -1;      // entries, as of the last VACUUM, ANALYZE or CREATE INDEX; -1 unknown
  int64_t pages = 0;          // now
  // n_distinct of extended statistics on exactly the key columns; as in pg_stats.
  std::optional<double> n_distinct = {};

  std::string qualified() const;
};

// What the server counts of a TOAST table; its rows are chunks of values.
struct ToastCounters {
  uint32_t oid = 0;       // 0: the table has none
  bool counted = false;   // false: the server has no counters of it
  bool vacuumed = false;  // since the counters began
  int64_t chunks_live = 0;
  int64_t chunks_dead = 0;
  int64_t inserted_since_vacuum = 0;
};

struct TableLayout {
  uint32_t oid = 0;
  int fillfactor = 100;                    // percent
  int toast_target = 0;                    // storage option toast_tuple_target, 0: the server's own
  std::vector<StoredColumn> columns = {};  // by attnum, dropped ones too
  int64_t toast_pages = 0;                 // of its TOAST table
  ToastCounters toast = {};
  std::vector<StoredIndex> indexes = {};  // by name; none of a partitioned table
};

struct Layouts {
  std::map<uint32_t, TableLayout> tables = {};  // by oid
  int block_size = 8192;                        // bytes
  int64_t statistics_target = 100;
  // Days that the counters of this database have counted; nullopt if unknown or less than one.
  std::optional<double> counted_days = {};

  // How many rows ANALYZE looks at (std_typanalyze).
  double sample_rows() const { return 300 * static_cast<double>(statistics_target); }
};

// Reads the layouts of the tables `oids`; those that are gone meanwhile are left out. Needs SELECT
// on the columns for their statistics only. Takes no lock stronger than AccessShare.
// Errors: Corrupt for an impossible value, and those of the connection.
Result<Layouts> load_layouts(pg::Connection& conn, const std::vector<uint32_t>& oids);

}  // namespace pgtend::facts
