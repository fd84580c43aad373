#include "partition/definition.h"

#include <algorithm>

#include "base/text.h"
#include "facts/members.h"
#include "facts/tables.h"
#include "pg/quote.h"
#include "reshape/job.h"

namespace pgtend::partition {
namespace {

constexpr int kVersionSchemaPublications = 150000;

template <class Visitor, class Item>
void visit_column(Visitor& visit, Item& c) {
  visit("name", c.name);
  visit("type", c.type);
  visit("not_null", c.not_null);
  visit("generated", c.generated);
  visit("identity", c.identity);
  visit("sequence", c.sequence);
  visit("sequence_name", c.sequence_name);
  visit("plain_equality", c.plain_equality);
  visit("alter", c.alter);
  visit("sequence_rest", c.sequence_rest);
}

template <class Visitor, class Item>
void visit_traits(Visitor& visit, Item& t) {
  visit("index_with", t.with);
  visit("index_tablespace", t.tablespace);
  visit("index_clustered", t.clustered);
  visit("index_identity", t.identity);
  visit("index_alter", t.alter);
  visit("index_comment", t.comment);
}

template <class Visitor, class Item>
void visit_constraint(Visitor& visit, Item& c) {
  visit("name", c.name);
  visit("kind", c.kind);
  visit("columns", c.columns);
  visit("definition", c.definition);
  visit("index", c.index);
  visit("references", c.references);
  visit("options", c.options);
  visit("include", c.include);
  visit("comment", c.comment);
  visit_traits(visit, c.traits);
}

template <class Visitor, class Item>
void visit_index(Visitor& visit, Item& i) {
  visit("name", i.name);
  visit("definition", i.definition);
  visit("where", i.where);
  visit("unique", i.unique);
  visit("expressions", i.expressions);
  visit("columns", i.columns);
  visit_traits(visit, i.traits);
}

template <class Visitor, class Item>
void visit_definition(Visitor& visit, Item& d) {
  visit("oid", d.oid);
  visit("schema", d.schema);
  visit("name", d.name);
  visit("owner", d.owner);
  visit("owned", d.owned);
  visit("comment", d.comment);
  visit("tablespace", d.tablespace);
  visit("options", d.options);
  visit.list("columns", d.columns, [](auto& v, auto& item) { visit_column(v, item); });
  visit.list("constraints", d.constraints, [](auto& v, auto& item) { visit_constraint(v, item); });
  visit.list("indexes", d.indexes, [](auto& v, auto& item) { visit_index(v, item); });
  visit.list("triggers", d.triggers, [](auto& v, auto& item) {
    v("name", item.name);
    v("definition", item.definition);
    v("state", item.state);
    v("comment", item.comment);
  });
  visit.list("statistics", d.statistics, [](auto& v, auto& item) {
    v("schema", item.schema);
    v("name", item.name);
    v("what", item.what);
    v("target", item.target);
    v("comment", item.comment);
  });
  visit.list("followers", d.followers, [](auto& v, auto& item) {
    v("what", item.what);
    v("lock", item.lock);
    v("follow", item.follow);
    v("leave", item.leave);
    v("stays", item.stays);
  });
  visit("parent", d.seat.parent);
  visit("parent_name", d.seat.parent_name);
  visit("parent_column", d.seat.column);
  visit("bound", d.seat.bound);
  visit("bound_check", d.seat.check);
  visit("replica_identity", d.replica_identity);
  visit("grants", d.grants);
  visit("refusals", d.refusals);
  visit("rows", d.rows);
  visit("heap_bytes", d.heap);
  visit("index_bytes", d.index_bytes);
  visit("version", d.version);
  visit("fingerprint", d.fingerprint);
  visit("locks_max", d.locks_max);
}

// A JSON array of strings that the server made.
Result<std::vector<std::string>> strings(std::string_view text) {
  const json::value value = TRY(parse_json(text));
  std::vector<std::string> out;
  if (!value.is_array()) return Error{ErrorCode::Corrupt, "not a list"};
  for (const json::value& item : value.as_array()) {
    if (item.is_string()) out.emplace_back(item.as_string());
  }
  return out;
}

Status load_table(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(R"(
select n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relowner = current_user::regrole,
       coalesce(obj_description(c.oid, 'pg_class'), ''), coalesce(t.spcname, ''),
       to_json(coalesce(c.reloptions, '{}') ||
               coalesce((select array_agg('toast.' || o) from pg_class x, unnest(x.reloptions) o
                         where x.oid = c.reltoastrelid), '{}')),
       greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8,
       pg_table_size(c.oid), pg_indexes_size(c.oid),
       current_setting('max_locks_per_transaction')::bigint *
         (current_setting('max_connections')::bigint +
          current_setting('max_prepared_transactions')::bigint),
       case c.relreplident when 'f' then 'FULL' when 'n' then 'NOTHING' else '' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_tablespace t on t.oid = c.reltablespace
where c.oid = $1)",
                                       {cat(d.oid)}));
  if (rows.empty()) return Error{ErrorCode::NotFound, "the table has just been dropped"};
  const pg::Row row = rows[0];
  d.schema = row.text(0);
  d.name = row.text(1);
  d.owner = row.text(2);
  d.owned = TRY(row.get<bool>(3));
  d.comment = row.text(4);
  d.tablespace = row.text(5);
  d.options = TRY(strings(row.text(6)));
  d.rows = TRY(row.get<double>(7));
  d.heap = {TRY(row.get<int64_t>(8))};
  d.index_bytes = {TRY(row.get<int64_t>(9))};
  d.locks_max = TRY(row.get<int64_t>(10));
  d.replica_identity = row.text(11);
  d.version = conn.server_version();
  return ok();
}

