#include "vacuum/rules.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "vacuum/actions.h"
#include "vacuum/attendance.h"
#include "vacuum/rules_bloat.h"
#include "vacuum/rules_settings.h"
#include "vacuum/triggers.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using care::Evidence;
using care::Finding;
using care::Severity;
using facts::TableFacts;

std::string ago(const std::optional<double>& age) {
  if (!age) return "never";
  return cat(facts::human_seconds(*age), " ago");
}

std::optional<double> newer(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a) return b;
  return b ? std::min(*a, *b) : a;
}

// What autovacuum would do about `counter`, in words.
std::string autovacuum_words(bool enabled, int64_t counter, double limit) {
  if (!enabled) return "autovacuum is off for this table";
  if (exceeds(counter, limit)) return cat("autovacuum is due (its limit is ", count(limit), ")");
  return cat("autovacuum waits until ", count(limit));
}

std::optional<Finding> dead_rows(const TableFacts& table, const Context& context,
                                 const Policy& policy) {
  const auto dead = static_cast<double>(table.counters.rows_dead);
  const double all = dead + static_cast<double>(table.counters.rows_live);
  if (table.kind == 'p' || dead < static_cast<double>(policy.dead_rows_min)) return {};
  const Triggers limits = triggers(table, context.settings);
  const double share = dead / all;
  const bool due = exceeds(table.counters.rows_dead, limits.dead);
  if (!due && share <= policy.dead_share_max) return {};
  const auto space = static_cast<double>(table.size.heap.count) * share;
  Finding finding{
      .id = "dead-rows",
      .object = table.qualified(),
      .severity = due ? Severity::Warning : Severity::Notice,
      .what = cat(count(dead), " dead rows, ", percent(share), " of the table's rows"),
      .why = cat("every scan reads them and their space, about ",
                 human(Bytes{static_cast<int64_t>(space)}), ", cannot be used again; ",
                 autovacuum_words(limits.enabled, table.counters.rows_dead, limits.dead))};
  finding.evidence = {{"rows_dead", cat(table.counters.rows_dead)},
                      {"rows_live", cat(table.counters.rows_live)},
                      {"autovacuum_limit", count(limits.dead)},
                      {"last_vacuum", ago(newer(table.age.vacuum, table.age.autovacuum))}};
  if (!context.holders.empty()) {
    const facts::HorizonHolder& oldest = context.holders.front();
    finding.evidence.push_back(
        {"oldest_horizon",
         cat(oldest.describe(), ", ", grouped(oldest.age_xids), " transactions back")});
  }
  finding.actions = {action(table, Job::Vacuum, context.settings.version)};
  finding.prediction = cat("the space of ", count(dead),
                           " rows becomes free for new ones; the file itself seldom shrinks");
  return finding;
}

std::optional<Finding> never_analyzed(const TableFacts& table, const Context& context,
                                      const Policy& policy) {
  const facts::TableCounters& counters = table.counters;
  const double rows = std::max(table.rows(), static_cast<double>(counters.modified_since_analyze));
  if (table.kind == 'p' || rows < static_cast<double>(policy.stale_rows_min)) return {};
  if (table.age.analyze || table.age.autoanalyze) return {};
  // Without counters (crash, fresh standby) an ANALYZE long ago cannot be told from none.
  const bool all_changed = static_cast<double>(counters.modified_since_analyze) >= 0.9 * rows;
  if (!counters.present || !all_changed) return {};
  const Triggers limits = triggers(table, context.settings);
  Finding finding{.id = "never-analyzed",
                  .object = table.qualified(),
                  .severity = Severity::Warning,
                  .what = cat("never analysed, ", count(rows), " rows"),
                  .why = cat("without column statistics the planner guesses: row estimates, join "
                             "order and index use are chance; ",
                             autovacuum_words(limits.enabled, counters.modified_since_analyze,
                                              limits.changes.value_or(0)))};
  finding.evidence = {{"rows", count(rows)},
                      {"modified_since_analyze", cat(counters.modified_since_analyze)},
                      {"last_analyze", "never"}};
  finding.actions = {action(table, Job::Analyze, context.settings.version)};
  finding.prediction = "the planner knows the table's values and row count";
  return finding;
}

