// The pool between peers whose every byte its user writes: one worker, one database, no dice but
// those of the network.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/acceptor.h"
#include "pool/workers.h"
#include "sim/sim_net.h"
#include "wire/startup.h"

namespace pgtend::sim {

// One end of a connection, in its user's hand. Thread: one.
class Peer final : private net::Handler {
 public:
  Peer(net::Loop& loop, int descriptor);

  void send(std::string_view bytes);
  void half_close() { socket_.shutdown_send(); }
  void close() { socket_.close(); }
  // What came since the last call.
  std::string take() { return std::exchange(in_, {}); }
  bool ended() const { return ended_; }
  bool is_open() const { return socket_.is_open(); }

 private:
  void on_ready(net::Ready) override;
  void flush();

  net::Socket socket_;
  std::string in_;
  std::string out_;
  bool ended_ = false;
};

// Thread: one.
class SmallWorld {
 public:
  SmallWorld(uint64_t seed, NetworkOptions options);

  // A pool of one link, in transaction mode unless `more` lines of [pgbouncer] say otherwise.
  void start(const std::vector<std::pair<std::string, std::string>>& more = {});
  // A reload that changes one setting.
  void set(std::string_view key, std::string_view value);
  // Until nothing is under way any more; time passes only as far as that needs. How often the
  // pool's loop had a turn.
  size_t settle();
  // How many things happened in that time; no more than kStepsMax, which time may not survive.
  size_t pass(milliseconds time);

  size_t say(Peer& peer, std::string_view bytes);
  // A connection to the pool that has said nothing yet.
  Peer& stranger();
  // A client that has sent its start packet, with `more` in it.
  Peer& client(const wire::StartupParameters& more = {});
  // Answers the pool's start packet.
  void welcome(Peer& server);

  static constexpr size_t kStepsMax = 100'000;

 private:
  Dice dice_;
  ManualClock clock_;
  Journal journal_{clock_};
  SimNetwork network_;
  SimScheduler scheduler_{dice_, clock_, network_};
  SimLoop& pool_loop_ = scheduler_.add_loop();
  SimLoop& peers_ = scheduler_.add_loop();
  net::Address server_address_ = net::Address::ip("10.0.0.1", 5432).take();
  std::unique_ptr<net::Acceptor> acceptor_;

 public:
  // They end before the loops that they are on.
  std::deque<std::unique_ptr<Peer>> clients;
  std::deque<std::unique_ptr<Peer>> servers;
  std::unique_ptr<pool::Workers> workers;
};

}  // namespace pgtend::sim
