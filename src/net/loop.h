// The event loop: one a thread, everything the data plane does goes through it. An interface,
// because it has several implementations: epoll (loop_epoll.cc), and others that keep the same
// promises.
#pragma once

#include <sys/uio.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"
#include "net/timers.h"

namespace pgtend::net {

// What became possible on a descriptor since it was last told ("edge"): the handler reads or writes
// until Again, or asks for another turn with resume_later().
struct Ready {
  bool readable = false;
  bool writable = false;
  bool peer_closed = false;  // the peer sends no more; what it sent before may still be unread
  bool broken = false;       // an error, or closed in both directions
};

// Lives at least until its descriptor is closed. Never called again after that.
class Handler {
 public:
  virtual void on_ready(Ready ready) = 0;

 protected:
  ~Handler() = default;
};

// The outcome of one receive or send.
struct Io {
  enum class Kind : uint8_t {
    Done,    // `bytes` were moved (at least one)
    Again,   // nothing possible now; on_ready() will tell
    Closed,  // receive only: the peer sends no more
    Failed,  // the connection is gone; `error` is an errno
  };
  Kind kind = Kind::Again;
  size_t bytes = 0;
  int error = 0;
};

// Keepalive and friends; 0 keeps the system's value.
struct SocketOptions {
  bool keepalive = true;
  int keepalive_idle_s = 0;
  int keepalive_interval_s = 0;
  int keepalive_count = 0;
  int user_timeout_ms = 0;
  int buffer_bytes = 0;
};

struct Accepted {
  int descriptor = -1;
  Address peer;
};

// Descriptors are plain ints that belong to the loop they were made on, until close() or unwatch().
// Thread: the one that calls run(), except post() and stop(): any.
class Loop {
 public:
  using Task = std::function<void()>;

  virtual ~Loop() = default;

  // Starts a connection; on_ready() says writable when it stands, then connect_result() tells how
  // it went. Errors: Unavailable, Limit.
  virtual Result<int> connect(const Address& address, const SocketOptions& options) = 0;
  // 0, or the errno of a failed connect().
  virtual int connect_result(int descriptor) = 0;
  // Two descriptors that are connected with each other, both of this loop. Errors: Limit.
  virtual Result<std::pair<int, int>> pair() = 0;
  // A listening socket. A stale unix socket file is replaced, a living one is not. `shared`: other
  // processes may listen on the same TCP port, and the system deals connections out to all.
  // Errors: Unavailable (in use), Denied, Limit.
  virtual Result<int> listen(const Address& address, int backlog, bool shared) = 0;
  // The next connection; nullopt when none waits. Errors: Limit when descriptors have run out.
  virtual Result<std::optional<Accepted>> accept(int listener) = 0;

  virtual Io receive(int descriptor, std::span<char> into) = 0;
  // Sends the pieces in order; may send less than all.
  virtual Io send(int descriptor, std::span<const iovec> pieces) = 0;
  // Tells the peer that no more will be sent; receiving goes on.
  virtual void shutdown_send(int descriptor) = 0;
  // From now on `handler` hears of the descriptor, in both directions. Once a descriptor.
  virtual Status watch(int descriptor, Handler& handler) = 0;
  // The end of watch() for an open descriptor: another loop of the same kind may watch it now.
  virtual void unwatch(int descriptor) = 0;
  virtual void close(int descriptor) = 0;

  // Calls the watcher's on_ready({}) once more in the next turn: after a bounded share of work.
  virtual void resume_later(int descriptor) = 0;
  // Runs `task` at the end of this turn: the place to destroy what is on the call stack now.
  virtual void defer(Task task) = 0;
  // Runs `task` on the loop's thread soon. Thread: any.
  virtual void post(Task task) = 0;

  // Serves until stop(). A stopped loop may run again.
  virtual void run() = 0;
  // Also before run(), which then returns at once. Thread: any.
  virtual void stop() = 0;

  // Monotonic time, read once a turn.
  virtual SteadyTime now() const = 0;
  Timers& timers() { return timers_; }

 private:
  Timers timers_;
};

// The epoll implementation. Errors: Unavailable when the system refuses a descriptor.
// `clock` outlives the loop.
Result<std::unique_ptr<Loop>> make_epoll_loop(const Clock& clock);

}  // namespace pgtend::net
