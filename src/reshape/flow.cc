#include "reshape/flow.h"

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::reshape {
namespace {

constexpr std::string_view kSilentBody = "BEGIN RETURN NULL; END";
constexpr int kVersionTidScan = 140000;  // before, WHERE ctid >= … reads the whole table

std::vector<std::string> quoted(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(pg::ident(name));
  return out;
}

// "a.k1, a.k2"
std::string ks(const Flow& flow, std::string_view alias) {
  std::vector<std::string> out;
  for (size_t i = 1; i <= flow.key.size(); ++i) out.push_back(cat(alias, "k", i));
  return join(out, ", ");
}

std::string prefixed(const std::vector<std::string>& names, std::string_view prefix) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(cat(prefix, name));
  return join(out, ", ");
}

// "k.k1 = t.id AND k.k2 = t.at"
std::string same_key(const Flow& flow, std::string_view keys, std::string_view table) {
  std::vector<std::string> out;
  for (size_t i = 0; i < flow.key.size(); ++i) {
    out.push_back(cat(keys, ".k", i + 1, " = ", table, ".", flow.key[i]));
  }
  return join(out, " AND ");
}

Flow common(const Job& job) {
  Flow out{.key = quoted(job.key), .columns = quoted(job.columns)};
  if (!job.divider.empty()) out.divider = pg::ident(job.divider);
  return out;
}

// The function's body for one record.
std::string note(const Flow& flow, std::string_view record) {
  std::vector<std::string> values;
  for (const std::string& column : flow.key) values.push_back(cat(record, ".", column));
  if (!flow.divider.empty()) values.push_back(cat(record, ".", flow.divider));
  return cat("INSERT INTO ", flow.log, " (", ks(flow, ""), flow.divider.empty() ? "" : ", p",
             ") VALUES (", join(values, ", "), ");");
}

std::string moved(const Flow& flow) {
  std::vector<std::string> out;
  for (const std::string& column : flow.key) {
    out.push_back(cat("OLD.", column, " IS DISTINCT FROM NEW.", column));
  }
  if (!flow.divider.empty()) {
    out.push_back(cat("OLD.", flow.divider, " IS DISTINCT FROM NEW.", flow.divider));
  }
  return join(out, " OR ");
}

// A definer's right to write the log, because those who change the table need none on it; so its
// search path is pinned.
std::string function(const Flow& flow, const std::string& body) {
  return cat("CREATE OR REPLACE FUNCTION ", flow.function,
             "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "
             "pg_temp AS ",
             pg::literal(body));
}

std::string loud_body(const Flow& flow) {
  return cat("BEGIN IF TG_OP = 'TRUNCATE' THEN INSERT INTO ", flow.log,
             " (emptied) VALUES (TG_ARGV[0]::int); ELSIF TG_OP = 'INSERT' THEN ", note(flow, "NEW"),
             " ELSE ", note(flow, "OLD"), " IF TG_OP = 'UPDATE' AND (", moved(flow), ") THEN ",
             note(flow, "NEW"), " END IF; END IF; RETURN NULL; END");
}

// A row as text: settings of the session that change how values are written are the same for both.
std::string row(const Flow& flow, std::string_view table) {
  return cat("ROW(", prefixed(flow.columns, cat(table, ".")), ")::text");
}

std::string untouched(const Flow& flow) {
  return cat("NOT EXISTS (SELECT FROM ", flow.log, " l WHERE ", same_key(flow, "l", "o"), ")");
}

std::vector<Source> sources_of(const std::vector<Part>& parts, const std::string& whole) {
  if (parts.empty()) return {{.table = whole}};
  std::vector<Source> out;
  for (const Part& part : parts) {
    out.push_back({.table = part.table, .condition = part.condition});
  }
  return out;
}

// Columns by name: parts may have them in another order.
std::string all_rows(const Flow& flow) {
  std::vector<std::string> out;
  for (const Source& source : flow.sources) {
    out.push_back(cat("SELECT ", join(flow.columns, ", "), " FROM ONLY ", source.table));
  }
  return cat("(", join(out, " UNION ALL "), ")");
}

}  // namespace

