#include "vacuum/run_tables.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
namespace {

constexpr milliseconds kLook{100};
constexpr int64_t kSlowestPart = 8;  // of the I/O limit that was asked for

struct Waiting {
  size_t task = 0;
  bool put_off = false;  // it was locked once
};

// The threads of one run and what they share. Members below `mutex_` are under it.
class Crew {
 public:
  Crew(const TablesSetup& setup, std::vector<Task> tasks) : setup_(setup) {
    report_.io_mb_s = setup.means.io_mb_s;
    for (Task& task : tasks) {
      waiting_.push_back({report_.tasks.size()});
      report_.tasks.push_back({.task = std::move(task)});
    }
  }

  TablesReport run() {
    if (setup_.latency) {
      pressure_.emplace(care::PressureWatch::Setup{
          .latency = setup_.latency,
          .limit = setup_.latency_max,
          .every = setup_.latency_every,
          .on_change = [this](bool high, const std::string& text) { felt(high, text); }});
    }
    {
      std::vector<std::jthread> workers;
      for (int64_t i = 0; i < setup_.means.jobs; ++i) workers.emplace_back([this] { work(); });
      for (std::jthread& worker : workers) worker.join();
    }
    pressure_.reset();
    return std::move(report_);
  }

 private:
  bool cancelled() const { return setup_.gate.cancel != nullptr && setup_.gate.cancel->load(); }
  // Why nothing may be done any more, "" while it may.
  std::string over() const {
    if (cancelled()) return "cancelled";
    return setup_.closed ? setup_.closed() : "";
  }
  bool pressed() const { return pressure_ && pressure_->high(); }

  void felt(bool high, const std::string& text);
  void work();
  // The next task, nullopt when there is none or the run is over. Waits while clients feel us.
  std::optional<Waiting> next();
  Result<RunReport> attempt(const Task& task, store::Audit* audit);
  void finish(const Waiting& waiting, Result<RunReport> result);
  void say(const std::string& line) {
    if (setup_.on_event) setup_.on_event(line);
  }

  const TablesSetup& setup_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Waiting> waiting_;
  int running_ = 0;
  TablesReport report_;
  std::optional<care::PressureWatch> pressure_;  // set before the workers begin; has its own lock
};

void Crew::felt(bool high, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (!high) {
    say(cat("going on: ", text,
            report_.io_mb_s > 0 ? cat(", with ", report_.io_mb_s, " MB/s") : ""));
    return;
  }
  if (report_.io_mb_s > 0 && running_ > 0) {
    const int64_t slowest = std::max<int64_t>(setup_.means.io_mb_s / kSlowestPart, 1);
    report_.io_mb_s = std::max(report_.io_mb_s / 2, slowest);
  }
  say(cat("making room: ", text));
}

std::optional<Waiting> Crew::next() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::string reason = over();
    if (!reason.empty()) {
      if (!waiting_.empty() || running_ > 0) report_.stopped = std::move(reason);
      return {};
    }
    // Somebody else's task may come back, put off.
    if (waiting_.empty() && running_ == 0) return {};
    if (!waiting_.empty() && !pressed()) {
      const Waiting out = waiting_.front();
      waiting_.pop_front();
      ++running_;
      return out;
    }
    wake_.wait_for(lock, kLook);
  }
}

Result<RunReport> Crew::attempt(const Task& task, store::Audit* audit) {
  RunSetup one{.gate = setup_.gate,
               .table = task.table,
               .job = task.job,
               .means = setup_.means,
               .force = setup_.force,
               .prepared = task.prepared};
  one.gate.audit = audit;
  {
    const std::lock_guard lock(mutex_);
    one.means.io_mb_s = report_.io_mb_s;
  }
  one.gate.stop_reason = [this] {
    std::string reason = setup_.closed ? setup_.closed() : "";
    return reason.empty() && pressed() ? std::string("clients wait too long") : reason;
  };
  if (setup_.gate.on_moment) {
    one.gate.on_moment = [this, &task](care::Moment moment) {
      if (report_.tasks.size() > 1) moment.what = cat(task.table, ": ", moment.what);
      const std::lock_guard lock(mutex_);
      setup_.gate.on_moment(moment);
    };
  }
  return vacuum::run(one);
}

void Crew::finish(const Waiting& waiting, Result<RunReport> result) {
  const std::lock_guard lock(mutex_);
  --running_;
  TaskReport& done = report_.tasks[waiting.task];
  const std::string what = cat(name(done.task.job), " of ", printable(done.task.table));
  if (result) {
    done.error.reset();
    done.report = std::move(result).take();
    say(done.report->skipped.empty() ? cat(what, ": done") : cat(what, ": ", done.report->skipped));
    return;
  }
  const std::string reason = over();
  done.error = std::move(result).error();
  if (done.error->code == ErrorCode::Cancelled && reason.empty()) {
    say(cat(what, ": stopped, ", done.error->message));
    waiting_.push_front(waiting);
  } else if (done.error->code == ErrorCode::Cancelled) {
    report_.stopped = reason;
  } else if (done.error->code == ErrorCode::Conflict && !waiting.put_off) {
    say(cat(what, ": put off, ", printable(done.error->message)));
    waiting_.push_back({waiting.task, true});
  } else {
    say(cat(what, ": ", printable(done.error->message)));
  }
}

void Crew::work() {
  // The trail is one file, but each thread has its own way to it.
  std::optional<store::Audit> audit;
  if (setup_.gate.audit != nullptr) {
    auto opened = store::Audit::open(setup_.gate.audit->path(), *setup_.gate.clock);
    if (opened) audit = std::move(opened).take();
  }
  while (const auto waiting = next()) {
    const Task& task = report_.tasks[waiting->task].task;
    finish(*waiting, attempt(task, audit ? &*audit : nullptr));
  }
}

}  // namespace

TablesReport run_tables(const TablesSetup& setup, std::vector<Task> tasks) {
  return Crew(setup, std::move(tasks)).run();
}

json::object to_json(const TablesReport& report) {
  json::array tasks;
  for (const TaskReport& one : report.tasks) {
    json::object entry = to_json(one.task);
    if (one.report) entry["report"] = to_json(*one.report);
    if (one.error) {
      entry["error"] = json::object{{"message", one.error->message},
                                    {"hint", one.error->hint},
                                    {"sqlstate", one.error->sqlstate}};
    }
    tasks.emplace_back(std::move(entry));
  }
  return {{"tasks", std::move(tasks)}, {"stopped", report.stopped}, {"io_mb_s", report.io_mb_s}};
}

}  // namespace pgtend::vacuum
