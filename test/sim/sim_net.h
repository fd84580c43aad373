// A network, a clock and event loops in memory: the promises of net::Loop as loop_epoll.cc keeps
// them on a real system, but every delay, cut and order is drawn by a seed, and all loops run in
// one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/mailbox.h"
#include "sim/journal.h"

namespace pgtend::sim {

class SimLoop;

struct NetworkOptions {
  microseconds delay_max{500};  // of one delivery
  uint64_t split = 300;         // of a thousand deliveries bring only a few bytes
  int64_t buffer_min = 64;      // of one direction on one side, in bytes
  int64_t buffer_max = 32768;
  bool resets = true;  // what is sent to a closed peer, or not read by it, breaks the connection
  uint64_t connect_failures = 0;  // of a thousand connect() calls fail at once
};

// Connections between loops. Descriptors are numbers no real one has, so that a system call on one
// fails and changes nothing; freed ones are used again at once. Thread: one.
class SimNetwork {
 public:
  SimNetwork(Dice& dice, ManualClock& clock, Journal& journal, NetworkOptions options);

  // What happens on the wire next, and when.
  std::optional<SteadyTime> next() const;
  bool due() const;
  void deliver_one();
  // Closing `descriptor` will send a reset at once instead of what is still under way.
  void reset_on_close(int descriptor) { side(descriptor).reset_on_close = true; }
  // Bytes and connections that have arrived: while this grows, something happens.
  uint64_t progress() const { return progress_; }
  size_t open_descriptors() const { return open_; }

 private:
  friend class SimLoop;
  static constexpr int kFirstDescriptor = 1 << 20;

  // One end of a connection. `outgoing` is sent and under way, `incoming` has arrived.
  struct Side {
    int descriptor = -1;  // -1: not accepted yet, or closed
    SimLoop* loop = nullptr;
    std::string outgoing;
    std::string incoming;
    size_t outgoing_max = 0;
    size_t incoming_max = 0;
    bool connecting = false;
    int connect_error = 0;
    bool closed = false;
    bool shut = false;         // sends no more
    bool end_arrived = false;  // the peer sends no more
    bool reset = false;
    bool reset_told = false;
    bool reset_on_close = false;
    bool hung_up = false;  // of unix sockets: the peer is closed altogether
    bool full = false;     // a send met a full buffer: room makes an edge
    bool delivering = false;
  };
  struct Listener;
  struct Link {
    bool is_unix = false;
    Side sides[2];  // 0 connects, 1 accepts
    std::shared_ptr<Listener> listener;
  };
  struct Listener {
    int descriptor = -1;
    SimLoop* loop = nullptr;
    std::string name;
    std::deque<std::shared_ptr<Link>> waiting;
  };
  struct Slot {
    std::shared_ptr<Listener> listener;
    std::shared_ptr<Link> link;
    int side = 0;
    bool used() const { return listener != nullptr || link != nullptr; }
  };
  enum class What : uint8_t { Connected, Delivery, Reset };
  struct Event {
    SteadyTime at;
    uint64_t order;
    What what;
    std::shared_ptr<Link> link;
    int side;  // who sends
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  Result<int> connect(SimLoop& loop, const net::Address& address);
  int connect_result(int descriptor);
  std::pair<int, int> pair(SimLoop& loop);
  void size_buffers(Link& link);
  Result<int> listen(SimLoop& loop, const net::Address& address);
  std::optional<net::Accepted> accept(SimLoop& loop, int descriptor);
  net::Io receive(int descriptor, std::span<char> into);
  net::Io send(int descriptor, std::span<const iovec> pieces);
  void shutdown_send(int descriptor);
  void close(int descriptor);
  // The level of a descriptor, as a poll would tell it.
  net::Ready poll(int descriptor);
  void moved_to(SimLoop& loop, int descriptor);
  // At times the system moves bytes between two calls of a program.
  void meanwhile();

