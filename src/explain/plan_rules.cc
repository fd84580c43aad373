#include "explain/plan_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "base/text.h"
#include "explain/attribution.h"
#include "explain/plan_findings.h"
#include "explain/rows.h"
#include "explain/words.h"
#include "pg/quote.h"
#include "sql/conditions.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

// Thresholds, by the rule that has them. Shares are 0 to 1.
constexpr double kFetchesMin = 1000;       // A5
constexpr double kFetchShareMin = 0.1;     // A5, of the rows
constexpr double kLookupsMin = 1000;       // B10
constexpr double kHitShareMin = 0.1;       // B10
constexpr double kEvictedShareMax = 0.5;   // B10, of the misses
constexpr double kSkewedBatchesMin = 8;    // B7
constexpr double kEvenShareMin = 0.25;     // B7: an even batch fills half of its memory
constexpr double kInitPlanShareMin = 0.2;  // C8
constexpr double kGroupShareMax = 0.25;    // E3, of the rows
constexpr double kGatherShareMin = 0.5;    // F4
constexpr double kParallelWorthMs = 100;   // F4
constexpr double kJitShareMin = 0.15;      // G1
constexpr double kPlanningMsMin = 5;       // G2
constexpr double kPartitionsMin = 500;     // I3
constexpr double kJoinsMin = 8;            // B13: more relations than join_collapse_limit
constexpr double kChecksMin = 1000;        // J5
constexpr double kForeignKeyMsMin = 1;     // G4, a call
constexpr double kOutsideShareMin = 0.2;   // G5, G6, G8
constexpr double kConflictShareMin = 0.5;  // J3
constexpr double kSkippedFactorMin = 10;   // K1
constexpr double kSkippedRowsMin = 1000;   // K1
constexpr double kDisabledCost = 1e10;     // K4: what PostgreSQL up to 17 adds to a disabled path
// Bytes that a sort keeps beside each row's own (a SortTuple and its memory's head), measured.
constexpr double kSortRowOverhead = 60;
constexpr double kGroupOverhead = 100;   // of a group in a hash table, with its aggregates
constexpr double kHashRowOverhead = 24;  // of a row in a hash table: its head and its hash
// What a spilled aggregation needs of what it reports, measured: the figures under-state.
constexpr double kAggregateFactor = 3;
// Of a bitmap's page: its entry with what the hash table leaves empty.
constexpr double kBitmapPageBytes = 100;
constexpr size_t kStatementsMax = 5;

// --- scans

void find_a5(const Examination& in, Diagnosis& out) {
  struct Visits {
    std::vector<int> nodes;
    double fetches = 0;
    double rows = 0;
    Spent spent = {};
  };
  // Partitions below one Append are one cause.
  std::map<std::pair<int, std::string>, Visits> groups;
  each_run(in, "Index Only Scan", [&](int id, const Node& node) {
    const bool appended = node.parent != kNone && at(in.plan, node.parent).type.ends_with("Append");
    Visits& group = groups[{appended ? node.parent : kNone, appended ? "" : table_name(node)}];
    const double rows = node.actual->rows * node.actual->loops;
    const double fetches = number_in(node, "Heap Fetches");
    group.nodes.push_back(id);
    group.fetches += fetches;
    group.rows += rows;
    group.spent = group.spent + self_of(in, id) * std::min(1.0, fetches / std::max(rows, 1.0));
  });
  for (auto& [key, group] : groups) {
    if (group.fetches < kFetchesMin || group.fetches < kFetchShareMin * group.rows) continue;
    const auto weight = weigh(in, group.spent);
    if (!weight) continue;
    std::vector<std::string> statements;
    for (const int id : group.nodes) {
      const std::string sql = cat("VACUUM (ANALYZE) ", table_name(at(in.plan, id)));
      if (statements.size() < kStatementsMax && number_in(at(in.plan, id), "Heap Fetches") > 0 &&
          std::ranges::find(statements, sql) == statements.end()) {
        statements.push_back(sql);
      }
    }
    care::Finding& finding = add_finding(in, out, "A5", group.nodes, *weight);
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
    const double exact = number_in(node, "Exact Heap Blocks");
    const double lossy = number_in(node, "Lossy Heap Blocks");
    const RemovedRows removed = removed_rows(in.plan, id, "Rows Removed by Index Recheck");
    const double kept = node.actual->rows * node.actual->loops;
    // BRIN knows ranges of pages only: all of its pages are lossy, whatever the memory.
    if (lossy <= 0 || exact <= 0 || removed.total < kept) return;
    const auto weight = weigh(in, self_of(in, id) * (lossy / (exact + lossy)));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "A7", {id}, *weight);
    finding.what = cat("the bitmap does not fit in work_mem: ", counted(lossy), " of ",
                       counted(exact + lossy), " pages are kept without their rows, and ",
                       counted(removed.total), " rows are read for nothing");
    finding.prediction =
        cat("with more work_mem the bitmap names the rows themselves; ", kMemoryNote);
    finding.statements = {work_mem((exact + lossy) * kBitmapPageBytes / 1024)};
  });
}

