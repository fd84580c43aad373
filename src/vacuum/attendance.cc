#include "vacuum/attendance.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "base/units.h"
#include "vacuum/actions.h"
#include "vacuum/triggers.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using care::Finding;
using care::Severity;
using facts::AutovacuumNow;
using facts::AutovacuumWorker;
using facts::LockInTheWay;
using facts::TableFacts;

constexpr size_t kNamedMax = 3;
constexpr int kTriesMin = 2;           // one may have been an accident
constexpr double kMostLooks = 0.5;     // of them showed the same obstacle
constexpr double kUnseenPatience = 2;  // times as long without a reason that was seen
constexpr int kQueryShown = 60;

std::string_view sql_name(Job job) { return job == Job::Analyze ? "ANALYZE" : "VACUUM"; }

// The cause that is furthest over its limit, of those that make the job due.
std::optional<Distance> worst(const Forecast& forecast, Job job) {
  std::optional<Distance> out;
  const auto factor = [](const Distance& d) {
    return static_cast<double>(d.counter) / std::max(d.limit, 1.0);
  };
  const auto take = [&](const std::optional<Distance>& distance) {
    if (distance && distance->due && (!out || factor(*distance) > factor(*out))) out = distance;
  };
  if (job == Job::Analyze) {
    take(forecast.changes);
  } else {
    take(forecast.dead);
    take(forecast.inserts);
    take(forecast.xid_age);
    take(forecast.mxid_age);
  }
  return out;
}

std::string describe(const AutovacuumWorker& worker) {
  std::string out = cat("pid ", worker.pid, ": ",
                        worker.work.empty() ? "looks for work" : printable(worker.work));
  if (worker.runs_s) out += cat(", for ", facts::human_seconds(*worker.runs_s));
  return out;
}
std::string describe(const LockInTheWay& lock) {
  std::string query = printable(lock.session.query);
  while (query.ends_with(';')) query.pop_back();
  if (query.size() > kQueryShown) query = cat(query.substr(0, kQueryShown), "…");
  std::string out = cat(lock.session.describe(), ", ", lock.session.lock_mode);
  return query.empty() ? out : cat(out, ", last ran ", query);
}

template <class Item>
std::vector<std::string> described(const std::vector<Item>& items) {
  std::vector<std::string> out;
  for (const Item& item : items) out.push_back(describe(item));
  return out;
}

std::string shown_of(const std::vector<std::string>& who) {
  std::vector<std::string> shown(
      who.begin(), who.begin() + static_cast<int64_t>(std::min(who.size(), kNamedMax)));
  return cat(join(shown, "; "),
             who.size() > kNamedMax ? cat("; and ", who.size() - kNamedMax, " more") : "");
}

std::string why_not(const Neglected& n) {
  switch (n.obstacle) {
    case Obstacle::Cancelled:
      return cat(
          "a worker was there ", n.tries,
          " times and ended without having done it: autovacuum gives way to whoever waits "
          "for a lock on the table",
          n.who.empty() ? std::string(", who was not seen") : cat("; seen: ", shown_of(n.who)));
    case Obstacle::Locked:
      return cat("workers pass a locked table by, at each of their visits: ", shown_of(n.who));
    case Obstacle::OtherDatabase:
      return cat("all new workers go to the database with the oldest ids, the others get none: ",
                 shown_of(n.who));
    case Obstacle::WorkersBusy:
      return cat("all ", n.who.size(), n.who.size() == 1 ? " worker is" : " workers are",
                 " busy on other tables: ", shown_of(n.who));
    case Obstacle::Unseen:
      return "no worker was seen on it, and nothing that would keep them away: a lock that is held "
             "for moments, a launcher that does not run, or workers that end before";
  }
  std::abort();
}

std::string what_helps(const Neglected& n) {
  switch (n.obstacle) {
    case Obstacle::Cancelled:
      return "what takes the lock belongs at another time, or less often; pgtend vacuum run gives "
             "way, too, but comes back a second later";
    case Obstacle::Locked:
      return "when the lock is gone the next visit does it: the transaction that holds it should "
             "be shorter, or end";
    case Obstacle::OtherDatabase:
      return "a VACUUM of that database's oldest tables sets the workers free; until then pgtend "
             "vacuum run does the tables here";
    case Obstacle::WorkersBusy:
      return "pgtend vacuum run (or watch) needs no worker of autovacuum, for small tables that "
             "change much; more autovacuum_max_workers share one cost limit: raise "
             "autovacuum_vacuum_cost_limit with them";
    case Obstacle::Unseen:
      return "the server's log (log_autovacuum_min_duration = 0) tells which tables are skipped";
  }
  std::abort();
}

