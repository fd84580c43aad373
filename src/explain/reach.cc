#include "explain/reach.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr int kRoundsMax = 32;
constexpr size_t kObjectsMax = 20'000;

// $1: {"functions": [{"s", "n", "w"}], "relations": [{"s", "n", "w"}], "words": [name],
// "oids": [oid], "path": [schema], "tables": bool, "writes": bool}; w tells which of that name:
// "visible" on the path, "all", "server" for built-in ones. Run with pg_catalog alone on the search
// path. Objects made by initdb depend on nothing that anybody wrote; their oids are below 16384.
constexpr std::string_view kReachSql = R"(
WITH RECURSIVE
asked AS MATERIALIZED (
  SELECT $1::pg_catalog.json AS j, ($1::pg_catalog.json ->> 'tables')::pg_catalog.bool AS tables,
         ($1::pg_catalog.json ->> 'writes')::pg_catalog.bool AS writes),
-- What of tables has an expression or operator class that is not built in.
coded AS MATERIALIZED (
  SELECT DISTINCT d.classid, d.objid FROM pg_catalog.pg_depend d
   WHERE d.refobjid >= 16384
     AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
           'pg_catalog.pg_operator'::pg_catalog.regclass,
           'pg_catalog.pg_opclass'::pg_catalog.regclass,
           'pg_catalog.pg_opfamily'::pg_catalog.regclass)
     AND d.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass,
           'pg_catalog.pg_attrdef'::pg_catalog.regclass,
           'pg_catalog.pg_statistic_ext'::pg_catalog.regclass,
           'pg_catalog.pg_constraint'::pg_catalog.regclass)),
word AS MATERIALIZED (
  SELECT w::pg_catalog.name AS n
    FROM asked, pg_catalog.json_array_elements_text(asked.j -> 'words') w),
visible AS MATERIALIZED (
  SELECT w::pg_catalog.name AS n
    FROM asked, pg_catalog.json_array_elements_text(asked.j -> 'path') w),
seed(cls, obj, auto) AS (
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, p.oid, false
    FROM asked, pg_catalog.json_to_recordset(asked.j -> 'functions')
           AS f(s pg_catalog.text, n pg_catalog.name, w pg_catalog.text)
    JOIN pg_catalog.pg_proc p ON p.proname = f.n
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE CASE WHEN f.w = 'all' THEN true WHEN f.w = 'server' THEN p.oid < 16384
              WHEN f.s = '' THEN n.nspname IN (SELECT v.n FROM visible v)
              ELSE n.nspname = f.s END
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, o::pg_catalog.oid, false
    FROM asked, pg_catalog.json_array_elements_text(asked.j -> 'oids') o
  UNION ALL  -- row.function
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, false
    FROM word JOIN pg_catalog.pg_proc p ON p.proname = word.n AND p.oid >= 16384
    JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0] AND t.typtype = 'c'
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, false
    FROM asked, pg_catalog.json_to_recordset(asked.j -> 'relations')
           AS r(s pg_catalog.text, n pg_catalog.name, w pg_catalog.text)
    JOIN pg_catalog.pg_class c ON c.relname = r.n
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE CASE WHEN r.w = 'all' THEN true
              WHEN r.s = '' THEN n.nspname IN (SELECT v.n FROM visible v)
              ELSE n.nspname = r.s END
  UNION ALL
  SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, false
    FROM word JOIN pg_catalog.pg_operator o ON o.oprname = word.n AND o.oid >= 16384
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oprleft < 16384 AND o.oprright < 16384
     AND (n.nspname IN (SELECT v.n FROM visible v) OR n.nspname IN (SELECT w.n FROM word w))
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, false
    FROM word JOIN pg_catalog.pg_type t ON t.typname = word.n AND t.oid >= 16384
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, c.castfunc, true
    FROM pg_catalog.pg_cast c
   WHERE c.castfunc >= 16384 AND c.castsource < 16384 AND c.casttarget < 16384),
