#include "vacuum/launcher.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pgtend::vacuum {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kUnthrottled = 1e9;  // ms a second of delay that nobody has
// A run that costs nothing still takes a moment, which keeps the order of ends.
constexpr double kMomentS = 1e-6;

Cause cause_of(const Forecast& due) {
  if (is_due(due.xid_age) || is_due(due.mxid_age)) return Cause::Age;
  return is_due(due.dead) ? Cause::DeadRows : Cause::Inserts;
}

}  // namespace

Launcher::Launcher(const Trace& trace, const Workload& workload, const ReplaySetup& setup,
                   double phase)
    : trace_(trace),
      workload_(workload),
      setup_(setup),
      end_(trace.duration_s()),
      next_visit_(phase) {
  tables_.reserve(trace.tables.size());
  for (size_t i = 0; i < trace.tables.size(); ++i) {
    tables_.emplace_back(trace.tables[i], workload.tables[i], workload.xids, setup.model);
  }
  due_since_.assign(tables_.size(), -1);
  events_done_.assign(tables_.size(), 0);
  out_.tables.resize(tables_.size());
  out_.dead_at.resize(tables_.size());
}

Replay Launcher::run() {
  step(0);
  while (now_ < end_) {
    const double time = std::min(next_time(), end_);
    integrate(time);
    step(time);
    finish_runs();
    people();
    probe();
    if (now_ >= next_visit_ || visit_waits_) visit();
  }
  out_.duration_s = end_;
  out_.xid_rate = workload_.xids.rate();
  for (size_t i = 0; i < tables_.size(); ++i) {
    TableOutcome& outcome = out_.tables[i];
    outcome.xid_age_end = tables_[i].xid_age();
    outcome.pages_end = tables_[i].pages();
    if (end_ > 0) outcome.dead_average /= end_;
    out_.xid_age_end = std::max(out_.xid_age_end, outcome.xid_age_end);
  }
  const auto& costs = setup_.model.costs;
  const double delay = costs.effective_delay_ms();
  if (delay > 0 && end_ > 0) {
    out_.cost_share = cost_used_ / (end_ * costs.effective_limit() / delay * 1000);
  }
  return std::move(out_);
}

double Launcher::next_time() const {
  double time = next_visit_;
  for (const WorkerState& worker : workers_) {
    if (worker.busy) time = std::min(time, now_ + worker.left * worker.needs_s);
  }
  if (probes_done_ < setup_.probes.size()) time = std::min(time, setup_.probes[probes_done_]);
  for (size_t i = 0; i < tables_.size(); ++i) {
    const auto& events = workload_.tables[i].events;
    if (events_done_[i] < events.size()) time = std::min(time, events[events_done_[i]].at);
  }
  return std::max(time, now_);
}

// Sums over the time from now_ to `time`, straight in between.
void Launcher::integrate(double time) {
  const double passed = time - now_;
  size_t busy = 0;
  for (WorkerState& worker : workers_) {
    if (!worker.busy) continue;
    ++busy;
    const double done = worker.needs_s > 0 ? std::min(passed / worker.needs_s, worker.left) : 0;
    cost_used_ += done * worker.work.cost_units(setup_.model);
    worker.left -= done;
    out_.worker_s += passed;
  }
  if (static_cast<int64_t>(busy) >= setup_.model.server.autovacuum.workers_max) {
    out_.all_busy_s += passed;
  }
}

void Launcher::step(double time) {
  const double passed = time - now_;
  int64_t queue = 0;
  for (size_t i = 0; i < tables_.size(); ++i) {
    TableModel& table = tables_[i];
    TableOutcome& outcome = out_.tables[i];
    const double before = table.rows_dead();
    table.advance(time);
    outcome.dead_average += passed * (before + table.rows_dead()) / 2;
    outcome.dead_peak = std::max(outcome.dead_peak, table.rows_dead());
    const Forecast due = table.forecast();
    if (due.vacuum() || due.analyze()) {
      if (due.vacuum()) outcome.above_limit_s += due_since_[i] < 0 ? passed / 2 : passed;
      if (due_since_[i] < 0) due_since_[i] = time;
      ++queue;
    } else {
      due_since_[i] = -1;
    }
  }
  out_.queue_max = std::max(out_.queue_max, queue);
  now_ = time;
}

