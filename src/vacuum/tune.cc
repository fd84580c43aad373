#include "vacuum/tune.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "vacuum/server_rules.h"
#include "vacuum/triggers.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using facts::TableFacts;

constexpr double kOnlyGrows = 0.01;              // changes of all inserts, at most
constexpr double kNapsTooLate = 5;               // limits' worth of rows that die within a naptime
constexpr int64_t kNaptimeAdvised = 15;          // seconds
constexpr double kThresholdTop = 2'147'483'647;  // the server keeps it in 32 bits
constexpr int kVersionWorkersReload = 180000;
constexpr std::string_view kToastPrefix = "toast.";
constexpr double kMemoryTopKb = 1'048'576;  // up to 16 more is not used

// Upwards to two significant digits: 1234 -> 1300, 0.01234 -> 0.013.
double rounded_up(double value) {
  if (value <= 0) return 0;
  const double unit = std::pow(10, std::floor(std::log10(value)) - 1);
  return std::ceil(value / unit * (1 - 1e-9)) * unit;
}

std::string number_text(double value) { return fmt::format("{:.10g}", value); }

std::string period_text(double seconds) {
  return seconds < 1 ? "under a second"
                     : human(std::chrono::seconds(std::llround(std::min(seconds, 1e10))));
}

// Cost units a second that autovacuum may use; infinite without a delay.
double budget(const facts::VacuumCosts& costs) {
  const double delay = costs.effective_delay_ms();
  return delay <= 0 ? INFINITY : costs.effective_limit() * 1000 / delay;
}

// How long a VACUUM lasts that has the whole budget and finds `dead` rows that lie anywhere.
double vacuum_seconds(const TableFacts& table, double dead, const facts::VacuumCosts& costs) {
  const auto pages = static_cast<double>(table.size.pages);
  if (pages < 1) return 0;
  const double touched = pages * (1 - std::exp(-dead / pages));
  double units = touched * (costs.page_miss + costs.page_dirty);
  if (touched >= kBypassShare * pages) {
    const double index_pages =
        static_cast<double>(table.size.indexes.count) / static_cast<double>(costs.block_size);
    units += index_pages * costs.page_miss + std::min(index_pages, dead) * costs.page_dirty;
  }
  return units / budget(costs);
}

double analyze_seconds(const TableFacts& table, const Trace& head) {
  const double pages =
      std::min(kSampleRowsPerTarget * static_cast<double>(head.settings.statistics_target),
               static_cast<double>(table.size.pages));
  return pages * head.costs.page_miss / budget(head.costs);
}

// A limit of rows that autovacuum should have, and why.
struct Goal {
  double rows = 0;
  bool of_share = true;  // it is a share of the rows and grows with the table
  std::string why = {};
};

// Two settings stand behind each limit.
struct LimitNames {
  const char* scale;
  const char* threshold;
};
constexpr LimitNames kDeadNames = {"autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold"};
constexpr LimitNames kInsertNames = {"autovacuum_vacuum_insert_scale_factor",
                                     "autovacuum_vacuum_insert_threshold"};
constexpr LimitNames kChangeNames = {"autovacuum_analyze_scale_factor",
                                     "autovacuum_analyze_threshold"};

class TableAdvisor {
 public:
  TableAdvisor(const TuneInput& input, const TableFacts& table, const TunePolicy& policy)
      : head_(input.head), table_(table), policy_(policy) {
    const auto found = input.rates.find(table.oid);
    if (found != input.rates.end()) rates_ = found->second;
  }

  std::vector<SettingAdvice> advise() {
    const Triggers limits = triggers(table_, head_.settings);
    if (!limits.visited || !limits.enabled) return {};
    const facts::AutovacuumSettings& server = head_.settings.autovacuum;
    if (rates_.dead.value_or(1) > 0) {
      lower(limits.dead, dead_goal(), kDeadNames, server.vacuum_scale,
            static_cast<double>(server.vacuum_threshold));
    }
    if (table_.kind == 't') return keep_others();
    const bool grows = rates_.inserted.value_or(1) > 0;
    if (limits.inserts && grows) {
      lower(*limits.inserts, insert_goal(), kInsertNames, server.insert_scale,
            static_cast<double>(server.insert_threshold));
    }
    if (limits.changes && rates_.changed.value_or(1) > 0) {
      lower(*limits.changes, change_goal(), kChangeNames, server.analyze_scale,
            static_cast<double>(server.analyze_threshold));
    }
    freeze_once();
    return std::move(out_);
  }

