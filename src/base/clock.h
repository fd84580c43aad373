// Time enters through Clock, so that rules and state machines can be tested with a clock of their
// own.
#pragma once

#include <chrono>

namespace pgtend {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Thread: any; both calls are const and lock free.
class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic: for timers and durations.
  virtual SteadyTime steady() const = 0;
  // Calendar time: for logs and records only.
  virtual WallTime wall() const = 0;
};

// The machine's clocks. Lives as long as the process.
const Clock& system_clock();

// A clock that stands still until told. Thread: one.
class ManualClock final : public Clock {
 public:
  SteadyTime steady() const override { return steady_; }
  WallTime wall() const override { return wall_; }
  void advance(nanoseconds by);

 private:
  SteadyTime steady_{};
  WallTime wall_{};
};

}  // namespace pgtend
