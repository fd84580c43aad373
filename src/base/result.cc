#include "base/result.h"

#include <iterator>

namespace pgtend {

namespace {
constexpr bool rows_follow_the_enum() {
  size_t index = 0;
  for (const ErrorTraits& row : kErrorTraits) {
    if (static_cast<size_t>(row.code) != index++) return false;
  }
  return index == static_cast<size_t>(ErrorCode::Internal) + 1;
}
static_assert(rows_follow_the_enum(), "kErrorTraits needs one row a code, in order");
}  // namespace

Error Error::during(std::string_view what) && {
  message.insert(0, ": ");
  message.insert(0, what);
  return std::move(*this);
}

Error Error::hinting(std::string_view next_step) && {
  hint = next_step;
  return std::move(*this);
}

int exit_code(const Error& error) { return traits(error.code).exit_code; }

}  // namespace pgtend
