// A whole simulated world: network, clock, fake server, clients, and the real pool between them;
// and what must always be true of the pool.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "pool/pools.h"
#include "pool/workers.h"
#include "sim/fake_backend.h"
#include "sim/sim_admin.h"
#include "sim/sim_client.h"
#include "sim/sim_config.h"
#include "sim/sim_net.h"

namespace pgtend::sim {

struct Scenario {
  uint64_t seed = 1;
  int64_t operations = 1000;
  int clients = 12;
  size_t workers = 1;
  pool::PoolMode mode = pool::PoolMode::Transaction;
  // Faults of servers, clients and network; without them every count must be exact.
  bool stormy = false;
  // Nearly every request is followed by a cancel.
  bool cancelling = false;
  // An administrator is at work, a harsh one in a storm.
  bool administered = false;
  // Another process takes the pool's place again and again, and at times fails to.
  bool replaced = false;
  // Some clients replicate. Their streams are SQL here: it is their links that matter.
  bool replicating = false;
  // A link that has served moves to the next worker.
  bool restless = false;
  // An administrator changes the configuration again and again.
  bool reloading = false;
  // An administrator holds a table at times, of which some statements are.
  bool holding = false;
};

// One run. Thread: one.
class PoolSim {
 public:
  explicit PoolSim(const Scenario& scenario);
  ~PoolSim();

  // "" or the first violation, with what is needed to replay it.
  std::string run();

  const SimClients::Totals& client_totals() const { return clients_->totals(); }
  const FakeServer::Totals& server_totals() const { return server_->totals(); }
  int replacements() const { return replacements_; }
  int changes() const { return config_.changes(); }
  seconds simulated() const;

 private:
  FakeServer::Limits server_limits() const;
  std::unique_ptr<pool::Workers> make_workers();
  void step_until_clients_are_done();
  void step_until_links_are_closed();
  bool step();
  void replace_pool();
  void keep_counts();
  // After each turn of the pool's loop.
  void check_pools();
  void check_group(pool::Group& group);
  void check_motion(const pool::Server& server);
  void check_limit(const std::string& whose, const pool::Slots& slots, int limit);
  void check_queues();
  void check_end();
  void check_counters();
  std::string describe();
  bool pool_ran() const;
  template <class Visit>
  void each_worker(Visit visit) {
    for (size_t i = 0; i < workers_->size(); ++i) visit(workers_->worker(i));
  }
  template <class Visit>
  void each_pool(Visit visit) {
    each_worker([&](pool::Worker& worker) { worker.pools().each(visit); });
  }
  template <class Visit>
  void each_client(Visit visit) {
    each_worker([&](pool::Worker& worker) { worker.each_client(visit); });
  }
  template <class Visit>
  void each_server(Visit visit) {
    each_worker([&](pool::Worker& worker) { worker.each_server(visit); });
  }

  Scenario scenario_;
  Dice dice_;
  ManualClock clock_;
  Journal journal_;
  SimNetwork network_;
  SimScheduler scheduler_;
  std::vector<SimLoop*> pool_loops_;
  SimLoop& server_loop_;
  SimLoop& client_loop_;
  SimConfig config_;
  std::unique_ptr<FakeServer> server_;
  std::unique_ptr<pool::Workers> workers_;
  std::unique_ptr<SimClients> clients_;
  std::unique_ptr<SimAdmin> admin_;

  // The order in which the clients of a group began to wait, as far as it could be seen: those of
  // one turn share a rank.
  struct Waiter {
    uint64_t id;
    SteadyTime since;
    uint64_t rank;
    std::optional<SteadyTime> overtaken_at = {};
  };
  std::map<const pool::Group*, std::vector<Waiter>> queues_;
  std::map<const pool::Group*, SteadyTime> neglected_since_;
  std::map<const pool::Slots*, int> ceilings_;  // what may be used, at most
  uint64_t turns_ = 0;
  SteadyTime replace_at_{};
  int replacements_ = 0;
  // What pools that were replaced have counted.
  pool::Counters past_;
  pool::QueryCounts past_asked_;
};

}  // namespace pgtend::sim
