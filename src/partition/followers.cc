#include "partition/followers.h"

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

constexpr int kVersionRowFilters = 150000;

// Each: what, lock, follow, leave, stays; about table $1, whose name is written as it is then.
constexpr std::string_view kViews = R"(
select 'view ' || c.oid::regclass,
       format('ALTER VIEW %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner)),
       format('CREATE OR REPLACE VIEW %s%s AS%s', c.oid::regclass,
              ' WITH (' || (select string_agg(format('%I = %L', split_part(o, '=', 1),
                                                     substr(o, strpos(o, '=') + 1)), ', ')
                            from unnest(c.reloptions) o) || ')',
              chr(10) || rtrim(pg_get_viewdef(c.oid), ';')),
       '', false
from pg_class c
where c.relkind = 'v' and c.relpersistence = 'p' and pg_has_role(c.relowner, 'USAGE')
  and exists (select from pg_rewrite r join pg_depend d
              on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
              where r.ev_class = c.oid and r.rulename = '_RETURN'
                and d.refclassid = 'pg_class'::regclass and d.refobjid = $1))";
// Only a body that was parsed when it was written depends on a table.
constexpr std::string_view kFunctions = R"(
select 'function ' || p.oid::regprocedure, '', pg_get_functiondef(p.oid), '', false
from pg_proc p
where p.prokind in ('f', 'p') and pg_has_role(p.proowner, 'USAGE')
  and exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
              and d.refclassid = 'pg_class'::regclass and d.refobjid = $1))";
constexpr std::string_view kPublications = R"(
select 'publication ' || quote_ident(p.pubname), '',
       format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, $1::regclass),
       format('ALTER PUBLICATION %I DROP TABLE ', p.pubname), false
from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
where r.prrelid = $1)";
constexpr std::string_view kPublicationsWithFilters = R"(
select 'publication ' || quote_ident(p.pubname), '',
       format('ALTER PUBLICATION %I ADD TABLE %s%s', p.pubname, $1::regclass,
              ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')'),
       format('ALTER PUBLICATION %I DROP TABLE ', p.pubname), false
from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
where r.prrelid = $1)";
// The old table must not keep them: they would act upon what is brought into it.
constexpr std::string_view kRules = R"(
select 'rule ' || quote_ident(r.rulename), '', rtrim(pg_get_ruledef(r.oid), ';'),
       format('DROP RULE %I ON ', r.rulename), false
from pg_rewrite r where r.ev_class = $1
union all
select 'state of rule ' || quote_ident(r.rulename), '',
       format('ALTER TABLE %s %s RULE %I', $1::regclass, case r.ev_enabled when 'D' then 'DISABLE'
              when 'R' then 'ENABLE REPLICA' else 'ENABLE ALWAYS' end, r.rulename), '', false
from pg_rewrite r where r.ev_class = $1 and r.ev_enabled <> 'O'
union all
select 'comment on rule ' || quote_ident(r.rulename), '',
       format('COMMENT ON RULE %I ON %s IS %L', r.rulename, $1::regclass,
              obj_description(r.oid, 'pg_rewrite')), '', false
from pg_rewrite r where r.ev_class = $1 and obj_description(r.oid, 'pg_rewrite') is not null)";
constexpr std::string_view kRowPolicies = R"(
select 'row security policy ' || quote_ident(p.polname), '',
       format('CREATE POLICY %I ON %s', p.polname, $1::regclass) || $2, '', true
from pg_policy p where p.polrelid = $1
union all
select 'comment on policy ' || quote_ident(p.polname), '',
       format('COMMENT ON POLICY %I ON %s IS %L', p.polname, $1::regclass,
              obj_description(p.oid, 'pg_policy')), '', true
from pg_policy p where p.polrelid = $1 and obj_description(p.oid, 'pg_policy') is not null
union all
select 'row security', '', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass), '',
       true
from pg_class c where c.oid = $1 and c.relrowsecurity)";

// By kind and name; a comment or a state stands behind what it is of.
constexpr std::string_view kOrder = " order by what like 'comment%', what, follow";

void put(std::string& sql, std::string_view mark, std::string_view text) {
  for (size_t at = 0; (at = sql.find(mark, at)) != std::string::npos; at += text.size()) {
    sql.replace(at, mark.size(), text);
  }
}

std::string followers_sql(const std::string& oid, int version) {
  std::string sql =
      join({std::string(kViews), std::string(kFunctions),
            std::string(version >= kVersionRowFilters ? kPublicationsWithFilters : kPublications),
            std::string(kRules), std::string(kRowPolicies)},
           "\nunion all");
  put(sql, "$2", kPolicyTailSql);
  put(sql, "$1", oid);  // last: a name may hold anything
  return cat("(", sql, ") x (what, lock, follow, leave, stays)");
}

}  // namespace

Result<std::vector<Follower>> load_followers(pg::Connection& conn, uint32_t oid, int version) {
  const pg::Rows rows = TRY(
      conn.query(cat("select * from ", followers_sql(cat("'", oid, "'::oid"), version), kOrder)));
  std::vector<Follower> out;
  for (const pg::Row row : rows) {
    out.push_back({.what = std::string(row.text(0)),
                   .lock = std::string(row.text(1)),
                   .follow = std::string(row.text(2)),
                   .leave = std::string(row.text(3)),
                   .stays = TRY(row.get<bool>(4))});
  }
  return out;
}

std::string followers_print(const std::vector<Follower>& followers) {
  std::vector<std::string> out;
  for (const Follower& follower : followers) out.push_back(follower.follow);
  return join(out, ";");
}

std::string followers_print_sql(const std::string& oid, int version) {
  return cat("select coalesce(string_agg(follow, ';'", kOrder, "), '') from ",
             followers_sql(oid, version));
}

std::vector<std::string> locks_of_followers(const std::vector<Follower>& followers) {
  std::vector<std::string> out;
  for (const Follower& follower : followers) {
    if (!follower.lock.empty()) out.push_back(follower.lock);
  }
  return out;
}

std::vector<std::string> follow(const std::vector<Follower>& followers, const std::string& old) {
  std::vector<std::string> out;
  for (const Follower& follower : followers) {
    if (!follower.leave.empty()) out.push_back(cat(follower.leave, old));
    out.push_back(follower.follow);
  }
  return out;
}

std::vector<std::string> follow_back(const std::vector<Follower>& followers,
                                     const std::string& other) {
  std::vector<std::string> out;
  for (const Follower& follower : followers) {
    if (follower.stays) continue;
    if (!follower.leave.empty()) out.push_back(cat(follower.leave, other));
    out.push_back(follower.follow);
  }
  return out;
}

}  // namespace pgtend::partition
