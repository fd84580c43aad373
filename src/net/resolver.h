// Host names looked up in the DNS without stopping a loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"

namespace pgtend::net {

// What the DNS, or the machine's hosts file, tells of a name.
struct Found {
  std::vector<Address> addresses;  // at least one, in the order to be tried; port 0
  seconds ttl{};                   // how long it may be believed
};

// Thread: any. The answers come on the resolver's own thread, each once, also when it ends.
class Resolver {
 public:
  virtual ~Resolver() = default;

  // Errors: NotFound when there is no such name, Unavailable when nobody answers.
  virtual void look_up(const std::string& host, std::function<void(Result<Found>)> done) = 0;
  // The serial number of the zone (RFC 1035, SOA). Errors: as above.
  virtual void read_serial(const std::string& zone, std::function<void(Result<int64_t>)> done) = 0;
};

// The name servers of a resolv.conf, "ADDRESS" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6), by
// comma, as c-ares takes them; it reads no ports from such a file itself.
std::string servers_in(std::string_view resolv_conf);

// The one that asks name servers, with a thread of its own. `resolv_conf`: who they are, also with
// ports, "" for /etc/resolv.conf. Errors: those of
// read_text_file() for that file; Invalid, Unavailable.
Result<std::unique_ptr<Resolver>> make_resolver(const std::string& resolv_conf);

}  // namespace pgtend::net