// --- joins

// Whether one batch holds far more than its share: rows of one key stay together, however many
// batches there are.
bool is_skewed(const Node& node, double batches) {
  const double all = rows_total(node) * (node.estimate.width + kHashRowOverhead) / 1024;
  return batches >= kSkewedBatchesMin &&
         all < kEvenShareMin * batches * number_in(node, "Peak Memory Usage");
}

void report_skew(care::Finding& finding, const Node& node, double batches) {
  finding.what =
      cat("the hash table of ", counted(rows_total(node)), " rows goes through disk in ",
          counted(batches), " batches, and one of them holds ",
          kilobytes_text(number_in(node, "Peak Memory Usage")), ": many rows have the same key");
  finding.prediction =
      "more memory helps little: treat the frequent key apart, or leave NULL and default keys out "
      "before joining";
}

void find_b5(const Examination& in, Diagnosis& out) {
  each_run(in, "Hash", [&](int id, const Node& node) {
    const double batches = number_in(node, "Hash Batches");
    if (batches <= 1) return;
    Spent spent = self_of(in, id);
    if (node.parent != kNone) spent = spent + self_of(in, node.parent);
    const auto weight = weigh(in, spent);
    if (!weight) return;
    const double planned = number_in(node, "Original Hash Batches");
    const RowCount rows = count_rows(in.plan, id);
    const bool surprised = planned > 0 && planned < batches && rows.factor >= 2 && !rows.over;
    const double need = batches * number_in(node, "Peak Memory Usage");
    if (!surprised && is_skewed(node, batches)) {
      report_skew(add_finding(in, out, "B7", {id}, *weight), node, batches);
      return;
    }
    care::Finding& finding = add_finding(in, out, surprised ? "B6" : "B5", {id}, *weight);
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
    const double hits = number_in(node, "Cache Hits");
    const double misses = number_in(node, "Cache Misses");
    const double evictions = number_in(node, "Cache Evictions");
    if (hits + misses < kLookupsMin || misses <= 0) return;
    const double hit_share = hits / (hits + misses);
    const bool evicts = evictions > kEvictedShareMax * misses && hit_share < 1 - kHitShareMin;
    if (!evicts && hit_share >= kHitShareMin) return;
    Spent spent = self_of(in, id);
    if (evicts && !node.children.empty()) {
      spent = spent + whole_of(in, node.children[0]) * (evictions / misses);
    }
    const auto weight = weigh(in, spent);
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "B10", {id}, *weight);
    finding.what =
        cat("Memoize finds ", percent(hit_share), " of ", counted(hits + misses),
            " look-ups in its cache",
            evicts ? cat(" and drops ", counted(evictions), " entries for lack of memory")
                   : std::string());
    if (evicts) {
      const double each = number_in(node, "Peak Memory Usage") / std::max(misses - evictions, 1.0);
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

// The Gather that runs this InitPlan before it starts its workers, of which the InitPlan has none
// itself; kNone if there is none.
int workers_waiting_for(const Examination& in, int init_plan) {
  for (int id = init_plan; id < subtree_end(in.plan, init_plan); ++id) {
    if (is_gather(at(in.plan, id))) return kNone;
  }
  for (const Charge& charge : in.timing.charges) {
    if (charge.subplan != init_plan || charge.payer == kNone) continue;
    if (is_gather(at(in.plan, charge.payer))) return charge.payer;
  }
  return kNone;
}

void find_c8(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.relation != Relation::InitPlan) return;
    const auto weight = weigh(in, whole_of(in, id));
    if (!weight || weight->share < kInitPlanShareMin) return;
    const int gather = workers_waiting_for(in, id);
    std::vector<int> nodes = {id};
    if (gather != kNone) nodes.push_back(gather);
    care::Finding& finding =
        add_hint(in, out, gather == kNone ? "C8" : "F6", std::move(nodes), *weight);
    finding.what = cat(node.subplan_name.empty() ? "a sub-select" : printable(node.subplan_name),
                       " runs once, ",
                       gather == kNone ? "before the rest" : "in one process before any worker",
                       ", for ", percent(weight->share), " of the statement");
    finding.prediction = "explain it as a statement of its own: min() and max() want an index";
  });
}

