#include "explain/plan_rules.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/text.h"
#include "explain/attribution.h"
#include "explain/member.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

// Thresholds, by the rule that has them. Shares are 0 to 1.
constexpr double kFetchesMin = 1000;       // A5
constexpr double kFetchShareMin = 0.1;     // A5, of the rows
constexpr double kLookupsMin = 1000;       // B10
constexpr double kHitShareMin = 0.1;       // B10
constexpr double kEvictedShareMax = 0.5;   // B10, of the misses
constexpr double kSubPlanLoopsMin = 1000;  // C1
constexpr double kInitPlanShareMin = 0.2;  // C8
constexpr double kGatherShareMin = 0.5;    // F4
constexpr double kParallelWorthMs = 100;   // F4
constexpr double kJitShareMin = 0.15;      // G1
constexpr double kPlanningMsMin = 5;       // G2
constexpr double kOutsideShareMin = 0.2;   // G5, G6, G8
constexpr double kConflictShareMin = 0.5;  // J3
constexpr double kSkippedFactorMin = 10;   // K1
constexpr double kSkippedRowsMin = 1000;   // K1
constexpr double kDisabledCost = 1e10;     // K4: what PostgreSQL up to 17 adds to a disabled path
// Bytes that a sort keeps beside each row's own (a SortTuple and its memory's head), measured.
constexpr double kSortRowOverhead = 60;
// What a spilled aggregation needs of what it reports, measured: the figures under-state.
constexpr double kAggregateFactor = 3;
// Of a bitmap's page: its entry with what the hash table leaves empty.
constexpr double kBitmapPageBytes = 100;
constexpr size_t kStatementsMax = 5;
constexpr std::string_view kMemoryNote =
    "for this statement or its role: globally it counts for each sort and hash of each worker of "
    "each connection";

double number_in(const json::object& object, std::string_view name) {
  const json::value* value = find_member(object, name);
  return value != nullptr && value->is_number() ? std::max(0.0, value->to_number<double>()) : 0;
}

// Of a property that is a list of groups: each group.
template <class Visit>
void each_group(const json::object& object, std::string_view name, Visit visit) {
  const json::value* value = find_member(object, name);
  if (value == nullptr || !value->is_array()) return;
  for (const json::value& entry : value->get_array()) {
    if (const json::object* group = entry.if_object()) visit(*group);
  }
}

