#include "base/units.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace pgtend {

namespace {
// Three significant digits, never scientific.
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return fmt::format("{:.0f}", value);
  if (size >= 9.995) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}
}  // namespace

std::string human(Bytes bytes) {
  static constexpr std::array<std::string_view, 6> kNames = {"B", "kB", "MB", "GB", "TB", "PB"};
  if (std::llabs(bytes.count) < 1024) return fmt::format("{} B", bytes.count);
  double value = static_cast<double>(bytes.count);
  size_t unit = 0;
  while (std::abs(value) >= 1023.5 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", three_digits(value), kNames[unit]);
}

std::string human(std::chrono::nanoseconds duration) {
  const double ns = static_cast<double>(duration.count());
  if (ns < 999.5) return fmt::format("{:.0f} ns", ns);
  if (ns < 999.5e3) return fmt::format("{} us", three_digits(ns / 1e3));
  if (ns < 999.5e6) return fmt::format("{} ms", three_digits(ns / 1e6));
  if (ns < 119.5e9) return fmt::format("{} s", three_digits(ns / 1e9));
  const auto whole = static_cast<int64_t>(std::llround(ns / 1e9));
  if (whole < 7200) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string grouped(int64_t count) {
  std::string digits = fmt::format("{}", count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string compact(double count) {
  static constexpr std::array<std::string_view, 5> kNames = {"", " k", " M", " bn", " tn"};
  if (std::abs(count) < 999.5) {
    return count == std::floor(count) ? fmt::format("{:.0f}", count) : fmt::format("{:.3g}", count);
  }
  size_t unit = 0;
  while (std::abs(count) >= 999.5 && unit + 1 < kNames.size()) {
    count /= 1000;
    ++unit;
  }
  return fmt::format("{}{}", three_digits(count), kNames[unit]);
}

}  // namespace pgtend