// Statistics targets and n_distinct are what LIKE forgets about a column.
Status load_columns(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(R"(
select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '',
       a.attidentity::text,
       coalesce(quote_ident(sn.nspname) || '.' || quote_ident(s.relname), ''),
       coalesce(s.relname, ''),
       to_json(array_remove(array[
         case when a.attstattarget >= 0 then 'SET STATISTICS ' || a.attstattarget end,
         -- what begins with pg_ the server sets for itself
         (select 'SET (' || string_agg(o, ', ') || ')' from unnest(a.attoptions) o
          where o not like 'pg\_%')], null)),
       (select t.typtype = 'e' or t.typnamespace = 'pg_catalog'::regnamespace
        from pg_type t where t.oid = a.atttypid),
       coalesce((select json_agg(x) from (
         select format('GRANT %s ON SEQUENCE %s TO %s%s', g.privilege_type, s.oid::regclass,
                       case when g.grantee = 0 then 'PUBLIC'
                            else quote_ident(pg_get_userbyid(g.grantee)) end,
                       case when g.is_grantable then ' WITH GRANT OPTION' else '' end) as x
         from aclexplode(s.relacl) g where a.attidentity <> '' and g.grantee <> s.relowner
         union all
         select format('COMMENT ON SEQUENCE %s IS %L', s.oid::regclass,
                       obj_description(s.oid, 'pg_class'))
         where a.attidentity <> '' and obj_description(s.oid, 'pg_class') is not null) y), '[]')
from pg_attribute a
left join pg_depend p on p.refclassid = 'pg_class'::regclass and p.refobjid = a.attrelid
     and p.refobjsubid = a.attnum and p.classid = 'pg_class'::regclass and p.deptype in ('a', 'i')
     and exists (select from pg_class q where q.oid = p.objid and q.relkind = 'S')
left join pg_class s on s.oid = p.objid
left join pg_namespace sn on sn.oid = s.relnamespace
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum)",
                                       {cat(d.oid)}));
  for (const pg::Row row : rows) {
    d.columns.push_back({.name = std::string(row.text(0)),
                         .type = std::string(row.text(1)),
                         .not_null = TRY(row.get<bool>(2)),
                         .generated = TRY(row.get<bool>(3)),
                         .identity = std::string(row.text(4)),
                         .sequence = std::string(row.text(5)),
                         .sequence_name = std::string(row.text(6)),
                         .plain_equality = TRY(row.get<bool>(8)),
                         .alter = TRY(strings(row.text(7))),
                         .sequence_rest = TRY(strings(row.text(9)))});
  }
  return ok();
}