const json::object* group_in(const json::object& object, std::string_view name) {
  const json::value* value = find_member(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

double number(const Node& node, std::string_view name) { return node.number(name).value_or(0); }

const NodeTime& time_of(const Examination& in, int id) {
  return in.timing.nodes[static_cast<size_t>(id)];
}

// What a cure could save at most, by the lower bound of what was measured.
struct Weight {
  double ms = 0;
  double share = 0;  // of the statement
};

// Nothing when it is too little to speak about.
std::optional<Weight> weigh(const Examination& in, double ms) {
  if (!in.plan.timed() || in.timing.total_ms <= 0) return std::nullopt;
  const Weight weight{ms, std::min(ms / in.timing.total_ms, 1.0)};
  const bool matters = ms >= in.policy.saving_ms_min && weight.share >= in.policy.saving_share_min;
  return matters ? std::optional(weight) : std::nullopt;
}

std::string name_of(const Node& node) {
  const std::string& object = node.object.relation;
  const std::string kind = cat(node.parallel_aware ? "Parallel " : "", node.type);
  return object.empty() ? kind : cat(kind, " on ", object);
}

std::string table_of(const Node& node) {
  return node.object.schema.empty() ? pg::ident(node.object.relation)
                                    : pg::qualified(node.object.schema, node.object.relation);
}

care::Finding& add(const Examination& in, Diagnosis& out, std::string_view id,
                   std::vector<int> nodes, const Weight& weight) {
  Diagnosis::Entry entry;
  entry.nodes = std::move(nodes);
  entry.saving_ms = weight.ms;
  care::Finding& finding = entry.finding;
  finding.id = id;
  finding.severity = weight.share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
  finding.saved_seconds_per_day = weight.ms / 1000 * in.policy.calls_per_day;
  finding.why = cat("up to ", milliseconds_text(weight.ms), " of the statement (",
                    percent(weight.share), ")");
  if (!entry.nodes.empty()) {
    const Node& node = at(in.plan, entry.nodes[0]);
    finding.object = node.object.relation.empty() ? node.type : table_of(node);
    finding.evidence.push_back({"plan node", cat("#", entry.nodes[0] + 1, " ", name_of(node))});
  } else {
    finding.object = "statement";
  }
  out.entries.push_back(std::move(entry));
  return out.entries.back().finding;
}

// The same for what only tells where to look: nobody knows what that would save.
care::Finding& add_info(const Examination& in, Diagnosis& out, std::string_view id,
                        std::vector<int> nodes, const Weight& weight) {
  care::Finding& finding = add(in, out, id, std::move(nodes), weight);
  finding.severity = care::Severity::Info;
  finding.saved_seconds_per_day = out.entries.back().saving_ms = 0;
  finding.why = cat("it is ", milliseconds_text(weight.ms), " of the statement (",
                    percent(weight.share), ")");
  return finding;
}

// Calls `visit` with the id of every node of this type that was run.
template <class Visit>
void each_run(const Examination& in, std::string_view type, Visit visit) {
  for (size_t id = 0; id < in.plan.nodes.size(); ++id) {
    const Node& node = in.plan.nodes[id];
    if (node.actual && node.actual->loops > 0 && (type.empty() || node.type == type)) {
      visit(static_cast<int>(id), node);
    }
  }
}

std::string work_mem(double kilobytes) {
  int64_t megabytes = 8;
  while (static_cast<double>(megabytes) * 1024 < kilobytes && megabytes < (1 << 20)) megabytes *= 2;
  return cat("SET LOCAL work_mem = '", megabytes, "MB'");
}

std::string kilobytes_text(double kilobytes) {
  return human(Bytes{static_cast<int64_t>(std::min(kilobytes, 1e15) * 1024)});
}

// --- scans

void find_a5(const Examination& in, Diagnosis& out) {
  struct Visits {
    std::vector<int> nodes;
    double fetches = 0;
    double rows = 0;
    double ms = 0;
  };
  // Partitions below one Append are one cause.
  std::map<std::pair<int, std::string>, Visits> groups;
  each_run(in, "Index Only Scan", [&](int id, const Node& node) {
    const bool appended = node.parent != kNone && at(in.plan, node.parent).type.ends_with("Append");
    Visits& group = groups[{appended ? node.parent : kNone, appended ? "" : table_of(node)}];
    const double rows = node.actual->rows * node.actual->loops;
    const double fetches = number(node, "Heap Fetches");
    group.nodes.push_back(id);
    group.fetches += fetches;
    group.rows += rows;
    group.ms += time_of(in, id).self.low() * std::min(1.0, fetches / std::max(rows, 1.0));
  });
  for (auto& [key, group] : groups) {
    if (group.fetches < kFetchesMin || group.fetches < kFetchShareMin * group.rows) continue;
    const auto weight = weigh(in, group.ms);
    if (!weight) continue;
    std::vector<std::string> statements;
    for (const int id : group.nodes) {
      const std::string sql = cat("VACUUM (ANALYZE) ", table_of(at(in.plan, id)));
      if (statements.size() < kStatementsMax && number(at(in.plan, id), "Heap Fetches") > 0 &&
          std::ranges::find(statements, sql) == statements.end()) {
        statements.push_back(sql);
      }
    }
    care::Finding& finding = add(in, out, "A5", group.nodes, *weight);
    finding.what =
        cat("the index-only scan visits the table ", counted(group.fetches), " times for ",
            counted(group.rows), " rows: their pages are not marked all-visible");
    finding.prediction =
        "vacuum the table, and let autovacuum come more often after inserts "
        "(autovacuum_vacuum_insert_scale_factor); a transaction or slot that holds old rows back "
        "keeps it from helping";
    finding.statements = std::move(statements);
  }
}

void find_a7(const Examination& in, Diagnosis& out) {
  each_run(in, "Bitmap Heap Scan", [&](int id, const Node& node) {
    const double exact = number(node, "Exact Heap Blocks");
    const double lossy = number(node, "Lossy Heap Blocks");
    const RemovedRows removed = removed_rows(in.plan, id, "Rows Removed by Index Recheck");
    const double kept = node.actual->rows * node.actual->loops;
    // BRIN knows ranges of pages only: all of its pages are lossy, whatever the memory.
    if (lossy <= 0 || exact <= 0 || removed.total < kept) return;
    const auto weight = weigh(in, time_of(in, id).self.low() * lossy / (exact + lossy));
    if (!weight) return;
    care::Finding& finding = add(in, out, "A7", {id}, *weight);
    finding.what = cat("the bitmap does not fit in work_mem: ", counted(lossy), " of ",
                       counted(exact + lossy), " pages are kept without their rows, and ",
                       counted(removed.total), " rows are read for nothing");
    finding.prediction =
        cat("with more work_mem the bitmap names the rows themselves; ", kMemoryNote);
    finding.statements = {work_mem((exact + lossy) * kBitmapPageBytes / 1024)};
  });
}

// --- joins

void find_b5(const Examination& in, Diagnosis& out) {
  each_run(in, "Hash", [&](int id, const Node& node) {
    const double batches = number(node, "Hash Batches");
    if (batches <= 1) return;
    double ms = time_of(in, id).self.low();
    if (node.parent != kNone) ms += time_of(in, node.parent).self.low();
    const auto weight = weigh(in, ms);
    if (!weight) return;
    const double planned = number(node, "Original Hash Batches");
    const RowCount rows = count_rows(in.plan, id);
    const bool surprised = planned > 0 && planned < batches && rows.factor >= 2 && !rows.over;
    const double need = batches * number(node, "Peak Memory Usage");
    care::Finding& finding = add(in, out, surprised ? "B6" : "B5", {id}, *weight);
    finding.what = cat("the hash table of ", counted(rows.actual), " rows goes through disk in ",
                       counted(batches), " batches");
    if (surprised) {
      finding.what += cat(": the planner expected ", counted(rows.estimate), " rows and ",
                          counted(planned), planned == 1 ? " batch" : " batches");
    }
    finding.prediction = cat(
        surprised ? "cure the estimate first (ANALYZE, extended statistics), memory second; about "
                  : "about ",
        kilobytes_text(need), " keep it in memory (work_mem × hash_mem_multiplier); ", kMemoryNote);
    finding.statements = {work_mem(need)};
  });
}

void find_b10(const Examination& in, Diagnosis& out) {
  each_run(in, "Memoize", [&](int id, const Node& node) {
    const double hits = number(node, "Cache Hits");
    const double misses = number(node, "Cache Misses");
    const double evictions = number(node, "Cache Evictions");
    if (hits + misses < kLookupsMin || misses <= 0) return;
    const double hit_share = hits / (hits + misses);
    const bool evicts = evictions > kEvictedShareMax * misses && hit_share < 1 - kHitShareMin;
    if (!evicts && hit_share >= kHitShareMin) return;
    double ms = time_of(in, id).self.low();
    if (evicts && !node.children.empty()) {
      ms += time_of(in, node.children[0]).wall.low() * evictions / misses;
    }
    const auto weight = weigh(in, ms);
    if (!weight) return;
    care::Finding& finding = add(in, out, "B10", {id}, *weight);
    finding.what =
        cat("Memoize finds ", percent(hit_share), " of ", counted(hits + misses),
            " look-ups in its cache",
            evicts ? cat(" and drops ", counted(evictions), " entries for lack of memory")
                   : std::string());
    if (evicts) {
      const double each = number(node, "Peak Memory Usage") / std::max(misses - evictions, 1.0);
      finding.prediction = cat("more memory keeps what is asked for again; ", kMemoryNote);
      finding.statements = {work_mem(each * misses)};
    } else {
      finding.prediction =
          "the planner expected repeated keys: correct n_distinct of the key (ALTER TABLE … ALTER "
          "COLUMN … SET (n_distinct = …), ANALYZE), then it leaves Memoize out by itself";
    }
  });
}

// --- sub-plans

void find_c1(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.relation != Relation::SubPlan || node.actual->loops < kSubPlanLoopsMin) return;
    const auto weight = weigh(in, time_of(in, id).wall.low());
    if (!weight) return;
    care::Finding& finding = add(in, out, "C1", {id}, *weight);
    finding.what = cat(node.subplan_name.empty() ? "a sub-select" : printable(node.subplan_name),
                       " runs ", counted(node.actual->loops), " times, once for each row of ",
                       printable(name_of(at(in.plan, node.parent))));
    finding.prediction =
        "write it as a join with GROUP BY, or LATERAL, so that it is done once; if it must stay, "
        "index what it looks up. Compare the results of both forms with EXCEPT ALL, both ways";
  });
}

