// How much of a relation is bloat: pages it has against pages it would need if it were written
// anew (a table by VACUUM FULL, a btree by REINDEX). Never a bare number: each has its method and
// an interval, or is unknown with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::vacuum {

// Pages, rows or bytes; low <= best <= high.
struct Interval {
  double low = 0;
  double best = 0;
  double high = 0;
};

enum class Method : uint8_t {
  Unknown,        // see Bloat::why
  Statistics,     // from pg_class and pg_stats: reads no page
  FreeSpaceMap,   // from the map that VACUUM wrote
  Approximation,  // by pgstattuple_approx(): that map, and the pages not all-visible
  LeafDensity,    // by pgstatindex(): how full the leaf pages of a btree are
  Sample,         // from the rows of some blocks, chosen at random
  Tuples,         // by pgstattuple(): the lengths of all rows
  Count,          // from every row
};
std::string_view name(Method method);  // "unknown", "statistics", "fsm", …
// Errors: Invalid.
Result<Method> method_named(std::string_view text);

struct Bloat {
  Method method = Method::Unknown;
  int64_t pages = 0;       // that the main fork has now
  Interval needed = {};    // pages after a rewrite; of no meaning when the method is Unknown
  std::string why = {};    // why it is unknown; or what makes the interval wide
  std::string grant = {};  // the SQL that would help when a right is missing, else ""

  bool known() const { return method != Method::Unknown; }
  // Pages that a rewrite would give back, none below 0.
  Interval wasted() const;
  // The same as a share of `pages`, 0 to 1; all 0 for an empty relation.
  Interval share() const;
};

// A relation of which nothing is known but its pages.
Bloat unknown_bloat(int64_t pages, std::string why, std::string grant = "");

// How many rows a relation has, as far as the server knows.
struct RowCount {
  Interval rows = {};
  double changed = 0;  // share of the rows whose widths ANALYZE may not have seen, 0 to 1
};

}  // namespace pgtend::vacuum
