#include "facts/upkeep.h"

#include "base/text.h"

namespace pgtend::facts {

Result<Upkeep> load_upkeep(pg::Connection& conn, const std::vector<uint32_t>& oids) {
  const pg::Rows settings = TRY_DURING(conn.query(R"(
select pg_size_bytes(current_setting('shared_buffers')),
       current_setting('max_parallel_maintenance_workers')::int8,
       pg_size_bytes(current_setting('min_parallel_index_scan_size')),
       (select count(*) from pg_stat_replication),
       exists (select from pg_language where lanname = 'plpgsql'))"),
                                       "reading what maintenance may use");
  const pg::Row row = settings[0];
  Upkeep out;
  out.costs = TRY(load_vacuum_costs(conn));
  out.shared_buffers = Bytes{TRY(row.get<int64_t>(0))};
  out.parallel_workers_max = TRY(row.get<int64_t>(1));
  out.parallel_index_min = Bytes{TRY(row.get<int64_t>(2))};
  out.standbys = TRY(row.get<int64_t>(3));
  out.plpgsql = row.text(4) == "t";
  std::string list = "{";
  for (const uint32_t oid : oids) list += cat(list.size() > 1 ? "," : "", oid);
  list += '}';
  const pg::Rows indexes = TRY_DURING(conn.query(R"(
select indrelid, count(*) from pg_index
where indrelid = any ($1::oid[]) and pg_relation_size(indexrelid) >= $2::int8 group by indrelid)",
                                                 {list, cat(out.parallel_index_min.count)}),
                                      "reading the sizes of indexes");
  for (const pg::Row index : indexes) {
    out.indexes_big[static_cast<uint32_t>(TRY(index.get<int64_t>(0)))] = TRY(index.get<int64_t>(1));
  }
  return out;
}

}  // namespace pgtend::facts
