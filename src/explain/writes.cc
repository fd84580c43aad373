#include "explain/writes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "facts/columns.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr double kPageBytes = 8192;
constexpr double kRowHeadBytes = 28;  // tuple header and line pointer

// $1 schema, $2 table, $3 the bits of pg_trigger.tgtype for the operation. Run with pg_catalog
// first on the search path.
constexpr std::string_view kTargetSql = R"(
SELECT greatest(c.reltuples, 0), c.relpages,
       (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid),
       coalesce(fired.at_once, '[]')::text, coalesce(fired.deferred, '[]')::text,
       (SELECT coalesce(json_agg(DISTINCT k.conrelid::regclass::text), '[]')::text
          FROM pg_constraint k WHERE k.confrelid = c.oid AND k.contype = 'f'),
       (SELECT coalesce(json_agg(DISTINCT d.objid::regclass::text), '[]')::text
          FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
         WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.refobjid = c.oid AND d.deptype IN ('a', 'i'))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
   SELECT json_agg(t.tgname ORDER BY t.tgname) FILTER (WHERE NOT t.tginitdeferred) AS at_once,
          json_agg(t.tgname ORDER BY t.tgname) FILTER (WHERE t.tginitdeferred) AS deferred
     FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      AND (t.tgtype::int & $3::int) <> 0) fired
 WHERE n.nspname = $1 AND c.relname = $2)";

int trigger_bits(std::string_view operation) {
  constexpr int kInsert = 4, kDelete = 8, kUpdate = 16;
  if (operation == "Insert") return kInsert | kUpdate;  // ON CONFLICT DO UPDATE
  if (operation == "Delete") return kDelete;
  if (operation == "Update")
    return kUpdate | kInsert | kDelete;  // a row that changes its partition
  return operation == "Merge" ? kInsert | kUpdate | kDelete : 0;
}

// The rows that come to node `id` from below: a ModifyTable without RETURNING hands none up.
double rows_into(const Plan& plan, int id) {
  double out = 0;
  for (const int child : at(plan, id).children) {
    const Relation how = at(plan, child).relation;
    if (how != Relation::Child && how != Relation::Root) continue;
    const RowCount rows = count_rows(plan, child);
    out += plan.analyzed() ? rows.actual : rows.estimate;
  }
  return out;
}

double width_into(const Plan& plan, int id) {
  double out = 0;
  for (const int child : at(plan, id).children) out = std::max(out, at(plan, child).estimate.width);
  return out;
}

json::array names_json(const std::vector<std::string>& names) {
  json::array out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

std::string shown(const std::vector<std::string>& names) { return printable(join(names, ", ")); }

}  // namespace

std::vector<WriteTarget> write_targets(const Plan& plan) {
  std::vector<WriteTarget> out;
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const Node& node = plan.nodes[i];
    const int id = static_cast<int>(i);
    WriteTarget target;
    if (node.type == "ModifyTable") {
      target = {.operation = std::string(node.text("Operation")),
                .schema = std::string(node.object.schema),
                .name = std::string(node.object.relation)};
    } else if (node.type == "LockRows") {
      target.operation = "Lock";
      // The table is that of the first scan below.
      for (size_t below = i + 1; below < plan.nodes.size() && target.name.empty(); ++below) {
        if (!plan.below(static_cast<int>(below), id)) break;
        target.schema = plan.nodes[below].object.schema;
        target.name = plan.nodes[below].object.relation;
      }
    } else {
      continue;
    }
    target.rows = rows_into(plan, id);
    target.row_bytes = width_into(plan, id);
    const auto inserted = node.number("Tuples Inserted"), updated = node.number("Tuples Updated");
    if (target.operation == "Insert" || target.operation == "Update")
      target.dead_rows = target.rows;
    if (target.operation == "Merge") target.dead_rows = target.rows;
    if (inserted || updated) target.dead_rows = inserted.value_or(0) + updated.value_or(0);
    if (inserted && node.text("Conflict Resolution") == "UPDATE") {
      target.dead_rows += node.number("Conflicting Tuples").value_or(0);
    }
    out.push_back(std::move(target));
  }
  return out;
}