// --- memory

// What one process of a sort has put on disk, in kB; the largest of all.
double sorted_on_disk(const Node& node, double& all) {
  double largest = 0;
  const auto look = [&](const Properties& object) {
    if (text_member(object, "Sort Space Type") != "Disk") return;
    const double used = number_in(object, "Sort Space Used");
    all += used;
    largest = std::max(largest, used);
  };
  const auto look_at_groups = [&](const Properties& object) {
    for (const std::string_view name : {"Full-sort Groups", "Pre-sorted Groups"}) {
      const Properties* groups = group_in(object, name);
      const Properties* disk = groups ? group_in(*groups, "Sort Space Disk") : nullptr;
      if (disk == nullptr) continue;
      const double peak = number_in(*disk, "Peak Sort Space Used");
      all += peak;
      largest = std::max(largest, peak);
    }
  };
  look(node.properties);
  look_at_groups(node.properties);
  each_group(node.properties, "Workers", [&](const Properties& worker) {
    look(worker);
    look_at_groups(worker);
  });
  return largest;
}

// Whether the Sort at `id` is there for a grouping that a hash table of `need` kB could do.
bool could_hash(const Plan& plan, int id, double& need) {
  const int above = at(plan, id).parent;
  if (above == kNone || at(plan, id).type != "Sort") return false;
  const Node& group = at(plan, above);
  if (group.type != "Aggregate" || group.text("Strategy") != "Sorted" || !group.actual)
    return false;
  if (setting(plan, "enable_hashagg") == "off") return false;
  const Value* output = find_member(group.properties, "Output");
  if (output == nullptr || !output->is_array()) return false;
  for (const Value& entry : output->get_array()) {
    if (!entry.is_string()) return false;
    const auto tree = sql::parse_expression(entry.get_string());
    // Aggregates over ordered rows need the sort.
    if (!tree || sql::shape_of(*tree).sorts_in_aggregate) return false;
  }
  need = rows_total(group) * (group.estimate.width + kGroupOverhead) / 1024;
  return rows_total(group) < kGroupShareMax * rows_total(at(plan, id));
}

void report_sort_for_groups(care::Finding& finding, const Examination& in, int id, double need) {
  finding.what = cat("all ", counted(rows_total(at(in.plan, id))),
                     " rows are sorted through disk only to be put into ",
                     counted(rows_total(at(in.plan, at(in.plan, id).parent))), " groups");
  finding.prediction = cat("a hash table of the groups takes about ", kilobytes_text(need),
                           " (work_mem × hash_mem_multiplier): with it, and the right number of "
                           "groups expected, nothing is sorted; ",
                           kMemoryNote);
  finding.statements = {work_mem(need)};
}

