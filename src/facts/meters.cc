#include "facts/meters.h"

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

constexpr std::string_view kMetersSql = R"(
SELECT p.proname, n.nspname,
       pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
         AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass
       AND d.refobjid = e.oid AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_catalog.pg_proc p ON p.oid = d.objid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE (e.extname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)) IN (
   ('pg_freespacemap', 'pg_freespace', 'regclass, bigint'),
   ('pgstattuple', 'pgstattuple_approx', 'regclass'),
   ('pgstattuple', 'pgstattuple', 'regclass'),
   ('pgstattuple', 'pgstatindex', 'regclass'),
   ('pg_visibility', 'pg_visibility_map_summary', 'regclass')))";

constexpr std::pair<std::string_view, Meter Meters::*> kMeters[] = {
    {"pg_freespace", &Meters::free_space},
    {"pgstattuple_approx", &Meters::approximate},
    {"pgstattuple", &Meters::tuples},
    {"pgstatindex", &Meters::index},
    {"pg_visibility_map_summary", &Meters::visible},
};

}  // namespace

std::string Meters::free_space_grant() const {
  if (free_space.usable()) return "";
  if (!free_space.function.empty()) return cat("GRANT pg_stat_scan_tables TO ", role);
  return map_on_disk ? "CREATE EXTENSION pg_freespacemap" : "";
}

Result<Meters> load_meters(pg::Connection& conn) {
  Meters out{.server_version = conn.server_version()};
  const pg::Rows found = TRY_DURING(conn.query(kMetersSql), "reading what measures bloat");
  for (const pg::Row row : found) {
    for (const auto& [name, member] : kMeters) {
      if (row.text(0) != name) continue;
      out.*member = {.function = pg::qualified(row.text(1), row.text(0)),
                     .allowed = TRY(row.get<bool>(2))};
    }
  }
  const pg::Rows rest =
      TRY(conn.query("SELECT pg_catalog.quote_ident(current_user::text), EXISTS (SELECT FROM "
                     "pg_catalog.pg_available_extensions WHERE name = 'pg_freespacemap')"));
  out.role = rest[0].text(0);
  out.map_on_disk = TRY(rest[0].get<bool>(1));
  return out;
}

}  // namespace pgtend::facts