// Lanes of a table that autovacuum has to do.
bool has_due(const Forecast& forecast, Job job) {
  return job == Job::Analyze ? forecast.analyze() : forecast.vacuum();
}

double naptimes(const facts::ServerSettings& settings, const Policy& policy) {
  return policy.starved_naptimes * settings.autovacuum.naptime_s;
}

// Whether nobody has done the job for `seconds`.
bool unvisited(const TableFacts& table, Job job, double seconds) {
  const auto old = [&](const std::optional<double>& age) { return !age || *age > seconds; };
  if (job == Job::Analyze) return old(table.age.analyze) && old(table.age.autoanalyze);
  return old(table.age.vacuum) && old(table.age.autovacuum);
}

std::vector<LockInTheWay> locks_on(uint32_t table, const AutovacuumNow& now, bool granted) {
  std::vector<LockInTheWay> out;
  for (const LockInTheWay& lock : now.locks) {
    if (lock.table == table && lock.granted == granted) out.push_back(lock);
  }
  return out;
}

// What a single look proves to be in the way; false: nothing.
bool find_obstacle(Neglected& n, const AutovacuumNow& now, double patience) {
  std::vector<LockInTheWay> locks = locks_on(n.table.oid, now, true);
  std::erase_if(
      locks, [&](const LockInTheWay& lock) { return lock.session.open_s.value_or(0) < patience; });
  if (!locks.empty()) {
    n.obstacle = Obstacle::Locked;
    n.who = described(locks);
    return unvisited(n.table, n.job, patience);
  }
  const auto here = [&](const AutovacuumWorker& worker) { return worker.table == n.table.oid; };
  if (std::ranges::any_of(now.workers, here)) return false;
  if (!now.workers.empty() && now.busy()) {
    double shortest = 1e18;
    for (const AutovacuumWorker& worker : now.workers) {
      shortest = std::min(shortest, worker.runs_s.value_or(0));
    }
    n.obstacle = Obstacle::WorkersBusy;
    n.who = described(now.workers);
    return shortest > patience && unvisited(n.table, n.job, shortest);
  }
  const auto ours = [](const AutovacuumWorker& worker) { return worker.table != 0; };
  if (now.forced_databases.empty() || std::ranges::any_of(now.workers, ours)) return false;
  n.obstacle = Obstacle::OtherDatabase;
  for (const std::string& database : now.forced_databases) n.who.push_back(printable(database));
  return unvisited(n.table, n.job, patience);
}

}  // namespace

std::string_view name(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::Cancelled:
      return "cancelled";
    case Obstacle::Locked:
      return "locked";
    case Obstacle::OtherDatabase:
      return "other database";
    case Obstacle::WorkersBusy:
      return "workers busy";
    case Obstacle::Unseen:
      return "not seen";
  }
  std::abort();
}

Finding to_finding(const Neglected& n, const facts::ServerSettings& settings) {
  const auto over = worst(forecast(n.table, settings), n.job).value_or(Distance{});
  const std::string amount = cat(grouped(over.counter), " against a limit of ", count(over.limit));
  Finding finding{
      .id = n.obstacle == Obstacle::Cancelled ? "autovacuum-cancelled" : "autovacuum-starved",
      .object = n.table.qualified(),
      .severity = n.obstacle == Obstacle::Unseen ? Severity::Notice : Severity::Warning,
      .what =
          cat("autovacuum does not get its ", sql_name(n.job), " done",
              n.due_s ? cat(", due for ", facts::human_seconds(*n.due_s)) : "", " (", amount, ")"),
      .why = why_not(n)};
  finding.evidence = {{"job", std::string(sql_name(n.job))},
                      {"counter", cat(over.counter)},
                      {"autovacuum_limit", count(over.limit)},
                      {"obstacle", std::string(name(n.obstacle))}};
  if (n.due_s) finding.evidence.push_back({"due_for", facts::human_seconds(*n.due_s)});
  if (n.tries > 0) finding.evidence.push_back({"tries", cat(n.tries)});
  for (const std::string& who : n.who) finding.evidence.push_back({"in_the_way", who});
  if (n.obstacle != Obstacle::Locked && n.obstacle != Obstacle::Unseen) {
    finding.actions = {action(n.table, n.job, settings.version)};
  }
  finding.prediction = what_helps(n);
  return finding;
}

