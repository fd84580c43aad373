// The keys that clients hold for their cancel requests: which worker made one, which process, and
// how often it may still be passed on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "wire/startup.h"

namespace pgtend::pool {

// A cancel key carries its worker's number in so many low bits of the pid.
inline constexpr int kWorkerBits = 6;
inline constexpr size_t kWorkersMax = size_t{1} << kWorkerBits;
inline constexpr int kPeerIdMax = 16383;

// Pid and secret make at least eight bytes on the wire; longer secrets begin the same way. With a
// peer id they are laid out as PgBouncer's:
//
//   byte 0     top bit clear, the rest random
//   byte 1, 2  the peer id, low byte first
//   byte 3     two random bits, then the worker's number
//   byte 4-6   random
//   byte 7     random but for the two lowest bits: how often the key may be passed on
//
// Without one bytes 1 and 2 are random too. The two lowest bits of byte 7 never tell two keys
// apart.
struct OwnedKey {
  int32_t pid = 0;
  std::string secret;

  wire::CancelKey view() const { return {pid, secret}; }
  static OwnedKey of(const wire::CancelKey& key) { return {key.pid, std::string(key.secret)}; }
};

// A new random key that may be passed on three times. `peer_id`: 0 for none. `secret_bytes`: at
// least 4. Thread: any, as all here.
OwnedKey make_key(size_t secret_bytes, size_t worker, int peer_id);
// The key of a client must look the same however often it was passed on. Takes the same time
// wherever two keys differ; only their lengths may be learned.
bool is_same_key(const wire::CancelKey& a, const wire::CancelKey& b);

size_t worker_of(const wire::CancelKey& key);
// May be any number of two bytes.
int peer_of(const wire::CancelKey& key);
int hops_left(const wire::CancelKey& key);
// The key as the next process gets it; hops_left() is at least 1.
OwnedKey with_one_hop_less(const wire::CancelKey& key);

}  // namespace pgtend::pool
