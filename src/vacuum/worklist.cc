#include "vacuum/worklist.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "vacuum/server_rules.h"
#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

using facts::TableFacts;

constexpr double kUrgentShare = 0.9;  // of the age at which autovacuum forces itself

double over(double counter, double limit) { return limit > 0 ? counter / limit : 0; }

// How far the ages are on the way to a forced VACUUM: 1 is there.
double age_score(const TableFacts& table, const Triggers& limits) {
  return std::max(over(static_cast<double>(table.xid_age), static_cast<double>(limits.xid_age)),
                  over(static_cast<double>(table.mxid_age), static_cast<double>(limits.mxid_age)));
}

double score_of(const TableFacts& table, const Triggers& limits, const Policy& policy) {
  const double rows = std::max(table.rows(), 1.0);
  const facts::TableCounters& counters = table.counters;
  const double dead_limit = std::min(limits.dead, policy.dead_share_max * rows);
  const double change_limit = std::min(limits.changes.value_or(policy.stale_share_max * rows),
                                       policy.stale_share_max * rows);
  double score = age_score(table, limits);
  score = std::max(score, over(static_cast<double>(counters.rows_dead), dead_limit));
  score = std::max(score, over(static_cast<double>(counters.modified_since_analyze), change_limit));
  const double insert_limit = limits.inserts.value_or(0);
  return std::max(score, over(static_cast<double>(counters.inserted_since_vacuum), insert_limit));
}

// The pages of all partitions below each partitioned table.
std::map<std::string, int64_t> pages_below(const Facts& facts) {
  std::map<std::string, std::string> parent_of;
  for (const TableFacts& table : facts.tables) parent_of[table.qualified()] = table.parent;
  std::map<std::string, int64_t> out;
  for (const TableFacts& table : facts.tables) {
    for (std::string above = table.parent; !above.empty(); above = parent_of[above]) {
      out[above] += table.size.pages;
    }
  }
  return out;
}

// `below`: the pages of the partitions of a partitioned table.
int64_t pages_of(const TableFacts& table, const Task& task, const facts::ServerSettings& settings,
                 int64_t below) {
  const Job job = task.job;
  const int64_t sample = kSampleRowsPerTarget * settings.statistics_target;
  int64_t pages = 0;
  if (job != Job::Analyze) {
    const double rows = std::max(table.rows(), 1.0);
    pages = std::max<int64_t>(table.size.pages - table.size.pages_visible, 0);
    if (static_cast<double>(table.counters.rows_dead) >= kBypassShare * rows) {
      pages += table.size.indexes.count / 8192;
    }
  }
  if (job == Job::Vacuum) return pages;
  if (table.kind != 'p') return pages + std::min(sample, table.size.pages);
  const int64_t once = std::min(sample, below);
  const int64_t of_leaves = std::min(sample * table.leaves, below);
  return pages + once +
         (leaves_partitions_alone(table, job, settings.version, task.choice) ? 0 : of_leaves);
}

// Takes ANALYZE from the tasks of partitions whose parent's ANALYZE does them anyway.
void leave_to_parents(const Facts& facts, std::vector<Task>& tasks) {
  std::map<std::string, std::string> parent_of;
  std::set<std::string> done_below;
  for (const TableFacts& table : facts.tables) parent_of[table.qualified()] = table.parent;
  for (const Task& task : tasks) {
    const auto table = std::ranges::find(facts.tables, task.table, &TableFacts::qualified);
    const int version = facts.context.settings.version;
    if (task.partitioned && !leaves_partitions_alone(*table, task.job, version, task.choice)) {
      done_below.insert(task.table);
    }
  }
  std::erase_if(tasks, [&](Task& task) {
    std::string above = parent_of[task.table];
    while (!above.empty() && !done_below.contains(above)) above = parent_of[above];
    if (above.empty()) return false;
    if (task.job == Job::VacuumAnalyze) task.job = Job::Vacuum;
    return task.job == Job::Analyze;
  });
}

