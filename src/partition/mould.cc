#include "partition/mould.h"

#include <ranges>

#include "base/text.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using pg::ident;
using pg::literal;

constexpr int kCompressionFrom = 140000;
constexpr std::string_view kBounds = "pgtend_bounds";
// How long others may wait behind us for a table that is not the parent.
constexpr std::string_view kShortWait = "SET LOCAL lock_timeout = 200";

// Of table $1, with an empty search path: what stands on it alone and not on its parent.
constexpr std::string_view kOwnIndexes =
    "select pg_get_indexdef(i.indexrelid), format('CREATE %sINDEX %I ON %s ', case when "
    "i.indisunique then 'UNIQUE ' else '' end, c.relname, i.indrelid::regclass), i.indisunique "
    "from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1 and "
    "i.indisvalid and not exists (select from pg_inherits h where h.inhrelid = i.indexrelid) and "
    "not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = "
    "i.indrelid and k.contype in ('p', 'u', 'x')) order by c.relname";
constexpr std::string_view kOwnConstraints =
    "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1 and conparentid = 0 "
    "and contype in ('p', 'u', 'x', 'f') order by contype = 'f', conname";
constexpr std::string_view kNature =
    "select c.relpersistence = 'u', case when m.amname = current_setting('default_table_access_"
    "method') then '' else quote_ident(m.amname) end, c.relrowsecurity, c.relforcerowsecurity, "
    "c.relreplident::text, (select h.inhparent from pg_index i join pg_inherits h on h.inhrelid = "
    "i.indexrelid where i.indrelid = c.oid and i.indisreplident), exists (select from "
    "pg_publication_rel p where p.prrelid = c.oid), c.relkind::text from pg_class c join pg_am m "
    "on m.oid = c.relam where c.oid = $1";

// The new partition's index that belongs to the parent's index `parent` becomes its identity.
std::string identity_by(const std::string& parent, const std::string& leaf) {
  return cat("DO ", literal(cat("BEGIN EXECUTE (SELECT pg_catalog.format('ALTER TABLE %s REPLICA "
                                "IDENTITY USING INDEX %I', i.indrelid::pg_catalog.regclass, "
                                "c.relname) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c "
                                "ON c.oid = i.indexrelid JOIN pg_catalog.pg_inherits h ON "
                                "h.inhrelid = c.oid WHERE i.indrelid = pg_catalog.to_regclass(",
                                literal(leaf), ") AND h.inhparent = ", parent, "); END")));
}

Status load_nature(pg::Connection& conn, uint32_t oid, Mould& mould) {
  const pg::Rows rows = TRY(conn.query(kNature, {cat(oid)}));
  if (rows.empty()) return Error{ErrorCode::NotFound, "the newest partition has been dropped"};
  const pg::Row row = rows[0];
  mould.unlogged = TRY(row.get<bool>(0));
  mould.method = row.text(1);
  const auto alter = [&](std::string_view what) {
    mould.own.push_back({"ALTER TABLE ", std::string(what)});
  };
  if (TRY(row.get<bool>(2))) alter(" ENABLE ROW LEVEL SECURITY");
  if (TRY(row.get<bool>(3))) alter(" FORCE ROW LEVEL SECURITY");
  const std::string_view identity = row.text(4);
  if (!mould.like->replica_identity.empty()) {
    alter(cat(" REPLICA IDENTITY ", mould.like->replica_identity));
  }
  if (identity == "i" && !row.null(5)) mould.identity_index = row.text(5);
  if (identity == "i" && row.null(5)) {
    mould.warnings.push_back(
        cat("the replica identity of ", mould.like->qualified(),
            " is an index that its parent does not have: new partitions have the default one"));
  }
  if (TRY(row.get<bool>(6))) {
    mould.warnings.push_back(cat(mould.like->qualified(),
                                 " is itself in a publication, new "
                                 "partitions are not: publish the parent"));
  }
  return ok();
}

