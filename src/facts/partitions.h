// How a table is divided: its key, its partitions with their bounds, what is missing between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "pg/connection.h"

namespace pgtend::facts {

// One direct partition. Bounds are texts of the key's type as the server writes them.
struct Partition {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  std::string bound = {};                // "FOR VALUES FROM ('…') TO ('…')", "DEFAULT"
  std::optional<std::string> from = {};  // of a one-column range; nullopt: MINVALUE, or no range
  std::optional<std::string> to = {};    // exclusive; nullopt: MAXVALUE, or no range
  bool is_default = false;
  bool partitioned = false;     // divided further: sizes are of all below
  bool detach_pending = false;  // 14 and later: DETACH CONCURRENTLY was interrupted
  Bytes bytes = {};             // with indexes and TOAST
  double rows = 0;              // the planner's; 0 when unknown

  std::string qualified() const;
};

// Values between two partitions that have no place.
struct Gap {
  std::string from = {};
  std::string to = {};
};

struct Layout {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  bool partitioned = false;                // false: a plain table, everything below is empty
  std::string strategy = {};               // "range", "list", "hash"
  std::string key = {};                    // as in PARTITION BY: "(reading_timestamp)"
  std::string column = {};                 // of a one-column key, else ""
  std::string type = {};                   // of that column: "timestamp with time zone"
  std::string time_zone = {};              // in which the bounds are written
  std::vector<Partition> partitions = {};  // ranges by their lower bound, the default last
  std::vector<Gap> gaps = {};
  // Time from now to the end of the last range; nullopt: no time key, no range, or MAXVALUE.
  std::optional<double> runway_s = {};

  std::string qualified() const;
  bool has_default() const;
};

// Reads the layout of `table` (as the user wrote it), times in `time_zone`. Opens a read-only
// transaction unless one is open. Errors: NotFound, Invalid (no table, unknown zone), and those of
// the connection.
Result<Layout> load_layout(pg::Connection& conn, const std::string& table,
                           const std::string& time_zone = "UTC");

json::object to_json(const Layout& layout);

// The two bounds in the server's text of a one-column range partition, unquoted; nullopt where it
// says MINVALUE or MAXVALUE. Errors: Invalid for anything else.
struct RangeBound {
  std::optional<std::string> from = {};
  std::optional<std::string> to = {};
};
Result<RangeBound> parse_range_bound(std::string_view text);

}  // namespace pgtend::facts
