// The answer to AuthenticationMD5Password, for servers and user lists that still have md5 secrets.
// Thread: any; no state.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::wire {

// What PostgreSQL stores for `user`: "md5" and 32 hexadecimal digits. Errors: Unavailable.
Result<std::string> md5_secret(std::string_view user, std::string_view password);
// The answer to the challenge `salt` (4 bytes) for a stored `secret` ("md5..."). Errors:
// Unavailable.
Result<std::string> md5_answer(std::string_view secret, std::string_view salt);
// True for "md5" and 32 hexadecimal digits.
bool is_md5_secret(std::string_view secret);

}  // namespace pgtend::wire
