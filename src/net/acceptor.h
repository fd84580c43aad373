// A listening socket that hands out connections, and survives running out of descriptors.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pgtend::net {

// Calls `take` for each connection, which then owns the descriptor. When descriptors run out a
// spare one is given up to accept and drop one connection at a time, so that peers see a close
// instead of a hang, and the rest waits kPause. A unix socket's file is removed by the destructor.
// Thread: the loop's.
class Acceptor final : private Handler {
 public:
  using Take = std::function<void(Accepted)>;

  // Errors: those of Loop::listen().
  static Result<std::unique_ptr<Acceptor>> open(Loop& loop, const Address& address, int backlog,
                                                Take take, bool shared = false);
  // The same for a listening socket that exists already, from another process.
  // Errors: those of Loop::watch(); then `descriptor` is closed.
  static Result<std::unique_ptr<Acceptor>> adopt(Loop& loop, const Address& address, int descriptor,
                                                 Take take);
  ~Acceptor();

  // Gives up the listening socket, whose file stays.
  int release();
  // The file of the unix socket stays in any case: it is somebody else's.
  void leave_file() { file_stays_ = true; }
  // Takes no connections until it is to: they wait in the system's queue.
  void pause(bool paused);
  const Address& address() const { return address_; }
  int descriptor() const { return listener_.descriptor(); }
  // TCP_DEFER_ACCEPT: a connection is seen once its peer has sent something, or after about so many
  // seconds; 0: at once. Nothing on unix sockets. Best effort.
  void defer_accept(int seconds_most);

 private:
  static constexpr int kPerTurn = 64;
  static constexpr milliseconds kPause{100};

  Acceptor(Loop& loop, const Address& address, Take take);
  void on_ready(Ready ready) override;
  void shed();

  Loop& loop_;
  Address address_;
  Take take_;
  Socket listener_;
  int spare_ = -1;
  bool paused_ = false;
  bool file_stays_ = false;
  Timer pause_;
};

}  // namespace pgtend::net
