// The service manager (systemd) that started this process, if one did. It is told how far the
// process is, and may have opened the sockets to listen on. Without one nothing here does anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"

namespace pgtend::pool {

// A listening socket that somebody else has opened.
struct HandedSocket {
  net::Address address;
  int descriptor = -1;
};

// Whether one wants to be told (NOTIFY_SOCKET).
bool is_supervised();

// The sockets that it has opened for this process (LISTEN_FDS, LISTEN_PID): none if the variables
// are not there or are for another process. The caller owns the descriptors; the sockets and their
// files stay the manager's, too. A second call has none. Before threads start.
// Errors: Invalid when one of them is no listening stream socket, TCP or unix.
Result<std::vector<HandedSocket>> handed_sockets();

// Tells it that the process serves, also after a reload; `status` is what `systemctl status` shows,
// as one line. This and what follows: what goes wrong is logged; it may BLOCK while the manager
// does not read. Thread: any, one at a time.
void tell_ready(std::string_view status);
// A reload begins at `now`: a tell_ready() says that it is over, also when it has failed.
void tell_reloading(SteadyTime now);
// The process is about to end.
void tell_stopping();

// `status` as tell_ready() sends it: printable, at most kStatusBytesMax long.
inline constexpr size_t kStatusBytesMax = 1024;
std::string status_line(std::string_view status);

}  // namespace pgtend::pool
