// What the pools of one (database, user) on all workers share: exact limits, and who has idle links
// or clients in line. Workers read it without asking each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace pgtend::pool {

// How many links something may have, and has. A slot is taken before a link is opened and given
// back when its backend is known to be gone. Thread: any; lock free. Sequentially consistent: who
// gives one and then looks for the hungry, and who says it is hungry and then tries to take one,
// cannot miss each other.
class Slots {
 public:
  // False when `limit` (0: none) are in use.
  bool take(int limit);
  void give() { used_.fetch_sub(1); }
  // One of those in use will be given back by choice: false when fewer than `least` would stay,
  // also counting those that others are about to give back. has_left() follows its give().
  bool leave(int least);
  void has_left() { leaving_.fetch_sub(1); }
  int used() const { return used_.load(); }

 private:
  std::atomic<int> used_{0};
  std::atomic<int> leaving_{0};
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

  // Said by a server that could say something else to somebody else: it is not just starting up.
  bool is_refusal() const { return is_login && sqlstate != "57P03"; }
};

// What an administrator has switched for one database.
struct Switches {
  std::atomic<bool> paused{false};
  std::atomic<bool> disabled{false};
};

// The parameters of a server's welcome. Immutable once shared.
using Welcome = std::vector<std::pair<std::string, std::string>>;

// Thread: any.
class Group {
 public:
  // One worker's part, written by that worker but for `promised`. As with Slots, everything here is
  // sequentially consistent: a link is published as idle before its owner looks for clients in line
  // elsewhere, a client in line before its worker looks for idle links elsewhere.
  struct alignas(64) Seat {
    std::atomic<int> idle{0};        // links that serve nobody
    std::atomic<int> waiting{0};     // clients in line
    std::atomic<int> promised{0};    // links on their way here
    std::atomic<int64_t> oldest{0};  // since when the first in line waits; see stamp()
  };
  // A worker whose clients wait for more links than are on their way to it.
  struct Rival {
    size_t worker;
    SteadyTime oldest;
  };
  using Key = std::pair<std::string, std::string>;

  // What groups have in common; it outlives them.
  struct Common {
    Slots& database;
    Slots& clients;
    Slots& user;
    Switches& switches;
    const std::atomic<bool>& all_paused;
  };

  Group(Key key, const Common& common, size_t workers);

  const Key& key() const { return key_; }
  SlotSet& slots() { return slots_; }
  const SlotSet& slots() const { return slots_; }
  // Clients of the database.
  Slots& clients() { return clients_; }
  // Clients of this group, on all workers.
  std::atomic<int>& present() { return present_; }
  bool is_shared() const { return count_ > 1; }
  // Counts up with each link opened: the host of several that is its turn.
  size_t next_turn() { return turn_.fetch_add(1); }
  bool is_paused() const { return switches_.paused.load() || all_paused_.load(); }
  bool is_disabled() const { return switches_.disabled.load(); }
  Seat& seat(size_t worker) { return seats_[worker]; }

  // Where the longest waiting client of another worker than `self` is.
  std::optional<Rival> longest_waiting(size_t self) const;
  // Another worker than `self` with an idle link.
  std::optional<size_t> idle_elsewhere(size_t self) const;

  // Whether a link is on its way from one worker to another, where no snapshot sees it.
  bool is_moving() const;

  // Links and welcomes of an earlier epoch are for a server that is not the configured one any
  // more, or not wanted.
  uint32_t epoch() const { return epoch_.load(); }
  void next_epoch() { epoch_.fetch_add(1); }

  // How the last attempt to log in went; nothing when there was none in this epoch.
  struct Outcome {
    std::shared_ptr<const Welcome> welcome = {};
    std::shared_ptr<const Failure> failure = {};
  };
  // For pools that are made later. Locks: called when the outcome is another than before.
  void publish(Outcome outcome, uint32_t epoch);
  Outcome last_outcome() const;

  static int64_t stamp(SteadyTime at) { return at.time_since_epoch().count(); }

 private:
  Key key_;
  SlotSet slots_;
  Slots& clients_;
  Switches& switches_;
  const std::atomic<bool>& all_paused_;
  size_t count_;
  std::unique_ptr<Seat[]> seats_;
  std::atomic<uint32_t> epoch_{0};
  std::atomic<size_t> turn_{0};
  std::atomic<int> present_{0};
  mutable std::mutex mutex_;  // of the two below
  Outcome outcome_;
  uint32_t outcome_epoch_ = 0;
};

// All groups of the process. A group lives as long as this. Thread: any. Locks: when a worker meets
// a (database, user) for the first time and at a reload, never while serving.
class Groups {
 public:
  explicit Groups(size_t workers) : workers_(workers) {}

  Group& find_or_add(const Group::Key& key);
  // Null when nobody has used it yet.
  Group* find(const Group::Key& key);
  template <class Visit>
  void each(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (auto& [key, group] : groups_) visit(*group);
  }
  // Clients that log in as `user`. Locks: a moment, once a login.
  Slots& user_clients(const std::string& user);
  template <class Visit>
  void each_user_clients(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (auto& [user, clients] : user_clients_) visit(user, clients);
  }
  // Of all users; 0 for a database that nobody has used yet.
  int database_clients(const std::string& database);
  // Also of a database that nobody has used yet.
  Switches& switches(const std::string& database);
  template <class Visit>
  void each_switches(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (auto& [database, switches] : switches_) visit(database, switches);
  }
  std::atomic<bool>& all_paused() { return all_paused_; }
  bool is_any_paused();
  // "" for all databases.
  bool is_paused(const std::string& database) {
    return all_paused_.load() || (!database.empty() && switches(database).paused.load());
  }

 private:
  const size_t workers_;
  std::mutex mutex_;
  std::map<std::string, Slots> database_slots_;
  std::map<std::string, Slots> user_slots_;
  std::map<std::string, Slots> database_clients_;
  std::map<std::string, Slots> user_clients_;
  std::map<std::string, Switches> switches_;
  std::atomic<bool> all_paused_{false};
  std::map<Group::Key, std::unique_ptr<Group>> groups_;
};

}  // namespace pgtend::pool