Flow forward(const Job& job) {
  Flow out = common(job);
  out.log = job.own("log");
  out.function = job.own("capture");
  out.trigger = job.own_bare("capture");
  out.name = job.table();
  out.sources = sources_of(job.sources, job.table());
  out.rows = job.in_parts() ? all_rows(out) : cat("ONLY ", job.table());
  out.target = job.new_table();
  out.leaves = job.leaves;
  if (!job.divider.empty()) {
    std::vector<std::string> bounds;
    for (const std::string& bound : job.bounds) bounds.push_back(pg::literal(bound));
    out.bounds = cat("ARRAY[", join(bounds, ", "), "]::", job.divider_type, "[]");
  }
  return out;
}

Flow backward(const Job& job) {
  Flow out = common(job);
  out.log = job.own("back_log");
  out.function = job.own("back");
  out.trigger = job.own_bare("back");
  out.name = job.table();
  out.sources = sources_of(job.results, job.table());
  out.rows = job.in_parts() ? all_rows(out) : job.table();
  out.target = job.old_table();
  out.leaves = {job.old_table()};
  return out;
}

Flow renamed(Flow flow, const std::string& table) {
  if (flow.sources.size() == 1 && flow.sources[0].condition.empty()) {
    flow.sources[0].table = flow.rows = table;
  }
  return flow;
}

std::string leaf_of(const Flow& flow, std::string_view value) {
  if (flow.bounds.empty()) return "1";
  return cat("pg_catalog.width_bucket(", value, ", ", flow.bounds, ")");
}

std::string ours_alone(const std::string& table) {
  return cat("DO ", pg::literal(cat(
                        "DECLARE g record; BEGIN FOR g IN SELECT DISTINCT CASE WHEN a.grantee = 0 "
                        "THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid("
                        "a.grantee)) END AS role FROM pg_catalog.pg_class c, "
                        "pg_catalog.aclexplode(c.relacl) a WHERE c.oid = ",
                        pg::literal(table),
                        "::pg_catalog.regclass AND a.grantee <> c.relowner LOOP EXECUTE "
                        "pg_catalog.format('REVOKE ALL ON %s FROM %s', ",
                        pg::literal(table), ", g.role); END LOOP; END")));
}

std::vector<std::string> capture(const Flow& flow, bool silent) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < flow.key.size(); ++i) columns.push_back(cat(flow.key[i], " AS k", i + 1));
  if (!flow.divider.empty()) columns.push_back(cat(flow.divider, " AS p"));
  std::vector<std::string> out;
  // Made from the columns, so that types and collations are theirs.
  out.push_back(cat("CREATE TABLE ", flow.log, " AS SELECT NULL::int AS emptied, ",
                    join(columns, ", "), " FROM ", flow.rows, " o WITH NO DATA"));
  out.push_back(ours_alone(flow.log));
  out.push_back(cat("CREATE INDEX ON ", flow.log, " (", ks(flow, ""), ")"));
  out.push_back(cat("CREATE INDEX ON ", flow.log, " (emptied) WHERE emptied IS NOT NULL"));
  out.push_back(function(flow, silent ? std::string(kSilentBody) : loud_body(flow)));
  out.push_back(cat("REVOKE ALL ON FUNCTION ", flow.function, "() FROM PUBLIC"));
  const std::string truncate = cat(flow.trigger, "_t");
  for (size_t i = 0; i < flow.sources.size(); ++i) {
    const std::string& table = flow.sources[i].table;
    out.push_back(cat("CREATE TRIGGER ", flow.trigger, " AFTER INSERT OR UPDATE OR DELETE ON ",
                      table, " FOR EACH ROW EXECUTE FUNCTION ", flow.function, "()"));
    out.push_back(cat("CREATE TRIGGER ", truncate, " AFTER TRUNCATE ON ", table,
                      " FOR EACH STATEMENT EXECUTE FUNCTION ", flow.function, "(", i + 1, ")"));
    // What a subscription or a session in replica mode writes counts as well.
    out.push_back(cat("ALTER TABLE ", table, " ENABLE ALWAYS TRIGGER ", flow.trigger));
    out.push_back(cat("ALTER TABLE ", table, " ENABLE ALWAYS TRIGGER ", truncate));
  }
  return out;
}

