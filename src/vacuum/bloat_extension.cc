#include "vacuum/bloat_extension.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/text.h"
#include "vacuum/bloat_btree.h"
#include "vacuum/bloat_free.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/tuple_length.h"

namespace pgtend::vacuum {
namespace {

constexpr int64_t kMapEntriesMax = 20'000;
constexpr double kAlignmentLoss = 7;  // bytes of a row at most; pgstattuple counts without them
constexpr int kVersionToastApproximated = 140000;

// Its members of `target`.
Contents contents_of(const Target& target) {
  return {.pages = target.pages,
          .rows = target.rows,
          .chunks = target.chunks,
          .dropped = target.dropped,
          .block_size = target.block_size,
          .capacity = target.capacity};
}

bool has_dropped(const facts::TableLayout& layout) {
  return std::ranges::any_of(layout.columns, &facts::StoredColumn::dropped);
}

Bloat said_by(const Target& target, Method method, const Contents& contents, std::string why) {
  if (target.dropped) {
    why += cat(why.empty() ? "" : ", ", "what values of dropped columns take is not known");
  }
  return {.method = method,
          .pages = target.pages,
          .needed = needed_pages(contents),
          .why = std::move(why)};
}

}  // namespace

Target heap_target(const facts::TableFacts& table, const facts::TableLayout& layout,
                   const facts::Layouts& server) {
  const facts::TableCounters& counters = table.counters;
  return {.oid = table.oid,
          .pages = table.size.pages,
          .capacity = heap_capacity(server.block_size, layout.fillfactor),
          .block_size = server.block_size,
          .dropped = has_dropped(layout),
          .counted = counters.present,
          .vacuumed = table.age.vacuum.has_value() || table.age.autovacuum.has_value(),
          .rows = count_rows(table, 0, server.sample_rows()).rows.best,
          .dead = static_cast<double>(std::max<int64_t>(counters.rows_dead, 0)),
          .grown = static_cast<double>(std::max<int64_t>(counters.inserted_since_vacuum, 0))};
}

Target toast_target(const facts::TableLayout& layout, const facts::Layouts& server) {
  const facts::ToastCounters& counters = layout.toast;
  return {.oid = counters.oid,
          .pages = layout.toast_pages,
          .capacity = heap_capacity(server.block_size, 100),
          .block_size = server.block_size,
          .chunks = true,
          .dropped = has_dropped(layout),
          .counted = counters.counted,
          .vacuumed = counters.vacuumed,
          .rows = static_cast<double>(std::max<int64_t>(counters.chunks_live, 0)),
          .dead = static_cast<double>(std::max<int64_t>(counters.chunks_dead, 0)),
          .grown = static_cast<double>(std::max<int64_t>(counters.inserted_since_vacuum, 0))};
}

Result<Bloat> measure_by_map(pg::Connection& conn, const facts::Meters& meters,
                             const Target& target) {
  if (!target.counted || !target.vacuumed) {
    return unknown_bloat(target.pages, "no VACUUM is known to have written the free space map");
  }
  const int64_t step = std::max<int64_t>((target.pages + kMapEntriesMax - 1) / kMapEntriesMax, 1);
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("SELECT x.free::int8, count(*) FROM (SELECT ", meters.free_space.function,
                     "($1::oid::regclass, b) AS free FROM pg_catalog.generate_series($2::int8, "
                     "$3::int8 - 1, $4::int8) b) x GROUP BY 1"),
                 {cat(target.oid), cat(step / 2), cat(target.pages), cat(step)}),
      "reading a free space map");
  std::vector<MapEntry> entries;
  for (const pg::Row row : rows) {
    entries.push_back({.free = TRY(row.get<int64_t>(0)), .pages = TRY(row.get<int64_t>(1))});
  }
  Contents contents = contents_of(target);
  contents.free = mapped_free(entries, target.pages, target.block_size);
  contents.dead = target.dead;
  contents.grown = target.grown;
  return said_by(target, Method::FreeSpaceMap, contents, "as VACUUM left it");
}

bool approximates(const facts::Meters& meters, const Target& target) {
  if (!meters.approximate.usable() || !target.counted) return false;
  return !target.chunks || meters.server_version >= kVersionToastApproximated;
}