// The table with the ages of its TOAST table where those are higher: VACUUM does both.
TableFacts with_toast_ages(TableFacts table, const std::optional<facts::Runway>& runway) {
  if (!runway) return table;
  for (const facts::RelationAge& relation : runway->relations) {
    if (!relation.toast || relation.table != table.qualified()) continue;
    table.xid_age = std::max(table.xid_age, relation.xid_age);
    table.mxid_age = std::max(table.mxid_age, relation.mxid_age);
  }
  return table;
}

struct Wanted {
  bool vacuum = false;
  bool analyze = false;
  std::vector<std::string> why = {};
};

// What the findings ask of each table.
std::map<std::string, Wanted> wanted_by(const Facts& facts, const Policy& policy) {
  std::map<std::string, Wanted> out;
  for (const care::Finding& finding : review(facts, policy)) {
    if (finding.actions.empty()) continue;
    Wanted& wanted = out[finding.object];
    const bool analyze = finding.actions[0].kind == "analyze";
    (analyze ? wanted.analyze : wanted.vacuum) = true;
    wanted.why.push_back(finding.what);
  }
  return out;
}

}  // namespace

std::vector<Task> worklist(const Facts& facts, const facts::Upkeep& upkeep, const Means& means,
                           bool analyze_only, const Policy& policy) {
  const facts::ServerSettings& settings = facts.context.settings;
  std::map<std::string, Wanted> wanted_tables = wanted_by(facts, policy);
  std::map<std::string, int64_t> below = pages_below(facts);
  std::vector<Task> out;
  for (const TableFacts& known : facts.tables) {
    const TableFacts table = with_toast_ages(known, facts.runway);
    if (!table.rights.maintain) continue;
    Task task{.table = table.qualified(), .partitioned = table.kind == 'p'};
    Wanted& wanted = wanted_tables[task.table];
    const Triggers limits = triggers(table, settings);
    const double age = age_score(table, limits);
    if (table.kind != 'p' && age >= 0.5) {
      wanted.vacuum = true;
      wanted.why.push_back(cat(static_cast<int>(100 * age), " % of the way to a forced VACUUM"));
    }
    if (analyze_only) wanted.vacuum = false;
    if (!wanted.vacuum && !wanted.analyze) continue;
    task.job = !wanted.vacuum ? Job::Analyze : wanted.analyze ? Job::VacuumAnalyze : Job::Vacuum;
    task.urgent = table.kind != 'p' && age >= kUrgentShare && !analyze_only;
    task.score = std::max(score_of(table, limits, policy), 1.0);  // there is a finding
    task.choice = choose(table, task.job, settings, upkeep, means);
    task.pages = pages_of(table, task, settings, below[task.table]);
    task.why = join(wanted.why, "; ");
    out.push_back(std::move(task));
  }
  leave_to_parents(facts, out);
  const auto worth = [](const Task& task) {
    return task.score / static_cast<double>(std::max<int64_t>(task.pages, 1));
  };
  std::ranges::stable_sort(out, [&](const Task& a, const Task& b) {
    if (a.urgent != b.urgent) return a.urgent;
    return worth(a) > worth(b);
  });
  return out;
}

Result<std::vector<Task>> load_worklist(pg::Connection& conn, const Means& means,
                                        bool analyze_only) {
  const Facts facts = TRY(load(conn));
  std::vector<uint32_t> oids;
  for (const TableFacts& table : facts.tables) oids.push_back(table.oid);
  const facts::Upkeep upkeep = TRY(facts::load_upkeep(conn, oids));
  return worklist(facts, upkeep, means, analyze_only);
}

json::object to_json(const Task& task) {
  return {{"table", task.table},
          {"job", name(task.job)},
          {"urgent", task.urgent},
          {"score", task.score},
          {"pages", task.pages},
          {"why", task.why},
          {"options", to_json(task.choice.options)},
          {"settings", to_json(task.choice.settings)}};
}

}  // namespace pgtend::vacuum
