// Bulk loads that a pooler saw, as it tells of them in SHOW EVENTS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/pool_console.h"

namespace pgtend::cli {

// Takes from looks at the events what is new. Pure.
class NewEvents {
 public:
  // What was not there at the last call; nothing at the first: that is history. Events of one
  // instant are told apart by their number.
  std::vector<PoolEvent> among(std::vector<PoolEvent> events);

 private:
  bool first_ = true;
  std::string last_;  // time of the newest event seen
  size_t seen_at_last_ = 0;
};

// Asks one console again and again. Thread: one at a time.
class PoolLoads {
 public:
  // Errors: those of PoolConsole::open(), NotFound when the pooler tells of no events.
  static Result<PoolLoads> open(const pg::Options& options);

  // The loads into tables of `database` since the last call. A console that is lost is opened
  // again, at most every few seconds; meanwhile there are none.
  std::vector<PoolEvent> take(const std::string& database);

 private:
  explicit PoolLoads(pg::Options options) : options_(std::move(options)) {}
  Result<std::vector<PoolEvent>> ask();

  pg::Options options_;
  std::optional<PoolConsole> console_;
  NewEvents new_events_;
  SteadyTime lost_at_{};
};

}  // namespace pgtend::cli