// Of row i of pg_index and x of pg_class.
constexpr std::string_view kTraits = R"(
       coalesce(' WITH (' || (select string_agg(format('%I=%L', split_part(o, '=', 1),
                                                       substr(o, strpos(o, '=') + 1)), ', ')
                              from unnest(x.reloptions) o) || ')', ''),
       coalesce((select quote_ident(s.spcname) from pg_tablespace s where s.oid = x.reltablespace),
                ''),
       coalesce(i.indisclustered, false), coalesce(i.indisreplident, false),
       coalesce((select json_agg(format('ALTER COLUMN %s SET STATISTICS %s', a.attnum,
                                        a.attstattarget) order by a.attnum)
                 from pg_attribute a where a.attrelid = x.oid and a.attstattarget >= 0), '[]'),
       coalesce(obj_description(x.oid, 'pg_class'), ''))";

Result<IndexTraits> traits(const pg::Row& row, int first) {
  return IndexTraits{.with = std::string(row.text(first)),
                     .tablespace = std::string(row.text(first + 1)),
                     .clustered = TRY(row.get<bool>(first + 2)),
                     .identity = TRY(row.get<bool>(first + 3)),
                     .alter = TRY(strings(row.text(first + 4))),
                     .comment = std::string(row.text(first + 5))};
}

Status load_constraints(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(cat(R"(
select k.conname, k.contype::text,
       (select json_agg(a.attname order by u.n) from unnest(k.conkey) with ordinality u(attnum, n)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum),
       pg_get_constraintdef(k.oid), coalesce(x.relname, ''),
       case when k.confrelid <> 0 then k.confrelid::regclass::text else '' end,
       case when k.contype <> 'f' and k.condeferrable then ' DEFERRABLE' ||
            case when k.condeferred then ' INITIALLY DEFERRED' else '' end else '' end,
       coalesce(' INCLUDE (' || (
         select string_agg(quote_ident(a.attname), ', ' order by u.n)
         from unnest(i.indkey::int2[]) with ordinality u(attnum, n)
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
         where u.n > i.indnkeyatts) || ')', ''),
       coalesce(obj_description(k.oid, 'pg_constraint'), ''),)",
                                           kTraits, R"(
from pg_constraint k
left join pg_index i on i.indexrelid = k.conindid and k.contype in ('p', 'u')
left join pg_class x on x.oid = i.indexrelid
where k.conrelid = $1 and k.contype in ('p', 'u', 'f')
order by k.contype = 'f', k.contype, k.conname)"),
                                       {cat(d.oid)}));
  for (const pg::Row row : rows) {
    d.constraints.push_back({.name = std::string(row.text(0)),
                             .kind = std::string(row.text(1)),
                             .columns = TRY(strings(row.text(2))),
                             .definition = std::string(row.text(3)),
                             .index = std::string(row.text(4)),
                             .references = std::string(row.text(5)),
                             .options = std::string(row.text(6)),
                             .include = std::string(row.text(7)),
                             .comment = std::string(row.text(8)),
                             .traits = TRY(traits(row, 9))});
  }
  return ok();
}

Status load_indexes(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(cat(R"(
select x.relname, pg_get_indexdef(i.indexrelid),
       coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), ''), i.indisunique,
       i.indexprs is not null,
       coalesce((select json_agg(a.attname order by u.n)
                 from unnest(i.indkey::int2[]) with ordinality u(attnum, n)
                 join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
                 where u.n <= i.indnkeyatts), '[]'),)",
                                           kTraits, R"(