 private:
  double rows() const { return std::max(table_.rows(), 1.0); }

  // The share of the rows, but not so few that VACUUM would work all the time.
  Goal dead_goal() const {
    Goal goal{.rows = policy_.dead_share * rows(),
              .why = cat(percent(policy_.dead_share), " of the rows may be dead")};
    const double lasts = vacuum_seconds(table_, goal.rows, head_.costs);
    const double busy = rates_.dead.value_or(0) * lasts / policy_.duty;
    if (busy > goal.rows) {
      goal.rows = busy;
      goal.why = cat("a VACUUM lasts ", period_text(lasts), " within the cost budget, and ",
                     count(*rates_.dead * 3600), " rows die an hour: it is to work ",
                     percent(policy_.duty), " of the time");
    }
    return at_least(goal);
  }

  Goal insert_goal() const {
    Goal goal{.rows = policy_.insert_share * rows(),
              .why = cat(percent(policy_.insert_share),
                         " of the rows may be on pages that no "
                         "VACUUM has seen")};
    if (rates_.inserted && *rates_.inserted * policy_.insert_period_s < goal.rows) {
      goal = {.rows = *rates_.inserted * policy_.insert_period_s,
              .of_share = false,
              .why = cat(count(*rates_.inserted * 86'400),
                         " rows a day are new: they become visible to index-only scans within ",
                         period_text(policy_.insert_period_s))};
    }
    return at_least(goal);
  }

  Goal change_goal() const {
    Goal goal{
        .rows = policy_.change_share * rows(),
        .why = cat("statistics are to see ", percent(1 - policy_.change_share), " of the rows")};
    if (!rates_.changed) return at_least(goal);
    const double a_day = *rates_.changed * policy_.change_period_s;
    const double busy = *rates_.changed * analyze_seconds(table_, head_) / policy_.duty;
    if (a_day < goal.rows) {
      goal = {.rows = a_day,
              .of_share = false,
              .why = cat(count(*rates_.changed * 86'400),
                         " rows change a day: the newest are to be in the histogram within ",
                         period_text(policy_.change_period_s))};
    }
    if (busy > goal.rows) {
      goal.rows = busy;
      goal.why = cat(count(*rates_.changed * 3600), " rows change an hour: ANALYZE is to work ",
                     percent(policy_.duty), " of the time");
    }
    return at_least(goal);
  }

  Goal at_least(Goal goal) const {
    goal.rows = std::max({goal.rows, policy_.share_min * rows(), policy_.rows_min});
    return goal;
  }

  // Advises the two settings of a limit that is too high.
  void lower(double limit, const Goal& goal, const LimitNames& names, double server_scale,
             double server_threshold) {
    if (limit <= policy_.worth * goal.rows) return;
    const std::string why = cat(goal.why, "; now it is ", count(limit), " rows");
    const double scale_now = option_number(table_, names.scale).value_or(server_scale);
    const double threshold_now = option_number(table_, names.threshold).value_or(server_threshold);
    const double left = goal.rows - threshold_now;
    const bool by_scale = goal.of_share && left > 0 && scale_now > 0;
    const double scale = by_scale ? rounded_up(left / rows()) : 0;
    set(names.scale, scale_now, scale, why);
    if (!by_scale) {
      set(names.threshold, threshold_now, std::min(rounded_up(goal.rows), kThresholdTop), why);
    }
  }

  void freeze_once() {
    const facts::TableCounters& counters = table_.counters;
    const char* name = "autovacuum_freeze_min_age";
    if (table_.size.heap < policy_.freeze_size_min || !counters.present) return;
    const auto inserted = static_cast<double>(counters.inserted);
    if (inserted < 1 ||
        static_cast<double>(counters.updated + counters.deleted) > kOnlyGrows * inserted) {
      return;
    }
    const double now =
        option_number(table_, name).value_or(static_cast<double>(head_.costs.freeze_min_age));
    set(name, now, 0,
        cat(grouped(counters.inserted), " rows were inserted and ",
            grouped(counters.updated + counters.deleted),
            " changed: a page that is frozen when it is first visited is not written again"));
  }

  // A TOAST table has its settings by way of its table.
  void set(const char* name, double now, double advised, const std::string& why) {
    if (number_text(now) == number_text(advised)) return;
    const bool toast = table_.kind == 't';
    std::string full = cat(toast ? kToastPrefix : "", name);
    const bool own = table_.options.contains(full);
    out_.push_back({.table = toast ? table_.parent : table_.qualified(),
                    .name = std::move(full),
                    .now = number_text(now),
                    .advised = number_text(advised),
                    .why = toast ? cat("of its TOAST: ", why) : why,
                    .own = own});
  }

  // With the first option of its own TOAST no longer follows its table: what the table has set is
  // set for TOAST as well.
  std::vector<SettingAdvice> keep_others() {
    const auto has_own = [](const auto& option) { return option.first.starts_with(kToastPrefix); };
    if (out_.empty() || std::ranges::any_of(table_.options, has_own)) return std::move(out_);
    for (const auto& [name, value] : table_.options) {
      const std::string full = cat(kToastPrefix, name);
      if (!name.starts_with("autovacuum_") || name.starts_with("autovacuum_analyze")) continue;
      if (std::ranges::find(out_, full, &SettingAdvice::name) != out_.end()) continue;
      out_.push_back({.table = table_.parent,
                      .name = full,
                      .now = value,
                      .advised = value,
                      .why = "of its TOAST: it keeps this when it no longer follows its table"});
    }
    return std::move(out_);
  }

  const Trace& head_;
  const TableFacts& table_;
  const TunePolicy& policy_;
  TableRates rates_ = {};
  std::vector<SettingAdvice> out_ = {};
};

void advise_budget(const Variant& variant, const TunePolicy& policy,
                   std::vector<SettingAdvice>& out) {
  const double used = variant.replay.cost_share;
  const facts::VacuumCosts& costs = variant.trace.costs;
  if (used <= policy.budget_share || costs.effective_delay_ms() <= 0) return;
  const double wanted = rounded_up(costs.effective_limit() * used / policy.budget_share);
  const double limit = std::min(wanted, policy.cost_limit_max);
  if (limit <= costs.effective_limit()) return;
  const double page_mb = static_cast<double>(costs.block_size) / 1e6;
  const double a_second = limit / costs.effective_delay_ms() * 1000 * page_mb;
  out.push_back({.name = "autovacuum_vacuum_cost_limit",
                 .now = number_text(costs.effective_limit()),
                 .advised = number_text(limit),
                 .why = cat("the tables need ", percent(used),
                            " of the cost budget that all workers share; they then read up to ",
                            count(a_second / costs.page_miss), " MB/s or write up to ",
                            count(a_second / costs.page_dirty), " MB/s",
                            limit < wanted ? ", which is still not enough" : "")});
}

void advise_workers(const Variant& variant, const TunePolicy& policy,
                    std::vector<SettingAdvice>& out) {
  const Replay& replay = variant.replay;
  const facts::ServerSettings& server = variant.trace.settings;
  if (replay.duration_s <= 0 || replay.all_busy_s <= policy.busy_share * replay.duration_s) return;
  const int64_t now = server.autovacuum.workers_max;
  out.push_back({.name = "autovacuum_max_workers",
                 .now = cat(now),
                 .advised = cat(std::min<int64_t>(2 * now, 16)),
                 .why = cat("all workers are busy ", percent(replay.all_busy_s / replay.duration_s),
                            " of the time, and tables wait; it makes nothing faster by itself, "
                            "since the workers share the cost budget"),
                 .restart = server.version < kVersionWorkersReload});
}

// A table of few rows that are changed all the time grows to what dies within a naptime.
void advise_naptime(const TuneInput& input, std::vector<SettingAdvice>& out) {
  const double naptime = input.head.settings.autovacuum.naptime_s;
  if (naptime <= kNaptimeAdvised) return;
  const TableFacts* worst = nullptr;
  double most = kNapsTooLate;
  double rate = 0;
  for (const TraceTable& one : input.head.tables) {
    const auto found = input.rates.find(one.facts.oid);
    const Triggers limits = triggers(one.facts, input.head.settings);
    if (found == input.rates.end() || !limits.visited || !limits.enabled) continue;
    const double per_s = found->second.dead.value_or(0);
    if (per_s * naptime <= most * std::max(limits.dead, 1.0)) continue;
    most = per_s * naptime / std::max(limits.dead, 1.0);
    worst = &one.facts;
    rate = per_s;
  }
  if (worst == nullptr) return;
  out.push_back({.name = "autovacuum_naptime",
                 .now = number_text(naptime),
                 .advised = cat(kNaptimeAdvised),
                 .why = cat(count(rate * naptime), " rows of ", worst->qualified(),
                            " die between two visits; it has ", count(worst->rows()))});
}

// Up to 16 what does not fit in memory costs one more pass over all indexes.
void advise_memory(const Variant& variant, std::vector<SettingAdvice>& out) {
  const Trace& trace = variant.trace;
  if (trace.settings.version >= kVersionTidStore) return;
  const SimulatedRun* worst = nullptr;
  for (const SimulatedRun& run : variant.replay.runs) {
    if (run.work.index_passes > (worst == nullptr ? 1 : worst->work.index_passes)) worst = &run;
  }
  if (worst == nullptr) return;
  const double now = trace.costs.effective_memory_bytes() / 1024;
  const double wanted = std::min(rounded_up(worst->work.tids * kTidBytes / 1024), kMemoryTopKb);
  if (wanted <= now) return;
  out.push_back(
      {.name = "autovacuum_work_mem",
       .now = number_text(now),
       .advised = number_text(wanted),
       .why = cat("a VACUUM of ", trace.tables[worst->table].facts.qualified(),
                  " passes its indexes ", count(worst->work.index_passes), " times for ",
                  count(worst->work.tids), " dead rows; each worker may take so many kB")});
}

// For the TOAST of a table, if it is large and its rows die: with the table's options as they are
// advised, which it follows as long as it has none of its own.
std::vector<SettingAdvice> advise_toast(const TuneInput& input, const TableFacts& toast,
                                        const std::vector<SettingAdvice>& advised,
                                        const TunePolicy& policy) {
  const auto found = input.rates.find(toast.oid);
  if (found == input.rates.end() || found->second.dead.value_or(0) <= 0) return {};
  TableFacts followed = toast;
  for (const SettingAdvice& one : advised) {
    if (one.table == toast.parent) followed.options[one.name] = one.advised;
  }
  return TableAdvisor(input, followed, policy).advise();
}

}  // namespace

std::vector<SettingAdvice> advise_tables(const TuneInput& input, const TunePolicy& policy) {
  std::vector<const TableFacts*> order;
  for (const TraceTable& one : input.head.tables) {
    const TableFacts& table = one.facts;
    const bool stores = table.kind == 'r' || table.kind == 'm';
    if (stores && table.rights.owner && table.size.heap >= policy.size_min) order.push_back(&table);
  }
  std::ranges::stable_sort(
      order, [](const TableFacts* a, const TableFacts* b) { return a->size.heap > b->size.heap; });
  std::vector<SettingAdvice> out;
  for (const TableFacts* table : order) {
    std::ranges::move(TableAdvisor(input, *table, policy).advise(), std::back_inserter(out));
  }
  for (const TraceTable& one : input.head.tables) {
    const TableFacts& toast = one.facts;
    if (toast.kind != 't' || toast.parent.empty() || !toast.rights.owner) continue;
    if (toast.size.heap < policy.size_min) continue;
    std::ranges::move(advise_toast(input, toast, out, policy), std::back_inserter(out));
  }
  return out;
}

std::vector<SettingAdvice> advise_server(const TuneInput& input, const Variant& variant,
                                         const TunePolicy& policy) {
  std::vector<SettingAdvice> out;
  advise_naptime(input, out);
  advise_budget(variant, policy, out);
  advise_workers(variant, policy, out);
  advise_memory(variant, out);
  return out;
}

json::object to_json(const SettingAdvice& advice) {
  return {{"table", advice.table},    {"setting", advice.name},    {"now", advice.now},
          {"own", advice.own},        {"advised", advice.advised}, {"why", advice.why},
          {"restart", advice.restart}};
}

}  // namespace pgtend::vacuum
