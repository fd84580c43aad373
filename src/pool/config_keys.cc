#include "pool/config_keys.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace pgtend::pool {
namespace {

constexpr double kSecondsMax = 1e9;  // 31 years; keeps the arithmetic in microseconds exact

Error invalid(std::string_view text, std::string_view wanted) {
  return Error{ErrorCode::Invalid, cat("\"", printable(text), "\" is not ", wanted)};
}

template <class Choice>
Status read_choice(std::string_view text,
                   std::initializer_list<std::pair<std::string_view, Choice>> all, Choice& out) {
  std::vector<std::string> names;
  for (const auto& [name, value] : all) {
    if (equal_ignoring_case(name, text)) {
      out = value;
      return ok();
    }
    names.emplace_back(name);
  }
  return invalid(text, cat("one of ", join(names, ", ")));
}

}  // namespace

Status read_value(std::string_view text, int64_t& out) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.starts_with('-')) {
    return invalid(text, "an integer");
  }
  out = negative ? -value : value;
  return ok();
}

Status read_value(std::string_view text, int& out) {
  int64_t wide = 0;
  TRY(read_value(text, wide));
  if (wide < 0 || wide > std::numeric_limits<int>::max()) {
    return invalid(text, "a number from 0 to 2147483647");
  }
  out = static_cast<int>(wide);
  return ok();
}

Status read_value(std::string_view text, bool& out) {
  int64_t value = 0;
  auto read = read_value(text, value);
  if (!read || value < 0 || value > 1) return invalid(text, "0 or 1");
  out = value == 1;
  return ok();
}

Status read_value(std::string_view text, microseconds& out) {
  auto value = parse_double(text);
  if (!value || !std::isfinite(*value) || *value < 0 || *value > kSecondsMax) {
    return invalid(text, "a time in seconds");
  }
  out = microseconds(std::llround(*value * 1e6));
  return ok();
}

Status read_value(std::string_view text, std::string& out) {
  out = text;
  return ok();
}

Status read_value(std::string_view text, std::vector<std::string>& out) {
  out.clear();
  for (const std::string_view piece : split(text, ',')) {
    if (!trim(piece).empty()) out.emplace_back(trim(piece));
  }
  return ok();
}

Status read_value(std::string_view text, PoolMode& out) {
  return read_choice<PoolMode>(text,
                               {{"session", PoolMode::Session},
                                {"transaction", PoolMode::Transaction},
                                {"statement", PoolMode::Statement}},
                               out);
}

Status read_value(std::string_view text, AuthType& out) {
  for (const std::string_view later : {"cert", "hba", "ldap", "pam"}) {
    if (equal_ignoring_case(text, later)) {
      return Error{ErrorCode::Invalid, cat("auth_type ", later, " is not yet supported")};
    }
  }
  return read_choice<AuthType>(text,
                               {{"any", AuthType::Any},
                                {"trust", AuthType::Trust},
                                {"plain", AuthType::Plain},
                                {"md5", AuthType::Md5},
                                {"scram-sha-256", AuthType::ScramSha256}},
                               out);
}

Status read_value(std::string_view text, LoadBalance& out) {
  return read_choice<LoadBalance>(
      text, {{"round-robin", LoadBalance::RoundRobin}, {"disable", LoadBalance::Disable}}, out);
}

Status read_value(std::string_view text, StatementErrors& out) {
  return read_choice<StatementErrors>(
      text, {{"pgbouncer", StatementErrors::Pgbouncer}, {"postgres", StatementErrors::Postgres}},
      out);
}

}  // namespace pgtend::pool