std::string listen(const Flow& flow) { return function(flow, loud_body(flow)); }

std::string silence(const Flow& flow) { return function(flow, std::string(kSilentBody)); }

std::vector<std::string> uncapture(const Flow& flow) {
  std::vector<std::string> out;
  for (const Source& source : flow.sources) {
    out.push_back(cat("DROP TRIGGER IF EXISTS ", flow.trigger, " ON ", source.table));
    out.push_back(cat("DROP TRIGGER IF EXISTS ", flow.trigger, "_t ON ", source.table));
  }
  return out;
}

std::vector<std::string> make_keys(const Flow& flow) {
  return {cat("DROP TABLE IF EXISTS ", kKeys),
          cat("CREATE TEMPORARY TABLE pgtend_keys ON COMMIT DELETE ROWS AS SELECT 0 AS leaf, ",
              ks(flow, ""), " FROM ", flow.log, " WITH NO DATA")};
}

std::string copy_pages(const Job& job, const Pages& pages) {
  const Flow flow = forward(job);
  const int64_t first = pages.first;
  const int64_t last = pages.last;
  const std::string& table = flow.sources[pages.source].table;
  const uint32_t oid = job.in_parts() ? job.sources[pages.source].oid : job.oid;
  const int rows_page = (job.block_size - 24) / (24 + 4);  // MaxHeapTuplesPerPage
  const std::string range =
      job.version >= kVersionTidScan
          ? cat("o.ctid >= '(", first, ",0)' AND o.ctid < '(", last, ",0)'")
          : cat("o.ctid = ANY (ARRAY(SELECT ('(' || page || ',' || item || ')')::tid FROM "
                "pg_catalog.generate_series(",
                first, ", ", last - 1, ") page, pg_catalog.generate_series(1, ", rows_page,
                ") item))");
  return cat("INSERT INTO ", flow.target, " (", join(flow.columns, ", "),
             ") OVERRIDING SYSTEM VALUE SELECT ", prefixed(flow.columns, "o."), " FROM ONLY ",
             table, " o WHERE ", range, " AND o.tableoid = ", oid, " AND ", untouched(flow));
}

// All entries of a key go together: the first of them tells where its row stands in the target. A
// TRUNCATE is there no later than what was written after it, so that it always goes along.
std::string take_keys(const Flow& flow, int64_t most) {
  const std::string truncates = cat("DELETE FROM ", flow.log, " WHERE emptied IS NOT NULL");
  std::string entries;
  if (most == 0) {
    entries = cat("DELETE FROM ", flow.log, " WHERE emptied IS NULL");
  } else {
    std::vector<std::string> same;
    for (size_t i = 1; i <= flow.key.size(); ++i) same.push_back(cat("l.k", i, " = few.k", i));
    entries =
        cat("DELETE FROM ", flow.log, " l USING (SELECT DISTINCT ", ks(flow, ""), " FROM (SELECT ",
            ks(flow, ""), " FROM ", flow.log, " WHERE emptied IS NULL LIMIT ", most,
            ") x) few WHERE l.emptied IS NULL AND ", join(same, " AND "));
  }
  return cat("WITH truncates AS (", truncates, " RETURNING emptied), gone AS (", entries,
             " RETURNING ", ks(flow, most == 0 ? "" : "l."),
             flow.divider.empty() ? "" : (most == 0 ? ", p" : ", l.p"), "), kept AS (INSERT INTO ",
             kKeys, " SELECT DISTINCT ", leaf_of(flow, "p"), ", ", ks(flow, ""),
             " FROM gone RETURNING leaf) SELECT (SELECT pg_catalog.count(*) FROM gone), "
             "(SELECT pg_catalog.string_agg(DISTINCT emptied::text, ' ') FROM truncates), "
             "(SELECT pg_catalog.string_agg(DISTINCT leaf::text, ' ') FROM kept)");
}

