// Where a socket listens or connects: an IPv4 or IPv6 address with a port, or a unix socket's path.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::net {

// Immutable value. Thread: any.
class Address {
 public:
  Address() = default;

  // A numeric IPv4 or IPv6 address. Errors: Invalid.
  static Result<Address> ip(std::string_view address, int port);
  // A path, or an abstract name after '@'. Errors: Limit when it exceeds the system's 107 bytes.
  static Result<Address> unix_path(std::string_view path);
  // The same with another port. Not for unix sockets.
  Address with_port(int port) const;
  // From what the system filled in.
  static Address from(const sockaddr_storage& storage, socklen_t size);

  bool is_unix() const;
  // "127.0.0.1", "::1", the path, "@name"; "unix" for an unnamed unix peer.
  std::string host() const;
  // 0 for unix sockets.
  int port() const;
  // "127.0.0.1:5432", "[::1]:5432", "/tmp/.s.PGSQL.5432".
  std::string text() const;

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// The addresses of `host`, which is a path ("/dir" or "@name": the socket ".s.PGSQL.port" in it), a
// numeric address or a name. Names are looked up with the system's resolver, which may BLOCK: call
// it at start and on reload, never on a loop under traffic. Errors: Unavailable, Invalid, Limit.
Result<std::vector<Address>> resolve(const std::string& host, int port);

}  // namespace pgtend::net
