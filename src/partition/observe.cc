#include "partition/observe.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "explain/conditions.h"
#include "explain/parse_json.h"
#include "pg/quote.h"
#include "sql/expression.h"

namespace pgtend::partition {
namespace {

using explain::Node;
using explain::Plan;

constexpr int kRunTimePruningOfWritesSince = 140000;

bool is_append(const Node& node) { return node.type == "Append" || node.type == "Merge Append"; }
bool is_modify(const Node& node) { return node.type == "ModifyTable"; }

// One place of the statement that reads the table: what stands below one Append.
struct Group {
  int above = explain::kNone;  // the Append; kNone for a partition that stands alone
  std::vector<int> leaves = {};
  std::set<std::pair<std::string, std::string>> names = {};
  int removed = 0;
};

// The node that gathers partitions above `id`, `id` itself when there is none.
int gathers(const Plan& plan, int id, int version) {
  int at = id;
  while (explain::at(plan, at).relation == explain::Relation::Child) {
    at = explain::at(plan, at).parent;
    const Node& node = explain::at(plan, at);
    if (is_append(node)) return at;
    // Before 14 each partition that is written has a plan of its own.
    if (is_modify(node) && version < kRunTimePruningOfWritesSince) return at;
  }
  return id;
}

std::vector<Group> groups_of(const Plan& plan, const PartitionSet& set) {
  std::vector<Group> out;
  const auto group_at = [&](int above, const std::pair<std::string, std::string>& name) -> Group& {
    for (Group& group : out) {
      // The arms of UNION ALL share one Append.
      if (group.above == above && !group.names.contains(name)) return group;
    }
    return out.emplace_back(Group{.above = above});
  };
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const Node& node = plan.nodes[i];
    const int id = static_cast<int>(i);
    if (is_append(node)) {
      const int removed = static_cast<int>(node.number("Subplans Removed").value_or(0));
      if (removed > 0) group_at(id, {}).removed = removed;
    }
    if (!explain::scans_table(node) || is_modify(node)) continue;
    if (node.type == "Bitmap Index Scan" || !set.leaves.contains(node.object.table())) continue;
    Group& group = group_at(gathers(plan, id, set.key.version), node.object.table());
    group.leaves.push_back(id);
    group.names.insert(node.object.table());
  }
  return out;
}

// Whether the rows of the Append go straight to a Limit, so that it ends when there are enough.
bool ends_early(const Plan& plan, const Group& group) {
  if (group.above == explain::kNone || group.leaves.size() < 2) return false;
  if (explain::at(plan, group.above).type != "Append") return false;
  const bool by_index = std::ranges::all_of(group.leaves, [&](int leaf) {
    const std::string_view type = explain::at(plan, leaf).type;
    return type == "Index Scan" || type == "Index Only Scan";
  });
  if (!by_index) return false;
  int at = group.above;
  while (explain::at(plan, at).relation == explain::Relation::Child) {
    at = explain::at(plan, at).parent;
    const std::string_view type = explain::at(plan, at).type;
    if (type == "Limit") return true;
    if (type != "Result" && type != "LockRows" && type != "Subquery Scan") return false;
  }
  return false;
}

// Whether a scan compares the bare key with a value of the running query.
bool compares_while_running(const Plan& plan, int leaf, const PartitionSet& set) {
  const bool sub_selects = std::ranges::any_of(plan.nodes, [](const Node& node) {
    return node.relation == explain::Relation::InitPlan ||
           node.relation == explain::Relation::SubPlan;
  });
  std::vector<int> nodes{leaf};
  for (const int child : explain::at(plan, leaf).children) nodes.push_back(child);
  for (const int id : nodes) {
    for (const std::string_view name : {"Index Cond", "Recheck Cond", "Filter"}) {
      if (explain::at(plan, id).text(name).empty()) continue;
      const auto predicates = explain::conditions_of(plan, id, name, leaf);
      if (!predicates) continue;
      for (const sql::Predicate& predicate : *predicates) {
        // Without a sub-select $1 is a parameter of the statement, known at the start.
        if (!sub_selects && predicate.value.find('$') != std::string::npos) continue;
        if (predicate.column == set.key.column && predicate.wrapping == sql::Wrapping::None &&
            predicate.operators != sql::OperatorClass::Other && !predicate.any &&
            predicate.other == sql::OtherSide::Parameter) {
          return true;
        }
      }
    }
  }
  return false;
}

// Whether a scan's conditions need what a sub-select gives.
bool needs_init_plan(const Plan& plan, int leaf) {
  return std::ranges::any_of(explain::at(plan, leaf).expressions(), [](std::string_view text) {
    return !sql::init_plan_references(text).empty();
  });
}

bool writes_below(const Plan& plan, int id) {
  for (int at = id; at != explain::kNone; at = explain::at(plan, at).parent) {
    if (is_modify(explain::at(plan, at))) return true;
  }
  return false;
}

Prunes class_of(const Plan& plan, const Group& group, const PartitionSet& set, bool ordered) {
  const int total = static_cast<int>(set.leaves.size());
  const int started = static_cast<int>(group.leaves.size());
  if (started + group.removed < total) return Prunes::AtPlan;
  if (group.removed > 0) return Prunes::AtStart;
  if (ordered && ends_early(plan, group)) return Prunes::WhileRunning;
  const bool gathered = group.above != explain::kNone && is_append(explain::at(plan, group.above));
  const bool ran = gathered && explain::at(plan, group.above).actual &&
                   !explain::at(plan, group.above).never_executed();
  if (ran) {
    const bool left = std::ranges::any_of(
        group.leaves, [&](int leaf) { return explain::at(plan, leaf).never_executed(); });
    return left ? Prunes::WhileRunning : Prunes::Never;
  }
  if (group.leaves.empty()) return Prunes::Never;
  const bool write =
      writes_below(plan, group.leaves.front()) && set.key.version < kRunTimePruningOfWritesSince;
  return !write && compares_while_running(plan, group.leaves.front(), set) ? Prunes::WhileRunning
                                                                           : Prunes::Never;
}

// EXPLAIN EXECUTE with values of the parameters' types.
Result<pg::Rows> execute(pg::Connection& conn, const std::string& explain, std::string_view name,
                         const Question& question) {
  const pg::Rows types =
      TRY(conn.query("SELECT t::pg_catalog.text FROM pg_catalog.pg_prepared_statements, "
                     "pg_catalog.unnest(parameter_types) WITH ORDINALITY u(t, n) WHERE name "
                     "OPERATOR(pg_catalog.=) $1 ORDER BY n",
                     {std::string(name)}));
  std::vector<std::string> values;
  for (const pg::Row type : types) {
    const bool time = type.text(0) == "date" ||
                      (type.text(0).starts_with("timestamp") && !type.text(0).ends_with("[]"));
    values.push_back(time && !question.time.empty() ? pg::literal(question.time) : "NULL");
  }
  return conn.query(cat(explain, "EXECUTE ", name, "(", join(values, ", "), ")"));
}

}  // namespace

