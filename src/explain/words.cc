#include "explain/words.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"

namespace pgtend::explain {

std::string percent(double share) {
  const double value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value >= 10 || value <= 0) return cat(std::llround(value), " %");
  return cat(std::round(value * 10) / 10, " %");
}

std::string counted(double value) {
  return value < 9e18 ? grouped(std::llround(value)) : compact(value);
}

std::string milliseconds_text(double ms) {
  return human(nanoseconds(static_cast<int64_t>(std::clamp(ms, 0.0, 9e12) * 1e6)));
}

std::string cost_text(double cost) { return cat(std::round(cost * 100) / 100); }

}  // namespace pgtend::explain
