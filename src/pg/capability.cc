#include "pg/capability.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::pg {
namespace {

constexpr std::string_view kUnknownProvider = "self-managed or unknown";

// How a provider gives itself away. All rows are asked in one query; the first that holds counts,
// so the special case stands above the general one (Aurora also has RDS's settings).
struct ProviderSign {
  std::string_view provider;
  std::string_view kind;  // "setting" (prefix), "role", "extension", "function", "schema"
  std::string_view name;
};

constexpr ProviderSign kProviderSigns[] = {
    {"Amazon Aurora", "function", "aurora_version"},
    {"Amazon RDS", "setting", "rds."},
    {"Amazon RDS", "role", "rds_superuser"},
    {"Google AlloyDB", "role", "alloydbsuperuser"},
    {"Google AlloyDB", "setting", "alloydb."},
    {"Google Cloud SQL", "role", "cloudsqlsuperuser"},
    {"Google Cloud SQL", "setting", "cloudsql."},
    {"Azure Database for PostgreSQL", "role", "azure_pg_admin"},
    {"Azure Database for PostgreSQL", "setting", "azure."},
    {"Neon", "role", "neon_superuser"},
    {"Neon", "setting", "neon."},
    {"Supabase", "role", "supabase_admin"},
    {"Supabase", "setting", "supautils."},
    {"DigitalOcean", "role", "doadmin"},
    {"Aiven", "setting", "aiven."},
    {"Aiven", "extension", "aiven_extras"},
    {"Timescale", "role", "tsdbadmin"},
    {"Heroku", "schema", "heroku_ext"},
};

constexpr std::string_view kServerSql =
    "SELECT pg_catalog.current_setting('server_version_num'),"
    " pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),"
    " current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text, r.rolsuper"
    " FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

constexpr std::string_view kRolesSql =
    "SELECT rolname::pg_catalog.text, pg_catalog.pg_has_role(current_user, oid, 'USAGE')"
    " FROM pg_catalog.pg_roles WHERE rolname IN ('pg_monitor', 'pg_read_all_stats',"
    " 'pg_read_all_settings', 'pg_stat_scan_tables', 'pg_read_all_data', 'pg_maintain',"
    " 'pg_signal_backend', 'pg_checkpoint', 'pg_create_subscription') ORDER BY 1";

constexpr std::string_view kExtensionsSql =
    "SELECT COALESCE(a.name, e.extname)::pg_catalog.text, a.default_version, e.extversion,"
    " n.nspname::pg_catalog.text"
    " FROM pg_catalog.pg_available_extensions a"
    " FULL JOIN pg_catalog.pg_extension e ON e.extname = a.name"
    " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1";

// One boolean column a row of kProviderSigns.
std::string sign_condition(const ProviderSign& sign) {
  const std::string value = literal(sign.name);
  if (sign.kind == "setting") {
    return cat("EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pg_catalog.starts_with(name, ",
               value, "))");
  }
  const std::string_view source =
      sign.kind == "role"        ? "pg_catalog.pg_roles WHERE rolname"
      : sign.kind == "extension" ? "pg_catalog.pg_available_extensions WHERE name"
      : sign.kind == "function"  ? "pg_catalog.pg_proc WHERE proname"
                                 : "pg_catalog.pg_namespace WHERE nspname";
  return cat("EXISTS (SELECT FROM ", source, " = ", value, ")");
}

std::string provider_sql() {
  std::string sql = "SELECT ";
  for (const ProviderSign& sign : kProviderSigns) {
    sql += cat(&sign == kProviderSigns ? "" : ", ", sign_condition(sign));
  }
  return sql;
}

Status fill_server(Capability& out, const Rows& rows) {
  if (rows.size() != 1) return Error{ErrorCode::Corrupt, "the current role is not in pg_roles"};
  const Row row = rows[0];
  const auto number = TRY(parse_int(row.text(0)));
  out.version_number = static_cast<int>(number);
  out.version = TRY(row.get<std::string>(1));
  out.in_recovery = TRY(row.get<bool>(2));
  out.user = TRY(row.get<std::string>(3));
  out.database = TRY(row.get<std::string>(4));
  out.superuser = TRY(row.get<bool>(5));
  return ok();
}

Status fill_provider(Capability& out, const Rows& rows) {
  out.provider = kUnknownProvider;
  for (size_t i = 0; i < std::size(kProviderSigns); ++i) {
    if (!TRY(rows[0].get<bool>(static_cast<int>(i)))) continue;
    const ProviderSign& sign = kProviderSigns[i];
    out.provider = sign.provider;
    out.provider_because =
        cat("there is a ", sign.kind, " ", sign.name, sign.kind == "setting" ? "*" : "");
    break;
  }
  return ok();
}

Status fill_extensions(Capability& out, const Rows& rows) {
  for (const Row row : rows) {
    Extension extension;
    extension.name = TRY(row.get<std::string>(0));
    extension.available = row.text(1);
    extension.installed = row.text(2);
    extension.schema = row.text(3);
    out.extensions.push_back(std::move(extension));
  }
  return ok();
}

// What of `owner`'s relations the current user can do. Foreign tables and views hold no rows of
// their own; TOAST tables and indexes follow their table.
constexpr std::string_view kTablesFrom =
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relowner = $1::pg_catalog.oid AND c.relkind IN ('r', 'p', 'm')"
    " AND c.relpersistence <> 't'";

constexpr std::string_view kReadable =
    "(pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
    " AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";

// Numbers and names about one owner.
struct OwnerRights {
  std::string oid = {};
  bool inherits = false;       // has the owner's rights without asking
  bool may_become = false;     // SET ROLE owner
  bool owns_database = false;  // may VACUUM and ANALYZE everything in it
  int64_t tables = 0;
  int64_t unreadable = 0;
  int64_t unmaintainable = 0;  // 17+: without MAINTAIN
  std::vector<std::string> unreadable_schemas = {};
};

Result<OwnerRights> read_owner(Connection& conn, const Capability& capability,
                               const std::string& owner) {
  const std::string_view may_become = capability.major() >= 16 ? "SET" : "MEMBER";
  const Rows rows = TRY(conn.query(
      cat("SELECT r.oid::pg_catalog.text, pg_catalog.pg_has_role(r.oid, 'USAGE'),"
          " pg_catalog.pg_has_role(r.oid, ",
          literal(may_become),
          "), (SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_database d"
          " WHERE d.datname = pg_catalog.current_database())"
          " FROM pg_catalog.pg_roles r WHERE r.rolname = $1"),
      {owner}));
  if (rows.empty()) {
    return Error{ErrorCode::NotFound, cat("role ", ident(owner), " does not exist"), "42704",
                 "list the roles of the server with: \\du in psql"};
  }
  OwnerRights out;
  out.oid = TRY(rows[0].get<std::string>(0));
  out.inherits = TRY(rows[0].get<bool>(1));
  out.may_become = TRY(rows[0].get<bool>(2));
  out.owns_database = TRY(rows[0].get<bool>(3));
  return out;
}

Status read_tables(Connection& conn, const Capability& capability, OwnerRights& out) {
  const std::string_view maintainable =
      capability.major() >= 17 ? "pg_catalog.has_table_privilege(c.oid, 'MAINTAIN')" : "true";
  const Rows counts = TRY(conn.query(
      cat("SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE NOT ", kReadable,
          "), pg_catalog.count(*) FILTER (WHERE NOT ", maintainable, ")", kTablesFrom),
      {out.oid}));
  out.tables = TRY(counts[0].get<int64_t>(0));
  out.unreadable = TRY(counts[0].get<int64_t>(1));
  out.unmaintainable = TRY(counts[0].get<int64_t>(2));
  if (out.unreadable == 0) return ok();
  const Rows schemas = TRY(conn.query(cat("SELECT DISTINCT n.nspname::pg_catalog.text", kTablesFrom,
                                          " AND NOT ", kReadable, " ORDER BY 1"),
                                      {out.oid}));
  for (const Row row : schemas) out.unreadable_schemas.emplace_back(row.text(0));
  return ok();
}

std::string read_grant(const OwnerRights& rights, const std::string& user) {
  std::vector<std::string> statements;
  for (const std::string& schema : rights.unreadable_schemas) {
    statements.push_back(cat("GRANT USAGE ON SCHEMA ", ident(schema), " TO ", user));
    statements.push_back(cat("GRANT SELECT ON ALL TABLES IN SCHEMA ", ident(schema), " TO ", user));
  }
  return join(statements, "; ");
}

// The level before the first one that misses something.
Level reached_with(const std::vector<MissingRight>& missing) {
  if (missing.empty()) return Level::Change;
  return static_cast<Level>(static_cast<int>(missing.front().level) - 1);
}

}  // namespace