std::string empty_target(const Flow& flow, size_t number) {
  const std::string& condition = flow.sources[number - 1].condition;
  if (condition.empty()) return cat("TRUNCATE ", flow.target);
  return cat("DELETE FROM ", flow.target, " WHERE ", condition);
}

std::string delete_keys(const Flow& flow, size_t leaf) {
  return cat("DELETE FROM ", flow.leaves[leaf], " t USING ", kKeys, " k WHERE k.leaf = ", leaf + 1,
             " AND ", same_key(flow, "k", "t"));
}

std::string insert_keys(const Flow& flow) {
  return cat("INSERT INTO ", flow.target, " (", join(flow.columns, ", "),
             ") OVERRIDING SYSTEM VALUE SELECT ", prefixed(flow.columns, "o."),
             " FROM (SELECT DISTINCT ", ks(flow, ""), " FROM ", kKeys, ") k JOIN ", flow.rows,
             " o ON ", same_key(flow, "k", "o"));
}

std::string compare_keys(const Flow& flow, size_t leaf) {
  const std::string number = cat(leaf + 1);
  const std::string here = cat(
      "SELECT ", row(flow, "o"), " FROM ", flow.rows, " o JOIN ", kKeys, " k ON k.leaf = ", number,
      " AND ", same_key(flow, "k", "o"),
      flow.bounds.empty() ? ""
                          : cat(" WHERE ", leaf_of(flow, cat("o.", flow.divider)), " = ", number));
  const std::string there =
      cat("SELECT ", row(flow, "t"), " FROM ", flow.leaves[leaf], " t JOIN ", kKeys,
          " k ON k.leaf = ", number, " AND ", same_key(flow, "k", "t"));
  return cat("SELECT pg_catalog.count(*) FROM ((", here, " EXCEPT ALL ", there, ") UNION ALL (",
             there, " EXCEPT ALL ", here, ")) x");
}

std::string compare_all(const Flow& flow) {
  const auto sums = [&](const std::string& from) {
    return cat("SELECT ", leaf_of(flow, cat("o.", flow.divider)),
               " AS leaf, pg_catalog.count(*) AS n, "
               "pg_catalog.sum(pg_catalog.hashtextextended(",
               row(flow, "o"), ", 0)) AS h FROM ", from, " o WHERE ", untouched(flow),
               " GROUP BY 1");
  };
  return cat("WITH a AS MATERIALIZED (", sums(flow.rows), "), b AS MATERIALIZED (",
             sums(flow.target),
             ") SELECT leaf, coalesce(a.n, 0), coalesce(b.n, 0) FROM a FULL JOIN b USING (leaf) "
             "WHERE a.n IS DISTINCT FROM b.n OR a.h IS DISTINCT FROM b.h UNION ALL "
             "SELECT NULL, coalesce(pg_catalog.sum(n), 0)::bigint, 0 FROM a ORDER BY leaf");
}

std::string compare_leaf(const Flow& flow, int64_t leaf, int most) {
  const auto rows = [&](const std::string& from) {
    return cat("SELECT ROW(", prefixed(flow.key, "o."), ")::text AS key, ", row(flow, "o"),
               " AS r FROM ", from, " o WHERE ", leaf_of(flow, cat("o.", flow.divider)), " = ",
               leaf, " AND ", untouched(flow));
  };
  const std::string here = rows(flow.rows);
  const std::string there = rows(flow.target);
  return cat("(SELECT key, 'missing or different in the new table' FROM (", here, " EXCEPT ALL ",
             there, ") x LIMIT ", most, ") UNION ALL (SELECT key, 'only or different there' FROM (",
             there, " EXCEPT ALL ", here, ") x LIMIT ", most, ")");
}

}  // namespace pgtend::reshape