from pg_index i join pg_class x on x.oid = i.indexrelid
where i.indrelid = $1 and i.indisvalid
  and not exists (select from pg_constraint k where k.conindid = i.indexrelid
                  and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x'))
order by x.relname)"),
                                       {cat(d.oid)}));
  for (const pg::Row row : rows) {
    d.indexes.push_back({.name = std::string(row.text(0)),
                         .definition = std::string(row.text(1)),
                         .where = std::string(row.text(2)),
                         .unique = TRY(row.get<bool>(3)),
                         .expressions = TRY(row.get<bool>(4)),
                         .columns = TRY(strings(row.text(5))),
                         .traits = TRY(traits(row, 6))});
  }
  return ok();
}

// The server writes a definition as CREATE STATISTICS name what FROM table.
Status load_statistics(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(R"(
select n.nspname, s.stxname,
       substr(x.def, x.head + 1, length(x.def) - x.head - length(' FROM ' || s.stxrelid::regclass)),
       coalesce(s.stxstattarget, -1), coalesce(obj_description(s.oid, 'pg_statistic_ext'), '')
from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace,
     lateral (select pg_get_statisticsobjdef(s.oid) as def,
                     length(format('CREATE STATISTICS %I.%I ', n.nspname, s.stxname)) as head) x
where s.stxrelid = $1 order by 1, 2)",
                                       {cat(d.oid)}));
  for (const pg::Row row : rows) {
    d.statistics.push_back({.schema = std::string(row.text(0)),
                            .name = std::string(row.text(1)),
                            .what = std::string(row.text(2)),
                            .target = TRY(row.get<int>(3)),
                            .comment = std::string(row.text(4))});
  }
  return ok();
}

Status load_grants_and_triggers(pg::Connection& conn, Definition& d) {
  const pg::Rows grants = TRY(conn.query(R"(
select format('GRANT %s ON TABLE %s TO %s%s', g.privilege_type, $2::text,
              case when g.grantee = 0 then 'PUBLIC' else quote_ident(pg_get_userbyid(g.grantee)) end,
              case when g.is_grantable then ' WITH GRANT OPTION' else '' end)
from pg_class c, aclexplode(c.relacl) g where c.oid = $1 and g.grantee <> c.relowner
union all
select format('GRANT %s (%I) ON TABLE %s TO %s%s', g.privilege_type, a.attname, $2::text,
              case when g.grantee = 0 then 'PUBLIC' else quote_ident(pg_get_userbyid(g.grantee)) end,
              case when g.is_grantable then ' WITH GRANT OPTION' else '' end)
from pg_attribute a, aclexplode(a.attacl) g where a.attrelid = $1 and not a.attisdropped
order by 1)",
                                         {cat(d.oid), d.qualified()}));
  for (const pg::Row row : grants) d.grants.emplace_back(row.text(0));
  const pg::Rows triggers =
      TRY(conn.query("select t.tgname, pg_get_triggerdef(t.oid), case t.tgenabled when 'D' then "
                     "'DISABLE' when 'R' "
                     "then 'ENABLE REPLICA' when 'A' then 'ENABLE ALWAYS' else '' end, "
                     "coalesce(obj_description(t.oid, 'pg_trigger'), '') from pg_trigger t where "
                     "t.tgrelid = $1 and not t.tgisinternal and t.tgparentid = 0"
                     " order by t.tgname",
                     {cat(d.oid)}));
  for (const pg::Row row : triggers) {
    d.triggers.push_back({.name = std::string(row.text(0)),
                          .definition = std::string(row.text(1)),
                          .state = std::string(row.text(2)),
                          .comment = std::string(row.text(3))});
  }
  return ok();
}

