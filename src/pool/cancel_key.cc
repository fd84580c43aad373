#include "pool/cancel_key.h"

#include "base/check.h"
#include "wire/secret.h"

namespace pgtend::pool {
namespace {

constexpr size_t kSecretBytesMin = 4;
constexpr size_t kHopsAt = 3;  // in the secret: byte 7 of the whole
constexpr unsigned kHopsMask = 3;

// All that tells keys apart, in one piece.
std::string comparable(const wire::CancelKey& key) {
  std::string bytes(reinterpret_cast<const char*>(&key.pid), sizeof key.pid);
  bytes += key.secret;
  if (key.secret.size() > kHopsAt) {
    char& hops = bytes[sizeof key.pid + kHopsAt];
    hops = static_cast<char>(static_cast<unsigned char>(hops) & ~kHopsMask);
  }
  return bytes;
}

}  // namespace

OwnedKey make_key(size_t secret_bytes, size_t worker, int peer_id) {
  CHECK(secret_bytes >= kSecretBytesMin && worker < kWorkersMax);
  CHECK(peer_id >= 0 && peer_id <= kPeerIdMax);
  auto bits = static_cast<uint32_t>(wire::random_pid());
  if (peer_id > 0) {
    const auto id = static_cast<uint32_t>(peer_id);
    bits = (bits & 0xff0000ff) | (id & 0xff) << 16 | (id >> 8) << 8;
  }
  bits = (bits & ~static_cast<uint32_t>(kWorkersMax - 1)) | static_cast<uint32_t>(worker);
  // Drivers take 0 for no key.
  if (bits == 0) return make_key(secret_bytes, worker, peer_id);
  OwnedKey key{static_cast<int32_t>(bits), wire::random_bytes(secret_bytes)};
  key.secret[kHopsAt] =
      static_cast<char>(static_cast<unsigned char>(key.secret[kHopsAt]) | kHopsMask);
  return key;
}

bool is_same_key(const wire::CancelKey& a, const wire::CancelKey& b) {
  return wire::equal_in_constant_time(comparable(a), comparable(b));
}

size_t worker_of(const wire::CancelKey& key) {
  return static_cast<uint32_t>(key.pid) & (kWorkersMax - 1);
}

int peer_of(const wire::CancelKey& key) {
  const auto bits = static_cast<uint32_t>(key.pid);
  return static_cast<int>((bits >> 16 & 0xff) | (bits >> 8 & 0xff) << 8);
}

int hops_left(const wire::CancelKey& key) {
  if (key.secret.size() <= kHopsAt) return 0;
  return static_cast<int>(static_cast<unsigned char>(key.secret[kHopsAt]) & kHopsMask);
}

OwnedKey with_one_hop_less(const wire::CancelKey& key) {
  CHECK(hops_left(key) > 0);
  OwnedKey next = OwnedKey::of(key);
  --next.secret[kHopsAt];
  return next;
}

}  // namespace pgtend::pool
