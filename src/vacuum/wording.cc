#include "vacuum/wording.h"

#include <cmath>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {

std::string count(double rows) { return grouped(std::llround(rows)); }

std::string percent(double share) {
  const double tenths = std::round(share * 1000);
  return cat(static_cast<int64_t>(tenths) / 10, '.', static_cast<int64_t>(tenths) % 10, " %");
}

std::string shell_word(std::string_view word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace pgtend::vacuum