void find_e1(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!node.type.ends_with("Sort")) return;
    double disk = 0;
    const double largest = sorted_on_disk(node, disk);
    if (largest <= 0) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight) return;
    double hashed = 0;
    if (could_hash(in.plan, id, hashed)) {
      report_sort_for_groups(add_finding(in, out, "E3", {id, node.parent}, *weight), in, id,
                             hashed);
      return;
    }
    int above = node.parent;
    if (above != kNone && at(in.plan, above).type == "Materialize")
      above = at(in.plan, above).parent;
    const bool merged = above != kNone && at(in.plan, above).type == "Merge Join";
    const double need = largest + kSortRowOverhead * node.actual->rows / 1024;
    care::Finding& finding = add_finding(in, out, merged ? "B9" : "E1", {id}, *weight);
    finding.what =
        cat(merged ? "the merge join needs a sort of " : "the sort of ", counted(rows_total(node)),
            " rows", merged ? ", which" : "", " goes through disk: ", kilobytes_text(disk));
    finding.prediction =
        cat("about ", kilobytes_text(need), " of work_mem keep it in memory, an index in the ",
            merged ? "join's" : "sort's", " order saves it; ", kMemoryNote);
    finding.statements = {work_mem(need)};
  });
}

void find_e2(const Examination& in, Diagnosis& out) {
  each_run(in, "Aggregate", [&](int id, const Node& node) {
    double disk = number_in(node, "Disk Usage");
    double memory = number_in(node, "Peak Memory Usage");
    each_group(node.properties, "Workers", [&](const Properties& worker) {
      disk = std::max(disk, number_in(worker, "Disk Usage"));
      memory = std::max(memory, number_in(worker, "Peak Memory Usage"));
    });
    if (disk <= 0) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight) return;
    const double need = kAggregateFactor * (memory + disk);
    care::Finding& finding = add_finding(in, out, "E2", {id}, *weight);
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
    // A list that is searched is better hashed than kept: another rule's.
    if (node.text("Storage") != "Disk" || node.relation == Relation::SubPlan) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight) return;
    const double need = number_in(node, "Maximum Storage");
    care::Finding& finding = add_finding(in, out, "E5", {id}, *weight);
    finding.what = cat("the rows that ", node.type, " keeps go to disk: ", kilobytes_text(need));
    finding.prediction = cat("with more work_mem they stay in memory; ", kMemoryNote);
    finding.statements = {work_mem(2 * need)};
  });
}

// --- parallel query

void find_f(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!is_gather(node)) return;
    const double planned = number_in(node, "Workers Planned");
    const double launched = number_in(node, "Workers Launched");
    const double missing = planned > 0 ? 1 - (launched + 1) / (planned + 1) : 0;
    if (const auto weight = weigh(in, whole_of(in, id) * missing); weight && missing > 0) {
      care::Finding& finding = add_finding(in, out, "F1", {id}, *weight);
      finding.what = cat(counted(launched), " of ", counted(planned), " workers were started");
      finding.prediction =
          "others had them: look again at a quiet time, then at max_parallel_workers and "
          "max_worker_processes";
      return;
    }
    const auto weight = weigh(in, self_of(in, id));
    const bool brief = in.plan.timed() && in.timing.total_ms < kParallelWorthMs;
    if (!weight || weight->share < kGatherShareMin || !brief) {
      return;
    }
    care::Finding& finding = add_finding(in, out, "F4", {id}, *weight);
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
  const auto weight = weigh(in, {.ms = in.plan.jit_ms.value_or(0)});
  if (!weight || weight->share < kJitShareMin) return;
  care::Finding& finding = add_finding(in, out, "G1", {}, *weight);
  finding.what = cat("compiling expressions (JIT) takes ", milliseconds_text(weight->ms));
  finding.prediction =
      "raise jit_above_cost, or switch it off for the role; the first statement of a session also "
      "loads the compiler";
  finding.statements = {"SET LOCAL jit = off"};
}

// What there is much of to plan.
struct PlanSize {
  double joins = 0;
  double partitions = 0;  // scanned or pruned at start-up
};

PlanSize plan_size(const Plan& plan) {
  PlanSize out;
  for (const Node& node : plan.nodes) {
    out.joins += is_join(node) ? 1 : 0;
    if (!node.type.ends_with("Append")) continue;
    out.partitions +=
        static_cast<double>(node.children.size()) + number_in(node, "Subplans Removed");
  }
  return out;
}

