// Cancel requests: the keys that clients hold, and the short links that carry a request to a
// server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/loop.h"
#include "pool/channel.h"
#include "wire/startup.h"

namespace pgtend::pool {

class Client;
class Server;
class Worker;

// Who asked for a cancel: a client of any worker, to be told when the request was handled. With id
// 0 nobody is.
struct Requester {
  size_t worker = 0;
  uint64_t id = 0;
};

// The cancel keys of one worker's clients; a key names its worker. Thread: one loop's.
class Cancels {
 public:
  explicit Cancels(Worker& worker);
  ~Cancels();

  // A new key for `client`: its pid is not in use. Cost: O(1).
  int32_t add_key(Client& client);
  // The key that another process gave `client`. False when it is in use.
  bool adopt_key(Client& client);
  void remove_key(int32_t pid);
  // A CancelRequest came. `requester` stays open until its cancel_done() is called.
  void request(const wire::CancelKey& key, Client& requester);

  // Sends a cancel to the query `server` runs now, unless that has ended by then.
  // False when there are too many already.
  bool start(Server& server, Requester requester);
  // The link goes away.
  void forget(Server& server);

  size_t in_flight() const { return links_.size(); }

 private:
  class Link;
  static constexpr size_t kInFlightMax = 1000;

  // The key is one of this worker's, or of nobody.
  void take(int32_t pid, std::string_view secret, Requester requester);
  void tell(Requester requester);
  void finish(Link& link);

  Worker& worker_;
  std::unordered_map<int32_t, Client*> keys_;
  std::unordered_map<uint64_t, std::unique_ptr<Link>> links_;
  uint64_t next_link_ = 1;
};

}  // namespace pgtend::pool
