#include "explain/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "base/text.h"

namespace pgtend::explain {
namespace {

constexpr size_t kSourceMax = 400;  // a double in full has at most 309 digits before its point

size_t digits_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

// The digits of `text` before its exponent, without leading zeros.
size_t significant_digits(std::string_view text) {
  size_t count = 0;
  for (const char c : text) {
    if (c == 'e' || c == 'E') break;
    if (is_digit(c) && (c != '0' || count > 0)) ++count;
  }
  return count;
}

// Whether `number` written with the decimals of `source` is `source` again.
bool reads_back(double number, std::string_view source) {
  if (source.find_first_of("eE") != std::string_view::npos) {
    return significant_digits(source) <= std::numeric_limits<double>::digits10;
  }
  const size_t point = source.find('.');
  const int decimals =
      point == std::string_view::npos ? 0 : static_cast<int>(source.size() - point - 1);
  char digits[2 * kSourceMax];
  const auto [end, failure] =
      std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, decimals);
  return failure == std::errc{} && std::string_view(digits, end) == source;
}

// The length of the number that `text` begins with, of any kind.
size_t number_length(std::string_view text) {
  size_t end = text.starts_with('-') ? 1 : 0;
  for (const std::string_view word : {"inf", "nan", "Infinity", "NaN"}) {
    if (text.substr(end).starts_with(word)) return end + word.size();
  }
  const size_t start = end;
  while (end < text.size()) {
    const char c = text[end];
    const bool digit = is_digit(c) || c == 'N';
    const bool decimals = c == '.' && end + 1 < text.size() && text[end + 1] != '.';
    if (!digit && !decimals) break;
    ++end;
  }
  return end == start ? 0 : end;
}

// A number of at most 15 digits, perhaps with a point among them, at the front of `text`; nullopt
// for any other. A double keeps that many digits, and the division of two that are exact gives the
// nearest one.
std::optional<Value> short_number(std::string_view text, size_t& length) {
  constexpr std::array<double, 16> kPowers = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  constexpr size_t kDigitsMax = std::numeric_limits<double>::digits10;
  text = text.substr(0, kDigitsMax + 3);  // what follows tells whether it ends
  int64_t digits = 0;
  size_t at = 0;
  while (at < text.size() && is_digit(text[at])) digits = digits * 10 + (text[at++] - '0');
  const size_t whole = at;
  if (whole == 0 || whole > kDigitsMax) return {};
  if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    ++at;
    while (at < text.size() && is_digit(text[at]) && at <= kDigitsMax) {
      digits = digits * 10 + (text[at++] - '0');
    }
  }
  if (at < text.size() && (is_digit(text[at]) || text[at] == 'N')) return {};
  if (at + 1 < text.size() && text[at] == '.' && text[at + 1] != '.') return {};
  length = at;
  if (at == whole) return Value(digits);
  return Value(static_cast<double>(digits) / kPowers[at - whole - 1]);
}

// A number kept as its text, in lower case.
std::optional<double> count_of(std::string_view text) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (text == "inf" || text == "infinity") return kInfinite;
  if (text == "-inf" || text == "-infinity") return -kInfinite;
  if (!looks_like_number(text)) return {};
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc{}) return number;
  if (text.find("e-") != std::string_view::npos) return 0.0;  // too small to count
  return text.starts_with('-') ? -kInfinite : kInfinite;
}

}  // namespace

bool looks_like_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = digits_at(text, at);
  at += whole;
  if (whole == 0) return false;
  if (at < text.size() && text[at] == '.') {
    const size_t decimals = digits_at(text, at + 1);
    if (decimals == 0) return false;
    at += 1 + decimals;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = digits_at(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

Value leading_number(std::string_view text, size_t& length) {
  if (const std::optional<Value> number = short_number(text, length)) return *number;
  length = number_length(text);
  return number_value(text.substr(0, length));
}

Value number_value(std::string_view source) {
  size_t length = 0;
  const std::optional<Value> small = short_number(source, length);
  if (small && length == source.size()) return *small;
  if (source.size() > kSourceMax || !looks_like_number(source)) return source;
  const char* end = source.data() + source.size();
  if (source.find_first_of(".eE") == std::string_view::npos) {
    int64_t whole = 0;
    if (std::from_chars(source.data(), end, whole).ec == std::errc{}) return whole;
    uint64_t large = 0;
    const auto read = std::from_chars(source.data(), end, large);
    if (read.ec == std::errc{} && read.ptr == end) return large;
    return source;
  }
  double number = 0;
  const auto read = std::from_chars(source.data(), end, number);
  if (read.ec != std::errc{} || !reads_back(number, source)) return source;
  return number;
}

std::optional<double> to_double(const Value& value) {
  double number = 0;
  if (value.is_number()) {
    number = value.to_number();
  } else if (value.is_string()) {
    const auto counted = count_of(lower(value.get_string()));
    if (!counted) return {};
    number = *counted;
  } else {
    return {};
  }
  if (std::isnan(number)) return {};
  return std::clamp(number, -kNumberMax, kNumberMax);
}

}  // namespace pgtend::explain
