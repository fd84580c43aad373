#include "facts/statements.h"

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

constexpr std::string_view kWhereSql = R"(
SELECT n.nspname, pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements')";

// $1 how many, $2 a queryid or ''. Texts of other roles read "<insufficient privilege>".
constexpr std::string_view kWorstSql = R"(
SELECT s.queryid::text, pg_catalog.min(s.query), pg_catalog.sum(s.calls)::bigint,
       pg_catalog.sum(s.total_exec_time)::float8, pg_catalog.sum(s.rows)::float8
  FROM {view} s
 WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d
                  WHERE d.datname = pg_catalog.current_database())
   AND s.queryid IS NOT NULL AND s.query <> '<insufficient privilege>'
   AND ($2 = '' OR s.queryid::text = $2)
 GROUP BY s.queryid
 ORDER BY 4 DESC
 LIMIT $1::bigint)";

}  // namespace

Result<StatementList> load_statements(pg::Connection& conn, int64_t count, std::string_view id) {
  StatementList out;
  const pg::Rows where = TRY_DURING(conn.query(kWhereSql), "looking for pg_stat_statements");
  if (where.size() == 0) {
    out.why_not =
        "extension pg_stat_statements is not in this database: CREATE EXTENSION "
        "pg_stat_statements, with shared_preload_libraries = 'pg_stat_statements'";
    return out;
  }
  if (where[0].text(1) != "t") {
    out.why_not =
        cat("no USAGE on schema ", pg::ident(where[0].text(0)), ", where pg_stat_statements lives");
    return out;
  }
  std::string sql(kWorstSql);
  constexpr std::string_view kView = "{view}";
  sql.replace(sql.find(kView), kView.size(), pg::qualified(where[0].text(0), "pg_stat_statements"));
  auto rows = conn.query(sql, {cat(count), std::string(id)});
  if (!rows && rows.error().sqlstate == "55000") {  // not preloaded
    out.why_not = cat(rows.error().message, ": set shared_preload_libraries and restart");
    return out;
  }
  if (!rows) return std::move(rows).error().during("reading pg_stat_statements");
  for (int i = 0; i < rows->size(); ++i) {
    const auto row = (*rows)[i];
    StatementFacts& statement = out.statements.emplace_back();
    statement.id = row.text(0);
    statement.text = row.text(1);
    statement.calls = TRY(row.get<int64_t>(2));
    statement.total_ms = TRY(row.get<double>(3));
    statement.rows = TRY(row.get<double>(4));
  }
  return out;
}

}  // namespace pgtend::facts