Status load_own(pg::Connection& conn, uint32_t oid, Mould& mould) {
  TRY(conn.exec("SET LOCAL search_path = ''"));
  TRY(load_nature(conn, oid, mould));
  const pg::Rows indexes = TRY(conn.query(kOwnIndexes, {cat(oid)}));
  for (const pg::Row row : indexes) {
    const std::string_view definition = row.text(0);
    const std::string_view head = row.text(1);
    CHECK(definition.starts_with(head));
    mould.own_keys.push_back({cat("CREATE ", TRY(row.get<bool>(2)) ? "UNIQUE " : "", "INDEX ON "),
                              cat(" ", definition.substr(head.size()))});
  }
  const pg::Rows constraints = TRY(conn.query(kOwnConstraints, {cat(oid)}));
  for (const pg::Row row : constraints) {
    mould.own_keys.push_back({"ALTER TABLE ", cat(" ADD ", row.text(0))});
  }
  const pg::Rows policies = TRY(
      conn.query(cat("select format('CREATE POLICY %I ON ', p.polname), ", kPolicyTailSql,
                     ", 1 as o, p.polname as n from pg_policy p where p.polrelid = $1 union all "
                     "select format('COMMENT ON POLICY %I ON ', p.polname), format(' IS %L', "
                     "d.description), 2, p.polname from pg_policy p join pg_description d on "
                     "d.objoid = p.oid and d.classoid = 'pg_policy'::regclass where p.polrelid "
                     "= $1 order by o, n"),
                 {cat(oid)}));
  for (const pg::Row row : policies) {
    mould.own.push_back({std::string(row.text(0)), std::string(row.text(1))});
  }
  return ok();
}

Status load_like(pg::Connection& conn, const facts::Partition& part, Mould& mould) {
  mould.like = TRY(load_definition(conn, part.qualified()));
  for (const std::string& grant : mould.like->grants) {
    mould.own.push_back(about_place(grant, " ON TABLE ", part.qualified(), " TO "));
  }
  TRY(conn.exec("BEGIN TRANSACTION READ ONLY"));
  Status status = load_own(conn, part.oid, mould);
  const Status ended = conn.exec("ROLLBACK");
  return status ? ended : std::move(status).error().during(cat("reading ", part.qualified()));
}

Result<const facts::Partition*> neighbour(const facts::Layout& layout) {
  const facts::Partition* newest = nullptr;
  for (const facts::Partition& part : std::views::reverse(layout.partitions)) {
    if (part.is_default || part.detach_pending) continue;
    newest = &part;
    break;
  }
  if (newest != nullptr && newest->partitioned) {
    return Error{ErrorCode::Invalid,
                 cat("the partitions of ", layout.qualified(), " are divided further")}
        .hinting("that is not done yet: make such partitions by hand");
  }
  return newest;
}

std::string create_sql(const Mould& mould, const Slice& slice, const std::string& leaf) {
  std::string like = cat("LIKE ", mould.layout.qualified(),
                         " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED"
                         " INCLUDING STORAGE INCLUDING INDEXES INCLUDING STATISTICS"
                         " INCLUDING COMMENTS");
  if (mould.version >= kCompressionFrom) like += " INCLUDING COMPRESSION";
  std::string sql = cat("CREATE ", mould.unlogged ? "UNLOGGED " : "", "TABLE ", leaf, " (", like,
                        ", CONSTRAINT ", kBounds, " CHECK (", ident(mould.layout.column),
                        " IS NOT NULL AND ", within_sql(mould.layout, slice.from, slice.to), "))");
  if (!mould.method.empty()) sql += cat(" USING ", mould.method);
  if (mould.like) sql += storage_clause(*mould.like);
  return sql;
}

// What proves that the DEFAULT partition has no row of the slice: scanned while it is used. A run
// that was killed here has left its CHECK behind.
void prove_before(const Mould& mould, const Slice& slice, care::Action& out) {
  const std::string fallback = mould.fallback->qualified();
  const std::string column = ident(mould.layout.column);
  const std::string& type = mould.layout.type;
  out.steps.push_back({.sql = cat("ALTER TABLE ", fallback, " DROP CONSTRAINT IF EXISTS ", kBounds,
                                  ", ADD CONSTRAINT ", kBounds, " CHECK (", column, " IS NULL OR ",
                                  column, " < ", literal(slice.from), "::", type, " OR ", column,
                                  " >= ", literal(slice.to), "::", type, ") NOT VALID"),
                       .lock = care::LockMode::AccessExclusive,
                       .in_transaction = false});
  out.steps.push_back({.sql = cat("ALTER TABLE ", fallback, " VALIDATE CONSTRAINT ", kBounds),
                       .lock = care::LockMode::ShareUpdateExclusive,
                       .in_transaction = false});
  out.undo.push_back(cat("ALTER TABLE ", fallback, " DROP CONSTRAINT IF EXISTS ", kBounds));
}

}  // namespace

