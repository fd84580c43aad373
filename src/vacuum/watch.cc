#include "vacuum/watch.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/text.h"
#include "base/units.h"
#include "facts/activity.h"
#include "vacuum/attendance.h"
#include "vacuum/autoanalyze.h"

namespace pgtend::vacuum {
namespace {

constexpr std::string_view kWriterModes[] = {"RowExclusiveLock"};
constexpr seconds kWriterPatience{600};  // a longer load is told by the counters, after its commit
constexpr size_t kPendingMax = 1'000;
constexpr seconds kAway{2};            // between two tries to reach the server
constexpr seconds kToldAgain{60};      // a dry run repeats itself
constexpr double kTablesANaptime = 3;  // looks at all tables, for what autovacuum leaves undone
constexpr size_t kNeglectedTold = 10;
constexpr size_t kPreparedMax = 4;

// A load that is not committed yet, for all we know.
struct Pending {
  uint32_t oid = 0;
  int64_t rows = 0;
  SteadyTime since{};
  std::vector<int> writers = {};  // who was writing to the table when we heard of it
};

class Watch {
 public:
  explicit Watch(const WatchSetup& setup) : setup_(setup), loads_(setup.policy) {}

  Result<WatchReport> run() {
    conn_ = TRY(connect());
    TRY(look());
    say("watching");
    std::jthread reviews([this](const std::stop_token& stop) { review(stop); });
    SteadyTime next_look = now() + setup_.look;
    while (report_.stopped.empty()) {
      const bool counters = now() >= next_look;
      if (counters) next_look = now() + setup_.look;
      if (!turn(counters)) reach_again();
      pause(setup_.tick);
    }
    reviews.request_stop();
    reviews.join();
    return std::move(report_);
  }

 private:
  SteadyTime now() const { return setup_.tables.gate.clock->steady(); }
  bool applies() const { return setup_.tables.gate.policy.apply; }
  std::string over() const {
    const auto* cancel = setup_.tables.gate.cancel;
    if (cancel != nullptr && cancel->load()) return "cancelled";
    return setup_.tables.closed ? setup_.tables.closed() : "";
  }
  void say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (setup_.tables.on_event) setup_.tables.on_event(line);
  }
  void pause(milliseconds duration) {
    const SteadyTime until = now() + duration;
    while (report_.stopped.empty() && now() < until) {
      std::this_thread::sleep_for(std::min<nanoseconds>(until - now(), milliseconds(50)));
      report_.stopped = over();
    }
  }
  Result<pg::Connection> connect() const {
    pg::Options options = setup_.tables.gate.options;
    options.set("application_name", "pgtend/watch");
    pg::Connection conn = TRY(pg::Connection::open(options));
    TRY(conn.guard());
    return conn;
  }

  // One round of the quick work. Errors: those of the connection.
  Status turn(bool counters) {
    TRY(hear());
    TRY(settle());
    analyze();  // first what the pooler told: a look at all tables takes a while
    if (!counters) return ok();
    TRY(look());
    analyze();
    return ok();
  }
  Status look();
  Status hear();
  Status settle();
  bool rises(uint32_t oid);
  void analyze();
  void attend();
  Status look_at_autovacuum();
  void look_at_samples(const std::vector<facts::TableChanges>& tables);
  void judge(const Replaced& replaced);
  void tell_neglected();
  void reach_again();
  Result<std::vector<Task>> slow_tasks() const;
  void rest(const TablesReport& done);
  void review(const std::stop_token& stop);
  TablesSetup lane(bool quick);
  void count(const TablesReport& done, int64_t WatchReport::*counter);
  void tell(const SecondSample& second, const std::string& table);

