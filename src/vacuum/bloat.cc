#include "vacuum/bloat.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.h"

namespace pgtend::vacuum {

namespace {

constexpr std::pair<Method, std::string_view> kMethods[] = {
    {Method::Unknown, "unknown"},         {Method::Statistics, "statistics"},
    {Method::FreeSpaceMap, "fsm"},        {Method::Approximation, "pgstattuple_approx"},
    {Method::LeafDensity, "pgstatindex"}, {Method::Sample, "sample"},
    {Method::Tuples, "pgstattuple"},      {Method::Count, "count"},
};

}  // namespace

std::string_view name(Method method) {
  for (const auto& [known, text] : kMethods) {
    if (known == method) return text;
  }
  std::abort();
}

Result<Method> method_named(std::string_view text) {
  for (const auto& [method, known] : kMethods) {
    if (known == text) return method;
  }
  return Error{ErrorCode::Invalid, cat("no method \"", printable(text), "\"")};
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
