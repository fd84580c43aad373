#include "pool/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/text.h"
#include "net/socket.h"

namespace pgtend::pool {
namespace {

void tell(const std::string& message) {
  const int told = sd_notify(0, message.c_str());
  if (told >= 0) return;
  log::warn("the service manager cannot be told",
            {log::kv("message", message), log::kv("cause", std::strerror(-told))});
}

Result<HandedSocket> handed_socket(int descriptor) {
  const bool listens = sd_is_socket(descriptor, AF_UNSPEC, SOCK_STREAM, 1) > 0;
  HandedSocket socket{net::local_of(descriptor), descriptor};
  const int family = socket.address.family();
  if (!listens || (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
    return Error{ErrorCode::Invalid,
                 cat("descriptor ", descriptor,
                     " from the service manager is no listening stream socket: its .socket file "
                     "needs ListenStream= with a TCP port or a path, and Accept=no")};
  }
  // Who waits in accept() serves nobody else.
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) {
    return Error{ErrorCode::Unavailable, cat("descriptor ", descriptor,
                                             " from the service manager: ", std::strerror(errno))};
  }
  return socket;
}

}  // namespace

bool is_supervised() {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return socket != nullptr && *socket != '\0';
}

Result<std::vector<HandedSocket>> handed_sockets() {
  constexpr int kForget = 1;  // the variables: so that nobody takes the sockets twice
  const int count = sd_listen_fds(kForget);
  if (count < 0) {
    return Error{ErrorCode::Invalid, cat("LISTEN_FDS does not fit the descriptors that the service "
                                         "manager has passed: ",
                                         std::strerror(-count))};
  }
  std::vector<HandedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.push_back(TRY(handed_socket(SD_LISTEN_FDS_START + i)));
  }
  return sockets;
}

std::string status_line(std::string_view status) {
  std::string line = printable(status);
  if (line.size() <= kStatusBytesMax) return line;
  size_t end = kStatusBytesMax;
  while ((static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;  // a whole character
  line.resize(end);
  return line;
}

void tell_ready(std::string_view status) { tell(cat("READY=1\nSTATUS=", status_line(status))); }

void tell_reloading(SteadyTime now) {
  const auto since = std::chrono::duration_cast<microseconds>(now.time_since_epoch());
  tell(cat("RELOADING=1\nMONOTONIC_USEC=", since.count()));
}

void tell_stopping() { tell("STOPPING=1"); }

}  // namespace pgtend::pool
