#include "vacuum/bloat.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pgtend::vacuum {

std::string_view name(Method method) {
  switch (method) {
    case Method::Unknown:
      return "unknown";
    case Method::Statistics:
      return "statistics";
    case Method::Sample:
      return "sample";
    case Method::Count:
      return "count";
  }
  std::abort();
}

Bloat unknown_bloat(int64_t pages, std::string why, std::string grant) {
  return {.pages = pages, .why = std::move(why), .grant = std::move(grant)};
}

Interval Bloat::wasted() const {
  const auto now = static_cast<double>(pages);
  return {.low = std::max(now - needed.high, 0.0),
          .best = std::max(now - needed.best, 0.0),
          .high = std::max(now - needed.low, 0.0)};
}

Interval Bloat::share() const {
  if (pages <= 0) return {};
  const Interval space = wasted();
  const auto now = static_cast<double>(pages);
  return {.low = space.low / now, .best = space.best / now, .high = space.high / now};
}

}  // namespace pgtend::vacuum