void find_c8(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.relation != Relation::InitPlan) return;
    const auto weight = weigh(in, time_of(in, id).wall.low());
    if (!weight || weight->share < kInitPlanShareMin) return;
    care::Finding& finding = add_info(in, out, "C8", {id}, *weight);
    finding.what =
        cat(node.subplan_name.empty() ? "a sub-select" : printable(node.subplan_name),
            " runs once, before the rest, for ", percent(weight->share), " of the statement");
    finding.prediction = "explain it as a statement of its own: min() and max() want an index";
  });
}

// --- memory

// What one process of a sort has put on disk, in kB; the largest of all.
double sorted_on_disk(const Node& node, double& all) {
  double largest = 0;
  const auto look = [&](const json::object& object) {
    if (text_member(object, "Sort Space Type") != "Disk") return;
    const double used = number_in(object, "Sort Space Used");
    all += used;
    largest = std::max(largest, used);
  };
  const auto look_at_groups = [&](const json::object& object) {
    for (const std::string_view name : {"Full-sort Groups", "Pre-sorted Groups"}) {
      const json::object* groups = group_in(object, name);
      const json::object* disk = groups ? group_in(*groups, "Sort Space Disk") : nullptr;
      if (disk == nullptr) continue;
      const double peak = number_in(*disk, "Peak Sort Space Used");
      all += peak;
      largest = std::max(largest, peak);
    }
  };
  look(node.properties);
  look_at_groups(node.properties);
  each_group(node.properties, "Workers", [&](const json::object& worker) {
    look(worker);
    look_at_groups(worker);
  });
  return largest;
}