Observed observe(const Plan& plan, const PartitionSet& set, bool ordered) {
  Observed out{.prunes = Prunes::AtPlan, .total = static_cast<int>(set.leaves.size())};
  std::set<std::string> names;
  bool first = true;
  for (const Group& group : groups_of(plan, set)) {
    const Prunes prunes = class_of(plan, group, set, ordered);
    if (first) out.prunes = prunes;
    if (prunes != out.prunes) out.prunes = Prunes::Mixed;
    first = false;
    const int started = static_cast<int>(group.leaves.size());
    out.planned = std::max(out.planned, std::min(out.total, started + group.removed));
    out.started = std::max(out.started, started);
    int executed = 0;
    for (const int leaf : group.leaves) {
      const Node& node = explain::at(plan, leaf);
      names.insert(pg::qualified(node.object.schema, node.object.relation));
      executed += node.actual && !node.never_executed();
    }
    if (plan.analyzed()) out.executed = std::max(out.executed.value_or(0), executed);
  }
  out.partitions.assign(names.begin(), names.end());
  out.planning_ms = plan.planning_ms.value_or(0);
  return out;
}

bool worth_running(const Plan& plan, const PartitionSet& set) {
  return std::ranges::any_of(groups_of(plan, set), [&](const Group& group) {
    return !group.leaves.empty() && (compares_while_running(plan, group.leaves.front(), set) ||
                                     needs_init_plan(plan, group.leaves.front()));
  });
}

Result<Plan> plan_of(pg::Connection& conn, const Question& question) {
  const std::string explain = cat("EXPLAIN (FORMAT JSON, VERBOSE, ",
                                  question.run ? "ANALYZE, TIMING off" : "SUMMARY", ") ");
  if (question.parameters == 0 || !question.values.empty()) {
    const pg::Rows rows = TRY(conn.query(cat(explain, question.sql), question.values));
    const std::string text = TRY(rows.scalar());
    return explain::parse_json_plan(text);
  }
  // Prepared statements outlive a rollback: this one is dropped whatever happens in between.
  constexpr std::string_view kName = "pgtend_proof";
  TRY(conn.query("SET LOCAL plan_cache_mode = force_generic_plan"));
  TRY(conn.query(cat("PREPARE ", kName, " AS ", question.sql)));
  TRY(conn.query("SAVEPOINT pgtend_generic"));
  const auto rows = execute(conn, explain, kName, question);
  if (!rows) TRY(conn.query("ROLLBACK TO SAVEPOINT pgtend_generic"));
  TRY(conn.query(cat("DEALLOCATE ", kName)));
  if (!rows) return rows.error();
  const std::string text = TRY(rows->scalar());
  return explain::parse_json_plan(text);
}

Result<int> locks_held(pg::Connection& conn) {
  const pg::Rows rows = TRY(
      conn.query("SELECT pg_catalog.count(*)::pg_catalog.int4 FROM pg_catalog.pg_locks WHERE pid "
                 "OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND locktype "
                 "OPERATOR(pg_catalog.=) 'relation' AND mode IN ('AccessShareLock', "
                 "'RowShareLock', 'RowExclusiveLock')"));
  return TRY(rows[0].get<int32_t>(0));
}

}  // namespace pgtend::partition