reach(cls, obj, auto) AS (
  SELECT cls, obj, auto FROM seed
  UNION
  SELECT e.cls, e.obj, e.auto
    FROM asked, reach r CROSS JOIN LATERAL (
      SELECT d.refclassid, d.refobjid, r.cls IN (
               'pg_catalog.pg_type'::pg_catalog.regclass,
               'pg_catalog.pg_constraint'::pg_catalog.regclass,
               'pg_catalog.pg_opclass'::pg_catalog.regclass,
               'pg_catalog.pg_opfamily'::pg_catalog.regclass)
        FROM pg_catalog.pg_depend d
       WHERE d.classid = r.cls AND d.objid = r.obj AND d.refobjid >= 16384
         AND (r.cls <> 'pg_catalog.pg_class'::pg_catalog.regclass
              OR d.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass)
         AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
               'pg_catalog.pg_class'::pg_catalog.regclass,
               'pg_catalog.pg_type'::pg_catalog.regclass,
               'pg_catalog.pg_operator'::pg_catalog.regclass,
               'pg_catalog.pg_opclass'::pg_catalog.regclass,
               'pg_catalog.pg_opfamily'::pg_catalog.regclass)
      UNION ALL
      SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_rewrite x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.ev_class = r.obj
         AND (x.rulename = '_RETURN' OR asked.tables)
      UNION ALL
      SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_policy x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.polrelid = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.typrelid, false
        FROM pg_catalog.pg_type x
       WHERE r.cls = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.oid = r.obj
         AND x.typrelid <> 0
      UNION ALL
      SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, x.atttypid, false
        FROM pg_catalog.pg_attribute x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.attrelid = r.obj
         AND x.atttypid >= 16384
      UNION ALL
      SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.inhrelid, false
        FROM pg_catalog.pg_inherits x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.inhparent = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_trigger x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.tgrelid = r.obj
         AND NOT x.tgisinternal AND x.tgenabled <> 'D' AND asked.writes
      UNION ALL
      SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, x.tgfoid, false
        FROM pg_catalog.pg_trigger x
       WHERE r.cls = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND x.oid = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_attrdef x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.adrelid = r.obj
         AND asked.writes
      UNION ALL
      SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_constraint x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.conrelid = r.obj
         AND x.contype = 'c' AND asked.writes
      UNION ALL
      SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.conrelid, false
        FROM pg_catalog.pg_constraint x
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.confrelid = r.obj
         AND x.contype = 'f' AND asked.writes
         AND (x.confdeltype IN ('c', 'n', 'd') OR x.confupdtype IN ('c', 'n', 'd'))
      UNION ALL
      SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_attrdef x JOIN coded k
          ON k.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND k.objid = x.oid
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.adrelid = r.obj
         AND asked.tables
      UNION ALL
      SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.indexrelid, false
        FROM pg_catalog.pg_index x JOIN coded k
          ON k.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND k.objid = x.indexrelid
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.indrelid = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_statistic_ext x JOIN coded k
          ON k.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND k.objid = x.oid
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.stxrelid = r.obj
         AND asked.tables
      UNION ALL
      SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_constraint x
       WHERE r.cls = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.contypid = r.obj
         AND x.contype = 'c'
      UNION ALL
      SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, x.oid, false
        FROM pg_catalog.pg_constraint x JOIN coded k
          ON k.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.objid = x.oid
       WHERE r.cls = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.conrelid = r.obj
         AND x.contype = 'c' AND asked.tables
      UNION ALL
      SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, x.oid, false
        FROM word JOIN pg_catalog.pg_operator x ON x.oprname = word.n
       WHERE r.cls = 'pg_catalog.pg_type'::pg_catalog.regclass
         AND (x.oprleft = r.obj OR x.oprright = r.obj)
      UNION ALL
      SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, x.castfunc, true
        FROM pg_catalog.pg_cast x
       WHERE r.cls = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.castfunc >= 16384
         AND (x.castsource = r.obj OR x.casttarget = r.obj)
      UNION ALL
      SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, x.opcfamily, false
        FROM pg_catalog.pg_opclass x
       WHERE r.cls = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.opcintype = r.obj
          OR r.cls = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND x.oid = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, x.amproc::pg_catalog.oid, true
        FROM pg_catalog.pg_amproc x
       WHERE r.cls = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND x.amprocfamily = r.obj
         AND x.amproc >= 16384::pg_catalog.oid
      UNION ALL
      SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, x.amopopr, false
        FROM pg_catalog.pg_amop x
       WHERE r.cls = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND x.amopfamily = r.obj
         AND x.amopopr >= 16384
      UNION ALL
      SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, x.amopfamily, false
        FROM pg_catalog.pg_amop x
       WHERE r.cls = 'pg_catalog.pg_operator'::pg_catalog.regclass AND x.amopopr = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, x.oprcode::pg_catalog.oid,
             x.oprrest <> 0::pg_catalog.oid OR x.oprjoin <> 0::pg_catalog.oid
        FROM pg_catalog.pg_operator x
       WHERE r.cls = 'pg_catalog.pg_operator'::pg_catalog.regclass AND x.oid = r.obj
      UNION ALL
      SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, f.f, false
        FROM pg_catalog.pg_aggregate x
       CROSS JOIN LATERAL (VALUES (x.aggtransfn::pg_catalog.oid), (x.aggfinalfn::pg_catalog.oid),
              (x.aggcombinefn::pg_catalog.oid), (x.aggserialfn::pg_catalog.oid),
              (x.aggdeserialfn::pg_catalog.oid), (x.aggmtransfn::pg_catalog.oid),
              (x.aggminvtransfn::pg_catalog.oid), (x.aggmfinalfn::pg_catalog.oid)) f(f)
       WHERE r.cls = 'pg_catalog.pg_proc'::pg_catalog.regclass AND r.obj >= 16384
         AND x.aggfnoid = r.obj AND f.f <> 0) e(cls, obj, auto)),