void find_g2(const Examination& in, Diagnosis& out) {
  const double planning = in.plan.planning_ms.value_or(0);
  if (planning < kPlanningMsMin || planning <= in.timing.total_ms) return;
  const auto weight = weigh(in, {.ms = planning});
  if (!weight) return;
  const PlanSize size = plan_size(in.plan);
  const bool split = size.partitions >= kPartitionsMin;
  const bool joined = !split && size.joins >= kJoinsMin;
  care::Finding& finding =
      add_finding(in, out, split ? "I3" : (joined ? "B13" : "G2"), {}, *weight);
  finding.what = cat("planning takes ", milliseconds_text(planning), ", running ",
                     milliseconds_text(in.timing.total_ms));
  finding.why = "planning is paid each time unless the statement is prepared";
  if (split) {
    finding.what += cat(": ", counted(size.partitions), " partitions are looked at");
    finding.prediction =
        "compare the partition key with constants, so that the planner leaves partitions out at "
        "once; prepare the statement; or make the partitions coarser";
  } else if (joined) {
    finding.what += cat(": ", counted(size.joins + 1), " relations are joined");
    finding.prediction =
        "prepare it; or write the joins in a good order with JOIN and try "
        "join_collapse_limit = 1, which searches no other. Where the plan is bad instead, more "
        "than join_collapse_limit (8) relations are not searched in full: raise it";
    finding.statements = {"SET LOCAL join_collapse_limit = 1"};
  } else {
    finding.prediction =
        "run it again in the same session first (the caches were perhaps cold); then prepare it, "
        "or give the planner fewer partitions, joins or indexes to think about";
  }
}

// Slow checks are G4, which the catalog decides.
void find_row_checks(const Examination& in, Diagnosis& out, const TriggerTime& trigger,
                     const Weight& weight) {
  const double a_call = trigger.ms / trigger.calls;
  if (a_call >= kForeignKeyMsMin || trigger.calls < kChecksMin || weight.share < kOutsideShareMin) {
    return;
  }
  care::Finding& finding = add_question(in, out, "J5", {}, weight);
  finding.object = printable(trigger.constraint);
  finding.what = cat("foreign key ", printable(trigger.constraint), " takes ",
                     milliseconds_text(a_call), " a row, ", counted(trigger.calls), " times");
  finding.prediction =
      "for a load, add the constraint NOT VALID afterwards and VALIDATE it: that checks all rows "
      "by "
      "one join";
}

void find_triggers(const Examination& in, Diagnosis& out) {
  for (const TriggerTime& trigger : in.plan.triggers) {
    const auto weight = weigh(in, {.ms = trigger.ms});
    if (!weight || trigger.calls <= 0) continue;
    if (!trigger.constraint.empty()) {
      find_row_checks(in, out, trigger, *weight);
      continue;
    }
    if (weight->share < kOutsideShareMin) continue;
    care::Finding& finding = add_finding(in, out, "G5", {}, *weight);
    finding.object = printable(trigger.name);
    finding.what = cat("trigger ", finding.object, " takes ", milliseconds_text(trigger.ms), " in ",
                       counted(trigger.calls), " calls");
    finding.prediction =
        "a statement-level trigger with transition tables does it once; a WHEN clause spares calls";
  }
}

void find_g6(const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, {.ms = in.timing.gap_ms.value_or(0)});
  if (!weight || weight->share < kOutsideShareMin) return;
  care::Finding& finding = add_hint(in, out, "G6", {}, *weight);
  finding.what = cat(milliseconds_text(weight->ms), " of the statement is in no node");
  finding.prediction =
      "the plan does not explain it: look for locks (log_lock_waits), JIT, the removal of "
      "temporary files, the end of workers";
}

void find_g8(const Examination& in, Diagnosis& out) {
  const auto weight = weigh(in, {.ms = in.plan.serialization_ms.value_or(0)});
  if (!weight || weight->share < kOutsideShareMin) return;
  care::Finding& finding = add_finding(in, out, "G8", {}, *weight);
  finding.what = cat("making the result ready to send takes ", milliseconds_text(weight->ms));
  finding.prediction = "select fewer and narrower columns, or fewer rows";
}

// --- writes, and the shape of the statement