std::string_view name(Level level) {
  switch (level) {
    case Level::None:
      return "none";
    case Level::Watch:
      return "watch";
    case Level::Advise:
      return "advise";
    case Level::Maintain:
      return "maintain";
    case Level::Change:
      return "change";
  }
  std::abort();
}

const Extension* Capability::extension(std::string_view extension_name) const {
  const auto at = std::ranges::find_if(
      extensions, [&](const Extension& candidate) { return candidate.name == extension_name; });
  return at == extensions.end() ? nullptr : &*at;
}

bool Capability::installed(std::string_view extension_name) const {
  const Extension* found = extension(extension_name);
  return found != nullptr && !found->installed.empty();
}

bool Capability::has_role(std::string_view role_name) const {
  return std::ranges::any_of(
      roles, [&](const PredefinedRole& role) { return role.name == role_name && role.has; });
}

Result<Capability> read_capability(Connection& conn) {
  const std::vector<Statement> statements = {{std::string(kServerSql)},
                                             {std::string(kRolesSql)},
                                             {std::string(kExtensionsSql)},
                                             {provider_sql()}};
  const auto results = TRY_DURING(conn.pipeline(statements), "reading what the server allows");
  Capability out;
  TRY(fill_server(out, results[0]));
  for (const Row row : results[1]) {
    const bool has = TRY(row.get<bool>(1));
    out.roles.push_back({std::string(row.text(0)), has});
  }
  TRY(fill_extensions(out, results[2]));
  TRY(fill_provider(out, results[3]));
  return out;
}

