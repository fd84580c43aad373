#include "sim/sim_admin.h"

#include "base/text.h"

namespace pgtend::sim {
namespace {

// Long enough for a word of the last command to come back.
constexpr milliseconds kBetweenMin{10};
constexpr milliseconds kBetween{400};
constexpr milliseconds kPaused{300};
constexpr uint64_t kHolders = uint64_t{1} << 40;  // no client has such an id

}  // namespace

SimAdmin::SimAdmin(SimLoop& loop, Dice& dice, Journal& journal,
                   const std::unique_ptr<pool::Workers>& workers, FakeServer& server,
                   std::vector<std::string> databases, bool harsh)
    : loop_(loop),
      dice_(dice),
      journal_(journal),
      workers_(workers),
      server_(server),
      databases_(std::move(databases)),
      harsh_(harsh),
      origin_(dice.below(workers->size())),
      timer_(loop.timers(), [this] { act(); }),
      hold_timer_(loop.timers(), [this] { hold(); }) {}

void SimAdmin::begin() { act_within(kBetween); }

void SimAdmin::act_within(milliseconds most) {
  timer_.arm(loop_.now() + milliseconds(dice_.between(kBetweenMin.count(), most.count())));
}

void SimAdmin::end() {
  ended_ = true;
  timer_.cancel();
  hold_timer_.cancel();
  if (paused_) resume();
  if (!disabled_.empty()) enable();
}

void SimAdmin::act() {
  if (paused_) {
    resume();
  } else if (!disabled_.empty()) {
    enable();
  } else {
    switch (dice_.below(harsh_ ? 5 : 2)) {
      case 0:
        pause();
        return act_within(kPaused);
      case 1:
        reconnect();
        break;
      case 2:
        kill();
        return act_within(kPaused);
      case 3:
        disable();
        return act_within(kPaused);
      default:
        kill_client();
        break;
    }
  }
  act_within(kBetween);
}

void SimAdmin::begin_holds() { hold_timer_.arm(loop_.now() + kBetweenMin); }

// From the answer on no statement of the table may begin a transaction, until it is released, by
// word, by the end of who holds, or by its time.
void SimAdmin::hold() {
  const int64_t number = ++holds_;
  const auto held = milliseconds(dice_.between(1, kPaused.count()));
  const auto limit = dice_.chance(300) ? milliseconds(dice_.between(1, 50)) : milliseconds(10'000);
  const std::string database = databases_[dice_.below(databases_.size())];
  holder_ = kHolders + static_cast<uint64_t>(number);
  give([this, number, held, limit, database, client = holder_](size_t origin) {
    const SteadyTime until = workers_->worker(origin).now() + limit;
    const pool::HoldRequest request{
        .tables = {{.name = "held"}}, .database = database, .timeout = limit};
    pool::hold_tables(scope(origin, ""), request, client,
                      [this, number, held, until, database](const Result<size_t>& open) {
                        if (number != holds_ || ended_) return;
                        // A takeover that begins ends it.
                        if (open && workers_->holder() == 0) {
                          journal_.note("admin holds a table", number);
                          server_.forbid(database, workers_->worker(origin_).now(), until);
                        }
                        workers_->post(origin_, [this, number, held](pool::Worker& home) {
                          home.later(held, [this, number] { release(number); });
                        });
                      });
  });
}

void SimAdmin::release(int64_t number) {
  if (number != holds_) return;
  server_.allow();
  journal_.note("admin releases the table", number);
  if (dice_.chance(300)) {
    pool::release_tables_of(workers_->worker(origin_), holder_);
  } else {
    pool::release_tables(scope(origin_, ""), {}, [](const Status&) {});
  }
  if (!ended_) hold_timer_.arm(loop_.now() + milliseconds(dice_.between(1, kBetween.count())));
}

void SimAdmin::pause() {
  paused_ = true;
  scope_ = databases_[dice_.below(databases_.size())];
  journal_.note("admin pauses", ++pauses_);
  give([this, database = scope_, number = pauses_](size_t origin) {
    pool::pause(scope(origin, database), [this, database, number](const Status& status) {
      if (is_gone(status) && number == pauses_) paused_ = false;
      if (!status) return;
      journal_.note("admin has paused", number);
      if (!workers_->groups().is_paused(database))
        return journal_.fail("PAUSE ended after RESUME, as if paused");
      if (number != pauses_) return;
      for (const std::string& each : databases_) {
        const bool concerned = !each.empty() && (database.empty() || database == each);
        if (concerned && server_.alive_in(each) > 0) {
          journal_.fail(cat("PAUSE ended with ", server_.alive_in(each), " backends in ", each));
        }
      }
    });
  });
}

void SimAdmin::resume() {
  paused_ = false;
  journal_.note("admin resumes", pauses_);
  give([this, database = scope_](size_t origin) {
    pool::resume(scope(origin, database), [this, database](const Status& status) {
      if (is_gone(status)) {
        scope_ = database;
        paused_ = true;
      } else if (!status) {
        journal_.fail(cat("RESUME: ", status.error().message));
      }
    });
  });
}

// A reload has taken the database away: what is switched off stays so until it is back.
bool SimAdmin::is_gone(const Status& status) const {
  return !ended_ && !status && status.error().code == ErrorCode::NotFound;
}

void SimAdmin::kill() {
  paused_ = true;
  ++pauses_;
  scope_ = databases_[dice_.below(databases_.size())];
  journal_.note("admin kills");
  give([this, database = scope_, number = pauses_](size_t origin) {
    pool::kill(scope(origin, database), [this, number](const Status& status) {
      if (is_gone(status) && number == pauses_) paused_ = false;
    });
  });
}

void SimAdmin::reconnect() {
  journal_.note("admin reconnects");
  give([this, database = databases_[dice_.below(databases_.size())]](size_t origin) {
    const int64_t before = server_.last_session();
    pool::reconnect(scope(origin, database), [this, origin, database, before](const Status&) {
      pool::wait_close(scope(origin, database), [this, database, before](const Status& status) {
        // A reload may have removed the database: then it says so.
        const bool early = status && server_.has_older(database, before);
        if (early) journal_.fail("WAIT_CLOSE ended too early");
      });
    });
  });
}

void SimAdmin::disable() {
  disabled_ = databases_[1 + dice_.below(databases_.size() - 1)];
  journal_.note("admin disables");
  give([this, database = disabled_](size_t origin) {
    pool::set_disabled(scope(origin, database), true, [](const Status&) {});
  });
}

void SimAdmin::enable() {
  give([this, database = std::exchange(disabled_, {})](size_t origin) {
    pool::set_disabled(scope(origin, database), false, [this, database](const Status& status) {
      if (is_gone(status)) disabled_ = database;
    });
  });
}

void SimAdmin::kill_client() {
  uint64_t victim = 0;
  for (size_t i = 0; i < workers_->size(); ++i) {
    workers_->worker(i).each_client([&](pool::Client& client) {
      if (victim == 0 || dice_.chance(200)) victim = client.identity().id;
    });
  }
  journal_.note("admin kills a client", static_cast<int64_t>(victim));
  give([this, victim](size_t origin) {
    pool::kill_client(scope(origin, ""), victim, [](const Status&) {});
  });
}

}  // namespace pgtend::sim