found AS MATERIALIZED (
  SELECT cls, obj, pg_catalog.bool_or(auto) AS auto FROM reach GROUP BY cls, obj)
SELECT 'function', p.oid::pg_catalog.int8, n.nspname, p.proname,
       CASE WHEN l.lanname IN ('sql', 'plpgsql') AND p.oid >= 16384 THEN
              CASE WHEN p.proconfig::pg_catalog.text LIKE '%standard_conforming_strings%'
                   THEN 'opaque' ELSE l.lanname::pg_catalog.text END
            WHEN p.oid < 16384 OR l.lanname = 'internal' THEN 'server'
            WHEN l.lanname = 'c' AND EXISTS (
                   SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND d.objid = p.oid AND d.deptype = 'e') THEN 'server'
            ELSE 'opaque' END,
       p.provolatile,
       CASE WHEN l.lanname = 'internal' AND p.oid >= 16384 AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid)
            THEN coalesce((SELECT pg_catalog.max(b.provolatile::pg_catalog.text)
                             FROM pg_catalog.pg_proc b
                            WHERE b.oid < 16384 AND b.prosrc = p.prosrc), 'v')
            ELSE p.provolatile::pg_catalog.text END,
       f.auto::pg_catalog.int4,
       CASE WHEN p.oid < 16384 THEN ''
            ELSE pg_catalog.concat(
                   CASE WHEN l.lanname NOT IN ('sql', 'plpgsql') THEN ''
                        WHEN p.prosrc <> '' THEN p.prosrc
                        ELSE pg_catalog.pg_get_functiondef(p.oid) END,
                   ' ; ', pg_catalog.pg_get_expr(p.proargdefaults, 0::pg_catalog.oid)) END
  FROM found f JOIN pg_catalog.pg_proc p ON p.oid = f.obj
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE f.cls = 'pg_catalog.pg_proc'::pg_catalog.regclass AND (p.prokind <> 'a' OR p.oid >= 16384)
UNION ALL
SELECT 'rule', x.oid, '', x.rulename, '', 'v', '', 0, pg_catalog.pg_get_ruledef(x.oid)
  FROM found f JOIN pg_catalog.pg_rewrite x ON x.oid = f.obj
 WHERE f.cls = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