// Identity is the parent's affair, whose sequence numbers all rows.
Status load_seat(pg::Connection& conn, Definition& d) {
  const pg::Rows rows = TRY(conn.query(R"(
select p.oid::regclass::text, p.relname, pg_get_expr(c.relpartbound, c.oid),
       pg_get_partition_constraintdef(c.oid),
       coalesce((select a.attname from pg_partitioned_table t
                 join pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
                 where t.partrelid = p.oid and t.partnatts = 1 and t.partstrat = 'r'), '')
from pg_class c join pg_inherits i on i.inhrelid = c.oid join pg_class p on p.oid = i.inhparent
where c.oid = $1 and c.relispartition)",
                                       {cat(d.oid)}));
  if (rows.empty()) return ok();
  const pg::Row row = rows[0];
  d.seat = {.parent = std::string(row.text(0)),
            .parent_name = std::string(row.text(1)),
            .column = std::string(row.text(4)),
            .bound = std::string(row.text(2)),
            .check = std::string(row.text(3))};
  for (Column& column : d.columns) {
    if (!column.identity.empty() && !column.sequence.empty()) {
      d.refusals.push_back(cat("column ", pg::ident(column.name),
                               " has an identity of its own beside the partitioned table's: ALTER "
                               "TABLE … ALTER COLUMN … DROP IDENTITY first"));
    }
    column.identity.clear();
  }
  return ok();
}

