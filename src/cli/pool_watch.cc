#include "cli/pool_watch.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace pgtend::cli {

namespace {
constexpr seconds kRetry(2);  // or the interval, where that is shorter
}  // namespace

PoolWatch::PoolWatch(PoolConsole console, pg::Options options, seconds interval,
                     std::function<void()> on_news)
    : options_(std::move(options)),
      on_news_(std::move(on_news)),
      console_(std::move(console)),
      interval_(interval),
      thread_([this](const std::stop_token& stop) noexcept { work(stop); }) {}

PoolWatch::~PoolWatch() = default;  // the thread is asked to stop and joined first

PoolWatch::News PoolWatch::take() {
  const std::lock_guard lock(mutex_);
  return {.reading = std::exchange(news_.reading, std::nullopt), .trouble = news_.trouble};
}

void PoolWatch::set_interval(seconds interval) {
  const std::lock_guard lock(mutex_);
  interval_ = interval;
  changed_.notify_all();
}

void PoolWatch::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const SteadyTime start = system_clock().steady();
    attempt(stop);
    on_news_();
    wait(start, stop);
  }
}

void PoolWatch::attempt(const std::stop_token& stop) {
  const auto read = [&]() -> Result<PoolReading> {
    if (!console_) console_ = TRY(PoolConsole::open(options_, stop));
    return console_->read(stop);
  };
  auto reading = read();
  if (!reading) console_.reset();
  const std::lock_guard lock(mutex_);
  news_.trouble = reading ? "" : reading.error().message;
  if (reading) news_.reading = std::move(reading).take();
}

void PoolWatch::wait(SteadyTime since, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const seconds pause = news_.trouble.empty() ? interval_ : std::min(interval_, kRetry);
    const seconds waited_for = interval_;
    const auto due = since + pause;
    if (system_clock().steady() >= due) return;
    changed_.wait_until(lock, stop, due, [&] { return interval_ != waited_for; });
  }
}

}  // namespace pgtend::cli
