// How texts become settings: the readers that the key tables of config.cc are made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pool/config.h"

namespace pgtend::pool {

// C's rules with base 0 (10, 0x10, 0777), no words. Errors: Invalid. Thread: any, as all here.
Status read_value(std::string_view text, int& out);
Status read_value(std::string_view text, int64_t& out);
// 0 or 1.
Status read_value(std::string_view text, bool& out);
// Seconds, with fractions.
Status read_value(std::string_view text, microseconds& out);
Status read_value(std::string_view text, std::string& out);
// Names between commas.
Status read_value(std::string_view text, std::vector<std::string>& out);
// Words, without regard to case.
Status read_value(std::string_view text, PoolMode& out);
Status read_value(std::string_view text, AuthType& out);
Status read_value(std::string_view text, LoadBalance& out);
Status read_value(std::string_view text, StatementErrors& out);

template <class T>
Status read_value(std::string_view text, std::optional<T>& out) {
  T value{};
  TRY(read_value(text, value));
  out = std::move(value);
  return ok();
}

// Follows member pointers: at<&Settings::limit, &LimitSettings::pool_size>(settings).
template <auto Member, auto... Rest>
auto& at(auto& object) {
  if constexpr (sizeof...(Rest) == 0) {
    return object.*Member;
  } else {
    return at<Rest...>(object.*Member);
  }
}

// A table's function that reads a text into that member.
template <class Target, auto... Path>
Status into(Target& target, std::string_view text) {
  return read_value(text, at<Path...>(target));
}

}  // namespace pgtend::pool