void Launcher::finish_runs() {
  for (WorkerState& worker : workers_) {
    // What is left after all the time it needs is rounding.
    if (worker.busy && worker.left * worker.needs_s <= 1e-9 * std::max(now_, 1.0)) finish(worker);
  }
  std::erase_if(workers_, [](const WorkerState& worker) { return !worker.busy; });
  set_speeds();
}

void Launcher::people() {
  for (size_t i = 0; i < tables_.size(); ++i) {
    const auto& events = workload_.tables[i].events;
    while (events_done_[i] < events.size() && events[events_done_[i]].at <= now_) {
      const TableEvent& event = events[events_done_[i]++];
      SimulatedRun run{.table = i, .cause = Cause::Person, .started = now_, .ended = now_};
      if (event.kind == TableEvent::Kind::Reset) {
        tables_[i].reset();
        continue;
      }
      run.analyze = event.kind == TableEvent::Kind::Analyze;
      run.work = run.analyze ? tables_[i].begin_analyze() : tables_[i].begin_vacuum();
      if (run.analyze) {
        tables_[i].end_analyze();
      } else {
        tables_[i].end_vacuum(run.work);
        run.rows_kept = tables_[i].rows_dead_true();
      }
      record(run);
    }
  }
}

void Launcher::probe() {
  while (probes_done_ < setup_.probes.size() && setup_.probes[probes_done_] <= now_) {
    for (size_t i = 0; i < tables_.size(); ++i) out_.dead_at[i].push_back(tables_[i].rows_dead());
    ++probes_done_;
  }
}

// Whether the launcher's next worker goes to another database: of those past the forced age it
// takes the worst, and nobody else gets one.
bool Launcher::starved() const {
  const auto limit = static_cast<double>(setup_.model.server.autovacuum.freeze_age_max);
  const double given = workload_.xids.xid_at(now_) - workload_.xids.xid_at(0);
  double own = 0;
  for (const TableModel& table : tables_) own = std::max(own, table.xid_age());
  for (const OtherDatabase& other : trace_.others) {
    const double age = static_cast<double>(other.xid_age) + given;
    if (age <= limit || (own > limit && own >= age)) continue;
    // Its workers began when it passed the limit.
    const double rate = workload_.xids.rate();
    const double since = rate > 0 ? now_ - (age - limit) / rate : 0;
    if (!other.freeze_s || now_ < std::max(since, 0.0) + *other.freeze_s) return true;
  }
  return false;
}

void Launcher::visit() {
  const auto& set = setup_.model.server.autovacuum;
  if (static_cast<int64_t>(workers_.size()) >= set.workers_max) {
    visit_waits_ = true;  // until a worker ends
    if (now_ >= next_visit_) next_visit_ += set.naptime_s;
    return;
  }
  visit_waits_ = false;
  const auto databases = static_cast<double>(trace_.others.size() + 1);
  const auto limit = static_cast<double>(set.freeze_age_max);
  const bool alone = std::ranges::any_of(
      tables_, [&](const TableModel& table) { return table.xid_age() > limit; });
  const bool hungry = starved();
  // A database past the forced age gets the visits of all.
  const double interval = alone && !hungry ? set.naptime_s / databases : set.naptime_s;
  next_visit_ = now_ >= next_visit_ ? next_visit_ + interval : now_ + interval;
  if (hungry) {
    const bool due = std::ranges::any_of(due_since_, [](double since) { return since >= 0; });
    if (due) out_.starved_s += interval;
    return;
  }
  start_worker();
}

