// The other processes behind the same port or load balancer: a cancel request that came to the
// wrong one of them is passed on to the one whose number its key carries.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/loop.h"
#include "pool/cancel.h"
#include "pool/cancel_key.h"
#include "pool/config.h"

namespace pgtend::pool {

class Workers;

// What SHOW PEER_POOLS prints.
struct PeerFigures {
  int id = 0;
  uint64_t clients_sent = 0;
  uint64_t clients_waiting = 0;  // in line, or with a link that is being made
  uint64_t sent = 0;
  uint64_t connecting = 0;
};

// One for all workers, on the first one's loop: to each peer so many links as its pool_size allows,
// the other requests wait in line. Thread: that loop's; other workers post.
class Peers {
 public:
  // `loop`: the first worker's.
  Peers(Workers& workers, net::Loop& loop);
  ~Peers();

  // Sends `key`, which is of no client here, to the process that it names. `requester` is told when
  // that has handled it, or why it was given up.
  void forward(const OwnedKey& key, Requester requester);
  // The file was read again: serves who waits for more links, and drops who waits for a peer that
  // is gone.
  void reconfigure();

  // Of every peer in the file but ourselves, by id.
  std::vector<PeerFigures> figures() const;
  size_t in_flight() const { return links_.size(); }

 private:
  class Link;
  struct Waiting {
    OwnedKey key;
    Requester requester;
    SteadyTime deadline;
  };
  struct Line {
    std::deque<Waiting> waiting;
    int links = 0;
  };
  static constexpr size_t kWaitingMax = 1000;  // for one peer
  static constexpr int kLinksMax = 1000;       // to one peer, where the file knows no limit

  Worker& worker() const;
  void refuse(const Requester& requester, std::string_view reason);
  void launch(int id);
  void start(int id, const PeerConfig& peer, Waiting request);
  void look_up(uint64_t link, const PeerConfig& peer);
  void finish(Link& link);
  void on_timer();
  void arm_timer();

  Workers& workers_;
  std::map<int, Line> lines_;  // by peer
  std::unordered_map<uint64_t, std::unique_ptr<Link>> links_;
  net::Timer timer_;  // for the first in each line
};

}  // namespace pgtend::pool
