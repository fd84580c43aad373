// Routing of clients to links, one pool per (database, user) and worker; exact sizes by slots;
// first come, first served, also between workers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/client.h"
#include "pool/config.h"
#include "pool/counters.h"
#include "pool/group.h"
#include "pool/list.h"
#include "pool/queries.h"
#include "pool/server.h"

namespace pgtend::pool {

class Worker;

// The links and the clients of one (database, user) on one worker; the user is the one on the
// server, so that the clients of a database with a forced user share one pool. Owned by Pools,
// never destroyed while one of its clients or servers lives. Thread: one loop's.
//
// A link that becomes free goes to the first in line here, unless somebody on another worker waits
// for longer by more than kSkew: then it moves there. A client for whom no link is idle here asks a
// worker with an idle one before it has a new one opened.
class Pool {
 public:
  Pool(Worker& worker, std::shared_ptr<const DatabaseConfig> database, std::string user,
       Group& group);

  // A link for `client` at once, or null: then it waits in line and hears of it by on_server().
  Server* acquire(Client& client);
  // `client` waits until the welcome is known, or is greeted or refused at once.
  void join(Client& client);
  // `client` is gone, or waits no more.
  void leave(Client& client);
  // `client` waits for the end of a HOLD TABLE, in no line.
  void hold_back(Client& client);
  // One has ended: those who waited go on in the order they came, if no other one stands.
  void look_at_held_back();
  // A link is free, clean and usable.
  void give(Server& server);
  // A link is closed on our side and leaves its place among the idle ones.
  void retire(Server& server);
  void server_ready(Server& server, Welcome welcome);
  void server_failed(Server& server, Failure failure);
  // The backend is gone; its slot is free.
  void server_gone(Server& server);
  // It goes on elsewhere: no slot of this process is its any more.
  void server_left(Server& server);
  // A link and a client that come from another process, on their way to their places here.
  void receive(Server& server);
  void receive(Client& client);
  // Null when none is known.
  const Welcome* known_welcome() const { return is_welcomed() ? welcome_.get() : nullptr; }
  // Gets links as long as clients wait: from other workers, or new ones while slots are free.
  void launch();
  // Closes links that are idle too long, too old or too many, and clients that exceed their limits;
  // opens links up to min_pool_size. Call about twice a second: limits hold to half a second.
  void keep_house(SteadyTime now);
  // Closes its links once nobody has been its client for as long as pools are kept. True when
  // nothing of it is left, so that it can go.
  bool fade(SteadyTime now);
  // Closes the longest idle link, for another pool's sake. False when none is idle.
  bool evict();
  // The file was read again. A null `database` means that it is not in it any more.
  void reconfigure(std::shared_ptr<const DatabaseConfig> database);
  // Closes idle links of an earlier epoch or of a paused database (busy ones are closed when they
  // come back), and opens links for whoever may have them now.
  void drop_unwanted();
  // Closes links to addresses that `host` has no more: idle ones now, busy ones when they come
  // back.
  void drop_moved(const std::string& host, const std::vector<net::Address>& addresses);
  // Closes all clients and links at once.
  void kill();

  // What other workers say; they post it.
  // A link comes, asked for or not.
  void arrive(Luggage luggage, bool asked);
  // The worker that was asked has no idle link any more.
  void nothing_idle();
  // Worker `asker` would like an idle link.
  void asked_by(size_t asker);
  // A server was reached, or not.
  void on_welcome(std::shared_ptr<const Welcome> welcome, uint32_t epoch);
  void on_failure(std::shared_ptr<const Failure> failure);

  const DatabaseConfig& database() const { return *database_; }
  const std::string& user() const { return user_; }
  // The user on the server: user(), unless a reload forced another one.
  const std::string& server_user() const { return database_->user ? *database_->user : user_; }
  PoolMode mode() const;
  const Welcome& welcome() const { return *welcome_; }
  Counters& counters() { return counters_; }
  PoolTimes& times();
  // Null as long as nothing was served.
  const PoolTimes* times_so_far() const { return times_.get(); }
  const Queries::Owner& owner() const { return owner_; }
  Group& group() { return group_; }
  // How long the first in line has waited.
  microseconds longest_wait(SteadyTime now) const;
  // Counts of clients and servers by state, for the console.
  size_t waiting() const { return waiting_.size() + greeting_.size() + claims_.size(); }

  size_t held_back() const { return held_back_.size(); }

  using ServerList = List<Server, &Server::pool_hook>;
  using ClientList = List<Client, &Client::pool_hook>;
  ServerList busy;     // all but idle
  ClientList clients;  // logged in, neither waiting nor greeting
  const ServerList& idle() const { return idle_; }
  const ClientList& those_held_back() const { return held_back_; }
  size_t checking() const { return static_cast<size_t>(checking_); }