std::string within_sql(const facts::Layout& layout, const std::optional<std::string>& from,
                       const std::optional<std::string>& to) {
  std::vector<std::string> parts;
  const std::string column = ident(layout.column);
  if (from) parts.push_back(cat(column, " >= ", literal(*from), "::", layout.type));
  if (to) parts.push_back(cat(column, " < ", literal(*to), "::", layout.type));
  return parts.empty() ? "true" : join(parts, " AND ");
}

std::string strays_sql(const facts::Layout& layout, const facts::Partition& fallback,
                       const Slice& slice) {
  return cat("select exists (select from ", fallback.qualified(), " where ",
             within_sql(layout, slice.from, slice.to), ")");
}

namespace {
Result<Mould> load_parent(pg::Connection& conn, const facts::Layout& layout) {
  Mould mould{.layout = layout, .version = conn.server_version()};
  const pg::Rows rows = TRY_DURING(
      conn.query("select pg_get_userbyid(c.relowner), c.relowner = current_user::regrole, exists "
                 "(select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f') from "
                 "pg_class c where c.oid = $1",
                 {cat(layout.oid)}),
      cat("reading ", layout.qualified()));
  if (rows.empty()) return Error{ErrorCode::NotFound, "the table has just been dropped"};
  mould.owner = rows[0].text(0);
  mould.owned = TRY(rows[0].get<bool>(1));
  mould.references = TRY(rows[0].get<bool>(2));
  for (const facts::Partition& part : layout.partitions) {
    if (part.is_default) mould.fallback = part;
  }
  return mould;
}
}  // namespace

Result<Mould> load_mould(pg::Connection& conn, const facts::Layout& layout,
                         const facts::Partition& like) {
  Mould mould = TRY(load_parent(conn, layout));
  TRY(load_like(conn, like, mould));
  return mould;
}

Result<Mould> load_mould(pg::Connection& conn, const facts::Layout& layout) {
  Mould mould = TRY(load_parent(conn, layout));
  const facts::Partition* newest = TRY(neighbour(layout));
  if (newest != nullptr) TRY(load_like(conn, *newest, mould));
  return mould;
}

care::Action birth_of(const Mould& mould, const Slice& slice) {
  const std::string parent = mould.layout.qualified();
  const std::string leaf = pg::qualified(mould.layout.schema, slice.name);
  care::Action out{.kind = "partition", .object = parent};
  const bool proven = mould.fallback && mould.fallback->bytes > kScannedUnderLockMax;
  if (proven) prove_before(mould, slice, out);
  const auto add = [&](std::string sql, care::LockMode lock = care::LockMode::None) {
    out.steps.push_back({.sql = std::move(sql), .lock = lock});
  };
  if (mould.fallback || mould.references) add(std::string(kShortWait));
  add(create_sql(mould, slice, leaf), care::LockMode::AccessShare);
  if (mould.like) {
    for (std::string& sql : alter_columns(*mould.like, leaf)) add(std::move(sql));
  }
  for (const About& own : mould.own_keys) add(own.of(leaf));
  for (const About& own : mould.own) add(own.of(leaf));
  if (!mould.owned) add(cat("ALTER TABLE ", leaf, " OWNER TO ", ident(mould.owner)));
  add(cat("ALTER TABLE ", parent, " ATTACH PARTITION ", leaf, " ", for_values(slice)),
      mould.fallback ? care::LockMode::AccessExclusive : care::LockMode::ShareUpdateExclusive);
  add(cat("ALTER TABLE ", leaf, " DROP CONSTRAINT ", kBounds));
  if (proven) add(cat("ALTER TABLE ", mould.fallback->qualified(), " DROP CONSTRAINT ", kBounds));
  if (!mould.identity_index.empty()) add(identity_by(mould.identity_index, leaf));
  out.verify_sql = cat("select exists (select from pg_inherits where inhrelid = to_regclass(",
                       literal(leaf), ") and inhparent = to_regclass(", literal(parent), "))");
  out.undo.push_back(cat("DROP TABLE IF EXISTS ", leaf));
  return out;
}

}  // namespace pgtend::partition
