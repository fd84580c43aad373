// E, F, G: memory, parallel query and planning, as far as a plan shows them by itself.
#include <algorithm>

#include "base/text.h"
#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "explain/rows.h"
#include "explain/words.h"

namespace pgtend::explain {
namespace {

constexpr double kGroupRowsMin = 10'000;        // E4: rows a group
constexpr double kTempBlocksMin = 1000;         // E6
constexpr double kSerialMsMin = 100;            // F2
constexpr double kSerialPagesMin = 1024;        // F2: min_parallel_table_scan_size
constexpr double kSerialKeptMax = 0.1;          // F2: rows that would have to be handed over
constexpr double kSkewFactorMin = 1.8;          // F3
constexpr double kSkewMsMin = 50;               // F3
constexpr double kGatheredRowsMin = 1'000'000;  // F5
constexpr double kPlanningBlocksMin = 1000;     // G3
constexpr double kLateMsMin = 10;               // G9
constexpr double kLateShareMin = 0.2;           // G9, of the scan
constexpr double kClockMs = 25e-6;              // G7: one reading of a fast clock
constexpr double kClockShareMin = 0.2;          // G7
constexpr double kClockTotalMin = 100;  // G7, ms: short statements are not measured for speed

void find_e4(const Examination& in, Diagnosis& out) {
  each_run(in, "Incremental Sort", [&](int id, const Node& node) {
    // A large group is counted in both: its first rows are sorted in full, the others behind them.
    double groups = 0;
    for (const std::string_view name : {"Full-sort Groups", "Pre-sorted Groups"}) {
      const Properties* group = group_in(node.properties, name);
      if (group != nullptr) groups = std::max(groups, number_in(*group, "Group Count"));
    }
    const int below = input_of(in.plan, id);
    const double rows = below == kNone ? 0 : rows_total(at(in.plan, below));
    if (groups <= 0 || rows < kGroupRowsMin * groups) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id)) return;
    care::Finding& finding = add_finding(in, out, "E4", {id}, *weight);
    finding.what = cat("the incremental sort has ", counted(groups), " groups for ", counted(rows),
                       " rows: it sorts almost all at once");
    finding.prediction = "an index on all columns of the order, in that order, spares the sort";
  });
}

void find_e6(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    const double temp = self_temp_blocks(in.plan, id);
    if (temp < kTempBlocksMin) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || is_told(out, id)) return;
    // The hash join's own blocks are those of its hash.
    const int hash =
        node.type == "Hash Join" && node.children.size() > 1 ? node.children[1] : kNone;
    if (hash != kNone && is_told(out, hash)) return;
    care::Finding& finding = add_finding(in, out, "E6", {id}, *weight);
    finding.what = cat(printable(node_name(node)), " writes and reads ", counted(temp),
                       " blocks of temporary files");
    finding.prediction = cat("about ", kilobytes_text(temp * 4),
                             " of work_mem keep its rows in memory; ", kMemoryNote);
    finding.statements = {work_mem(temp * 4)};
  });
}

// What keeps the planner from using workers, as far as the plan tells; "" if it does not.
std::string_view serial_cause(const Plan& plan, int id) {
  if (setting(plan, "max_parallel_workers_per_gather") == "0") {
    return "max_parallel_workers_per_gather is 0";
  }
  if (setting(plan, "max_parallel_workers") == "0") return "max_parallel_workers is 0";
  for (int up = at(plan, id).parent; up != kNone; up = at(plan, up).parent) {
    if (at(plan, up).type == "LockRows") return "the statement locks rows";
    if (at(plan, up).type == "ModifyTable") return "the statement writes";
  }
  return {};
}

void find_f2(const Examination& in, Diagnosis& out) {
  each_run(in, "Seq Scan", [&](int id, const Node& node) {
    if (node.gather != kNone || node.actual->loops > 1) return;
    const double kept = rows_total(node);
    const double read = kept + removed_rows(in.plan, id, "Rows Removed by Filter").total;
    const bool grouped_above = node.parent != kNone && at(in.plan, node.parent).type == "Aggregate";
    if (kept > kSerialKeptMax * read && !grouped_above) return;
    if (time_of(in, id).self_blocks < kSerialPagesMin) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight || weight->ms < kSerialMsMin || is_told(out, id)) return;
    const std::string_view cause = serial_cause(in.plan, id);
    if (cause.empty()) return;
    care::Finding& finding = add_hint(in, out, "F2", {id}, *weight);
    finding.what =
        cat("one process scans ", counted(time_of(in, id).self_blocks), " pages alone: ", cause);
    finding.prediction = "workers would share the scan";
    if (cause.starts_with("max_")) {
      finding.statements = {"SET LOCAL max_parallel_workers_per_gather = 2"};
    }
  });
}

