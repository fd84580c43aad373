// Bloat measured by functions of extensions: pg_freespacemap, pgstattuple. They need no SELECT, and
// work on TOAST tables, too.
#pragma once

#include <cstdint>

#include "facts/layout.h"
#include "facts/meters.h"
#include "facts/tables.h"
#include "pg/connection.h"
#include "vacuum/bloat.h"

namespace pgtend::vacuum {

// A table or TOAST table to be measured, with what its counters say.
struct Target {
  uint32_t oid = 0;
  int64_t pages = 0;
  int capacity = 8168;  // bytes of a page that a rewrite fills
  int block_size = 8192;
  bool chunks = false;    // TOAST
  bool dropped = false;   // rows may still have values of dropped columns
  bool counted = false;   // the server has counters: else none of the next four is known
  bool vacuumed = false;  // since they began
  double rows = 0;
  double dead = 0;
  double grown = 0;  // inserted since the last VACUUM
};
Target heap_target(const facts::TableFacts& table, const facts::TableLayout& layout,
                   const facts::Layouts& server);
Target toast_target(const facts::TableLayout& layout, const facts::Layouts& server);

// From the free space map: reads no page of the relation, at most 20,000 entries of its map.
// Unknown where no VACUUM has written the map, or a crash may have lost it with the counters. Needs
// meters.free_space. Errors of all below: those of the connection.
Result<Bloat> measure_by_map(pg::Connection& conn, const facts::Meters& meters,
                             const Target& target);

// Pages that pgstattuple_approx() reads at most: those that are not all-visible, where
// pg_visibility tells which are, else all.
Result<int64_t> pages_by_approximation(pg::Connection& conn, const facts::Meters& meters,
                                       const Target& target);
// By pgstattuple_approx(); pages it has read are added to `pages_read`. Needs meters.approximate.
Result<Bloat> measure_by_approximation(pg::Connection& conn, const facts::Meters& meters,
                                       const Target& target, int64_t& pages_read);
// Whether pgstattuple_approx() tells of the relation: not of TOAST on 13, nor where a crash may
// have lost the map with the counters.
bool approximates(const facts::Meters& meters, const Target& target);

// By pgstattuple(), which reads all pages. Needs meters.tuples.
Result<Bloat> measure_by_tuples(pg::Connection& conn, const facts::Meters& meters,
                                const Target& target);

// A btree by pgstatindex(), which reads all of it. `rows` are those of the table. Needs
// meters.index and a valid index.
Result<Bloat> measure_by_density(pg::Connection& conn, const facts::Meters& meters,
                                 const facts::TableFacts& table, const facts::StoredIndex& index,
                                 const RowCount& rows, int block_size);

}  // namespace pgtend::vacuum