// What would be lost or would go on pointing at the old table: each a query of reasons about table
// $1 with the next step in them.
constexpr std::string_view kRefusals[] = {
    R"(select 'table ' || k.conrelid::regclass || ' has a foreign key to it (' ||
         quote_ident(k.conname) ||
         '): drop that constraint first; it can only come back with the partition key in it'
       from pg_constraint k where k.confrelid = $1 and k.contype = 'f' and k.conparentid = 0)",
    R"(select distinct case
         when r.rulename <> '_RETURN' then
           'rule ' || quote_ident(r.rulename) || ' on ' || c.oid::regclass || ' knows it: drop ' ||
           'and create it again around the conversion'
         when c.relkind = 'm' then
           'materialized view ' || c.oid::regclass || ' reads it, which cannot be told of another ' ||
           'table: drop and create it again around the conversion'
         when c.relpersistence <> 'p' then
           'temporary view ' || c.oid::regclass || ' reads it: wait for the end of its session'
         else 'view ' || c.oid::regclass || ' reads it and belongs to role ' ||
           quote_ident(pg_get_userbyid(c.relowner)) || ', so it cannot be told of the new table: ' ||
           'give it to the table''s owner, or drop and create it again around the conversion' end
       from pg_depend d join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
       join pg_class c on c.oid = r.ev_class
       where d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and r.ev_class <> $1
         and not (c.relkind = 'v' and c.relpersistence = 'p' and r.rulename = '_RETURN'
                  and pg_has_role(c.relowner, 'USAGE')))",
    // The key takes the partition key in; what groups by it would no longer be understood.
    R"(select distinct coalesce('view ' || c.oid::regclass, 'function ' || d.objid::regprocedure) ||
         ' relies on constraint ' || quote_ident(k.conname) ||
         ' (GROUP BY, ON CONFLICT): name all columns there'
       from pg_constraint k join pg_depend d
            on d.refclassid = 'pg_constraint'::regclass and d.refobjid = k.oid
       left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
       left join pg_class c on c.oid = r.ev_class
       where k.conrelid = $1 and d.classid in ('pg_rewrite'::regclass, 'pg_proc'::regclass))",
    // Functions, columns of other tables and whatever else knows the table or its row type.
    R"(select distinct pg_describe_object(d.classid, d.objid, 0) ||
         ' depends on it: drop it first'
       from pg_depend d
       where (d.refclassid = 'pg_class'::regclass and d.refobjid = $1
              or d.refclassid = 'pg_type'::regclass and d.refobjid in
                 (select t.oid from pg_type t where t.typrelid = $1
                  union select t.typarray from pg_type t where t.typrelid = $1))
         and d.classid not in
             ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass,
              'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_type'::regclass,
              'pg_publication_rel'::regclass, 'pg_statistic_ext'::regclass)
         and d.deptype in ('n', 'a')
         and not (d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass
                  and exists (select from pg_proc p where p.oid = d.objid
                              and p.prokind in ('f', 'p') and pg_has_role(p.proowner, 'USAGE')))
         and not (d.classid = 'pg_class'::regclass and
                  (d.objid = $1 or exists (select from pg_class q where q.oid = d.objid
                                           and q.relkind in ('i', 'S', 't')))))",
    R"(select 'publication ' || quote_ident(p.pubname) || case
         when p.puballtables then
           ' publishes all tables, so the new one, too, while it is filled: name its tables first'
         when not pg_has_role(p.pubowner, 'USAGE') then
           ' belongs to role ' || quote_ident(pg_get_userbyid(p.pubowner)) ||
           ': take the table out first'
         else
           ' would publish each partition by its own name, which subscribers do not have: ' ||
           'ALTER PUBLICATION ' || quote_ident(p.pubname) ||
           ' SET (publish_via_partition_root = true) first' end
       from pg_publication p
       left join pg_publication_rel r on r.prpubid = p.oid and r.prrelid = $1
       where p.puballtables
          or r.oid is not null and not (p.pubviaroot and pg_has_role(p.pubowner, 'USAGE')))",
    R"(select distinct 'row security policy ' || quote_ident(p.polname) || ' of ' ||
         p.polrelid::regclass || ' knows it: drop and create it again around the conversion'
       from pg_depend d join pg_policy p on p.oid = d.objid and d.classid = 'pg_policy'::regclass
       where d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and p.polrelid <> $1)",
    R"(select 'row security is forced upon its owner, who would not copy all rows: ALTER TABLE ' ||
         c.oid::regclass || ' NO FORCE ROW LEVEL SECURITY first' from pg_class c
       where c.oid = $1 and c.relforcerowsecurity)",
    R"(select 'it is part of an inheritance tree: take it out first' from pg_class c
       where c.oid = $1 and exists (select from pg_inherits i where i.inhparent = $1
                                    or i.inhrelid = $1 and not c.relispartition))",
    R"(select 'a DEFAULT partition stands beside it, ' || t.partdefid::regclass || ', which would ' ||
         'be read under the lock: empty and drop it first'
       from pg_partitioned_table t join pg_inherits i on i.inhparent = t.partrelid
       where i.inhrelid = $1 and t.partdefid not in (0, $1))",
    R"(select p.oid::regclass || ' above it ' || case
         when t.partstrat = 'h' then 'is divided by hash'
         when not pg_has_role(p.relowner, 'USAGE') then
           'belongs to role ' || quote_ident(pg_get_userbyid(p.relowner))
         when k.contype is null then null
         when k.conrelid = p.oid then 'has foreign key ' || quote_ident(k.conname) || ', by which ' ||
           'all rows would be read again under the lock: drop it first, and add it again afterwards'
         else 'is referenced by foreign key ' || quote_ident(k.conname) || ' of ' ||
           k.conrelid::regclass || ': drop it first' end
       from pg_class c, pg_partition_ancestors(c.oid) a join pg_class p on p.oid = a.relid
       join pg_partitioned_table t on t.partrelid = p.oid
       left join pg_constraint k on k.contype = 'f' and p.oid in (k.conrelid, k.confrelid)
       where c.oid = $1 and c.relispartition
         and (t.partstrat = 'h' or not pg_has_role(p.relowner, 'USAGE') or k.contype = 'f'))",
    R"(select 'it is ' || case c.relpersistence when 'u' then 'unlogged: SET LOGGED first'
                                                else 'temporary' end
       from pg_class c where c.oid = $1 and c.relpersistence <> 'p')",
    R"(select 'it is a typed table' from pg_class c where c.oid = $1 and c.reloftype <> 0)",
    R"(select 'its access method is not heap' from pg_class c join pg_am m on m.oid = c.relam
       where c.oid = $1 and m.amname <> 'heap')",
    R"(select 'constraint ' || quote_ident(k.conname) ||
         ' is not validated: VALIDATE CONSTRAINT first'
       from pg_constraint k where k.conrelid = $1 and not k.convalidated
         and (k.contype <> 'c' or coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true')
         and k.conname not like 'pgtend\_%')",
    R"(select 'exclusion constraint ' || quote_ident(k.conname) ||
         ' cannot span partitions: drop it first'
       from pg_constraint k where k.conrelid = $1 and k.contype = 'x')",
    R"(select 'check ' || quote_ident(k.conname) ||
         ' is on the whole row, whose type is another one''s then: name its columns in it first'
       from pg_constraint k where k.conrelid = $1 and k.contype = 'c'
         and k.conbin::text like '%:varattno 0 %')",
    R"(select 'check ' || quote_ident(k.conname) ||
         ' is NO INHERIT, which partitioned tables cannot have'
       from pg_constraint k where k.conrelid = $1 and k.contype = 'c' and k.connoinherit)",
    R"(select 'trigger ' || quote_ident(t.tgname) ||
         ' is a row trigger with transition tables, which partitioned tables cannot have'
       from pg_trigger t where t.tgrelid = $1 and not t.tgisinternal and t.tgtype & 1 = 1
         and (t.tgoldtable is not null or t.tgnewtable is not null))",
    R"(select 'index ' || x.indexrelid::regclass || ' is not valid: drop or rebuild it first'
       from pg_index x join pg_class i on i.oid = x.indexrelid
       where x.indrelid = $1 and not x.indisvalid and i.relname not like 'pgtend\_%')",
    R"(select 'it belongs to extension ' || quote_ident(e.extname)
       from pg_depend d join pg_extension e on e.oid = d.refobjid
       where d.classid = 'pg_class'::regclass and d.objid = $1 and d.deptype = 'e'
         and d.refclassid = 'pg_extension'::regclass)",
    R"(select 'it carries a security label' where exists
         (select from pg_seclabel l where l.classoid = 'pg_class'::regclass and l.objoid = $1))",
    R"(select 'role ' || quote_ident(current_user) || ' may not create tables in schema ' ||
         quote_ident(n.nspname) || ': GRANT CREATE ON SCHEMA ' || quote_ident(n.nspname) ||
         ' TO ' || quote_ident(current_user)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.oid = $1 and not has_schema_privilege(n.oid, 'CREATE'))",
};