// The longest part below `gather` that one process runs alone: a member of a Parallel Append that
// is not shared. What is shared is dealt out page by page, and late starters only look like skew.
int longest_part(const Examination& in, int gather) {
  int longest = kNone;
  const Plan& plan = in.plan;
  for (size_t id = static_cast<size_t>(gather) + 1; id < plan.nodes.size(); ++id) {
    const Node& node = plan.nodes[id];
    if (node.depth <= at(plan, gather).depth) break;
    const Node& above = at(plan, node.parent);
    if (!above.parallel_aware || above.type != "Append" || node.parallel_aware) continue;
    if (!node.actual || node.actual->loops != 1) continue;
    const double ms = time_of(in, static_cast<int>(id)).process.mid;
    if (longest == kNone || ms > time_of(in, longest).process.mid) longest = static_cast<int>(id);
  }
  return longest;
}

void find_f3(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!is_gather(node) || node.actual->loops > 1) return;
    const int below = input_of(in.plan, id);
    const int part = longest_part(in, id);
    if (below == kNone || part == kNone || !at(in.plan, below).actual) return;
    const double participants = at(in.plan, below).actual->loops;
    const double alone = time_of(in, part).process.mid;
    // Of the parts: what stands above them is done where they are run.
    const int parts = at(in.plan, part).parent;
    const double mean = time_of(in, parts).process.mid / std::max(participants, 1.0);
    if (participants < 2 || alone < kSkewMsMin || alone < kSkewFactorMin * mean) return;
    const auto weight = weigh(in, {.ms = alone - mean});
    if (!weight) return;
    care::Finding& finding = add_question(in, out, "F3", {part, id}, *weight);
    finding.what = cat("one of ", counted(participants), " processes works ",
                       milliseconds_text(alone), " on ", printable(node_name(at(in.plan, part))),
                       " alone, the mean is ", milliseconds_text(mean));
    finding.prediction =
        "parts that only one process can scan (a small partition, a plain index scan) should be "
        "of like size";
  });
}

void find_f5(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (!is_gather(node) || rows_total(node) < kGatheredRowsMin) return;
    const auto weight = weigh(in, self_of(in, id));
    if (!weight) return;
    int up = node.parent;
    while (up != kNone && at(in.plan, up).type.ends_with("Sort")) up = at(in.plan, up).parent;
    const bool grouped_above = up != kNone && at(in.plan, up).type == "Aggregate";
    care::Finding& finding = add_question(in, out, "F5", {id}, *weight);
    finding.what = cat("the workers hand ", counted(rows_total(node)),
                       " rows over to one process, one by one");
    finding.prediction =
        grouped_above
            ? "an aggregate without DISTINCT or ORDER BY inside, of a kind that can be combined, "
              "would be computed in the workers"
            : "where few of them are needed, say so inside: LIMIT, a condition, an aggregate; else "
              "raise parallel_tuple_cost";
  });
}

void find_g3(const Examination& in, Diagnosis& out) {
  const Properties* planning = group_in(in.plan.properties, "Planning");
  if (planning == nullptr || has_spoken(out, "G2") || has_spoken(out, "B13") ||
      has_spoken(out, "I3")) {
    return;
  }
  const double read = number_in(*planning, "Shared Read Blocks");
  const double blocks = number_in(*planning, "Shared Hit Blocks") + read;
  if (blocks < kPlanningBlocksMin) return;
  const auto weight = weigh(in, {.ms = in.plan.planning_ms.value_or(0)});
  if (!weight) return;
  care::Finding& finding = add_hint(in, out, "G3", {}, *weight);
  finding.what = cat("planning touches ", counted(blocks), " pages of the catalog");
  finding.why =
      cat("planning takes ", milliseconds_text(weight->ms), ", beside the statement's own time");
  finding.prediction =
      "the first statement of a session fills its caches: ask again in the same session, and keep "
      "connections. If it stays, VACUUM FULL of bloated catalogs or smaller statistics targets";
}

