#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace pgtend::net {
namespace {

void set_option(int descriptor, int level, int name, int value) {
  setsockopt(descriptor, level, name, &value, sizeof value);
}

// Waits for `events` on `socket`.
Status await(int socket, short events, milliseconds limit) {
  pollfd waited{.fd = socket, .events = events, .revents = 0};
  const int count = ::poll(&waited, 1, static_cast<int>(limit.count()));
  if (count > 0 || (count < 0 && errno == EINTR)) return ok();
  return Error{ErrorCode::Unavailable, count == 0 ? "no answer in time" : std::strerror(errno)};
}

// Room for the control message of so many descriptors.
constexpr size_t kDescriptorsMax = 16;
using Control = std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))>;

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

Status send_with_descriptor(int socket, std::string_view bytes, int descriptor,
                            milliseconds limit) {
  while (!bytes.empty()) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) Control control{};
    if (descriptor >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(sizeof(int));
      cmsghdr* const head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
    }
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      descriptor = -1;
    } else if (errno == EAGAIN) {
      TRY(await(socket, POLLOUT, limit));
    } else if (errno != EINTR) {
      return Error{ErrorCode::Unavailable, cat("send a descriptor: ", std::strerror(errno))};
    }
  }
  return ok();
}

Result<size_t> receive_with_descriptors(int socket, std::span<char> into,
                                        std::vector<int>& descriptors, milliseconds limit) {
  while (true) {
    iovec piece{into.data(), into.size()};
    alignas(cmsghdr) Control control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      TRY(await(socket, POLLIN, limit));
      continue;
    }
    if (count < 0) {
      return Error{ErrorCode::Unavailable, cat("receive descriptors: ", std::strerror(errno))};
    }
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
         head = CMSG_NXTHDR(&message, head)) {
      if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
      const size_t bytes = head->cmsg_len - CMSG_LEN(0);
      const size_t first = descriptors.size();
      descriptors.resize(first + bytes / sizeof(int));
      std::memcpy(descriptors.data() + first, CMSG_DATA(head), bytes);
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
      return Error{ErrorCode::Unavailable,
                   "descriptors were lost: is the limit of open files (ulimit -n) high enough?"};
    }
    return static_cast<size_t>(count);
  }
}

PeerIdentity identity_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {static_cast<int>(credentials.uid), credentials.pid};
}

}  // namespace pgtend::net
