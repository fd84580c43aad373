#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace pgtend::net {
namespace {

struct FreeAddrinfo {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

template <class T>
Address from_sockaddr(const T& address, size_t size) {
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return Address::from(storage, static_cast<socklen_t>(size));
}

}  // namespace

Result<Address> Address::ip(std::string_view address, int port) {
  const std::string text(address);
  if (port < 0 || port > 65535) return Error{ErrorCode::Invalid, cat("no such port: ", port)};
  sockaddr_in v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
    return from_sockaddr(v4, sizeof v4);
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<uint16_t>(port));
    return from_sockaddr(v6, sizeof v6);
  }
  return Error{ErrorCode::Invalid, cat("not an IP address: \"", printable(text), "\"")};
}

Result<Address> Address::unix_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::Limit, cat("unix socket path is longer than ",
                                       sizeof address.sun_path - 1, " bytes: ", printable(path))};
  }
  path.copy(address.sun_path, path.size());
  const bool abstract = path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const size_t size = offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1);
  return from_sockaddr(address, size);
}

Address Address::from(const sockaddr_storage& storage, socklen_t size) {
  Address address;
  address.storage_ = storage;
  address.size_ = size;
  return address;
}

bool Address::is_unix() const { return storage_.ss_family == AF_UNIX; }

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage_.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage_);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return text;
  }
  if (storage_.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage_);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return text;
  }
  const auto& local = reinterpret_cast<const sockaddr_un&>(storage_);
  const size_t head = offsetof(sockaddr_un, sun_path);
  if (size_ <= head) return "unix";
  const size_t room = size_ - head;
  if (local.sun_path[0] == '\0') return cat('@', std::string_view(local.sun_path + 1, room - 1));
  return std::string(local.sun_path, strnlen(local.sun_path, room));
}

int Address::port() const {
  if (storage_.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
  }
  if (storage_.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
  }
  return 0;
}

Address Address::with_port(int port) const {
  Address other = *this;
  const uint16_t value = htons(static_cast<uint16_t>(port));
  if (storage_.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(other.storage_).sin_port = value;
  } else {
    reinterpret_cast<sockaddr_in6&>(other.storage_).sin6_port = value;
  }
  return other;
}

std::string Address::text() const {
  if (storage_.ss_family == AF_INET6) return cat('[', host(), "]:", port());
  return is_unix() ? host() : cat(host(), ':', port());
}

Result<std::vector<Address>> resolve(const std::string& host, int port) {
  if (!host.empty() && (host[0] == '/' || host[0] == '@')) {
    return std::vector{TRY(Address::unix_path(cat(host, "/.s.PGSQL.", port)))};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(host.c_str(), cat(port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, FreeAddrinfo> owner(list);
  if (failed != 0) {
    return Error{ErrorCode::Unavailable,
                 cat("cannot resolve host \"", printable(host), "\": ", gai_strerror(failed))};
  }
  std::vector<Address> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(Address::from(storage, entry->ai_addrlen));
  }
  return addresses;
}

}  // namespace pgtend::net
