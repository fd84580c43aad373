// The messages the pool itself sends to clients.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::pool {

// PgBouncer's SQLSTATE for everything the pooler itself says.
inline constexpr std::string_view kPoolerState = "08P01";

// An ErrorResponse; FATAL ones are followed by a close.
std::string fatal_message(std::string_view text, std::string_view sqlstate = kPoolerState,
                          std::string_view hint = "");
std::string error_message(std::string_view text, std::string_view sqlstate = kPoolerState);

}  // namespace pgtend::pool
