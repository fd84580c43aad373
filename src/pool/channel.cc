#include "pool/channel.h"

#include <array>

namespace pgtend::pool {
namespace {

constexpr size_t kPieces = 16;

}  // namespace

void Channel::note(net::Ready ready) {
  readable_ = readable_ || ready.readable || ready.peer_closed || ready.broken;
  peer_closed_ = peer_closed_ || ready.peer_closed;
  broken_ = broken_ || ready.broken;
}

bool Channel::send(std::string_view bytes) {
  if (bytes.empty()) return true;
  if (!unsent_.empty()) {
    unsent_.append(bytes);
    return true;
  }
  const net::Io io = socket_.send(bytes);
  if (io.kind == net::Io::Kind::Failed) return false;
  if (io.bytes < bytes.size()) unsent_.append(bytes.substr(io.bytes));
  return true;
}

bool Channel::send(std::string_view first, std::string_view second) {
  if (first.empty()) return send(second);
  if (!unsent_.empty()) {
    unsent_.append(first);
    unsent_.append(second);
    return true;
  }
  const iovec pieces[] = {{const_cast<char*>(first.data()), first.size()},
                          {const_cast<char*>(second.data()), second.size()}};
  const net::Io io = socket_.send(pieces);
  if (io.kind == net::Io::Kind::Failed) return false;
  if (io.bytes < first.size()) {
    unsent_.append(first.substr(io.bytes));
    unsent_.append(second);
  } else {
    unsent_.append(second.substr(io.bytes - first.size()));
  }
  return true;
}

bool Channel::flush() {
  while (!unsent_.empty()) {
    std::array<iovec, kPieces> pieces;
    const size_t count = unsent_.pieces(pieces);
    const net::Io io = socket_.send({pieces.data(), count});
    if (io.kind == net::Io::Kind::Failed) return false;
    if (io.kind != net::Io::Kind::Done) return true;
    unsent_.consume(io.bytes);
  }
  return true;
}

net::Io Channel::receive(std::span<char> into) {
  const net::Io io = socket_.receive(into);
  // A short read has emptied the socket: the next bytes come with an edge of their own. After the
  // peer has closed there is none, so reading goes on to the end.
  const bool drained = io.kind == net::Io::Kind::Done && io.bytes < into.size();
  if (io.kind == net::Io::Kind::Again || (drained && !peer_closed_)) readable_ = false;
  return io;
}

}  // namespace pgtend::pool
