// All workers of the process, what they share, and how one speaks to the others.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "pool/config.h"
#include "pool/group.h"
#include "pool/names.h"
#include "pool/peers.h"
#include "pool/snapshot.h"
#include "pool/worker.h"

namespace pgtend::pool {

// Thread: as said; what is not is for the one that makes it, before the loops run or after.
class Workers {
 public:
  using Task = std::function<void(Worker&)>;

  // One worker for each of `loops`, which outlive it; 1 to kWorkersMax of them.
  // `resolver`: null when no database has a host name.
  Workers(const std::vector<net::Loop*>& loops, const Clock& clock,
          std::shared_ptr<const Config> config, std::unique_ptr<net::Resolver> resolver = nullptr);
  ~Workers();

  // For tests: a link that has served goes to the next worker, whoever waits where, so that all
  // that a move could lose is met. Before the loops run.
  void keep_links_moving() { links_keep_moving_ = true; }
  bool links_keep_moving() const { return links_keep_moving_; }

  // Opens the listeners, on the first worker. Errors: those of Loop::listen().
  Status listen();
  // Listens with these sockets instead. Errors: those of Worker::listen_with().
  Status listen_with(const std::vector<HandedSocket>& sockets);

  // Thread: any, as all below.
  size_t size() const { return workers_.size(); }
  Worker& first() { return *workers_.front(); }
  Worker& worker(size_t index) { return *workers_[index]; }
  Groups& groups() { return groups_; }
  uint64_t next_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  // Client connections of the process, against max_client_conn.
  Slots& clients() { return clients_; }

  // Runs `task` on the loop of worker `index`; at once if the caller is that worker's only one.
  void post(size_t index, Task task);
  void post_to_others(size_t self, const Task& task);
  // Runs `visit` on each worker and then `done` on worker `origin`. With one worker at once.
  void visit_all(size_t origin, Task visit, Task done);

  // Where `host` is; `answer` is called on worker `origin`, there at once if it is known.
  void find_addresses(size_t origin, const std::string& host,
                      std::function<void(Worker&, const Names::Addresses&)> answer);
  // Thread: the first worker's.
  Names& names() { return names_; }
  Peers& peers() { return peers_; }

  // The merged snapshots of all workers.
  void snapshot(size_t origin, Part part, std::function<void(Worker&, const Snapshot&)> done);

  // The worker of the client with this cancel key. One that a process with more workers made is
  // dealt to one of ours.
  size_t of_key(const wire::CancelKey& key) const { return worker_of(key) % workers_.size(); }
  // Ids from now on are not below it.
  void raise_next_id(uint64_t least) { next_id_.store(std::max(next_id_.load(), least)); }
  // The worker that should take the next client: the one with the fewest.
  size_t for_next_client();
  void client_came(size_t worker) { seats_[worker].clients.fetch_add(1); }
  void client_left(size_t worker) { seats_[worker].clients.fetch_sub(1); }

  // A slot became free: workers with clients that wait for one are told.
  void slot_freed(size_t self);
  void count_starving(size_t worker, int change) { seats_[worker].starving.fetch_add(change); }
  // Asks the others one after the other, until one closes an idle link that is in the way of
  // `group`.
  void evict_elsewhere(Group& group, size_t self);

  // Reads the file again, on a thread of its own because names are looked up: all of it takes
  // effect, or nothing does. `done` is called on worker `origin` when all workers have it.
  // Errors: those of load_config(); Conflict while another reload runs.
  void reload(size_t origin, std::function<void(Status)> done);
  // The same with one setting changed, until the next reload. Errors: those of Config::with() too.
  void set(size_t origin, const std::string& key, const std::string& value,
           std::function<void(Status)> done);
  // The same with a configuration that is there already, without what of it concerns the whole
  // process: its log. Thread: worker `origin`'s. Errors: Conflict while another reload runs.
  void adopt(size_t origin, Config config, std::function<void(Status)> done);
  // For whose sake all workers are held (Holder::code(), 0 when they are not), and what it was
  // given: that is for its worker alone.
  std::atomic<uint64_t>& holder() { return holder_; }
  std::vector<Parcel>& given_away() { return given_away_; }
  // The workers are about to come to rest; for the holder's worker alone, too.
  bool& holding() { return holding_; }

  // They stay somebody else's, who would go on listening if this process gave them to another one.
  bool listens_with_handed() const { return listens_with_handed_; }

  bool is_reloading() const { return reloading_.load(); }
  // Takes no new work; stop() when nothing is left.
  void shut_down(Service how);
  // A worker has nothing left after shut_down().
  void worker_done();
  // Ends all loops at once.
  void stop();

 private:
  struct alignas(64) Seat {
    std::atomic<int> clients{0};
    std::atomic<int> starving{0};
  };

  void drop_moved(const std::string& host, const std::vector<net::Address>& addresses);
  void evict_next(Group& group, size_t self, size_t asked);
  void load(size_t origin, std::function<Result<std::shared_ptr<const Config>>()> make,
            std::function<void(Status)> done);
  Status on_loaded(size_t origin, Result<std::shared_ptr<const Config>> loaded,
                   std::function<void(Status)> done);
  void take_effect(size_t origin, std::shared_ptr<const Config> fresh,
                   std::function<void(Status)> done);

  const Clock& clock_;
  Groups groups_;
  Slots clients_;
  std::atomic<uint64_t> next_id_{1};
  std::unique_ptr<Seat[]> seats_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<net::Resolver> resolver_;
  Names names_;
  Peers peers_;
  std::atomic<size_t> done_{0};
  std::atomic<uint64_t> holder_{0};
  std::vector<Parcel> given_away_;
  bool holding_ = false;
  bool links_keep_moving_ = false;
  bool listens_with_handed_ = false;
  std::atomic<bool> reloading_{false};
  std::jthread loader_;
};

}  // namespace pgtend::pool
