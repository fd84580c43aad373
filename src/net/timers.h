// Timers of one loop: a heap of deadlines. Arming and cancelling cost O(log n), no allocation once
// the heap has grown.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace pgtend::net {

class Timer;

// Owned by a loop, which asks next() how long it may sleep and calls fire(). Thread: the loop's.
class Timers {
 public:
  // The earliest deadline, if any.
  std::optional<SteadyTime> next() const;
  // Runs every timer due at `now`, in order of deadline, at most kPerTurn of them (the rest stays
  // due for the next turn). A callback may arm, cancel or destroy any timer, its own too.
  void fire(SteadyTime now);

 private:
  friend class Timer;
  static constexpr int kPerTurn = 1024;

  void insert(Timer& timer);
  void erase(Timer& timer);
  void place(size_t index, Timer* timer);
  void sift_up(size_t index);
  void sift_down(size_t index);

  std::vector<Timer*> heap_;
};

// Calls `action` once when armed and due. Destruction cancels. Outlived by its Timers.
// Thread: the loop's.
class Timer {
 public:
  Timer(Timers& timers, std::function<void()> action);
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Also moves the deadline of an armed timer.
  void arm(SteadyTime deadline);
  void cancel();
  bool armed() const { return armed_; }
  // Only meaningful while armed.
  SteadyTime deadline() const { return deadline_; }

 private:
  friend class Timers;

  Timers& timers_;
  // Shared with a running fire() alone, so that the action may destroy its timer.
  std::shared_ptr<const std::function<void()>> action_;
  SteadyTime deadline_{};
  size_t index_ = 0;
  bool armed_ = false;
};

}  // namespace pgtend::net