std::optional<Finding> starved_now(const TableFacts& table, const Context& context,
                                   const Policy& policy) {
  if (!context.autovacuum || !context.autovacuum->seen) return {};
  const facts::ServerSettings& settings = context.settings;
  const Forecast due = forecast(table, settings);
  for (const Job job : {Job::Vacuum, Job::Analyze}) {
    const auto over = worst(due, job);
    if (!over) continue;
    const double limit = std::max(over->limit, 1.0);
    if (static_cast<double>(over->counter) < policy.starved_factor * limit) continue;
    Neglected n{.table = table, .job = job};
    if (find_obstacle(n, *context.autovacuum, naptimes(settings, policy))) {
      return to_finding(n, settings);
    }
  }
  return {};
}

void Attendance::look_at(const Key& key, Due& due, const AutovacuumNow& now) const {
  const auto& [table, job] = key;
  ++due.looks;
  std::set<int> working;
  for (const AutovacuumWorker& worker : now.workers) {
    const bool does_it = job == Job::Analyze ? worker.analyzes() : worker.vacuums();
    if (worker.table == table && does_it) working.insert(worker.pid);
  }
  for (const int pid : due.working) due.tries += working.contains(pid) ? 0 : 1;
  const auto asked = locks_on(table, now, false);
  if (!working.empty() && !asked.empty()) due.askers = described(asked);
  due.working = std::move(working);
  if (std::ranges::find(now.workers, table, &AutovacuumWorker::table) != now.workers.end()) return;
  const auto locks = locks_on(table, now, true);
  if (!locks.empty()) {
    ++due.locked;
    due.lockers = described(locks);
  } else if (now.busy()) {
    ++due.busy;
    due.workers = described(now.workers);
  } else if (!now.forced_databases.empty()) {
    ++due.forced;
    due.databases.clear();
    for (const std::string& name : now.forced_databases) due.databases.push_back(printable(name));
  }
}

void Attendance::look(const AutovacuumNow& now, SteadyTime at) {
  now_ = at;
  if (!now.seen) return;
  for (auto& [key, due] : due_) look_at(key, due, now);
}

void Attendance::tables(const std::vector<TableFacts>& tables,
                        const std::map<uint32_t, facts::Visits>& visits,
                        const facts::ServerSettings& settings, SteadyTime at) {
  now_ = at;
  naptime_s_ = settings.autovacuum.naptime_s;
  std::map<Key, Due> next;
  for (const TableFacts& table : tables) {
    const Forecast due = forecast(table, settings);
    const auto counted = visits.find(table.oid);
    const facts::Visits seen = counted == visits.end() ? facts::Visits{} : counted->second;
    for (const Job job : {Job::Vacuum, Job::Analyze}) {
      if (!has_due(due, job)) continue;
      const int64_t number = job == Job::Analyze ? seen.analyzes : seen.vacuums;
      const auto before = due_.find({table.oid, job});
      const bool same = before != due_.end() && before->second.visits == number;
      Due known = same ? std::move(before->second) : Due{.since = at, .visits = number};
      known.table = table;
      next.emplace(Key{table.oid, job}, std::move(known));
    }
  }
  due_ = std::move(next);
}

Neglected Attendance::to_neglected(Job job, const Due& due) const {
  Neglected out{.table = due.table, .job = job};
  out.due_s = std::chrono::duration<double>(now_ - due.since).count();
  const auto mostly = [&](int looks) { return looks > kMostLooks * due.looks; };
  if (due.tries >= kTriesMin) {
    out.obstacle = Obstacle::Cancelled;
    out.tries = due.tries;
    out.who = due.askers;
  } else if (mostly(due.locked)) {
    out.obstacle = Obstacle::Locked;
    out.who = due.lockers;
  } else if (mostly(due.busy)) {
    out.obstacle = Obstacle::WorkersBusy;
    out.who = due.workers;
  } else if (mostly(due.forced)) {
    out.obstacle = Obstacle::OtherDatabase;
    out.who = due.databases;
  }
  return out;
}

std::vector<Neglected> Attendance::neglected() const {
  std::vector<Neglected> out;
  std::set<uint32_t> named;
  for (const auto& [key, due] : due_) {  // VACUUM before ANALYZE
    if (due.looks == 0 || !due.working.empty() || named.contains(key.first)) continue;
    Neglected one = to_neglected(key.second, due);
    double patience = policy_.starved_naptimes * naptime_s_;
    if (one.obstacle == Obstacle::Unseen) patience *= kUnseenPatience;
    if (*one.due_s <= patience) continue;
    named.insert(key.first);
    out.push_back(std::move(one));
  }
  std::ranges::stable_sort(out, [](const auto& a, const auto& b) { return *a.due_s > *b.due_s; });
  return out;
}

}  // namespace pgtend::vacuum
