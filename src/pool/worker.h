// One event loop and everything that belongs to it: listeners, clients, links, pools.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/acceptor.h"
#include "net/loop.h"
#include "pool/auth.h"
#include "pool/cancel.h"
#include "pool/client.h"
#include "pool/config.h"
#include "pool/pools.h"
#include "pool/receiver.h"
#include "pool/server.h"
#include "pool/statistics.h"

namespace pgtend::pool {

// Whether new work is taken.
enum class Service : uint8_t {
  Running,
  WaitForServers,  // running transactions end, then the process does
  WaitForClients,  // present clients are served until they leave
};

// Thread: the one that runs its loop; others use loop().post().
class Worker {
 public:
  Worker(net::Loop& loop, const Clock& clock, std::shared_ptr<const Config> config);
  ~Worker();

  // Opens the listeners of the configuration. Errors: those of Loop::listen().
  Status listen();
  // Reads the file again: all of it takes effect, or nothing does. Errors: those of load_config().
  Status reload();
  void shut_down(Service how);
  // The addresses listened on, in the order opened.
  std::vector<net::Address> listening() const;

  net::Loop& loop() { return loop_; }
  SteadyTime now() const { return loop_.now(); }
  const Config& config() const { return *config_; }
  std::shared_ptr<const Config> config_snapshot() const { return config_; }
  const TrackedNames& tracked() const { return tracked_; }
  net::ChunkPool& chunks() { return chunks_; }
  Receiver& receiver() { return receiver_; }
  LoginCache& logins() { return logins_; }
  Pools& pools() { return pools_; }
  Cancels& cancels() { return cancels_; }
  Statistics& statistics() { return statistics_; }
  Service service() const { return service_; }

  Server& add_server(Pool& pool);
  // Null when it is gone.
  Client* client(uint64_t id);
  // Destroyed at the end of the turn.
  void remove(Server& server);
  void remove(Client& client);
  // Counts a client against max_client_conn; false when that many are here. discharge() undoes it.
  bool admit();
  void discharge() { --admitted_; }
  int admitted() const { return admitted_; }

  template <class Visit>
  void each_client(Visit visit) {
    for (auto& [id, client] : clients_) visit(*client);
  }
  template <class Visit>
  void each_server(Visit visit) {
    for (auto& [id, server] : servers_) visit(*server);
  }

 private:
  void accept(net::Accepted accepted);
  void on_tick();
  void stop_if_done();

  net::Loop& loop_;
  const Clock& clock_;
  std::shared_ptr<const Config> config_;
  TrackedNames tracked_;
  net::ChunkPool chunks_;
  Receiver receiver_;
  LoginCache logins_;
  Pools pools_;
  Cancels cancels_;
  Statistics statistics_;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::unordered_map<uint64_t, std::unique_ptr<Client>> clients_;
  std::unordered_map<uint64_t, std::unique_ptr<Server>> servers_;
  uint64_t next_id_ = 1;
  int admitted_ = 0;
  Service service_ = Service::Running;
  net::Timer tick_;
};

}  // namespace pgtend::pool
