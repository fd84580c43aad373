#include "cli/pool_loads.h"

#include <algorithm>

namespace pgtend::cli {
namespace {

constexpr seconds kAgain{5};

}  // namespace

std::vector<PoolEvent> NewEvents::among(std::vector<PoolEvent> events) {
  std::ranges::stable_sort(events, {}, &PoolEvent::time);
  if (events.empty()) {
    first_ = false;
    return events;
  }
  const auto at = [](const std::vector<PoolEvent>& all, const std::string& time) {
    return static_cast<size_t>(std::ranges::count(all, time, &PoolEvent::time));
  };
  const std::string newest = events.back().time;
  const size_t count = at(events, newest);
  if (first_) {
    events.clear();
  } else {
    const auto later = std::ranges::lower_bound(events, last_, {}, &PoolEvent::time);
    const auto same = static_cast<ptrdiff_t>(std::min(seen_at_last_, at(events, last_)));
    events.erase(events.begin(), later + same);
  }
  first_ = false;
  last_ = newest;
  seen_at_last_ = count;
  return events;
}

Result<PoolLoads> PoolLoads::open(const pg::Options& options) {
  PoolLoads out(options);
  out.console_ = TRY(PoolConsole::open(options));
  const auto events = TRY(out.ask());
  (void)out.new_events_.among(events);
  return out;
}

Result<std::vector<PoolEvent>> PoolLoads::ask() {
  PoolReading reading;
  for (const PoolShow& show : pool_shows()) {
    if (show.what != "events") continue;
    const Table table = TRY(console_->show(show.what));
    TRY(show.take(table, reading));
  }
  return reading.events.value_or(std::vector<PoolEvent>());
}

std::vector<PoolEvent> PoolLoads::take(const std::string& database) {
  const SteadyTime now = system_clock().steady();
  if (!console_) {
    if (now - lost_at_ < kAgain) return {};
    auto opened = PoolConsole::open(options_);
    lost_at_ = now;
    if (!opened) return {};
    console_ = std::move(opened).take();
  }
  auto events = ask();
  if (!events) {
    console_.reset();
    lost_at_ = now;
    return {};
  }
  std::vector<PoolEvent> out = new_events_.among(std::move(events).take());
  std::erase_if(out, [&](const PoolEvent& event) {
    return event.kind != "load" || event.database != database;
  });
  return out;
}

}  // namespace pgtend::cli
