#include "wire/binary.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/text.h"
#include "wire/frame.h"

namespace pgtend::wire {
namespace {

constexpr size_t kGroup = 4;  // decimal digits in a digit of numeric
constexpr size_t kNumericBytesMax = 1000;
constexpr int16_t kNegative = 0x4000;

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// numeric_send(): count, weight of the first digit, sign, decimals shown, digits of base 10,000.
Result<std::string> numeric(std::string_view text) {
  const Error bad{ErrorCode::Invalid, cat("not a number: \"", printable(text), '"')};
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  const size_t point = std::min(rest.find('.'), rest.size());
  std::string digits(rest.substr(0, point));
  const std::string_view decimals = rest.substr(std::min(point + 1, rest.size()));
  if (digits.empty() || rest.size() > kNumericBytesMax) return bad;
  digits.insert(0, (kGroup - digits.size() % kGroup) % kGroup, '0');
  const size_t whole = digits.size() / kGroup;
  digits += decimals;
  if (!all_digits(digits)) return bad;
  digits.append((kGroup - digits.size() % kGroup) % kGroup, '0');
  std::vector<int16_t> groups;
  for (size_t at = 0; at < digits.size(); at += kGroup) {
    groups.push_back(static_cast<int16_t>(TRY(parse_int(digits.substr(at, kGroup)))));
  }
  const auto first = std::ranges::find_if(groups, [](int16_t group) { return group != 0; });
  const auto skipped = first - groups.begin();
  groups.erase(groups.begin(), first);
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  std::string out;
  put_i16(out, static_cast<int16_t>(groups.size()));
  put_i16(out,
          static_cast<int16_t>(groups.empty() ? 0 : static_cast<ptrdiff_t>(whole) - 1 - skipped));
  put_i16(out, negative && !groups.empty() ? kNegative : int16_t{0});
  put_i16(out, static_cast<int16_t>(decimals.size()));
  for (const int16_t group : groups) put_i16(out, group);
  return out;
}

}  // namespace

Result<std::string> binary_of(std::string_view text, int32_t type) {
  if (type == kNumericOid) return numeric(text);
  if (type != kInt4Oid && type != kInt8Oid) return std::string(text);
  const int64_t value = TRY(parse_int(text));
  const bool fits =
      value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max();
  if (type == kInt4Oid && !fits) {
    return Error{ErrorCode::Invalid, cat(value, " is out of the range of int4")};
  }
  std::string out;
  if (type == kInt8Oid) put_i32(out, static_cast<int32_t>(value >> 32));
  put_i32(out, static_cast<int32_t>(value & 0xffffffff));
  return out;
}

}  // namespace pgtend::wire
