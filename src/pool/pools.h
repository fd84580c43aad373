// Routing of clients to pools, one pool per (database, user); exact sizes by slots; first come,
// first served.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pool/client.h"
#include "pool/config.h"
#include "pool/counters.h"
#include "pool/list.h"
#include "pool/server.h"

namespace pgtend::pool {

class Worker;

// How many links something may have, and has. A slot is taken before a link is opened and given
// back when its backend is known to be gone. Thread: any; lock free.
class Slots {
 public:
  // False when `limit` (0: none) are in use.
  bool take(int limit);
  void give() { used_.fetch_sub(1, std::memory_order_relaxed); }
  int used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> used_{0};
};

// The slots a link of one pool needs, taken in the order pool, database, user.
struct SlotSet {
  Slots own;
  Slots* database = nullptr;
  Slots* user = nullptr;
};

// Why the last attempt to get a server failed, and when to try again.
struct Failure {
  bool is_login = false;     // refused by the server, as opposed to not reached
  std::string message = {};  // the server's own ErrorResponse, if it gave one
  std::string text = {};
  std::string sqlstate = {};
  SteadyTime retry_at{};
};

// The links and the clients of one (database, user). Owned by Pools, never destroyed while one of
// its clients or servers lives. Thread: one loop's.
class Pool {
 public:
  using Welcome = std::vector<std::pair<std::string, std::string>>;

  Pool(Worker& worker, std::shared_ptr<const DatabaseConfig> database, std::string user,
       SlotSet* slots);

  // A link for `client` at once, or null: then it waits in line and hears of it by on_server().
  Server* acquire(Client& client);
  // `client` waits until the welcome is known, or is greeted or refused at once.
  void join(Client& client);
  // `client` waits no more.
  void leave(Client& client);
  // A link is free, clean and usable.
  void give(Server& server);
  void server_ready(Server& server, Welcome welcome);
  void server_failed(Server& server, Failure failure);
  // The backend is gone; its slot is free.
  void server_gone(Server& server);
  // Opens links as long as clients wait and slots are free.
  void launch();
  // Closes links that are idle too long or too old. Call about once a second.
  void keep_house(SteadyTime now);
  // Closes the longest idle link, for another pool's sake. False when none is idle.
  bool evict();
  // The file was read again. A null `database` means that it is not in it any more.
  void reconfigure(std::shared_ptr<const DatabaseConfig> database);

  const DatabaseConfig& database() const { return *database_; }
  const std::string& user() const { return user_; }
  // The user on the server.
  const std::string& server_user() const { return database_->user ? *database_->user : user_; }
  PoolMode mode() const;
  int size_max() const;
  const Welcome& welcome() const { return welcome_; }
  Counters& counters() { return counters_; }
  const SlotSet& slots() const { return *slots_; }
  // How long the first in line has waited.
  microseconds longest_wait(SteadyTime now) const;
  // Counts of clients and servers by state, for the console.
  size_t waiting() const { return waiting_.size() + greeting_.size(); }

  using ServerList = List<Server, &Server::pool_hook>;
  using ClientList = List<Client, &Client::pool_hook>;
  ServerList busy;     // all but idle
  ClientList clients;  // logged in, neither waiting nor greeting
  const ServerList& idle() const { return idle_; }

 private:
  void assign(Server& server, Client& client);
  void on_timer();
  void arm_timer();
  microseconds query_wait() const;
  bool take_slots();
  void refuse_greeting(const Failure& failure);
  microseconds lifetime() const;

  Worker& worker_;
  std::shared_ptr<const DatabaseConfig> database_;
  std::string user_;
  SlotSet* slots_;
  ServerList idle_;
  ClientList waiting_;
  ClientList greeting_;
  Welcome welcome_;
  bool welcomed_ = false;
  int logins_ = 0;
  std::unique_ptr<Failure> failure_;
  Counters counters_;
  net::Timer timer_;
  SteadyTime last_expiry_{};
};

// All pools of one worker. Thread: one loop's.
class Pools {
 public:
  explicit Pools(Worker& worker) : worker_(worker) {}

  Pool& find_or_add(const std::shared_ptr<const DatabaseConfig>& database, const std::string& user);
  // A slot became free that other pools may be waiting for.
  void slot_freed();
  // Makes room for a link of `pool` under a full database or user limit. False when nothing is
  // idle.
  bool evict_for(const Pool& pool);
  void reconfigure();

  // In the order of (database, user).
  template <class Visit>
  void each(Visit visit) {
    for (auto& [key, pool] : pools_) visit(*pool);
  }
  size_t size() const { return pools_.size(); }

 private:
  Worker& worker_;
  std::map<std::string, Slots> database_slots_;
  std::map<std::string, Slots> user_slots_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<SlotSet>> slots_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Pool>> pools_;
};

}  // namespace pgtend::pool