void find_j3(const Examination& in, Diagnosis& out) {
  each_run(in, "ModifyTable", [&](int id, const Node& node) {
    const double conflicts = number_in(node, "Conflicting Tuples");
    const double tuples = conflicts + number_in(node, "Tuples Inserted");
    if (conflicts <= 0 || conflicts < kConflictShareMin * tuples) return;
    const auto weight = weigh(in, self_of(in, id) * (conflicts / tuples));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "J3", {id}, *weight);
    finding.what = cat(counted(conflicts), " of ", counted(tuples), " rows conflict");
    finding.prediction =
        "rows that mostly exist are cheaper to UPDATE first, MERGE, or filter out before";
  });
}

void find_j4(const Examination& in, Diagnosis& out) {
  each_run(in, "LockRows", [&](int id, const Node& node) {
    const auto weight = weigh(in, self_of(in, id));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "J4", {id}, *weight);
    finding.what = cat("locking ", counted(node.actual->rows * node.actual->loops),
                       " rows takes, with waiting for others, ", weight_text(*weight));
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
    const auto weight = weigh(in, whole_of(in, below) * (1 - returned / read));
    if (!weight) return;
    care::Finding& finding = add_finding(in, out, "K1", {id}, *weight);
    finding.what = cat(counted(read), " rows are made to return ", counted(returned),
                       ": OFFSET skips the others");
    finding.prediction =
        "remember the last row instead: WHERE (sort key, id) > (…) ORDER BY sort key, id LIMIT n, "
        "with an index on both";
  });
}

bool is_disabled(const Node& node) {
  const Value* flag = node.properties.if_contains("Disabled");
  if (flag != nullptr && flag->is_bool() && flag->get_bool()) return true;
  return node.estimate.total_cost >= kDisabledCost;
}

// RESET of settings that keep the planner from finding what is cheapest.
std::vector<std::string> odd_settings(const Plan& plan) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kOdd = {
      {{"from_collapse_limit", "1"},
       {"join_collapse_limit", "1"},
       {"jit_above_cost", "0"},
       {"parallel_setup_cost", "0"},
       {"parallel_tuple_cost", "0"},
       {"min_parallel_table_scan_size", "0"},
       {"seq_page_cost", "0"},
       {"random_page_cost", "0"},
       {"cpu_tuple_cost", "0"}}};
  std::vector<std::string> resets;
  const Properties* settings = group_in(plan.properties, "Settings");
  if (settings == nullptr) return resets;
  for (const auto& [name, value] : *settings) {
    if (!value.is_string()) continue;
    const std::string_view text = value.get_string();
    const bool off = name.starts_with("enable_") && text == "off";
    const bool forced =
        (name == "debug_parallel_query" || name == "force_parallel_mode") && text != "off";
    const bool odd = std::ranges::find(kOdd, std::pair(name, text)) != kOdd.end();
    if (off || forced || odd) resets.push_back(cat("RESET ", pg::ident(name)));
  }
  return resets;
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
  const std::vector<std::string> resets = odd_settings(in.plan);
  if (disabled.empty() && resets.empty()) return;
  const bool forced = !disabled.empty();
  care::Finding& finding = add_hint(in, out, forced ? "K4" : "K5", disabled, {});
  finding.what = forced ? cat("the planner uses ", node_name(at(in.plan, disabled[0])),
                              ", which is switched off: it has no other way")
                        : std::string("the planner works with settings that are meant for tests");
  finding.why = resets.empty() ? "the plan does not tell its settings: EXPLAIN (SETTINGS) does"
                               : "the planner may not choose what it would find cheapest";
  finding.prediction = "find out who set it, and for which statement";
  finding.statements = resets;
}

// Of a rule that another's function finds, because both have one signal.
void with_another(const Examination& /*in*/, Diagnosis& /*out*/) {}

