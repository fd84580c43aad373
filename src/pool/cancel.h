// Cancel requests: the keys that clients hold, and the short links that carry a request to a
// server.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>

#include "net/loop.h"
#include "pool/channel.h"
#include "wire/startup.h"

namespace pgtend::pool {

class Client;
class Server;
class Worker;

// Thread: one loop's.
class Cancels {
 public:
  explicit Cancels(Worker& worker);
  ~Cancels();

  // A new key for `client`: its pid is not in use. Cost: O(1).
  int32_t add_key(Client& client);
  void remove_key(int32_t pid);
  // A CancelRequest came. True if `requester` must stay open until its cancel_done() is called.
  bool request(const wire::CancelKey& key, Client& requester);

  // Sends a cancel to the query `server` runs now, unless that has ended by then.
  // `requester` (or null) is told by cancel_done(). False when there are too many already.
  bool start(Server& server, Client* requester);
  // Forget these pointers: the objects go away.
  void forget(Client& requester);
  void forget(Server& server);

  size_t in_flight() const { return links_.size(); }

 private:
  class Link;
  static constexpr size_t kInFlightMax = 1000;

  void finish(Link& link);

  Worker& worker_;
  std::unordered_map<int32_t, Client*> keys_;
  std::unordered_map<uint64_t, std::unique_ptr<Link>> links_;
  uint64_t next_link_ = 1;
};

}  // namespace pgtend::pool