 private:
  // Logins to one server at the same time, at most.
  static constexpr int kLoginsMax = 8;
  // How much longer somebody on another worker must have waited to get a link that becomes free
  // here: moving a link costs about what a short query does.
  static constexpr milliseconds kSkew{1};

  // pool_replication.cc
  void claim(Client& client);
  Client* next_claim() const;
  void launch_claims(SteadyTime until);
  size_t slots_missing() const;
  void make_room(int size);
  bool goes_for_claim(const std::optional<Group::Rival>& rival) const;
  void claim_ready(Server& server, const Welcome& welcome);
  bool claim_failed(Server& server, const Failure& failure);

  int logins() const { return logins_ + claim_logins_; }
  void launch_shared();
  bool take_slots_or_starve(int size);
  void evict_rival(int size);
  void note_reserve(int size, const Client* client) const;
  void note_wait(const Client& client);
  const Client* first_in_line() const;
  std::optional<Group::Rival> rival() const;
  static bool came_first(const std::optional<Group::Rival>& rival, SteadyTime since);
  void hand_out(Server& server, bool proven);
  void assign(Server& server, Client& client);
  bool needs_check(const Server& server) const;
  void check(Server& server);
  void share();
  void share_if_serving();

  void move(Server& server, size_t to, bool asked);
  void send_on(Server& server);
  // Nobody forgets a pool that waits for an answer.
  static void answer_nothing(Worker& asker, const Group& group);
  bool ask_for_link();
  bool is_unwanted(const Server& server) const;
  bool is_unused() const;
  microseconds kept_for() const;
  void expire_links(SteadyTime now);
  void shrink();
  bool spare(int least, std::string_view reason);
  int size_min() const;
  void fill();
  void enforce(SteadyTime now);
  void notify_waiting(SteadyTime now);
  int size_limit(const Client* first) const;
  bool reserve_is_due(const Client* first) const;
  bool is_welcomed() const { return welcome_ && welcome_epoch_ == group_.epoch(); }
  void publish_idle();
  void publish_waiting();
  void on_timer();
  void arm_timer();
  microseconds query_wait(const Client& client) const;
  bool take_slots(int size);
  void set_starving(bool starving);
  void open_link();
  void refuse_greeting(const Failure& failure);
  static void refuse(Client& client, const Failure& failure);
  microseconds lifetime() const;

  Worker& worker_;
  std::shared_ptr<const DatabaseConfig> database_;
  std::string user_;
  Group& group_;
  Group::Seat& seat_;
  ServerList idle_;
  ClientList waiting_;
  ClientList greeting_;
  ClientList held_back_;  // each waits for the end of a HOLD TABLE
  ClientList claims_;     // each waits for a link of its own to replicate, in the order they came
  std::shared_ptr<const Welcome> welcome_;
  uint32_t welcome_epoch_ = 0;
  int logins_ = 0;
  int claim_logins_ = 0;      // those for one of claims_ each
  int checking_ = 0;          // links whose check is under way
  int asked_ = 0;             // links asked for from other workers, not answered yet
  bool starving_ = false;     // clients wait and no slot was free
  bool room_wanted_ = false;  // the same of claims_
  bool removed_ = false;      // its database is not in the file any more
  std::shared_ptr<const Failure> failure_;
  Counters counters_;
  const Queries::Owner owner_;
  std::unique_ptr<PoolTimes> times_;
  net::Timer timer_;
  SteadyTime last_expiry_{};
  SteadyTime used_at_{};  // when it was last seen to have clients
};

// All pools of one worker. Thread: one loop's.
class Pools {
 public:
  explicit Pools(Worker& worker) : worker_(worker) {}

  Pool& find_or_add(const std::shared_ptr<const DatabaseConfig>& database, const std::string& user);
  // That of `group`, whatever user its database forces by now. `otherwise`: what the database was,
  // if it is not in the file any more.
  Pool& find_or_add(Group& group, const std::shared_ptr<const DatabaseConfig>& otherwise);
  // Null when this worker has no such pool.
  Pool* find(const Group& group);
  // A slot became free that pools of this worker may be waiting for.
  void slot_freed();
  // Makes room for a link of `group` under a full database or user limit. False when nothing is
  // idle here.
  bool evict_for(const Group& group);
  void reconfigure();
  void drop_unwanted();
  // Forgets pools that nobody has used for long, and those of removed databases.
  void forget_unused(SteadyTime now);
  // Makes the pools that have links without having clients: a forced user, and min_pool_size.
  void open_kept();

  // In the order of (database, user).
  template <class Visit>
  void each(Visit visit) {
    for (auto& [key, pool] : pools_) visit(*pool);
  }
  size_t size() const { return pools_.size(); }

 private:
  Worker& worker_;
  std::map<Group::Key, std::unique_ptr<Pool>> pools_;
};

}  // namespace pgtend::pool
