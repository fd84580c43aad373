// Proves from a plan which partitions a query touches.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "explain/parse_json.h"
#include "partition/partition.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

Result<std::set<std::string>> leaves_of(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select n.nspname, c.relname from pg_partition_tree($1::oid) t "
                 "join pg_class c on c.oid = t.relid join pg_namespace n on n.oid = c.relnamespace "
                 "where t.isleaf and t.level > 0",
                 {cat(oid)}),
      "reading partitions");
  std::set<std::string> out;
  for (const pg::Row row : rows) out.insert(pg::qualified(row.text(0), row.text(1)));
  return out;
}

// The plan as text; nothing is executed, and the transaction would not let it write.
Result<std::string> plan_text(pg::Connection& conn, const std::string& sql) {
  TRY(conn.exec("BEGIN TRANSACTION READ ONLY"));
  auto rows = conn.query(cat("EXPLAIN (VERBOSE, FORMAT JSON) ", sql));
  const Status ended = conn.exec("ROLLBACK");
  if (!rows) {
    Error error = std::move(rows).error();
    if (error.sqlstate == "42601") error.code = ErrorCode::Invalid;
    return std::move(error).during("explaining the query");
  }
  if (!ended) return ended.error();
  std::string text;
  for (const pg::Row row : *rows) text += cat(row.text(0), "\n");
  return text;
}

}  // namespace

Result<Pruning> prove(pg::Connection& conn, const std::string& table, const std::string& sql) {
  const facts::Layout layout = TRY(facts::load_layout(conn, table));
  if (!layout.partitioned) {
    return Error{ErrorCode::Invalid, cat(layout.qualified(), " is not partitioned")};
  }
  const std::set<std::string> leaves = TRY(leaves_of(conn, layout.oid));
  const std::string text = TRY(plan_text(conn, sql));
  const explain::Plan plan = TRY_DURING(explain::parse_json_plan(text), "reading the plan");
  std::set<std::string> seen;
  double removed = 0;
  for (const explain::Node& node : plan.nodes) {
    const std::string name = pg::qualified(node.object.schema, node.object.relation);
    if (leaves.contains(name)) seen.insert(name);
    removed += node.number("Subplans Removed").value_or(0);
  }
  Pruning out{.table = layout.qualified(),
              .total = static_cast<int>(leaves.size()),
              .scanned = static_cast<int>(seen.size())};
  out.planned = std::min(out.total, out.scanned + static_cast<int>(removed));
  out.partitions.assign(seen.begin(), seen.end());
  return out;
}

}  // namespace pgtend::partition