UNION ALL
SELECT 'policy', x.oid, '', x.polname, '', 'v', '', 0,
       pg_catalog.concat(pg_catalog.pg_get_expr(x.polqual, x.polrelid), ' ; ',
                         CASE WHEN asked.writes
                              THEN pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid) END)
  FROM asked, found f JOIN pg_catalog.pg_policy x ON x.oid = f.obj
 WHERE f.cls = 'pg_catalog.pg_policy'::pg_catalog.regclass
UNION ALL
SELECT 'constraint', x.oid, '', x.conname, '', 'v', '', 0,
       pg_catalog.pg_get_constraintdef(x.oid)
  FROM found f JOIN pg_catalog.pg_constraint x ON x.oid = f.obj
 WHERE f.cls = 'pg_catalog.pg_constraint'::pg_catalog.regclass
UNION ALL
SELECT 'default', x.oid, '', '', '', 'v', '', 0, pg_catalog.pg_get_expr(x.adbin, x.adrelid)
  FROM asked, found f JOIN pg_catalog.pg_attrdef x ON x.oid = f.obj
 WHERE f.cls = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND asked.writes
UNION ALL
SELECT 'trigger', x.oid, pg_catalog.concat(n.nspname, '.', c.relname), x.tgname, '', 'v', '', 0,
       pg_catalog.pg_get_triggerdef(x.oid)
  FROM found f JOIN pg_catalog.pg_trigger x ON x.oid = f.obj
  JOIN pg_catalog.pg_class c ON c.oid = x.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE f.cls = 'pg_catalog.pg_trigger'::pg_catalog.regclass
UNION ALL
SELECT 'foreign', x.oid, n.nspname, x.relname, '', 'v', '', 0, ''
  FROM found f JOIN pg_catalog.pg_class x ON x.oid = f.obj AND x.relkind = 'f'
  JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
 WHERE f.cls = 'pg_catalog.pg_class'::pg_catalog.regclass
LIMIT 20001)";

enum class Which : uint8_t { Visible, All, Server };

std::string_view word(Which which) {
  switch (which) {
    case Which::Visible:
      return "visible";
    case Which::All:
      return "all";
    case Which::Server:
      return "server";
  }
  return "visible";
}

// Everything to look up so far: an operator counts once its type and its name are both known.
class Question {
 public:
  void add(const sql::Names& names, Which which) {
    for (const sql::QualifiedName& name : names.functions) {
      if (functions_asked_.insert({name, which}).second) add_name(functions_, name, which);
    }
    if (which == Which::Server) return;  // its relations and types are known by pg_depend
    for (const sql::QualifiedName& name : names.relations) {
      if (relations_asked_.insert({name, which}).second) add_name(relations_, name, which);
    }
    for (const std::string& name : names.words) {
      if (!words_asked_.insert(name).second) continue;
      words_.emplace_back(name);
      changed_ = true;
    }
  }
  void add(uint32_t oid) {
    oids_.emplace_back(oid);
    changed_ = true;
  }

  // Whether something was added since the last call of text().
  bool changed() const { return changed_; }

  std::string text(const ReachFrom& from, const json::value& path) {
    changed_ = false;
    return to_text(json::object{{"functions", functions_},
                                {"relations", relations_},
                                {"words", words_},
                                {"oids", oids_},
                                {"path", path},
                                {"tables", from.table_expressions || from.writes},
                                {"writes", from.writes}});
  }

 private:
  void add_name(json::array& list, const sql::QualifiedName& name, Which which) {
    list.push_back(json::object{{"s", name.schema}, {"n", name.name}, {"w", word(which)}});
    changed_ = true;
  }

  json::array functions_ = {}, relations_ = {}, words_ = {}, oids_ = {};
  std::set<std::pair<sql::QualifiedName, Which>> functions_asked_ = {}, relations_asked_ = {};
  std::set<std::string> words_asked_ = {};
  bool changed_ = false;
};

Result<Routine> to_routine(const pg::Row& row) {
  Routine out;
  out.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(1)));
  out.schema = row.text(2);
  out.name = row.text(3);
  const std::string_view kind = row.text(4);
  out.is_sql = kind == "sql";
  out.author = kind == "server"                     ? Author::Server
               : kind == "sql" || kind == "plpgsql" ? Author::Body
                                                    : Author::Opaque;
  out.declared = row.text(5).empty() ? 'v' : row.text(5)[0];
  out.volatility = row.text(6).empty() ? 'v' : row.text(6)[0];
  out.automatic = row.text(7) == "1";
  return out;
}