Result<int64_t> pages_by_approximation(pg::Connection& conn, const facts::Meters& meters,
                                       const Target& target) {
  if (!meters.visible.usable()) return target.pages;
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("SELECT all_visible FROM ", meters.visible.function, "($1::oid::regclass)"),
                 {cat(target.oid)}),
      "reading a visibility map");
  return std::max<int64_t>(target.pages - TRY(rows[0].get<int64_t>(0)), 0);
}

Result<Bloat> measure_by_approximation(pg::Connection& conn, const facts::Meters& meters,
                                       const Target& target, int64_t& pages_read) {
  const pg::Rows rows = TRY_DURING(
      conn.query(
          cat("SELECT scanned_percent, approx_tuple_count::float8, dead_tuple_count::float8, "
              "dead_tuple_len::float8, approx_free_space::float8 FROM ",
              meters.approximate.function, "($1::oid::regclass)"),
          {cat(target.oid)}),
      "measuring by pgstattuple_approx");
  const pg::Row row = rows[0];
  const double share = std::clamp(TRY(row.get<double>(0)) / 100, 0.0, 1.0);
  const double dead = TRY(row.get<double>(2));
  const auto pages = static_cast<double>(target.pages);
  const auto scanned = std::llround(std::ceil(share * pages));
  pages_read += scanned;
  // What is free on pages that it did not read is told by the map, rounded down.
  const double step = target.block_size / 256.0 * (1 - share) + kLinePointer;
  const double free = TRY(row.get<double>(4)) + TRY(row.get<double>(3));
  Contents contents = contents_of(target);
  contents.rows = TRY(row.get<double>(1));
  contents.free = {.low = free,
                   .best = free + pages * step / 2,
                   .high = free + pages * step + dead * (kLinePointer + kAlignmentLoss)};
  return said_by(target, Method::Approximation, contents,
                 cat(grouped(scanned), scanned == 1 ? " page" : " pages", " read"));
}

Result<Bloat> measure_by_tuples(pg::Connection& conn, const facts::Meters& meters,
                                const Target& target) {
  const pg::Rows rows =
      TRY_DURING(conn.query(cat("SELECT tuple_count::float8, tuple_len::float8 FROM ",
                                meters.tuples.function, "($1::oid::regclass)"),
                            {cat(target.oid)}),
                 "measuring by pgstattuple");
  const double count = TRY(rows[0].get<double>(0));
  const double used = TRY(rows[0].get<double>(1)) + count * kLinePointer;
  const double all = static_cast<double>(target.pages) * (target.block_size - 24);
  Contents contents = contents_of(target);
  contents.rows = count;
  contents.pointers = false;
  contents.free = {.low = all - used - count * kAlignmentLoss,
                   .best = all - used - count * kAlignmentLoss / 2,
                   .high = all - used};
  return said_by(target, Method::Tuples, contents, "");
}

Result<Bloat> measure_by_density(pg::Connection& conn, const facts::Meters& meters,
                                 const facts::TableFacts& table, const facts::StoredIndex& index,
                                 const RowCount& rows, int block_size) {
  const pg::Rows found = TRY_DURING(
      conn.query(cat("SELECT leaf_pages, coalesce(nullif(avg_leaf_density, 'NaN'), 0) FROM ",
                     meters.index.function, "($1::oid::regclass)"),
                 {cat(index.oid)}),
      cat("measuring ", index.qualified()));
  LeafDensity density{.leaf_pages = TRY(found[0].get<int64_t>(0)),
                      .density = TRY(found[0].get<double>(1)),
                      .lists = keeps_lists(index),
                      .fillfactor = index.fillfactor,
                      .block_size = block_size};
  density.entries = index.partial ? std::max(index.reltuples, 0.0) : rows.rows.best;
  density.dead = static_cast<double>(std::max<int64_t>(table.counters.rows_dead, 0));
  density.long_keys = std::ranges::any_of(
      index.columns, [](const facts::StoredColumn& column) { return column.length < 0; });
  Bloat out{.method = Method::LeafDensity, .pages = index.pages};
  out.needed = needed_index_pages(density);
  if (density.lists) out.why = "how many keys are equal is not known";
  return out;
}

}  // namespace pgtend::vacuum
