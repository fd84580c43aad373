// A connected descriptor with an owner, and the system calls the loops share.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/loop.h"

namespace pgtend::net {

// Owns one descriptor of a loop and closes it. Movable. Thread: the loop's.
class Socket {
 public:
  Socket() = default;
  Socket(Loop& loop, int descriptor) : loop_(&loop), descriptor_(descriptor) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept
      : loop_(other.loop_), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  Status watch(Handler& handler) { return loop_->watch(descriptor_, handler); }
  Io receive(std::span<char> into) { return loop_->receive(descriptor_, into); }
  Io send(std::span<const iovec> pieces) { return loop_->send(descriptor_, pieces); }
  Io send(std::string_view bytes);
  void shutdown_send() { loop_->shutdown_send(descriptor_); }
  void resume_later() { loop_->resume_later(descriptor_); }
  void close();
  // Gives up the descriptor, which its loop watches no more: the caller owns it.
  int release();

 private:
  Loop* loop_ = nullptr;
  int descriptor_ = -1;
};

// Applies what the platform knows of `options` to a TCP socket (others: the buffer size only).
// Best effort: a refused option is not an error.
void apply_options(int descriptor, const Address& peer, const SocketOptions& options);

// The far and the near end of a connected socket; an unnamed address when the system does not know.
Address peer_of(int descriptor);
Address local_of(int descriptor);

// Sends `bytes` over a unix socket, with its first byte a copy of `descriptor` (-1: none). May
// BLOCK up to `limit`. Errors: Unavailable.
Status send_with_descriptor(int socket, std::string_view bytes, int descriptor, milliseconds limit);
// Receives some bytes and appends the descriptors that came with them to `descriptors`; 0 at the
// end. May BLOCK up to `limit`. Errors: Unavailable.
Result<size_t> receive_with_descriptors(int socket, std::span<char> into,
                                        std::vector<int>& descriptors, milliseconds limit);

// The user id and process at the other end of a unix socket; -1 when unknown.
struct PeerIdentity {
  int uid = -1;
  int pid = -1;
};
PeerIdentity identity_of(int descriptor);

}  // namespace pgtend::net
