// The few cryptographic primitives that logins need, over OpenSSL's EVP, and strict base64.
// Thread: any; no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgtend::wire {

// A SHA-256 digest or a key of that size.
using Key = std::array<unsigned char, 32>;

inline std::string_view view(const Key& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

Key sha256(std::string_view data);
Key hmac_sha256(std::string_view key, std::string_view data);
// Cost: `iterations` HMACs, about 1 ms for 4096. `iterations` is at least 1.
Key pbkdf2_sha256(std::string_view password, std::string_view salt, int iterations);
// 32 lower-case hexadecimal digits. Errors: Unavailable where the crypto policy forbids MD5.
Result<std::string> md5_hex(std::string_view data);

// Takes the same time whatever differs; only the lengths may be learned.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// `count` bytes from the system's generator. Stops the process if there is none.
std::string random_bytes(size_t count);
// A random positive int32: what drivers accept as a process id.
int32_t random_pid();

// With padding, without line breaks.
std::string base64_encode(std::string_view data);
// Accepts the one canonical form only: padded, no white space, no stray bits. Errors: Corrupt.
Result<std::string> base64_decode(std::string_view text);

}  // namespace pgtend::wire