constexpr std::string_view kSchemaPublications =
    R"(select 'publication ' || quote_ident(p.pubname) || ' publishes its schema: take it out first'
       from pg_publication_namespace q join pg_publication p on p.oid = q.pnpubid
       join pg_class c on c.relnamespace = q.pnnspid where c.oid = $1
       union all
       select 'publication ' || quote_ident(p.pubname) || ' publishes a list of its columns, which ' ||
         'would have to contain the partition key: publish all of them first'
       from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
       where r.prrelid = $1 and r.prattrs is not null)";

Status load_inside(pg::Connection& conn, Definition& d) {
  TRY(conn.exec(reshape::kPlainTexts));
  TRY(load_table(conn, d));
  TRY(load_columns(conn, d));
  TRY(load_constraints(conn, d));
  TRY(load_indexes(conn, d));
  TRY(load_grants_and_triggers(conn, d));
  TRY(load_statistics(conn, d));
  d.followers = TRY(load_followers(conn, d.oid, d.version));
  const pg::Rows refusals = TRY(conn.query(refusals_sql(d.oid, d.version)));
  for (const pg::Row row : refusals) d.refusals.emplace_back(row.text(0));
  const pg::Rows print = TRY(conn.query(fingerprint_sql(d.qualified(), d.version)));
  d.fingerprint = TRY(print.scalar());
  return load_seat(conn, d);
}

}  // namespace

