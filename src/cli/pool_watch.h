// Reads a pooler's console again and again on a thread of its own, so that keys work while it
// waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/pool_console.h"

namespace pgtend::cli {

// A lost or mute console is left and opened anew until it answers. Thread: made and used by one.
class PoolWatch {
 public:
  struct News {
    std::optional<PoolReading> reading = {};  // one that was not handed out yet
    std::string trouble = {};                 // why the latest attempt failed; "" when it did not
  };

  // `on_news` is called by the watch's thread after each attempt; it must not block.
  PoolWatch(PoolConsole console, pg::Options options, seconds interval,
            std::function<void()> on_news);
  // Waits a tenth of a second at most, a name look-up aside.
  ~PoolWatch();
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

  News take();
  // Counts from the latest reading.
  void set_interval(seconds interval);

 private:
  void work(const std::stop_token& stop);
  void attempt(const std::stop_token& stop);
  void wait(SteadyTime since, const std::stop_token& stop);

  const pg::Options options_;
  const std::function<void()> on_news_;
  std::optional<PoolConsole> console_;  // of the thread alone
  std::mutex mutex_;
  std::condition_variable_any changed_;
  seconds interval_;
  News news_;
  std::jthread thread_;
};

}  // namespace pgtend::cli
