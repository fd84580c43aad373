// What planning a compaction reads: sizes, bloat, the table's end, growth, extensions.
#include <sys/statvfs.h>

#include <algorithm>

#include "base/text.h"
#include "care/standbys.h"
#include "vacuum/bloat_report.h"
#include "vacuum/compact.h"
#include "vacuum/compact_fit.h"
#include "vacuum/compact_repack.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionTidRange = 140000;
constexpr int64_t kTailPagesMax = 2'000;  // that are read to see how empty the end is
constexpr int64_t kTailStep = 64;

// Reads pages from the end as long as they are nearly empty. Needs SELECT on the table.
Result<std::optional<Tail>> load_tail(pg::Connection& conn, const CompactFacts& facts,
                                      const CompactPolicy& policy) {
  const bool can = facts.table.version >= kVersionTidRange && facts.table.may_read &&
                   !facts.table.row_security && facts.heap.known() && facts.rows > 0;
  if (!can) return std::optional<Tail>();
  const double page_rows = facts.rows / std::max(facts.heap.needed.best, 1.0);
  Tail out;
  for (int64_t end = facts.table.pages; end > 0 && out.pages < kTailPagesMax; end -= kTailStep) {
    const int64_t first = std::max<int64_t>(0, end - kTailStep);
    const pg::Rows counted = TRY(conn.query(
        cat("select count(*) from only ", facts.table.table, " where ctid >= $1 and ctid < $2"),
        {cat("(", first, ",0)"), cat("(", end, ",0)")}));
    const int64_t rows = TRY(counted[0].get<int64_t>(0));
    const double full = page_rows * static_cast<double>(end - first);
    if (static_cast<double>(rows) > policy.density_tail * full) break;
    out.pages += end - first;
    out.rows += rows;
  }
  return std::optional<Tail>(out);
}

Status load_surroundings(pg::Connection& conn, CompactFacts& facts) {
  const pg::Rows rows = TRY(conn.query(R"(
select coalesce((select extversion from pg_extension where extname = 'pg_repack'), ''),
       coalesce((select extversion from pg_extension where extname = 'pg_squeeze'), ''),
       exists (select from pg_index i where i.indrelid = $1::oid and i.indisunique and i.indisvalid
               and i.indpred is null and not exists (
                 select from unnest(i.indkey) k left join pg_attribute a
                 on a.attrelid = i.indrelid and a.attnum = k where k = 0 or not a.attnotnull)),
       current_setting('wal_level') = 'logical', current_setting('is_superuser') = 'on',
       current_database(),
       (pg_stat_get_tuples_inserted($1::oid) - pg_stat_get_tuples_deleted($1::oid))
         / (select extract(epoch from now() - stats_reset)::float8 / 86400 from pg_stat_database
            where datname = current_database() and stats_reset < now() - interval '1 day'))",
                                       {std::to_string(facts.table.oid)}));
  const pg::Row row = rows[0];
  facts.rewriters = {.repack = std::string(row.text(0)),
                     .squeeze = std::string(row.text(1)),
                     .key = TRY(row.get<bool>(2)),
                     .logical = TRY(row.get<bool>(3)),
                     .superuser = TRY(row.get<bool>(4))};
  facts.database = std::string(row.text(5));
  const auto rows_day = TRY(row.get<std::optional<double>>(6));
  if (rows_day && facts.heap.known() && facts.rows > 0) {
    facts.growth_bytes_day =
        *rows_day * facts.heap.needed.best * facts.table.block_size / facts.rows;
  }
  return ok();
}

// Free bytes where the table lies, if the server is on this machine and tells its folder.
Result<std::optional<int64_t>> load_free(pg::Connection& conn, const CompactFacts& facts) {
  const pg::Rows rows = TRY(conn.query(R"(
select coalesce(nullif(pg_tablespace_location(c.reltablespace), ''),
                current_setting('data_directory', true), '')
from pg_class c where c.oid = $1::oid and inet_server_addr() is null
  and (c.reltablespace = 0 or pg_has_role('pg_read_all_settings', 'member')
       or current_setting('is_superuser') = 'on'))",
                                       {std::to_string(facts.table.oid)}));
  struct statvfs disk {};
  if (rows.empty() || rows[0].text(0).empty() ||
      statvfs(std::string(rows[0].text(0)).c_str(), &disk) != 0) {
    return std::optional<int64_t>();
  }
  return std::optional(static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize));
}

}  // namespace

Result<CompactFacts> load_compact_facts(pg::Connection& conn, const CompactSetup& setup) {
  CompactFacts out;
  const uint32_t oid = TRY(facts::resolve_table(conn, setup.table));
  out.table = TRY(load_compact_table(conn, oid));
  out.table.replica_role = TRY(may_silence_triggers(conn));
  const auto fit = fit_to_move(out.table, setup.published);
  if (!fit) {
    const Error& error = fit.error();
    out.why_not_move =
        error.hint.empty() ? error.message : cat(error.message, " (", error.hint, ")");
  }
  const auto store = fit_to_store(out.table);
  if (!store) out.why_not_store = cat(store.error().message, " (", store.error().hint, ")");
  if (out.table.kind != 'r') return out;
  BloatSetup bloat{.tables = {setup.table}};
  const BloatReport report = TRY(load_bloat(conn, bloat));
  for (const TableBloat& table : report.tables) {
    if (table.oid != oid) continue;
    out.heap = table.heap;
    if (table.toast) {
      out.toast = *table.toast;
      out.toast_pages = table.toast->pages;
    }
    for (const IndexBloat& index : table.indexes) {
      out.indexes.push_back({index.name, index.method == "btree", index.bloat});
    }
  }
  const facts::Tables tables = TRY(facts::load_tables(conn, {.table = setup.table}));
  for (const facts::TableFacts& table : tables.tables) {
    if (table.oid == oid) out.rows = table.rows();
  }
  TRY(load_surroundings(conn, out));
  if (!out.rewriters.repack.empty() && out.rewriters.superuser) {
    out.rewriters.client = find_repack(out.table.version);
    out.rewriters.free_bytes = TRY(load_free(conn, out));
  }
  const care::Standbys standbys = TRY(care::load_standbys(conn));
  for (const care::Standby& standby : standbys.list) {
    out.standbys.push_back(standby.name.empty() ? "one whose name may not be seen" : standby.name);
  }
  out.tail = TRY(load_tail(conn, out, setup.policy));
  return out;
}

}  // namespace pgtend::vacuum
