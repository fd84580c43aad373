// Result<T>: a value, or an Error that says what to do about it. One table (kErrorTraits) turns the
// code into retry, exit code, HTTP status and SQLSTATE, so that the four faces of the program
// agree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace pgtend {

// What the caller should do about it. Each code is a row of kErrorTraits, in this order.
enum class ErrorCode : uint8_t {
  Invalid,      // fix the input
  NotFound,     // name something that exists
  Denied,       // get the right, or give up
  Unavailable,  // retry later: server down, network, shutting down
  Timeout,      // retry later, or allow longer
  Conflict,     // retry: lock, deadlock, serialisation
  Limit,        // one of our own bounds was reached: shed load or raise it
  Corrupt,      // drop the connection: the other side broke the protocol
  Cancelled,    // stop quietly: somebody asked
  Internal,     // report it: a bug
};

struct ErrorTraits {
  ErrorCode code;
  std::string_view name;
  bool retry;
  int exit_code;
  int http_status;
  std::string_view sqlstate;  // for pool clients, unless PostgreSQL gave its own
};

// exit codes: 1 findings, 2 usage, 3 cannot connect, 4 rights missing, 5 action failed,
// 6 lock not obtained, 130 interrupted.
inline constexpr ErrorTraits kErrorTraits[] = {
    {ErrorCode::Invalid, "invalid", false, 2, 400, "22023"},
    {ErrorCode::NotFound, "not found", false, 2, 404, "42704"},
    {ErrorCode::Denied, "denied", false, 4, 403, "42501"},
    {ErrorCode::Unavailable, "unavailable", true, 3, 503, "57P03"},
    {ErrorCode::Timeout, "timeout", true, 5, 504, "57014"},
    {ErrorCode::Conflict, "conflict", true, 6, 409, "55P03"},
    {ErrorCode::Limit, "limit", true, 5, 429, "53300"},
    {ErrorCode::Corrupt, "corrupt", false, 5, 502, "08P01"},
    {ErrorCode::Cancelled, "cancelled", false, 130, 499, "57014"},
    {ErrorCode::Internal, "internal", false, 5, 500, "XX000"},
};

// The row of `code`. Thread: any. Cost: O(1).
constexpr const ErrorTraits& traits(ErrorCode code) {
  return kErrorTraits[static_cast<size_t>(code)];
}

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message = {};   // lower case, names the object, no final stop
  std::string sqlstate = {};  // five characters when PostgreSQL answered, else empty
  std::string hint = {};      // the next step for a person; empty when the message says it all

  // Prefixes what we were doing: "reading tables of db: permission denied".
  Error during(std::string_view what) &&;
  // The same error with `next_step` as its hint.
  Error hinting(std::string_view next_step) &&;
};

struct Unit {};

// Either a T or an Error. Reading the wrong side stops the process. Not for sharing between
// threads.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : side_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : side_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return side_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // Moves the value out.
  T take() && { return std::move(value()); }
  // Moves the error out, or reads it.
  Error error() && {
    CHECK(side_.index() == 1);
    return std::move(*std::get_if<1>(&side_));
  }
  const Error& error() const& {
    CHECK(side_.index() == 1);
    return *std::get_if<1>(&side_);
  }

 private:
  T& value() {
    CHECK(side_.index() == 0);
    return *std::get_if<0>(&side_);
  }
  const T& value() const {
    CHECK(side_.index() == 0);
    return *std::get_if<0>(&side_);
  }

  std::variant<T, Error> side_;
};

using Status = Result<Unit>;

inline Status ok() { return Unit{}; }

// The exit code of a command that ended with `error`. Thread: any.
int exit_code(const Error& error);

}  // namespace pgtend

// TRY(x): the value of the Result x, or returns its error from the enclosing function.
// clang-format off
#define TRY(expression)                                          \
  ({                                                             \
    auto try_result = (expression);                              \
    if (!try_result) return std::move(try_result).error();       \
    std::move(try_result).take();                                \
  })
// TRY_DURING(x, what): the same, the error prefixed with what we were doing (evaluated on failure only).
#define TRY_DURING(expression, what)                                        \
  ({                                                                        \
    auto try_result = (expression);                                         \
    if (!try_result) return std::move(try_result).error().during(what);     \
    std::move(try_result).take();                                           \
  })
// clang-format on
