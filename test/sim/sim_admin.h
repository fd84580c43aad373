// An administrator who switches databases while they are served, by the seed, and checks what each
// command promises.
#pragma once

#include <string>
#include <vector>

#include "net/timers.h"
#include "pool/lifecycle.h"
#include "pool/table_holds.h"
#include "pool/workers.h"
#include "sim/fake_backend.h"
#include "sim/journal.h"
#include "sim/sim_net.h"

namespace pgtend::sim {

// Thread: the loop's.
class SimAdmin {
 public:
  // `harsh`: also commands that end clients.
  SimAdmin(SimLoop& loop, Dice& dice, Journal& journal,
           const std::unique_ptr<pool::Workers>& workers, FakeServer& server,
           std::vector<std::string> databases, bool harsh);

  void begin();
  // Undoes what is switched and does nothing more.
  void end();
  // Holds a table and releases it, again and again, beside all else.
  void begin_holds();

 private:
  void act();
  void hold();
  void release(int64_t number);
  void pause();
  void resume();
  void kill();
  void reconnect();
  void disable();
  void enable();
  bool is_gone(const Status& status) const;
  void kill_client();
  void act_within(milliseconds most);
  pool::Scope scope(size_t origin, const std::string& database) {
    return {*workers_, origin, database};
  }
  // Gives a command on the worker that serves this console.
  template <class Command>
  void give(Command command) {
    workers_->post(origin_, [command, this](pool::Worker&) { command(origin_); });
  }

  SimLoop& loop_;
  Dice& dice_;
  Journal& journal_;
  const std::unique_ptr<pool::Workers>& workers_;
  FakeServer& server_;
  const std::vector<std::string> databases_;  // the first one is "": all
  const bool harsh_;
  const size_t origin_;
  bool ended_ = false;
  bool paused_ = false;
  std::string scope_;     // of the pause
  std::string disabled_;  // "" for none
  int64_t pauses_ = 0;
  int64_t holds_ = 0;
  uint64_t holder_ = 0;  // the console client that holds: a number of ours
  net::Timer timer_;
  net::Timer hold_timer_;
};

}  // namespace pgtend::sim
