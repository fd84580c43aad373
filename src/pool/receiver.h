// The one receive buffer of a worker, and what a connection remembers between two reads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "pool/channel.h"

namespace pgtend::pool {

// Where a connection stands in the stream of messages that it receives.
struct Inbound {
  std::string rest;     // the beginning of a message of which more is needed
  uint64_t left = 0;    // bytes to come of the message that is streaming
  bool passing = true;  // whether that message goes to the other side

  bool at_boundary() const { return left == 0 && rest.empty(); }
};

// Longest piece of a message that may be kept in Inbound::rest, in bytes.
inline constexpr size_t kRestMax = size_t{64} << 10;

// Thread: one loop's. The bytes it returns are valid until the next call.
class Receiver {
 public:
  // `read_bytes`: the most that one read takes.
  explicit Receiver(size_t read_bytes)
      : read_bytes_(read_bytes),
        buffer_(std::make_unique_for_overwrite<char[]>(kRestMax + read_bytes)) {}

  // Reads once; `bytes` is what was kept in inbound.rest and what came, in one piece.
  net::Io receive(Channel& channel, Inbound& inbound, std::string_view& bytes);

 private:
  const size_t read_bytes_;
  const std::unique_ptr<char[]> buffer_;
};

}  // namespace pgtend::pool