void Launcher::start_worker() {
  WorkerState worker;
  for (size_t i = 0; i < tables_.size(); ++i) {
    const Forecast due = tables_[i].forecast();
    if (due.vacuum() || due.analyze()) worker.list.push_back(i);
  }
  take_next(worker);
  if (worker.busy) workers_.push_back(std::move(worker));
  set_speeds();
}

bool Launcher::taken(size_t table) const {
  return std::ranges::any_of(workers_, [&](const WorkerState& other) {
    return other.busy && other.list[other.place] == table;
  });
}

// The next table of the worker's list that is still due and that no other worker has.
void Launcher::take_next(WorkerState& worker) {
  worker.busy = false;
  for (; worker.place < worker.list.size(); ++worker.place) {
    const size_t i = worker.list[worker.place];
    const Forecast due = tables_[i].forecast();
    if ((!due.vacuum() && !due.analyze()) || taken(i)) continue;
    out_.tables[i].waiting_s_max =
        std::max(out_.tables[i].waiting_s_max, now_ - std::max(due_since_[i], 0.0));
    worker.cause = due.vacuum() ? cause_of(due) : Cause::Changes;
    worker.analyze_next = due.vacuum() && due.analyze();
    begin(worker, !due.vacuum());
    return;
  }
}

void Launcher::begin(WorkerState& worker, bool analyze) {
  const TableModel& table = tables_[worker.list[worker.place]];
  worker.busy = true;
  worker.analyze = analyze;
  worker.work = analyze ? table.begin_analyze() : table.begin_vacuum();
  worker.left = 1;
}

void Launcher::finish(WorkerState& worker) {
  const size_t i = worker.list[worker.place];
  TableModel& table = tables_[i];
  SimulatedRun run{.table = i,
                   .analyze = worker.analyze,
                   .cause = worker.analyze ? Cause::Changes : worker.cause,
                   .started = worker.work.started,
                   .ended = now_,
                   .work = worker.work};
  if (worker.analyze) {
    table.end_analyze();
  } else {
    table.end_vacuum(worker.work);
    run.rows_kept = table.rows_dead_true();
  }
  record(run);
  if (!worker.analyze && worker.analyze_next) return begin(worker, true);
  ++worker.place;
  worker.busy = false;
  take_next(worker);
}

// Workers share the cost limit, but for those at a table with costs of its own. Up to 15 the
// launcher deals it out at the start and end of each, from 16 on the workers count themselves:
// the shares are the same.
void Launcher::set_speeds() {
  double sharing = 0;
  for (const WorkerState& worker : workers_) {
    if (worker.busy && !tables_[worker.list[worker.place]].own_costs()) ++sharing;
  }
  for (WorkerState& worker : workers_) {
    if (!worker.busy) continue;
    const TableModel& table = tables_[worker.list[worker.place]];
    double limit = table.cost_limit();
    if (!table.own_costs()) limit = std::max(std::floor(limit / std::max(sharing, 1.0)), 1.0);
    const double rate = table.delay_ms() > 0 ? limit / table.delay_ms() * 1000 : kUnthrottled;
    worker.needs_s =
        kMomentS + worker.work.work_s(setup_.model) + worker.work.cost_units(setup_.model) / rate;
  }
}

void Launcher::record(const SimulatedRun& run) {
  TableOutcome& outcome = out_.tables[run.table];
  if (run.analyze) {
    ++outcome.analyzes;
  } else {
    ++outcome.vacuums;
    if (run.cause == Cause::Age) ++outcome.forced;
    if (run.cause == Cause::DeadRows && run.work.rows_removed < 0.5) ++outcome.useless;
  }
  out_.runs.push_back(run);
  out_.runs.back().earliest = out_.runs.back().latest = run.ended;
  const Forecast due = tables_[run.table].forecast();
  due_since_[run.table] = due.vacuum() || due.analyze() ? now_ : -1;
}

}  // namespace pgtend::vacuum
