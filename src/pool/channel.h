// One connection's bytes: what was received but is not complete, what could not be sent yet, and
// what the loop said about readiness.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "net/buffer.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pgtend::pool {

// Sends straight from the caller's memory and copies only the rest. Thread: the loop's.
class Channel {
 public:
  Channel(net::Socket socket, net::ChunkPool& chunks)
      : socket_(std::move(socket)), unsent_(chunks) {}

  net::Socket& socket() { return socket_; }
  bool is_open() const { return socket_.is_open(); }

  // Takes over what the loop told.
  void note(net::Ready ready);
  bool readable() const { return readable_; }
  bool peer_closed() const { return peer_closed_; }
  bool broken() const { return broken_; }

  // Sends or keeps `bytes`. False when the connection is gone.
  bool send(std::string_view bytes);
  // The same for two pieces in one system call.
  bool send(std::string_view first, std::string_view second);
  // Tries to send what was kept. False when the connection is gone.
  bool flush();
  size_t unsent() const { return unsent_.size(); }
  // What is unsent, to and from another process.
  std::string unsent_text() const { return unsent_.text(); }
  void keep_unsent(std::string_view bytes) { unsent_.append(bytes); }

  // Receives, and remembers when nothing more is to be had for now.
  net::Io receive(std::span<char> into);

 private:
  net::Socket socket_;
  net::Buffer unsent_;
  bool readable_ = false;
  bool peer_closed_ = false;
  bool broken_ = false;
};

}  // namespace pgtend::pool
