#include "wire/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstring>

namespace pgtend::wire {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

int sextet(char c) {
  const size_t at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// One group of four characters, `padding` of which are '='; false when it is not canonical.
bool decode_group(std::string_view group, size_t padding, std::string& out) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; ++i) {
    const int value = i >= 4 - padding ? 0 : sextet(group[i]);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
  }
  const uint32_t stray_mask = padding == 0 ? 0 : padding == 1 ? 0xff : 0xffff;
  if ((bits & stray_mask) != 0) return false;
  for (size_t i = 0; i < 3 - padding; ++i) out.push_back(static_cast<char>(bits >> (16 - 8 * i)));
  return true;
}

// Asked for once: OpenSSL 3 looks a method up by its name at each use of EVP_sha256().
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(method != nullptr);
  return method;
}

// A thread's supply of random bytes: a call for each few costs several times as much.
class Supply {
 public:
  ~Supply() { OPENSSL_cleanse(bytes_, sizeof bytes_); }

  void take(char* into, size_t count) {
    if (count > sizeof bytes_) return fill(reinterpret_cast<unsigned char*>(into), count);
    if (count > left_) {
      fill(bytes_, sizeof bytes_);
      left_ = sizeof bytes_;
    }
    // What is given out is not kept.
    left_ -= count;
    std::memcpy(into, bytes_ + left_, count);
    OPENSSL_cleanse(bytes_ + left_, count);
  }

 private:
  static void fill(unsigned char* into, size_t count) {
    CHECK(RAND_bytes(into, static_cast<int>(count)) == 1);
  }

  unsigned char bytes_[512];
  size_t left_ = 0;
};

}  // namespace

Key sha256(std::string_view data) {
  Key out;
  CHECK(EVP_Digest(data.data(), data.size(), out.data(), nullptr, sha256_method(), nullptr) == 1);
  return out;
}

Key hmac_sha256(std::string_view key, std::string_view data) {
  Key out;
  unsigned int size = 0;
  CHECK(HMAC(sha256_method(), key.data(), static_cast<int>(key.size()), raw(data), data.size(),
             out.data(), &size) != nullptr);
  CHECK(size == out.size());
  return out;
}

Key pbkdf2_sha256(std::string_view password, std::string_view salt, int iterations) {
  Key out;
  CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                          static_cast<int>(salt.size()), iterations, sha256_method(),
                          static_cast<int>(out.size()), out.data()) == 1);
  return out;
}

Result<std::string> md5_hex(std::string_view data) {
  unsigned char digest[16];
  if (EVP_Digest(data.data(), data.size(), digest, nullptr, EVP_md5(), nullptr) != 1) {
    return Error{ErrorCode::Unavailable, "md5 is not available in this system's OpenSSL"};
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(size_t count) {
  static thread_local Supply supply;
  std::string out(count, '\0');
  supply.take(out.data(), count);
  return out;
}

int32_t random_pid() {
  uint32_t bits = 0;
  while ((bits & 0x7fffffff) == 0) {
    const std::string bytes = random_bytes(sizeof bits);
    std::memcpy(&bits, bytes.data(), sizeof bits);
  }
  return static_cast<int32_t>(bits & 0x7fffffff);
}

std::string base64_encode(std::string_view data) {
  std::string out;
  for (size_t i = 0; i < data.size(); i += 3) {
    const size_t left = data.size() - i;
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < left ? raw(data)[i + k] : 0u);
    out.push_back(kAlphabet[bits >> 18 & 63]);
    out.push_back(kAlphabet[bits >> 12 & 63]);
    out.push_back(left > 1 ? kAlphabet[bits >> 6 & 63] : '=');
    out.push_back(left > 2 ? kAlphabet[bits & 63] : '=');
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  const Error bad{ErrorCode::Corrupt, "malformed base64"};
  if (text.size() % 4 != 0) return bad;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 4) {
    const auto group = text.substr(i, 4);
    size_t padding = 0;
    if (i + 4 == text.size()) padding = group[3] != '=' ? 0 : group[2] != '=' ? 1 : 2;
    if (!decode_group(group, padding, out)) return bad;
  }
  return out;
}

}  // namespace pgtend::wire
