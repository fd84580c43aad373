// Whether the clients of a database feel that it is under pressure, by a latency that is measured
// again and again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"

namespace pgtend::care {

// High after three samples in a row above the limit, calm again after five in a row below it: one
// slow statement stops nothing, and what was stopped does not begin again at the first good second.
// Thread: one at a time.
class Pressure {
 public:
  explicit Pressure(milliseconds limit) : limit_(limit) {}

  void add(milliseconds sample);
  bool high() const { return high_; }
  // "latency 87.0 ms, limit 50.0 ms" of the last sample.
  std::string describe() const;

 private:
  milliseconds limit_;
  milliseconds last_{0};
  int run_ = 0;  // samples in a row that speak against the present state
  bool high_ = false;
};

// Asks for a latency again and again in a thread of its own, which ends with the object. Thread:
// any.
class PressureWatch {
 public:
  struct Setup {
    // How long clients wait now; nullopt: it could not be told this time.
    std::function<std::optional<milliseconds>()> latency = {};
    milliseconds limit{0};
    milliseconds every{1'000};
    // Called by that thread when the pressure becomes high or calm; `text` is describe().
    std::function<void(bool high, const std::string& text)> on_change = {};
  };
  explicit PressureWatch(Setup setup);
  PressureWatch(const PressureWatch&) = delete;
  PressureWatch& operator=(const PressureWatch&) = delete;

  bool high() const;
  std::string describe() const;

 private:
  void sample(const std::stop_token& stop);

  Setup setup_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  Pressure pressure_;
  std::jthread thread_;  // last: it uses all the others
};

// A part of each day by the machine's clock, minutes after midnight; `from` > `to` goes over
// midnight, equal ones are the whole day.
struct Window {
  int from = 0;
  int to = 0;

  bool contains(int minute) const;
};

}  // namespace pgtend::care
