#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace pgtend::net {
namespace {

void set_option(int descriptor, int level, int name, int value) {
  setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    loop_ = other.loop_;
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

Io Socket::send(std::string_view bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return loop_->send(descriptor_, {&piece, 1});
}

int Socket::release() {
  loop_->unwatch(descriptor_);
  return std::exchange(descriptor_, -1);
}

void Socket::close() {
  if (descriptor_ >= 0) loop_->close(std::exchange(descriptor_, -1));
}

void apply_options(int descriptor, const Address& peer, const SocketOptions& options) {
  if (options.buffer_bytes > 0) {
    set_option(descriptor, SOL_SOCKET, SO_SNDBUF, options.buffer_bytes);
    set_option(descriptor, SOL_SOCKET, SO_RCVBUF, options.buffer_bytes);
  }
  if (peer.is_unix()) return;
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.user_timeout_ms > 0) {
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, options.user_timeout_ms);
  }
  if (!options.keepalive) return;
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  const std::pair<int, int> values[] = {{TCP_KEEPIDLE, options.keepalive_idle_s},
                                        {TCP_KEEPINTVL, options.keepalive_interval_s},
                                        {TCP_KEEPCNT, options.keepalive_count}};
  for (const auto& [name, value] : values) {
    if (value > 0) set_option(descriptor, IPPROTO_TCP, name, value);
  }
}

Address peer_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return Address::from(storage, size);
}

Address local_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return Address::from(storage, size);
}

PeerIdentity identity_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {static_cast<int>(credentials.uid), credentials.pid};
}

}  // namespace pgtend::net
