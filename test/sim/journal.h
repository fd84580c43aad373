// What a simulation remembers: the last events, to be printed with a failure, and the failure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace pgtend::sim {

// All chance of one run comes from here, so that a seed replays it. Thread: one.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}

  // 0 to `limit` - 1; 0 for a limit of 0.
  uint64_t below(uint64_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  // Both ends included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(uint64_t in_thousand) { return in_thousand > 0 && below(1000) < in_thousand; }
  // Mostly small, at times up to `limit`: sizes as they are met.
  int64_t skewed(int64_t limit) { return between(0, chance(50) ? limit : 1 + limit / 50); }

 private:
  std::mt19937_64 engine_;
};

// A ring of the last events; with PGTEND_SIM_TRACE set all of them go to standard error. Only the
// first violation counts: what follows it may be its fault.
// Thread: one.
class Journal {
 public:
  explicit Journal(const Clock& clock);

  // `what` outlives the journal: a literal. Cheap: formatted only when printed.
  void note(const char* what, int64_t first = 0, int64_t second = 0);
  void fail(std::string_view violation);
  bool failed() const { return violation_.has_value(); }
  const std::string& violation() const { return *violation_; }
  // The last events, one a line.
  std::string text() const;

 private:
  static constexpr size_t kKept = 80;
  struct Event {
    SteadyTime at{};
    const char* what = nullptr;
    int64_t first = 0;
    int64_t second = 0;
  };

  std::string line(const Event& event) const;

  const Clock& clock_;
  const bool traced_;
  std::array<Event, kKept> events_;
  size_t next_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace pgtend::sim
