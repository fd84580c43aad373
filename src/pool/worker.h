// One event loop and everything that belongs to it: listeners, clients, links, pools.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "net/acceptor.h"
#include "net/loop.h"
#include "pool/auth.h"
#include "pool/auth_query.h"
#include "pool/cancel.h"
#include "pool/client.h"
#include "pool/config.h"
#include "pool/pools.h"
#include "pool/prepared.h"
#include "pool/queries.h"
#include "pool/receiver.h"
#include "pool/server.h"
#include "pool/service_manager.h"
#include "pool/statistics.h"
#include "pool/table_holds.h"

namespace pgtend::pool {

class Workers;

// Whether new work is taken.
enum class Service : uint8_t {
  Running,
  WaitForServers,  // running transactions end, then the process does
  WaitForClients,  // present clients are served until they leave
};

// What a worker refrains from.
enum class Hold : uint8_t {
  Nothing,
  Changes,  // logins, new links, links that move: so that what is under way comes to an end
  Service,  // the same, and reading and answering what clients ask
};

// A listening socket, a client or a link on its way to another process.
struct Parcel {
  std::string task;  // which of them, or what else the state is of
  json::object state = {};
  int descriptor = -1;
};

// Thread: the one that runs its loop; others use loop().post().
class Worker {
 public:
  Worker(Workers& workers, size_t index, net::Loop& loop, const Clock& clock,
         std::shared_ptr<const Config> config);
  ~Worker();

  // Opens the listeners of the configuration. Connections are dealt out to all workers.
  // Errors: Invalid when it has none; those of Loop::listen().
  Status listen();
  // Listens with these sockets and no others: what the configuration says of addresses, the unix
  // socket and its rights is for whoever opened them. Errors: those of Loop::watch().
  Status listen_with(const std::vector<HandedSocket>& sockets);
  void reconfigure(std::shared_ptr<const Config> config);
  void shut_down(Service how);
  // Runs `task` on this worker after `pause`.
  void later(microseconds pause, std::function<void()> task);
  // The addresses listened on, in the order opened.
  std::vector<net::Address> listening() const;

  Workers& workers() { return workers_; }
  size_t index() const { return index_; }
  net::Loop& loop() { return loop_; }
  SteadyTime now() const { return loop_.now(); }
  const Config& config() const { return *config_; }
  std::shared_ptr<const Config> config_snapshot() const { return config_; }
  const TrackedNames& tracked() const { return tracked_; }
  ParameterSets& parameter_sets() { return parameter_sets_; }
  net::ChunkPool& chunks() { return chunks_; }
  Receiver& receiver() { return receiver_; }
  LoginCache& logins() { return logins_; }
  AuthQueries& auth_queries() { return auth_queries_; }
  Pools& pools() { return pools_; }
  Statements& statements() { return statements_; }
  Cancels& cancels() { return cancels_; }
  Queries& queries() { return queries_; }
  Events& events() { return events_; }
  TableHolds& table_holds() { return table_holds_; }
  WallTime wall() const { return clock_.wall(); }
  Statistics& statistics() { return statistics_; }
  Service service() const { return service_; }

  void hold(Hold hold);
  bool is_held() const { return hold_ != Hold::Nothing; }
  bool is_suspended() const { return hold_ == Hold::Service; }
  // With nothing under way that another process could not go on with.
  bool is_settled() const;
  // With nothing unsent, either.
  bool is_flushed() const;
  // Ends with a word to the client what keeps it from that.
  void drop_unsettled();
  void drop_unflushed();
  // Gives away all clients, links and listening sockets, and all that the next process must know of
  // them. Other clients are closed, but for the one with id `but`.
  void give_away(std::vector<Parcel>& parcels, uint64_t but);
  // A connection or link from another process, with the id it had there.
  Client& add_client(uint64_t id, net::Accepted accepted);
  Server& add_server(Pool& pool, uint64_t id);
  // Listens where listen() will, with a socket that another process has opened for that.
  void inherit_listener(net::Address address, int descriptor);
  // Those that listen() had no use for.
  void close_inherited();
  // Listens no more; the sockets' files are another process's.
  void forsake_listeners();
  // One client less that commands; what it holds is let go.
  void on_console_left(uint64_t client);

  Server& add_server(Pool& pool);
  // One that comes from another worker.
  Server& add_server(Pool& pool, Luggage luggage);
  // A client of our own at `descriptor`, which has proved who it is.
  void add_inside(int descriptor, const std::string& database, const std::string& user);
  // Null when it is gone.
  Client* client(uint64_t id);
  Server* server(uint64_t id);
  // Destroyed at the end of the turn.
  void remove(Server& server);
  void remove(Client& client);
  // Counts a client against max_client_conn; false when that many are here. discharge() undoes it.
  bool admit();
  void discharge();
  // Whether a connection that has read so often in this turn may read again.
  bool may_read_on(int reads) const {
    const int limit = config_->settings.limit.reads_per_turn;
    return limit == 0 || reads < limit;
  }
  // Pools of this worker with clients that wait for a slot: `change` more.
  void count_starving(int change);

  template <class Visit>
  void each_listener(Visit visit) const {
    for (const auto& acceptor : acceptors_) visit(*acceptor);
  }
  template <class Visit>
  void each_client(Visit visit) {
    for (auto& [id, client] : clients_) visit(*client);
  }
  template <class Visit>
  void each_server(Visit visit) {
    for (auto& [id, server] : servers_) visit(*server);
  }

 private:
  void deal(net::Accepted accepted);
  void accept(net::Accepted accepted);
  void on_tick();
  void log_statistics();
  void stop_if_done();

  Workers& workers_;
  const size_t index_;
  net::Loop& loop_;
  const Clock& clock_;
  std::shared_ptr<const Config> config_;
  TrackedNames tracked_;
  ParameterSets parameter_sets_;
  net::ChunkPool chunks_;
  Receiver receiver_;
  LoginCache logins_;
  Statements statements_;
  Pools pools_;
  Queries queries_;
  Events events_;
  TableHolds table_holds_;
  Cancels cancels_;
  AuthQueries auth_queries_;
  Statistics statistics_;
  Result<std::unique_ptr<net::Acceptor>> open_listener(const net::Address& address);
  void add_listener(std::unique_ptr<net::Acceptor> acceptor);
  void give_away_servers(std::vector<Parcel>& parcels);
  void give_away_clients(std::vector<Parcel>& parcels, uint64_t but);
  void give_away_pools(std::vector<Parcel>& parcels);

  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::vector<std::pair<net::Address, int>> inherited_;  // listening sockets not in use yet
  std::unordered_map<uint64_t, std::unique_ptr<Client>> clients_;
  std::unordered_map<uint64_t, std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Server>> gone_;  // until the end of the turn
  Service service_ = Service::Running;
  Hold hold_ = Hold::Nothing;
  bool done_ = false;
  net::Timer tick_;
  std::list<net::Timer> later_;
};

}  // namespace pgtend::pool