void find_e1(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!node.type.ends_with("Sort")) return;
    double disk = 0;
    const double largest = sorted_on_disk(node, disk);
    if (largest <= 0) return;
    const auto weight = weigh(in, time_of(in, id).self.low());
    if (!weight) return;
    const double need = largest + kSortRowOverhead * node.actual->rows / 1024;
    care::Finding& finding = add(in, out, "E1", {id}, *weight);
    finding.what = cat("the sort of ", counted(node.actual->rows * node.actual->loops),
                       " rows goes through disk: ", kilobytes_text(disk));
    finding.prediction = cat("about ", kilobytes_text(need),
                             " of work_mem keep it in memory, an index in the sort's order saves "
                             "it; ",
                             kMemoryNote);
    finding.statements = {work_mem(need)};
  });
}

void find_e2(const Examination& in, Diagnosis& out) {
  each_run(in, "Aggregate", [&](int id, const Node& node) {
    double disk = number(node, "Disk Usage");
    double memory = number(node, "Peak Memory Usage");
    each_group(node.properties, "Workers", [&](const json::object& worker) {
      disk = std::max(disk, number_in(worker, "Disk Usage"));
      memory = std::max(memory, number_in(worker, "Peak Memory Usage"));
    });
    if (disk <= 0) return;
    const auto weight = weigh(in, time_of(in, id).self.low());
    if (!weight) return;
    const double need = kAggregateFactor * (memory + disk);
    care::Finding& finding = add(in, out, "E2", {id}, *weight);
    finding.what = cat("the hash aggregation into ", counted(node.actual->rows),
                       " groups goes through disk: ", kilobytes_text(disk));
    finding.prediction = cat("about ", kilobytes_text(need),
                             " keep it in memory (work_mem × hash_mem_multiplier); ", kMemoryNote);
    finding.statements = {work_mem(need)};
  });
}