Result<TargetFacts> load_target(pg::Connection& conn, const WriteTarget& target) {
  const pg::Rows rows = TRY_DURING(
      conn.query(kTargetSql, {target.schema, target.name, cat(trigger_bits(target.operation))}),
      "reading what the statement writes to");
  TargetFacts out;
  if (rows.empty()) return out;
  out.table_rows = TRY(rows[0].get<double>(0));
  out.table_pages = TRY(rows[0].get<double>(1));
  out.indexes = static_cast<int>(TRY(rows[0].get<int64_t>(2)));
  out.triggers = TRY(facts::texts_of(rows[0].text(3)));
  out.deferred = TRY(facts::texts_of(rows[0].text(4)));
  out.cascades = TRY(facts::texts_of(rows[0].text(5)));
  if (target.operation == "Insert" || target.operation == "Merge") {
    out.sequences = TRY(facts::texts_of(rows[0].text(6)));
  }
  return out;
}

WriteRun write_run(const sql::StatementInfo& info, const pg::Params& values) {
  constexpr std::string_view kExplain =
      "EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS, ANALYZE, BUFFERS, WAL) ";
  if (values.empty()) return {{}, cat(kExplain, info.text)};
  std::vector<std::string> literals;
  for (const auto& value : values) literals.push_back(value ? pg::literal(*value) : "NULL");
  return {
      {"SET LOCAL plan_cache_mode = force_custom_plan", cat("PREPARE pgtend_write AS ", info.text)},
      cat(kExplain, "EXECUTE pgtend_write(", join(literals, ", "), ")")};
}

std::vector<std::string> cost_lines(const WriteTarget& target, const TargetFacts& facts,
                                    bool measured) {
  std::vector<std::string> out;
  const std::string table = printable(pg::qualified(target.schema, target.name));
  const std::string about = measured ? "" : "about ";
  if (target.operation == "Lock") {
    out.push_back(cat(measured ? "locked " : "locks ", about, counted(target.rows), " rows of ",
                      table,
                      measured ? "" : "; whoever wants to change them waits until the rollback",
                      ", each lock writes its row's page and WAL"));
    return out;
  }
  out.push_back(cat(measured ? "wrote " : "writes ", about, counted(target.rows), " rows of ",
                    table, " (", lower(target.operation), ")",
                    measured ? ""
                             : ": their locks are held until the rollback, RowExclusiveLock on the "
                               "table"));
  if (target.dead_rows > 0) {
    const double bytes = target.dead_rows * (target.row_bytes + kRowHeadBytes);
    out.push_back(cat(measured ? "left " : "leaves ", about, counted(target.dead_rows),
                      " dead rows in it, ", about,
                      counted(std::max(1.0, std::ceil(bytes / kPageBytes))), " pages",
                      facts.indexes > 0 ? cat(", and entries in up to ", facts.indexes,
                                              facts.indexes == 1 ? " index" : " indexes")
                                        : "",
                      ": the rollback does not give them back"));
  }
  if (!facts.triggers.empty()) {
    out.push_back(cat(measured ? "fired triggers: " : "fires triggers: ", shown(facts.triggers)));
  }
  if (!facts.deferred.empty()) {
    out.push_back(cat("deferred triggers run at COMMIT, so not here and not measured: ",
                      shown(facts.deferred)));
  }
  if (!facts.cascades.empty() && target.operation != "Insert") {
    out.push_back(cat("foreign keys look into or write to: ", shown(facts.cascades)));
  }
  if (!facts.sequences.empty()) {
    out.push_back(cat("numbers of sequences are lost, no rollback brings them back: ",
                      shown(facts.sequences)));
  }
  return out;
}

std::string vacuum_advice(const WriteTarget& target, const TargetFacts& facts) {
  constexpr double kThreshold = 50, kShare = 0.2;
  if (target.dead_rows <= kThreshold + kShare * facts.table_rows) return {};
  return cat("VACUUM ", pg::qualified(target.schema, target.name));
}

std::optional<double> wal_bytes(const Plan& plan) { return plan.root().number("WAL Bytes"); }

json::object to_json(const WriteTarget& target, const TargetFacts& facts) {
  return {{"operation", target.operation},
          {"table", pg::qualified(target.schema, target.name)},
          {"rows", target.rows},
          {"dead_rows", target.dead_rows},
          {"table_rows", facts.table_rows},
          {"indexes", facts.indexes},
          {"triggers", names_json(facts.triggers)},
          {"deferred_triggers", names_json(facts.deferred)},
          {"foreign_keys", names_json(facts.cascades)},
          {"sequences", names_json(facts.sequences)}};
}

}  // namespace pgtend::explain
