#include "care/execution.h"

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::care {
namespace {

constexpr milliseconds kTick{50};
constexpr milliseconds kCancelAgain{1000};

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
      watcher_failed_ = false;
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

pg::Connection* Execution::watcher() {
  if (!watcher_ && !watcher_failed_) {
    pg::Options options = setup_->options;
    options.set("application_name", application_);
    auto opened = pg::Connection::open(options, seconds(2));
    watcher_failed_ = !opened || !opened->exec("SET statement_timeout = 2000");
    // Without a watcher the work goes on, only nothing is told about it.
    if (!watcher_failed_) watcher_ = std::move(opened).take();
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
  if (blockers && !blockers->empty()) {
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

Result<Ran> Execution::run(const std::string& sql, milliseconds lock_timeout) {
  blockers_.clear();
  const Error stopped{ErrorCode::Cancelled, "cancelled"};
  if (cancelled()) return stopped;
  if (lock_timeout != lock_timeout_ && !conn_.in_transaction()) {
    TRY(conn_.exec(cat("SET lock_timeout = ", lock_timeout.count())));
    lock_timeout_ = lock_timeout;
  }
  const Clock& clock = *setup_->clock;
  const SteadyTime start = clock.steady();
  SteadyTime last_look = start;
  std::optional<SteadyTime> cancel_sent;
  milliseconds lock_wait{};
  TRY(conn_.start(sql));
  while (true) {
    auto rows = conn_.finish_within(kTick);
    if (!rows) {
      Error error = std::move(rows).error();
      if (cancel_sent && error.sqlstate == "57014") return stopped;
      return error;
    }
    if (*rows) {
      return Ran{
          .rows = std::move(**rows), .lock_wait = lock_wait, .duration = since(clock, start)};
    }
    if (cancelled() && (!cancel_sent || since(clock, *cancel_sent) >= kCancelAgain)) {
      cancel_sent = clock.steady();
      TRY(conn_.canceller().cancel());
    }
    if (watch()) lock_wait += since(clock, last_look);
    last_look = clock.steady();
  }
}

}  // namespace pgtend::care