// PostgreSQL 18 tells where rows are kept that are read again.
void find_e5(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.text("Storage") != "Disk") return;
    const auto weight = weigh(in, time_of(in, id).self.low());
    if (!weight) return;
    const double need = number(node, "Maximum Storage");
    care::Finding& finding = add(in, out, "E5", {id}, *weight);
    finding.what = cat("the rows that ", node.type, " keeps go to disk: ", kilobytes_text(need));
    finding.prediction = cat("with more work_mem they stay in memory; ", kMemoryNote);
    finding.statements = {work_mem(2 * need)};
  });
}

// --- parallel query

void find_f(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!is_gather(node)) return;
    const NodeTime& time = time_of(in, id);
    const double planned = number(node, "Workers Planned");
    const double launched = number(node, "Workers Launched");
    const double missing = planned > 0 ? 1 - (launched + 1) / (planned + 1) : 0;
    if (const auto weight = weigh(in, time.wall.low() * missing); weight && missing > 0) {
      care::Finding& finding = add(in, out, "F1", {id}, *weight);
      finding.what = cat(counted(launched), " of ", counted(planned), " workers were started");
      finding.prediction =
          "others had them: look again at a quiet time, then at max_parallel_workers and "
          "max_worker_processes";
      return;
    }
    const auto weight = weigh(in, time.self.low());
    if (!weight || weight->share < kGatherShareMin || in.timing.total_ms >= kParallelWorthMs) {
      return;
    }
    care::Finding& finding = add(in, out, "F4", {id}, *weight);
    finding.what = cat("starting and ending ", counted(launched), " workers takes ",
                       percent(weight->share), " of a short statement");
    finding.prediction =
        "without workers it is faster: raise parallel_setup_cost, or switch them off for this "
        "statement";
    finding.statements = {"SET LOCAL max_parallel_workers_per_gather = 0"};
  });
}

// --- outside the nodes

void find_g1(const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, in.plan.jit_ms.value_or(0));
  if (!weight || weight->share < kJitShareMin) return;
  care::Finding& finding = add(in, out, "G1", {}, *weight);
  finding.what = cat("compiling expressions (JIT) takes ", milliseconds_text(weight->ms));
  finding.prediction =
      "raise jit_above_cost, or switch it off for the role; the first statement of a session also "
      "loads the compiler";
  finding.statements = {"SET LOCAL jit = off"};
}

void find_g2(const Examination& in, Diagnosis& out) {
  const double planning = in.plan.planning_ms.value_or(0);
  if (planning < kPlanningMsMin || planning <= in.timing.total_ms) return;
  const auto weight = weigh(in, planning);
  if (!weight) return;
  care::Finding& finding = add(in, out, "G2", {}, *weight);
  finding.what = cat("planning takes ", milliseconds_text(planning), ", running ",
                     milliseconds_text(in.timing.total_ms));
  finding.why = "planning is paid each time unless the statement is prepared";
  finding.prediction =
      "run it again in the same session first (the caches were perhaps cold); then prepare it, or "
      "give the planner fewer partitions, joins or indexes to think about";
}

void find_triggers(const Examination& in, Diagnosis& out) {
  for (const TriggerTime& trigger : in.plan.triggers) {
    const auto weight = weigh(in, trigger.ms);
    if (!weight || trigger.calls <= 0 || !trigger.constraint.empty()) continue;
    if (weight->share < kOutsideShareMin) continue;
    care::Finding& finding = add(in, out, "G5", {}, *weight);
    finding.object = printable(trigger.name);
    finding.what = cat("trigger ", finding.object, " takes ", milliseconds_text(trigger.ms), " in ",
                       counted(trigger.calls), " calls");
    finding.prediction =
        "a statement-level trigger with transition tables does it once; a WHEN clause spares calls";
  }
}

void find_g6(const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, in.timing.gap_ms.value_or(0));
  if (!weight || weight->share < kOutsideShareMin) return;
  care::Finding& finding = add_info(in, out, "G6", {}, *weight);
  finding.what = cat(milliseconds_text(weight->ms), " of the statement is in no node");
  finding.prediction =
      "the plan does not explain it: look for locks (log_lock_waits), JIT, the removal of "
      "temporary files, the end of workers";
}