std::optional<Finding> stale_statistics(const TableFacts& table, const Context& context,
                                        const Policy& policy) {
  const int64_t changed = table.counters.modified_since_analyze;
  const auto changes = static_cast<double>(changed);
  if (table.kind == 'p' || changed < policy.stale_rows_min) return {};
  if (never_analyzed(table, context, policy)) return {};
  const Triggers limits = triggers(table, context.settings);
  const double rows = std::max(table.rows(), changes);
  const double share = changes / rows;
  const double limit = limits.changes.value_or(0);
  const bool due = exceeds(changed, limit);
  if (!due && share <= policy.stale_share_max) return {};
  Finding finding{
      .id = "stale-statistics",
      .object = table.qualified(),
      .severity = due ? Severity::Warning : Severity::Notice,
      .what = cat(count(changes), " rows changed since the last ANALYZE, ", percent(share),
                  " of the table"),
      .why = cat("the planner does not know the new values yet, the newest time ranges least of "
                 "all; ",
                 autovacuum_words(limits.enabled, changed, limit))};
  finding.evidence = {{"modified_since_analyze", cat(changed)},
                      {"rows", count(rows)},
                      {"autovacuum_limit", count(limit)},
                      {"last_analyze", ago(newer(table.age.analyze, table.age.autoanalyze))}};
  finding.actions = {action(table, Job::Analyze, context.settings.version)};
  finding.prediction = "row estimates follow the table as it is now";
  return finding;
}

std::optional<Finding> parent_never_analyzed(const TableFacts& table, const Context& context,
                                             const Policy&) {
  if (table.kind != 'p' || table.leaves == 0) return {};
  if (table.age.analyze || table.age.autoanalyze || table.statistics.value_or(true)) return {};
  Finding finding{.id = "parent-never-analyzed",
                  .object = table.qualified(),
                  .severity = Severity::Warning,
                  .what = cat("partitioned table without statistics of its own, ", table.leaves,
                              table.leaves == 1 ? " partition" : " partitions"),
                  .why =
                      "autovacuum analyses partitions but never their parent; queries over "
                      "several partitions are planned with default guesses"};
  finding.evidence = {{"partitions", cat(table.leaves)}, {"last_analyze", "never"}};
  finding.actions = {action(table, Job::Analyze, context.settings.version)};
  finding.prediction = "groups and joins over all partitions are estimated from real values";
  return finding;
}

std::optional<Finding> not_all_visible(const TableFacts& table, const Context& context,
                                       const Policy& policy) {
  const facts::TableSize& size = table.size;
  if (table.kind != 'r' || size.heap < policy.invisible_size_min || size.pages <= 0) return {};
  if (dead_rows(table, context, policy)) return {};
  const double visible = static_cast<double>(size.pages_visible) / static_cast<double>(size.pages);
  const auto inserts = static_cast<double>(table.counters.inserted_since_vacuum);
  const bool grew = inserts > policy.invisible_share_max * std::max(table.rows(), 1.0);
  if (!grew || 1 - visible <= policy.invisible_share_max) return {};
  const Triggers limits = triggers(table, context.settings);
  Finding finding{
      .id = "not-all-visible",
      .object = table.qualified(),
      .severity = Severity::Info,
      .what = cat(count(inserts), " rows inserted since the last VACUUM, ", percent(visible),
                  " of the pages known to be visible to all"),
      .why = cat(
          "index-only scans must look into the table, and the first VACUUM will have to read "
          "all of it; ",
          limits.inserts ? autovacuum_words(limits.enabled, table.counters.inserted_since_vacuum,
                                            *limits.inserts)
                         : std::string("autovacuum is told to ignore inserts"))};
  finding.evidence = {{"inserted_since_vacuum", cat(table.counters.inserted_since_vacuum)},
                      {"pages", cat(size.pages)},
                      {"pages_visible", cat(size.pages_visible)}};
  finding.actions = {action(table, Job::Vacuum, context.settings.version)};
  finding.prediction = "index-only scans answer from the index alone";
  return finding;
}

constexpr Rule kRules[] = {
    {"dead-rows", "dead rows above the policy's share or autovacuum's limit", dead_rows},
    {"never-analyzed", "a filled table without column statistics", never_analyzed},
    {"stale-statistics", "many changes since the last ANALYZE, as after a bulk load",
     stale_statistics},
    {"parent-never-analyzed", "a partitioned table that ANALYZE has never seen",
     parent_never_analyzed},
    {"not-all-visible", "a grown table whose visibility map is empty", not_all_visible},
    {"own-cost-budget", "cost settings of a table that leave autovacuum's common budget",
     own_cost_budget},
    {"low-hot", "updates that are not heap-only, and why", low_hot},
    {"autovacuum-starved",
     "a table that is due and that autovacuum does not come to, with what is in the way; in "
     "`vacuum "
     "watch` also `autovacuum-cancelled`",
     starved_now},
    {"table-bloat", "pages of a table that a rewrite would give back", table_bloat},
    {"toast-bloat", "pages of a table's TOAST that a rewrite would give back", toast_bloat},
    {"index-bloat", "pages of its btree indexes that REINDEX would give back", index_bloat},
};

}  // namespace

std::span<const Rule> rules() { return kRules; }

}  // namespace pgtend::vacuum