std::string refusals_sql(uint32_t oid, int version) {
  std::vector<std::string> parts(std::begin(kRefusals), std::end(kRefusals));
  if (version >= kVersionSchemaPublications) parts.emplace_back(kSchemaPublications);
  std::string sql = join(parts, "\nunion all\n");
  for (size_t at = 0; (at = sql.find("$1", at)) != std::string::npos;) {
    sql.replace(at, 2, cat("'", oid, "'::oid"));
  }
  return sql;
}

bool Definition::row_security() const {
  return std::ranges::any_of(followers,
                             [](const Follower& one) { return one.what == "row security"; });
}

std::string Definition::qualified() const { return pg::qualified(schema, name); }

const Column* Definition::column(std::string_view wanted) const {
  for (const Column& candidate : columns) {
    if (candidate.name == wanted) return &candidate;
  }
  return nullptr;
}

Result<Definition> load_definition(pg::Connection& conn, const std::string& table) {
  Definition d{.oid = TRY(facts::resolve_table(conn, table))};
  TRY(conn.exec("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  Status status = load_inside(conn, d);
  const Status ended = conn.exec("ROLLBACK");
  if (!status) return std::move(status).error().during(cat("reading ", printable(table)));
  if (!ended) return ended.error();
  return d;
}

std::string fingerprint_sql(const std::string& qualified, int version) {
  const std::string oid = cat("to_regclass(", pg::literal(qualified), ")");
  return cat(
      "select md5(concat_ws('|', c.relowner, c.relacl::text, c.reloptions::text, c.relkind,"
      " c.relpartbound::text, (select string_agg(i.inhparent::text, ',') from pg_inherits i"
      " where i.inhrelid = c.oid),"
      " c.relreplident, c.relrowsecurity,"
      " (select string_agg(concat_ws(',', a.attname, a.attnum, a.atttypid, a.atttypmod, "
      "a.attnotnull,"
      " a.attidentity, a.attgenerated, a.attisdropped, a.attacl::text,"
      " pg_get_expr(f.adbin, f.adrelid)), ';' order by a.attnum) from pg_attribute a"
      " left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum"
      " where a.attrelid = c.oid and a.attnum > 0),"
      " (select string_agg(concat_ws(',', k.conname, pg_get_constraintdef(k.oid)), ';'"
      " order by k.oid) from pg_constraint k where c.oid in (k.conrelid, k.confrelid)"
      " and k.conname not like 'pgtend\\_%'),"
      " (select string_agg(concat_ws(',', i.indexrelid::text, i.indisvalid, i.indisclustered,"
      " i.indisreplident,"
      " pg_get_indexdef(i.indexrelid)), ';' order by i.indexrelid) from pg_index i"
      " where i.indrelid = c.oid and i.indexrelid::regclass::text !~ 'pgtend_[0-9]+_'),"
      " (select string_agg(pg_get_triggerdef(t.oid) || t.tgenabled::text, ';' order by t.oid)"
      " from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal"
      " and t.tgname not like 'pgtend\\_%'),"
      " (select string_agg(pg_get_statisticsobjdef(s.oid), ';' order by s.oid)"
      " from pg_statistic_ext s where s.stxrelid = c.oid), (",
      followers_print_sql(oid, version), ")))", " from pg_class c where c.oid = ", oid);
}

json::object to_json(const Definition& definition) {
  facts::MemberWriter writer;
  visit_definition(writer, definition);
  return std::move(writer).take();
}

Result<Definition> definition_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a definition must be an object"};
  Definition definition;
  facts::MemberReader reader(value.as_object());
  visit_definition(reader, definition);
  TRY_DURING(reader.finish(), cat("definition of ", definition.name));
  return definition;
}

}  // namespace pgtend::partition