// Whether the scan has something to do before its first row: rows to drop, a sub-select to run.
bool has_reason_to_be_late(const Examination& in, int id) {
  const Node& node = at(in.plan, id);
  if (in.plan.jit_ms || !node.text("Filter").empty()) return true;
  if (removed_rows(in.plan, id, "Rows Removed by Index Recheck").total > 0) return true;
  return !node.children.empty() ||
         std::ranges::any_of(in.timing.charges, [id](const Charge& charge) {
           return charge.payer == id || charge.payer == kNone;
         });
}

void find_g9(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    const bool scan =
        node.type == "Seq Scan" || node.type == "Index Scan" || node.type == "Index Only Scan";
    if (!scan || node.actual->loops > 1 || !node.actual->startup_ms || !node.actual->total_ms) {
      return;
    }
    const double late = *node.actual->startup_ms;
    if (late < kLateMsMin || late < kLateShareMin * *node.actual->total_ms) return;
    const auto weight = weigh(in, {.ms = late});
    if (!weight || is_told(out, id) || has_reason_to_be_late(in, id)) return;
    care::Finding& finding = add_hint(in, out, "G9", {id}, *weight);
    finding.what = cat("the first row of ", printable(node_name(node)), " comes after ",
                       milliseconds_text(late), ", and nothing in the plan tells why");
    finding.prediction =
        "pages whose rows are all gone may stand in front (VACUUM FULL or pg_repack), or the first "
        "reads waited for the storage: track_io_timing and a second run tell";
  });
}

void find_g7(const Examination& in, Diagnosis& out) {
  if (!in.plan.timed() || in.timing.total_ms <= kClockTotalMin) return;
  // What is wrong with the plan comes first: without it fewer rows are timed.
  if (std::ranges::any_of(out.entries, [](const Diagnosis::Entry& entry) {
        return entry.finding.severity > care::Severity::Info;
      })) {
    return;
  }
  double calls = 0;
  each_run(in, "", [&](int, const Node& node) { calls += rows_total(node) + node.actual->loops; });
  const auto weight = weigh(in, {.ms = 2 * kClockMs * calls});
  if (!weight || weight->share < kClockShareMin) return;
  care::Finding& finding = add_hint(in, out, "G7", {}, *weight);
  finding.what = cat("EXPLAIN reads the clock ", counted(2 * calls),
                     " times: the statement itself is faster than measured");
  finding.why =
      cat("at ", counted(kClockMs * 1e6), " ns a reading it is ", milliseconds_text(weight->ms),
          " (", percent(weight->share), "); with a slow clock source, far more");
  finding.prediction =
      "EXPLAIN (ANALYZE, TIMING OFF) tells the true total; pg_test_timing tells what a reading "
      "costs";
}

constexpr Rule kEffortRules[] = {
    {"E4", "Incremental sort of few groups", "an incremental sort has 10,000 rows or more a group",
     "it is nearly a full sort", "an index on the whole order", find_e4},
    {"E6", "Temporary files",
     "a node that no other rule speaks of writes and reads 1,000 temporary blocks or more",
     "work_mem is too small for what it keeps", "memory for the statement", find_e6},
    {"G9", "Late first row",
     "a scan without a filter gives its first row after 10 ms or more, a fifth of its time",
     "what it did until then is not in the plan", "a second run, with track_io_timing", find_g9},
    {"F2", "No workers for a large scan",
     "a scan of 100 ms and 8 MB or more, of which few rows remain, has no workers, and the plan "
     "tells why",
     "one process does it alone", "the setting, or the statement's form", find_f2},
    {"F3", "Skew between workers",
     "one process works on one part of a Parallel Append alone, 1.8 times the mean of all and 50 "
     "ms "
     "at least",
     "the others wait for it", "parts of like size", find_f3},
    {"F5", "Many rows through Gather", "workers hand over a million rows or more",
     "that is done row by row", "aggregates and conditions in the workers", find_f5},
    {"G3", "Planning reads much of the catalog", "planning touches 1,000 pages or more",
     "caches are cold, or catalogs bloated", "connections that stay", find_g3},
    {"G10", "Plan flips",
     "in a log (--log), a query runs twice or more with each of two plans, one takes five times as "
     "long on average, and that costs 5 % of the query's time",
     "estimates on the brink, or a generic plan, change the plan from call to call",
     "what the slow plan's findings say; fresh statistics, plan_cache_mode", nullptr},
    {"G7", "Timing overhead",
     "reading the clock takes an estimated 20 % of more than 100 ms, and nothing is wrong else",
     "each row of each node is timed", "TIMING OFF", find_g7},
};

}  // namespace

std::span<const Rule> effort_rules() { return kEffortRules; }

}  // namespace pgtend::explain