// Takes in one row of kReachSql: adds what is new to `out` and what it names to `question`.
Status take_in(const pg::Row& row, bool open_all_bodies, std::set<std::string>& seen,
               Question& question, Reached& out) {
  const std::string key = cat(row.text(0), " ", row.text(1));
  const bool fresh = seen.insert(key).second;
  if (row.text(0) == "foreign") {
    if (fresh) out.foreign_tables.push_back(cat(row.text(2), ".", row.text(3)));
    return ok();
  }
  if (row.text(0) == "trigger" && fresh) {
    out.triggers.push_back(cat(row.text(3), " on ", row.text(2)));
  }
  if (row.text(0) != "function") {
    if (fresh) question.add(sql::names_in_text(row.text(8)).names, Which::Server);
    return ok();
  }
  Routine routine = TRY(to_routine(row));
  if (!fresh) {
    const auto known = std::ranges::find(out.routines, routine.oid, &Routine::oid);
    known->automatic = known->automatic || routine.automatic;
    return ok();
  }
  sql::TextNames text = sql::names_in_text(row.text(8));
  if (routine.author == Author::Body) routine.opaque = std::move(text.opaque);
  const bool open = open_all_bodies || routine.is_sql || routine.author != Author::Body;
  if (open) question.add(text.names, Which::All);
  out.routines.push_back(std::move(routine));
  return ok();
}

// The rounds of reach(), with the settings of this module's own queries.
Result<Reached> follow(pg::Connection& conn, const ReachFrom& from, const json::value& path) {
  Reached out;
  Question question;
  std::set<std::string> seen;
  question.add(from.names, from.hidden_names ? Which::All : Which::Visible);
  for (const uint32_t oid : from.routines) question.add(oid);
  for (int round = 0; question.changed(); ++round) {
    if (round == kRoundsMax) {
      return Error{ErrorCode::Limit, cat("functions of the statement call each other more than ",
                                         kRoundsMax, " deep")};
    }
    const std::string asked = question.text(from, path);
    const pg::Rows rows =
        TRY_DURING(conn.query(cat("EXECUTE pgtend_reach (", pg::literal(asked), ")")),
                   "looking up what the statement calls");
    for (const pg::Row row : rows) TRY(take_in(row, from.open_all_bodies, seen, question, out));
    if (seen.size() > kObjectsMax) {
      return Error{ErrorCode::Limit,
                   cat("the statement reaches more than ", kObjectsMax, " functions and views")};
    }
  }
  return out;
}

}  // namespace

std::string Routine::shown() const {
  const bool built_in = schema == "pg_catalog";
  return printable(cat(built_in ? "" : schema, built_in ? "" : ".", name, "()"));
}

Result<Reached> reach(pg::Connection& conn, const ReachFrom& from) {
  const pg::Rows path =
      TRY(conn.query("SELECT pg_catalog.to_json(pg_catalog.current_schemas(true))"));
  const std::string names = TRY(path.scalar());
  const json::value schemas = TRY(parse_json(names));
  // The savepoint brings the statement's own settings back. Names are looked up in the server's
  // catalogs only; the query is planned once a session, compiling it would take longer.
  TRY(
      conn.exec("SAVEPOINT pgtend_reach; SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; "
                "SET LOCAL plan_cache_mode = force_generic_plan"));
  const pg::Rows ready =
      TRY(conn.query("SELECT FROM pg_prepared_statements WHERE name = 'pgtend_reach'"));
  if (ready.empty()) TRY(conn.query(cat("PREPARE pgtend_reach (text) AS ", kReachSql)));
  Result<Reached> out = follow(conn, from, schemas);
  if (!out) return out;
  TRY(conn.exec("ROLLBACK TO SAVEPOINT pgtend_reach; RELEASE SAVEPOINT pgtend_reach"));
  return out;
}

}  // namespace pgtend::explain
