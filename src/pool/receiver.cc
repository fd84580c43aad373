#include "pool/receiver.h"

#include "base/check.h"

namespace pgtend::pool {

net::Io Receiver::receive(Channel& channel, Inbound& inbound, std::string_view& bytes) {
  CHECK(inbound.rest.size() <= kRestMax);
  char* const fresh = buffer_.get() + kRestMax;
  const net::Io io = channel.receive({fresh, read_bytes_});
  if (io.kind != net::Io::Kind::Done) return io;
  char* const begin = fresh - inbound.rest.size();
  inbound.rest.copy(begin, inbound.rest.size());
  bytes = {begin, inbound.rest.size() + io.bytes};
  inbound.rest.clear();
  return io;
}

}  // namespace pgtend::pool
