#include "base/clock.h"

namespace pgtend {

namespace {
class SystemClock final : public Clock {
 public:
  SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};
}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

void ManualClock::advance(nanoseconds by) {
  steady_ += std::chrono::duration_cast<SteadyTime::duration>(by);
  wall_ += std::chrono::duration_cast<WallTime::duration>(by);
}

}  // namespace pgtend
