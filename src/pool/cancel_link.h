// The short connection that carries one cancel request, to a server or to another process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/loop.h"
#include "pool/channel.h"

namespace pgtend::pool {

class Worker;

// Sends one CancelRequest and then waits for the other end to close: the only sign that the request
// was handled. Gone at the end of the turn of its on_end() at the earliest. Thread: one loop's.
class CancelLink : private net::Handler {
 public:
  CancelLink(const CancelLink&) = delete;
  CancelLink& operator=(const CancelLink&) = delete;
  virtual ~CancelLink() = default;

  // Connects to the first of `addresses` that lets it; on_end() may come at once.
  void open(std::vector<net::Address> addresses);
  bool is_sent() const { return sent_; }
  // The one that is, or was last, tried.
  const net::Address& address() const { return address_; }

 protected:
  enum class End : uint8_t {
    Closed,     // by the other end: what was sent has been handled
    Needless,   // it was not wanted any more
    Unreached,  // see cause()
    Late,
  };

  // Everything has to be over at `deadline`.
  CancelLink(Worker& worker, SteadyTime deadline);
  Worker& worker() { return worker_; }
  // Why no address could be reached.
  const std::string& cause() const { return cause_; }

 private:
  // Connected: the bytes to send, or "" if nobody wants that any more.
  virtual std::string request() = 0;
  virtual void on_sent() = 0;
  // Called once.
  virtual void on_end(End end) = 0;

  void connect_next();
  bool connect();
  void on_ready(net::Ready ready) override;
  void on_connected();
  void end(End how);

  Worker& worker_;
  std::vector<net::Address> left_;  // to be tried, the last one first
  net::Address address_;
  std::string cause_;
  std::optional<Channel> channel_;
  net::Timer timer_;
  bool sent_ = false;
  bool ended_ = false;
};

}  // namespace pgtend::pool