Result<LevelReport> read_level(Connection& conn, const Capability& capability,
                               const std::string& owner) {
  OwnerRights rights = TRY(read_owner(conn, capability, owner));
  TRY(read_tables(conn, capability, rights));
  const std::string user = ident(capability.user);
  const std::string owner_name = ident(owner);
  LevelReport report;
  if (!capability.has_role("pg_monitor")) {
    report.missing.push_back({Level::Watch, "activity, statements and sizes of others are hidden",
                              cat("GRANT pg_monitor TO ", user)});
  }
  if (rights.unreadable > 0) {
    report.missing.push_back({Level::Advise,
                              cat("column statistics and plans of ", rights.unreadable, " of ",
                                  rights.tables, " tables of ", owner_name, " are hidden"),
                              read_grant(rights, user)});
  }
  const bool predefined = capability.major() >= 17;
  const bool maintains = rights.inherits || rights.owns_database ||
                         (predefined && (rights.tables > 0 ? rights.unmaintainable == 0
                                                           : capability.has_role("pg_maintain")));
  if (!maintains) {
    report.missing.push_back(
        {Level::Maintain, cat("tables of ", owner_name, " cannot be vacuumed or analyzed"),
         cat("GRANT ", predefined ? "pg_maintain" : owner_name, " TO ", user)});
  }
  if (!rights.may_become) {
    // Before 17 the maintain level rests on inheriting the owner's rights: that must stay.
    const std::string_view how = capability.major() < 16 ? ""
                                 : capability.major() == 16 || rights.inherits
                                     ? " WITH SET TRUE"
                                     : " WITH INHERIT FALSE, SET TRUE";
    report.missing.push_back({Level::Change,
                              cat("nothing can be created or altered in the name of ", owner_name),
                              cat("GRANT ", owner_name, " TO ", user, how)});
  }
  report.reached = reached_with(report.missing);
  return report;
}

}  // namespace pgtend::pg