  Slot& slot(int descriptor);
  Side& side(int descriptor) { return slot(descriptor).link->sides[slot(descriptor).side]; }
  int add(Slot slot);
  void schedule(What what, const std::shared_ptr<Link>& link, int side);
  void schedule_delivery(const std::shared_ptr<Link>& link, int side);
  void on_connected(const std::shared_ptr<Link>& link);
  void on_delivery(const std::shared_ptr<Link>& link, int side);
  void on_reset(const std::shared_ptr<Link>& link, int side);
  void close_side(const std::shared_ptr<Link>& link, int index);
  static void mark(const Side& side);
  static bool has_room(const Side& side) {
    return (side.outgoing_max - side.outgoing.size()) * 3 >= side.outgoing_max;
  }

  Dice& dice_;
  ManualClock& clock_;
  Journal& journal_;
  NetworkOptions options_;
  std::vector<Slot> slots_;
  std::map<std::string, std::shared_ptr<Listener>> listeners_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  uint64_t progress_ = 0;
  uint64_t peers_ = 0;
  size_t open_ = 0;
};

// One loop. Instead of run() a scheduler calls turn(), which is one round of the epoll loop's.
// Thread: one for all loops of a network; post() keeps its own order and arrives later.
class SimLoop final : public net::Loop {
 public:
  SimLoop(Dice& dice, ManualClock& clock, SimNetwork& network)
      : dice_(dice), clock_(clock), network_(network), now_(clock.steady()) {}

  Result<int> connect(const net::Address& address, const net::SocketOptions&) override;
  int connect_result(int descriptor) override { return network_.connect_result(descriptor); }
  Result<std::pair<int, int>> pair() override { return network_.pair(*this); }
  Result<int> listen(const net::Address& address, int backlog, bool shared) override;
  Result<std::optional<net::Accepted>> accept(int listener) override;
  net::Io receive(int descriptor, std::span<char> into) override;
  net::Io send(int descriptor, std::span<const iovec> pieces) override;
  void shutdown_send(int descriptor) override { network_.shutdown_send(descriptor); }
  Status watch(int descriptor, net::Handler& handler) override;
  void unwatch(int descriptor) override;
  void close(int descriptor) override;
  void resume_later(int descriptor) override;
  void defer(Task task) override { deferred_.push_back(std::move(task)); }
  void post(Task task) override;
  void run() override;
  void stop() override { stopped_ = true; }
  SteadyTime now() const override { return now_; }

  bool stopped() const { return stopped_; }
  // Nothing to do, and nothing posted.
  bool is_idle() const { return !has_work() && !mail_at_; }
  // Something to do at this moment.
  bool has_work() const;
  std::optional<SteadyTime> next() const;
  void turn();

 private:
  friend class SimNetwork;
  friend class SimScheduler;

  struct Watch {
    net::Handler* handler = nullptr;
    uint32_t generation = 0;
    bool resuming = false;
    bool marked = false;  // in ready_
  };
  struct Ticket {
    int descriptor;
    uint32_t generation;
  };
  struct Told {
    Ticket ticket;
    net::Ready ready;
  };

  Watch& entry(int descriptor);
  // An edge: the descriptor is looked at in the next turn.
  void mark(int descriptor);
  std::vector<Told> harvest();
  void read_mail();

  Dice& dice_;
  ManualClock& clock_;
  SimNetwork& network_;
  SteadyTime now_;
  std::vector<Watch> watches_;  // by descriptor
  std::vector<Ticket> ready_;
  std::vector<Ticket> resumed_;
  std::vector<Task> deferred_;
  net::Mailbox mailbox_;
  std::optional<SteadyTime> mail_at_;
  std::function<bool()> step_;  // of the scheduler, for run()
  bool stopped_ = false;
};

// Decides by the seed who runs next; lets time pass when nobody can. Thread: one.
class SimScheduler {
 public:
  SimScheduler(Dice& dice, ManualClock& clock, SimNetwork& network)
      : dice_(dice), clock_(clock), network_(network) {}

  // Lives as long as the scheduler.
  SimLoop& add_loop();
  // The next thing, or the wait for it. False when nothing will ever happen again.
  bool step();
  // The loop that had a turn in the last step, or null.
  SimLoop* ran() const { return ran_; }

 private:
  Dice& dice_;
  ManualClock& clock_;
  SimNetwork& network_;
  std::vector<std::unique_ptr<SimLoop>> loops_;
  SimLoop* ran_ = nullptr;
};

}  // namespace pgtend::sim
