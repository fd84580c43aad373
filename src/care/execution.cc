#include "care/execution.h"

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::care {
namespace {

constexpr milliseconds kTick{50};
constexpr milliseconds kCancelAgain{1000};
constexpr milliseconds kWatcherAgain{5000};

milliseconds since(const Clock& clock, SteadyTime start) {
  return std::chrono::duration_cast<milliseconds>(clock.steady() - start);
}

// The working connection as a run wants it.
Result<pg::Connection> connect(const GateSetup& setup, const std::string& application) {
  pg::Options options = setup.options;
  options.set("application_name", application);
  pg::Connection conn = TRY(pg::Connection::open(options));
  TRY(conn.exec(cat("SET statement_timeout = ", setup.policy.statement_timeout.count(),
                    "; SET idle_in_transaction_session_timeout = 60000")));
  TRY(conn.query("select set_config('pgtend.action_started', clock_timestamp()::text, false)"));
  return conn;
}

}  // namespace

std::string new_action_id(std::mt19937_64& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (int i = 0; i < 12; ++i) id += kDigits[random() % 16];
  return id;
}

bool lock_failure(const Error& error) {
  return error.sqlstate == "55P03" || error.sqlstate == "40P01" || error.sqlstate == "40001";
}

Result<Execution> Execution::open(const GateSetup& setup, const std::string& application) {
  return Execution(setup, TRY(connect(setup, application)), application);
}

Status Execution::revive() {
  if (conn_.query("select 1")) return ok();
  milliseconds wait = setup_->policy.back_off;
  for (int tries = 1;; ++tries) {
    auto opened = connect(*setup_, application_);
    if (opened) {
      conn_ = std::move(opened).take();
      lock_timeout_ = milliseconds(-1);
      watcher_.reset();
      watcher_lost_.reset();
      return ok();
    }
    if (tries >= setup_->policy.tries) return std::move(opened).error();
    TRY(pause(wait));
    wait = std::min(wait * 2, setup_->policy.back_off_max);
  }
}

bool Execution::cancelled() const {
  return !undoing_ && setup_->cancel != nullptr && setup_->cancel->load(std::memory_order_relaxed);
}

void Execution::tell(const std::string& what) {
  moment_.what = what;
  if (setup_->on_moment) setup_->on_moment(moment_);
}

void Execution::at_step(size_t step, size_t steps) {
  moment_ = Moment{.step = step, .steps = steps};
}

Status Execution::pause(milliseconds duration) {
  const Error stopped{ErrorCode::Cancelled, "cancelled"};
  while (duration > milliseconds(0)) {
    if (cancelled()) return stopped;
    const milliseconds slice = std::min(duration, kTick);
    if (setup_->sleep) {
      setup_->sleep(slice);
    } else {
      std::this_thread::sleep_for(slice);
    }
    duration -= slice;
  }
  if (cancelled()) return stopped;
  return ok();
}

void Execution::lose_watcher() {
  watcher_.reset();
  watcher_lost_ = setup_->clock->steady();
}

pg::Connection* Execution::watcher() {
  // A lost one is replaced, but not at every look: connecting may take its time.
  const bool again = !watcher_lost_ || since(*setup_->clock, *watcher_lost_) >= kWatcherAgain;
  if (!watcher_ && again) {
    pg::Options options = setup_->options;
    options.set("application_name", application_);
    auto opened = pg::Connection::open(options, seconds(2));
    // Without a watcher the work goes on, only nothing is told about it and nobody given way to.
    if (opened && opened->exec("SET statement_timeout = 2000")) {
      watcher_ = std::move(opened).take();
    } else {
      lose_watcher();
    }
  }
  return watcher_ ? &*watcher_ : nullptr;
}

bool Execution::watch() {
  pg::Connection* conn = watcher();
  if (conn == nullptr) {
    tell("running");
    return false;
  }
  auto blockers = facts::load_blockers(*conn, conn_.backend_pid());
  if (!blockers) {
    lose_watcher();
    return false;
  }
  if (!blockers->empty()) {
    blockers_ = std::move(blockers).take();
    moment_.blockers = blockers_;
    moment_.progress.reset();
    tell("waiting for a lock");
    return true;
  }
  moment_.blockers.clear();
  if (setup_->on_moment) {
    auto progress = facts::load_progress(*conn, conn_.backend_pid());
    moment_.progress = progress ? *progress : std::nullopt;
    moment_.pace = moment_.progress ? pace_.add(*moment_.progress, setup_->clock->steady())
                                    : facts::Pace::Estimate{};
    tell("running");
  }
  return false;
}

std::string Execution::way_to_give() {
  pg::Connection* conn = watcher();
  if (conn == nullptr) return "";
  for (const int pid : {conn_.backend_pid(), beside_pid_}) {
    if (pid == 0) continue;
    const auto waiters = facts::load_waiters(*conn, pid);
    if (!waiters) {
      lose_watcher();
      return "";
    }
    for (const facts::Session& waiter : *waiters) {
      // Two of us that gave way to each other's equal wish would never end.
      const bool equal = waiter.lock_mode == name(LockMode::ShareUpdateExclusive);
      if (equal && waiter.application.starts_with("pgtend/")) continue;
      return cat(waiter.describe(), ", which waits for ", waiter.lock_mode);
    }
  }
  return "";
}

std::optional<Error> Execution::reason_to_stop(bool yields) {
  if (cancelled()) return Error{ErrorCode::Cancelled, "cancelled"};
  if (!yields) return {};
  std::string reason = setup_->stop_reason ? setup_->stop_reason() : "";
  if (!reason.empty()) return Error{ErrorCode::Cancelled, std::move(reason)};
  gave_way_ = way_to_give();
  if (gave_way_.empty()) return {};
  return Error{ErrorCode::Conflict, cat("gave way to ", gave_way_)};
}

Result<pg::Connection> Execution::stand_beside(const Step& step, milliseconds lock_timeout) {
  pg::Connection conn = TRY(connect(*setup_, application_));
  // It idles for as long as the step lasts: were it ended for that, the locks would be gone.
  TRY(
      conn.exec(cat("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; "
                    "SET LOCAL lock_timeout = ",
                    lock_timeout.count())));
  for (const std::string& sql : step.beside) TRY(conn.exec(sql));
  return conn;
}

Result<Ran> Execution::run(const Step& step, milliseconds lock_timeout) {
  gave_way_.clear();
  TRY(set_lock_timeout(lock_timeout));
  std::optional<pg::Connection> beside;
  if (!step.beside.empty()) {
    beside = TRY_DURING(stand_beside(step, lock_timeout), "taking the locks beside");
    beside_pid_ = beside->backend_pid();
  }
  Result<Ran> ran = follow(step.sql, step.yields);
  beside_pid_ = 0;
  // Closing it would do as well, but later: the server notices in its own time.
  if (beside) (void)beside->exec("ROLLBACK");
  return ran;
}

Result<Ran> Execution::run(const std::string& sql, milliseconds lock_timeout) {
  gave_way_.clear();
  TRY(set_lock_timeout(lock_timeout));
  return follow(sql, false);
}

Status Execution::set_lock_timeout(milliseconds lock_timeout) {
  if (cancelled()) return Error{ErrorCode::Cancelled, "cancelled"};
  if (lock_timeout == lock_timeout_ || conn_.in_transaction()) return ok();
  TRY(conn_.exec(cat("SET lock_timeout = ", lock_timeout.count())));
  lock_timeout_ = lock_timeout;
  return ok();
}

Result<Ran> Execution::follow(const std::string& sql, bool yields) {
  blockers_.clear();
  if (yields && watcher() == nullptr) {
    return Error{ErrorCode::Unavailable, "no second connection to see from who waits for us"}
        .hinting("the server has no connection left for this role, try again later");
  }
  const Clock& clock = *setup_->clock;
  const SteadyTime start = clock.steady();
  SteadyTime last_look = start;
  std::optional<SteadyTime> cancel_sent;
  std::optional<Error> stop;
  milliseconds lock_wait{};
  TRY(conn_.start(sql));
  while (true) {
    auto rows = conn_.finish_within(kTick);
    if (!rows) {
      const bool by_us = stop && rows.error().sqlstate == "57014";
      if (!by_us) gave_way_.clear();
      return by_us ? std::move(*stop) : std::move(rows).error();
    }
    if (*rows) {
      gave_way_.clear();
      return Ran{
          .rows = std::move(**rows), .lock_wait = lock_wait, .duration = since(clock, start)};
    }
    if (!stop) stop = reason_to_stop(yields);
    if (stop && (!cancel_sent || since(clock, *cancel_sent) >= kCancelAgain)) {
      cancel_sent = clock.steady();
      TRY(conn_.canceller().cancel());
    }
    if (watch()) lock_wait += since(clock, last_look);
    last_look = clock.steady();
  }
}

}  // namespace pgtend::care