  const WatchSetup& setup_;
  Loads loads_;
  std::optional<pg::Connection> conn_;
  std::vector<Pending> pending_;
  std::map<uint32_t, bool> rising_;
  Attendance attendance_;
  Autoanalyses samples_;
  facts::ServerSettings settings_;
  SteadyTime tables_at_{};  // the next look at all tables
  bool attends_ = true;
  std::map<std::string, std::string> told_;  // by table: what keeps autovacuum away
  std::mutex mutex_;                         // of what follows, and of the callbacks
  WatchReport report_;
  std::condition_variable_any wake_;           // the reviews
  bool hurry_ = false;                         // a table has many dead rows
  std::map<std::string, SteadyTime> resting_;  // tables that VACUUM is to leave alone until then
};

// Many dead rows bring the next review forward.
Status Watch::look() {
  const std::vector<facts::TableChanges> tables = TRY(facts::load_changes(*conn_));
  loads_.look(tables, now());
  attend();
  look_at_samples(tables);
  const Policy policy;
  const std::lock_guard lock(mutex_);
  for (const facts::TableChanges& table : tables) {
    const auto dead = static_cast<double>(table.dead);
    if (!table.maintain || table.dead < policy.dead_rows_min) continue;
    if (dead <= policy.dead_share_max * (table.rows + dead)) continue;
    const auto found = resting_.find(table.table);
    hurry_ = hurry_ || found == resting_.end() || found->second <= now();
  }
  if (hurry_) wake_.notify_all();
  return ok();
}

// Takes in what the pooler tells.
Status Watch::hear() {
  if (!setup_.loads) return ok();
  for (const NamedLoad& load : setup_.loads()) {
    const auto oid = TRY(facts::find_table(*conn_, load.table));
    if (!oid || pending_.size() >= kPendingMax) continue;
    Pending pending{.oid = *oid, .rows = load.rows, .since = now()};
    for (const facts::Session& writer : TRY(facts::load_lock_holders(*conn_, *oid, kWriterModes))) {
      pending.writers.push_back(writer.pid);
    }
    pending_.push_back(std::move(pending));
  }
  return ok();
}

// Before its commit a load is not there for ANALYZE.
Status Watch::settle() {
  for (Pending& pending : pending_) {
    if (pending.writers.empty()) continue;
    const auto holders = TRY(facts::load_lock_holders(*conn_, pending.oid, kWriterModes));
    const std::chrono::duration<double> waited = now() - pending.since;
    std::erase_if(pending.writers, [&](int pid) {
      return std::ranges::none_of(holders, [&](const facts::Session& holder) {
        // The same session in a later transaction is somebody else.
        return holder.pid == pid && holder.open_s.value_or(1e9) >= waited.count();
      });
    });
  }
  std::erase_if(pending_, [this](const Pending& pending) {
    if (pending.writers.empty()) loads_.loaded(pending.oid, pending.rows);
    return pending.writers.empty() || now() - pending.since > kWriterPatience;
  });
  return ok();
}

TablesSetup Watch::lane(bool quick) {
  TablesSetup out = setup_.tables;
  out.means.skip_locked = true;
  out.on_event = {};  // what is worth telling is told here, with the reason
  if (quick) {
    out.means.io_mb_s = 0;
    out.latency = {};
  }
  out.gate.on_moment = {};
  return out;
}

void Watch::count(const TablesReport& done, int64_t WatchReport::*counter) {
  for (const TaskReport& one : done.tasks) {
    const std::string what =
        cat(name(one.task.job), " of ", printable(one.task.table), " (", one.task.why, "): ");
    if (one.error) {
      if (one.error->code == ErrorCode::Cancelled) continue;
      say(cat(what, printable(one.error->message)));
      const std::lock_guard lock(mutex_);
      ++report_.failed;
      continue;
    }
    if (!one.report) continue;
    const care::Outcome& outcome = one.report->outcome;
    if (!one.report->skipped.empty()) {
      say(cat(what, one.report->skipped));
    } else if (!outcome.applied) {
      say(cat(what, "would be run",
              outcome.refusal.empty() ? "" : ", and refused: ", outcome.refusal));
    } else {
      say(cat(what, "done in ", care::took_text(outcome.statements.back().duration)));
      if (one.report->second) tell(*one.report->second, one.task.table);
      const std::lock_guard lock(mutex_);
      ++(report_.*counter);
    }
  }
}

void Watch::tell(const SecondSample& second, const std::string& table) {
  for (const std::string& line : lines_of(second)) say(cat(printable(table), ": ", line));
  const std::lock_guard lock(mutex_);
  report_.odd_samples += static_cast<int64_t>(second.odd.size());
  report_.restored += static_cast<int64_t>(second.restored.size());
}

// Asked once between two ANALYZEs of a table.
bool Watch::rises(uint32_t oid) {
  const auto [known, fresh] = rising_.try_emplace(oid, false);
  if (!fresh) return known->second;
  const auto answer = facts::has_rising_column(*conn_, oid);
  if (answer) known->second = *answer;
  if (!answer) rising_.erase(known);
  return answer && *answer;
}

void Watch::analyze() {
  const std::vector<facts::TableChanges> due =
      loads_.due(now(), [this](uint32_t oid) { return rises(oid); });
  if (due.empty()) return;
  std::vector<Task> tasks;
  for (const facts::TableChanges& table : due) {
    tasks.push_back({.table = table.table, .job = Job::Analyze, .why = "many rows are new"});
    if (due.size() > kPreparedMax) continue;  // else the first would wait for the last
    auto prepared = prepare_analyze(*conn_, table.table);
    if (!prepared) continue;
    tasks.back().prepared = std::make_shared<const Prepared>(std::move(prepared).take());
  }
  const TablesReport done = run_tables(lane(true), std::move(tasks));
  count(done, &WatchReport::analyzed);
  for (size_t i = 0; i < due.size(); ++i) {
    const auto& report = done.tasks[i].report;
    const bool well = report && report->outcome.applied;
    milliseconds took = well ? report->outcome.statements.back().duration : milliseconds(0);
    if (!applies()) took = kToldAgain / setup_.policy.duty;
    loads_.analysed(due[i].oid, took, well, now());
    rising_.erase(due[i].oid);
  }
}

// What autovacuum does, and whether it comes to the tables that are due. Not worth an end of the
// watch when it cannot be seen.
void Watch::attend() {
  if (!attends_) return;
  const Status looked = look_at_autovacuum();
  if (looked || !conn_->alive()) return;
  attends_ = false;
  say(cat("autovacuum is not watched: ", printable(looked.error().message)));
}

Status Watch::look_at_autovacuum() {
  const facts::AutovacuumNow seen = TRY(facts::load_autovacuum(*conn_));
  attendance_.look(seen, now());
  if (now() < tables_at_) return ok();
  settings_ = TRY(facts::load_settings(*conn_));
  const facts::Tables tables = TRY(facts::load_tables(*conn_));
  // Read after the tables: a visit between the two readings is not overlooked.
  const auto visits = TRY(facts::load_visits(*conn_));
  attendance_.tables(tables.tables, visits, settings_, now());
  samples_.tables(tables.tables, settings_);
  const std::chrono::duration<double> pause(settings_.autovacuum.naptime_s / kTablesANaptime);
  tables_at_ = now() + std::chrono::duration_cast<nanoseconds>(pause);
  tell_neglected();
  return ok();
}

// Autovacuum's own ANALYZE may have drawn an odd sample. Not worth an end of the watch either.
void Watch::look_at_samples(const std::vector<facts::TableChanges>& tables) {
  const auto replaced = samples_.look(*conn_, tables);
  if (!replaced) return;
  for (const Replaced& one : *replaced) judge(one);
}

void Watch::judge(const Replaced& replaced) {
  const std::string table = replaced.table.qualified();
  if (!applies()) {
    const auto now = statistics_of(*conn_, replaced.table.oid);
    if (!now) return;
    const auto changed = static_cast<double>(replaced.table.counters.modified_since_analyze);
    for (const Jump& jump :
         jumps(replaced.before.columns, now->columns, replaced.table.rows(), changed)) {
      say(cat(printable(table), ": odd sample of column ", printable(jump.column),
              " by autovacuum: ", jump.what, "; would be looked at again"));
    }
    return;
  }
  care::GateSetup gate = lane(true).gate;
  gate.policy.statement_timeout = milliseconds(0);
  const auto second =
      look_again(gate, lane(true).means, replaced.table, settings_, replaced.before);
  if (!second) {
    say(cat(printable(table),
            ": statistics by autovacuum were not looked at: ", printable(second.error().message)));
  } else if (*second) {
    say(cat("autovacuum has analysed ", printable(table)));
    tell(**second, table);
  }
}

void Watch::tell_neglected() {
  std::vector<care::Finding> findings;
  std::map<std::string, std::string> told;
  for (const Neglected& one : attendance_.neglected()) {
    if (findings.size() >= kNeglectedTold) break;
    findings.push_back(to_finding(one, settings_));
    const care::Finding& finding = findings.back();
    const std::string table = printable(finding.object);
    told[table] = name(one.obstacle);
    if (told_.contains(table) && told_[table] == told[table]) continue;
    say(cat(finding.id, " ", table, ": ", finding.what, "; ", finding.why, "; ",
            finding.prediction));
  }
  for (const auto& [table, obstacle] : told_) {
    if (!told.contains(table)) say(cat("autovacuum no longer leaves ", table, " undone"));
  }
  told_ = std::move(told);
  const std::lock_guard lock(mutex_);
  report_.neglected = std::move(findings);
}

void Watch::reach_again() {
  bool told = false;
  while (report_.stopped.empty()) {
    if (conn_->alive() && conn_->query("select 1")) return;
    if (!told) say("the server is away, trying again until it is back");
    told = true;
    auto opened = connect();
    if (opened) {
      conn_ = std::move(opened).take();
      say("the server is back");
      return;
    }
    pause(kAway);
  }
}

// What is left for the slower lane: VACUUM, and parents that no load has led to.
Result<std::vector<Task>> Watch::slow_tasks() const {
  pg::Connection conn = TRY(connect());
  std::vector<Task> tasks = TRY(load_worklist(conn, setup_.tables.means));
  std::erase_if(tasks,
                [](const Task& task) { return task.job == Job::Analyze && !task.partitioned; });
  for (Task& task : tasks) {
    if (task.job == Job::VacuumAnalyze) task.job = Job::Vacuum;
  }
  return tasks;
}

// Like ANALYZE, VACUUM of one table takes a small part of the time.
void Watch::rest(const TablesReport& done) {
  const std::lock_guard lock(mutex_);
  std::erase_if(resting_, [this](const auto& entry) { return entry.second <= now(); });
  for (const TaskReport& one : done.tasks) {
    if (one.task.job == Job::Analyze) continue;
    const bool well = one.report && one.report->outcome.applied;
    const milliseconds took =
        well ? one.report->outcome.statements.back().duration : milliseconds(0);
    resting_[one.task.table] =
        now() + (well ? std::max(setup_.hurry, took * setup_.policy.duty) : setup_.review);
  }
}

// The other thread. A server that is away is the first thread's to tell.
void Watch::review(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto tasks = slow_tasks();
    if (tasks) {
      {
        const std::lock_guard lock(mutex_);
        std::erase_if(*tasks, [this](const Task& task) {
          const auto found = resting_.find(task.table);
          return !task.urgent && found != resting_.end() && now() < found->second;
        });
      }
      const TablesReport done = run_tables(lane(false), std::move(tasks).take());
      count(done, &WatchReport::worked_off);
      rest(done);
    }
    std::unique_lock lock(mutex_);
    const milliseconds least = std::min(setup_.hurry, setup_.review);
    wake_.wait_for(lock, stop, least, [] { return false; });
    hurry_ = false;
    wake_.wait_for(lock, stop, setup_.review - least, [this] { return hurry_; });
  }
}

}  // namespace

Result<WatchReport> watch(const WatchSetup& setup) { return Watch(setup).run(); }

json::object to_json(const WatchReport& report) {
  json::array findings;
  for (const care::Finding& finding : report.neglected) findings.emplace_back(to_json(finding));
  return {{"analyzed", report.analyzed}, {"worked_off", report.worked_off},
          {"failed", report.failed},     {"odd_samples", report.odd_samples},
          {"restored", report.restored}, {"findings", std::move(findings)},
          {"stopped", report.stopped}};
}

}  // namespace pgtend::vacuum