void find_g8(const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, in.plan.serialization_ms.value_or(0));
  if (!weight || weight->share < kOutsideShareMin) return;
  care::Finding& finding = add(in, out, "G8", {}, *weight);
  finding.what = cat("making the result ready to send takes ", milliseconds_text(weight->ms));
  finding.prediction = "select fewer and narrower columns, or fewer rows";
}

// --- writes, and the shape of the statement

void find_j3(const Examination& in, Diagnosis& out) {
  each_run(in, "ModifyTable", [&](int id, const Node& node) {
    const double conflicts = number(node, "Conflicting Tuples");
    const double tuples = conflicts + number(node, "Tuples Inserted");
    if (conflicts <= 0 || conflicts < kConflictShareMin * tuples) return;
    const auto weight = weigh(in, time_of(in, id).self.low() * conflicts / tuples);
    if (!weight) return;
    care::Finding& finding = add(in, out, "J3", {id}, *weight);
    finding.what = cat(counted(conflicts), " of ", counted(tuples), " rows conflict");
    finding.prediction =
        "rows that mostly exist are cheaper to UPDATE first, MERGE, or filter out before";
  });
}

void find_j4(const Examination& in, Diagnosis& out) {
  each_run(in, "LockRows", [&](int id, const Node& node) {
    const auto weight = weigh(in, time_of(in, id).self.low());
    if (!weight) return;
    care::Finding& finding = add(in, out, "J4", {id}, *weight);
    finding.what = cat("locking ", counted(node.actual->rows * node.actual->loops),
                       " rows takes, with waiting for others, ", milliseconds_text(weight->ms));
    finding.prediction = "SKIP LOCKED if any rows will do, smaller batches, or one order for all";
  });
}

void find_k1(const Examination& in, Diagnosis& out) {
  each_run(in, "Limit", [&](int id, const Node& node) {
    if (node.children.empty()) return;
    const int below = node.children[0];
    const Node& child = at(in.plan, below);
    if (child.relation != Relation::Child || !child.actual) return;
    const double read = child.actual->rows * child.actual->loops;
    const double returned = node.actual->rows * node.actual->loops;
    if (read < kSkippedRowsMin || read < kSkippedFactorMin * std::max(returned, 1.0)) return;
    const auto weight = weigh(in, time_of(in, below).wall.low() * (1 - returned / read));
    if (!weight) return;
    care::Finding& finding = add(in, out, "K1", {id}, *weight);
    finding.what = cat(counted(read), " rows are made to return ", counted(returned),
                       ": OFFSET skips the others");
    finding.prediction =
        "remember the last row instead: WHERE (sort key, id) > (…) ORDER BY sort key, id LIMIT n, "
        "with an index on both";
  });
}

bool is_disabled(const Node& node) {
  const json::value* flag = node.properties.if_contains("Disabled");
  if (flag != nullptr && flag->is_bool() && flag->get_bool()) return true;
  return node.estimate.total_cost >= kDisabledCost;
}

// Nodes that somebody has forbidden, and settings that forbid some: one cause, told once.
void find_settings(const Examination& in, Diagnosis& out) {
  std::vector<int> disabled;
  each_run(in, "", [&](int id, const Node& node) {
    const bool above = std::ranges::any_of(
        node.children, [&](int child) { return is_disabled(at(in.plan, child)); });
    // Up to 17 the cost is that of all above, too.
    if (is_disabled(node) && !above) disabled.push_back(id);
  });
  std::vector<std::string> resets;
  const json::object* settings = group_in(in.plan.properties, "Settings");
  if (settings != nullptr) {
    for (const auto& [name, value] : *settings) {
      const std::string key(name.data(), name.size());
      const bool off = value.is_string() && value.get_string() == "off";
      if (key.starts_with("enable_") && off) resets.push_back(cat("RESET ", pg::ident(key)));
    }
  }
  if (disabled.empty() && resets.empty()) return;
  const bool forced = !disabled.empty();
  care::Finding& finding = add_info(in, out, forced ? "K4" : "K5", disabled, {});
  finding.what = forced ? cat("the planner uses ", name_of(at(in.plan, disabled[0])),
                              ", which is switched off: it has no other way")
                        : std::string("kinds of plan nodes are switched off");
  finding.why = resets.empty() ? "the plan does not tell its settings: EXPLAIN (SETTINGS) does"
                               : "the planner may not choose what it would find cheapest";
  finding.prediction = "find out who set it, and for which statement";
  finding.statements = std::move(resets);
}