constexpr Rule kPlanRules[] = {
    {"A5", "Index-only scan that visits the heap",
     "heap fetches are at least 1,000 and a tenth of the rows",
     "pages that are not marked all-visible must be looked at", "VACUUM, and sooner", find_a5},
    {"A7", "Lossy bitmap",
     "a bitmap keeps some pages without their rows, and the recheck drops more rows than it keeps",
     "work_mem is too small for the bitmap", "more work_mem for the statement", find_a7},
    {"B5", "Hash join in batches", "a hash table has more than one batch",
     "both sides are written to disk and read again", "more memory", find_b5},
    {"B6", "Hash join in more batches than planned",
     "the planner expected fewer batches because it expected fewer rows",
     "the hash table was sized for fewer", "the estimate first, memory second", with_another},
    {"B7", "Skewed hash key", "one of eight batches or more holds four times its share of the rows",
     "rows of one key stay in one batch", "the frequent key apart", with_another},
    {"B9", "Merge join that sorts on disk", "the sort below a merge join uses disk",
     "work_mem is too small for it", "an index in the join's order, or memory", with_another},
    {"B10", "Memoize without use",
     "fewer than a tenth of at least 1,000 look-ups hit, or half of what is kept is dropped again",
     "the cache costs more than it gives", "n_distinct of the key, or memory", find_b10},
    {"C8", "Expensive sub-select that runs once", "an InitPlan takes a fifth of the statement",
     "it is a statement of its own", "explain it alone", find_c8},
    {"F6", "Workers wait for a sub-select",
     "C8 where a Gather runs the InitPlan, without workers, before it starts its own",
     "one process works until it is done", "explain the sub-select alone", with_another},
    {"E1", "External sort", "a sort, also an incremental or a worker's, uses disk",
     "work_mem is too small for it", "work_mem for the statement, or an index in its order",
     find_e1},
    {"E3", "Sorted on disk to be grouped",
     "a sort uses disk for a grouping into a quarter of the rows or fewer",
     "a hash table of the groups is smaller than the rows", "memory for it, the number of groups",
     with_another},
    {"E2", "Hash aggregation on disk", "a hash aggregation uses disk",
     "work_mem × hash_mem_multiplier is too small for it", "memory for the statement", find_e2},
    {"E5", "Rows kept on disk",
     "PostgreSQL 18 says that a window, CTE, materialized or recursive node keeps rows on disk",
     "they are written and read again", "memory for the statement", find_e5},
    {"F1", "Workers missing", "fewer workers were started than planned",
     "parallel query brings less than the planner counted on", "max_parallel_workers", find_f},
    {"F4", "Workers not worth starting", "starting them takes half of a statement below 100 ms",
     "the work is too little for them", "none for this statement", with_another},
    {"G1", "JIT", "compilation takes at least 15 % of the statement",
     "the statement is too short to be compiled", "jit_above_cost, or off for the role", find_g1},
    {"G2", "Planning dominates", "planning takes longer than running, and at least 5 ms",
     "it is paid each time", "prepared statements, fewer partitions", find_g2},
    {"B13", "Many relations joined", "G2 with eight joins or more",
     "the orders to join in are many", "a prepared statement, or an explicit order", with_another},
    {"I3", "Many partitions planned", "G2 with 500 partitions or more",
     "each is looked at while planning", "constants for the key, coarser partitions", with_another},
    {"G5", "Heavy trigger", "a trigger that somebody wrote takes a fifth of the statement",
     "it is run for each row", "a statement-level trigger, a WHEN clause", find_triggers},
    {"J5", "Foreign keys checked row by row",
     "the checks of 1,000 rows or more take a fifth of the statement, though each is fast",
     "each row looks for the row it references", "the constraint after the load", with_another},
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
    {"K4", "Disabled nodes", "the plan has a node that is switched off",
     "somebody has forbidden what the planner needs", "RESET", find_settings},
    {"K5", "Odd planner settings",
     "kinds of nodes are switched off, or costs and limits are set as only tests want them",
     "the planner may not choose what it would find cheapest", "RESET", with_another},
};

}  // namespace

std::span<const Rule> plan_rules() {
  static const std::vector<Rule> all = [] {
    std::vector<Rule> list(std::begin(kPlanRules), std::end(kPlanRules));
    for (const auto more : {scan_rules(), subselect_rules(), join_rules(), io_rules(),
                            shape_rules(), effort_rules()}) {
      list.insert(list.end(), more.begin(), more.end());
    }
    return list;
  }();
  return all;
}

}  // namespace pgtend::explain
