// Seeded clients of the pool on the simulated network: they log in, work, read slowly, cancel,
// leave politely or not, and check every byte that comes back.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"
#include "sim/client_script.h"
#include "sim/journal.h"
#include "sim/sim_net.h"

namespace pgtend::sim {

// Of a thousand.
struct ClientHabits {
  uint64_t sudden = 0;     // lives that end at any moment: vanish, reset, half-close, Terminate
  uint64_t cancel = 0;     // steps during which a cancel is sent
  uint64_t slow_read = 0;  // reads followed by a pause
  uint64_t replicate = 0;  // lives with a link of their own: sessions in whatever mode
  uint64_t trickle = 50;   // sends cut short, the rest follows later
  bool errors_allowed = false;  // the pool may close with FATAL, or without a word
};

// What all clients of a run share.
struct ClientWorld {
  std::vector<net::Address> pools;  // where a pool listens
  std::vector<std::string> databases;
  std::vector<std::string> users;
  bool names = false;           // named prepared statements work
  bool blocks = false;          // transaction blocks work
  const Clock* held = nullptr;  // as ScriptWriter's
  ClientHabits habits;
};

class SimClients;

// One client. Thread: the loop's.
class SimClient final : private net::Handler {
 public:
  SimClient(SimClients& owner, int id);
  void start();
  std::string state() const;

 private:
  enum class State : uint8_t { Connecting, Login, Working, Leaving, Closed };

  void on_ready(net::Ready ready) override;
  void connected();
  void read();
  void on_message(char type, std::string_view body);
  void on_login_message(char type, std::string_view body);
  void on_end();
  void act();
  void act_later(milliseconds time);
  void send(std::string_view messages);
  void flush();
  void leave();
  void sudden_end();
  void maybe_cancel();
  void close();
  void fail(std::string_view what);
  SteadyTime in(milliseconds time) const;

  SimClients& owner_;
  Dice& dice_;
  int id_;
  State state_ = State::Connecting;
  net::Address address_;
  std::map<std::string, std::string> startup_;
  net::Socket socket_;
  bool replicates_;
  ScriptWriter writer_;
  Mirror mirror_;
  std::deque<Step> steps_;
  int64_t operations_;
  std::string input_;
  std::string out_;
  int32_t pid_ = 0;
  std::string secret_;
  bool half_closed_ = false;
  bool reading_ = true;
  net::Timer act_timer_;
  net::Timer doom_timer_;
  net::Timer send_timer_;
  net::Timer read_timer_;
};

// Keeps so many clients busy until all operations are done. Thread: the loop's.
class SimClients {
 public:
  struct Totals {
    uint64_t queries = 0;
    uint64_t transactions = 0;
    uint64_t operations = 0;
    uint64_t clients = 0;
    uint64_t errors = 0;  // FATAL, or closed by the pool
    uint64_t cancels = 0;
  };

  SimClients(SimLoop& loop, SimNetwork& network, Dice& dice, Journal& journal, ClientWorld world);
  ~SimClients();

  void begin(int count, int64_t operations);
  // Every client has ended, and no more will come.
  bool done() const { return clients_.empty() && cancels_.empty(); }
  const Totals& totals() const { return totals_; }
  // What each client waits for, one a line.
  std::string state() const;

 private:
  friend class SimClient;
  class CancelLink;

  void spawn();
  void remove(int id);
  void cancel(const net::Address& address, int32_t pid, std::string_view secret);
  void cancel_done(int id);
  bool take_operation();

  SimLoop& loop_;
  SimNetwork& network_;
  Dice& dice_;
  Journal& journal_;
  ClientWorld world_;
  Totals totals_;
  std::map<int, std::unique_ptr<SimClient>> clients_;
  std::map<int, std::unique_ptr<CancelLink>> cancels_;
  int64_t operations_left_ = 0;
  int next_id_ = 1;
};

}  // namespace pgtend::sim