constexpr Rule kPlanRules[] = {
    {"A5", "Index-only scan that visits the heap",
     "heap fetches are at least 1,000 and a tenth of the rows",
     "pages that are not marked all-visible must be looked at", "VACUUM, and sooner", find_a5},
    {"A7", "Lossy bitmap",
     "a bitmap keeps some pages without their rows, and the recheck drops more rows than it keeps",
     "work_mem is too small for the bitmap", "more work_mem for the statement", find_a7},
    {"B5", "Hash join in batches",
     "a hash table has more than one batch; as B6, when the planner expected fewer batches because "
     "it expected fewer rows",
     "both sides are written to disk and read again", "more memory; B6: the estimate first",
     find_b5},
    {"B10", "Memoize without use",
     "fewer than a tenth of at least 1,000 look-ups hit, or half of what is kept is dropped again",
     "the cache costs more than it gives", "n_distinct of the key, or memory", find_b10},
    {"C1", "Correlated sub-select", "a sub-plan runs 1,000 times or more",
     "what could be one join is done row by row", "a join, LATERAL, or an index for it", find_c1},
    {"C8", "Expensive sub-select that runs once", "an InitPlan takes a fifth of the statement",
     "it is a statement of its own", "explain it alone", find_c8},
    {"E1", "External sort", "a sort, also an incremental or a worker's, uses disk",
     "work_mem is too small for it", "work_mem for the statement, or an index in its order",
     find_e1},
    {"E2", "Hash aggregation on disk", "a hash aggregation uses disk",
     "work_mem × hash_mem_multiplier is too small for it", "memory for the statement", find_e2},
    {"E5", "Rows kept on disk",
     "PostgreSQL 18 says that a window, CTE, materialized or recursive node keeps rows on disk",
     "they are written and read again", "memory for the statement", find_e5},
    {"F1", "Workers missing",
     "fewer workers were started than planned; as F4, when starting them takes half of a statement "
     "below 100 ms",
     "parallel query brings less than the planner counted on",
     "max_parallel_workers; F4: none for this statement", find_f},
    {"G1", "JIT", "compilation takes at least 15 % of the statement",
     "the statement is too short to be compiled", "jit_above_cost, or off for the role", find_g1},
    {"G2", "Planning dominates", "planning takes longer than running, and at least 5 ms",
     "it is paid each time", "prepared statements, fewer partitions", find_g2},
    {"G5", "Heavy trigger", "a trigger that somebody wrote takes a fifth of the statement",
     "it runs for each row", "a statement-level trigger, a WHEN clause", find_triggers},
    {"G6", "Unexplained gap", "a fifth of the statement is in no node, trigger or serialization",
     "the plan cannot explain it", "locks, temporary files, JIT: look there", find_g6},
    {"G8", "Serialization", "making the result ready takes a fifth of the statement",
     "wide or compressed values are read and converted", "fewer columns and rows", find_g8},
    {"J3", "ON CONFLICT that mostly conflicts", "half of the rows conflict",
     "each is tried as an insert first", "UPDATE first, MERGE, or a filter", find_j3},
    {"J4", "Row locks", "LockRows takes at least 5 % of the statement",
     "it waits for others, or locks many", "SKIP LOCKED, smaller batches", find_j4},
    {"K1", "Large OFFSET", "a LIMIT node reads ten times the rows that it returns, 1,000 at least",
     "all skipped rows are made", "go on from the last row's key", find_k1},
    {"K4", "Disabled nodes",
     "the plan has a node that is switched off; as K5, when only the settings show it",
     "somebody has forbidden what the planner needs", "RESET", find_settings},
};

}  // namespace

std::span<const Rule> plan_rules() { return kPlanRules; }

}  // namespace pgtend::explain
