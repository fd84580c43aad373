// Cancel requests: the keys that clients hold, and the short links that carry a request to a
// server. Those of other processes are for pool/peers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "pool/cancel_key.h"
#include "wire/startup.h"

namespace pgtend::pool {

class Client;
class Pool;
class Server;
class Worker;

// Who asked for a cancel: a client of any worker, to be told when the request was handled. With id
// 0 nobody is.
struct Requester {
  size_t worker = 0;
  uint64_t id = 0;
};

// Cancel requests under way for the links of one pool.
struct CancelCounts {
  uint64_t sent = 0;  // arrived at the server, which has not handled them yet
  uint64_t clients_sent = 0;
  uint64_t clients_waiting = 0;  // with a link that is being made
};

// The cancel keys of one worker's clients; a key names its worker. Thread: one loop's.
class Cancels {
 public:
  explicit Cancels(Worker& worker);
  ~Cancels();

  // A new key for `client` with a secret of so many bytes. Cost: O(1).
  OwnedKey add_key(Client& client, size_t secret_bytes);
  // The key that another process gave `client`. False when it is in use.
  bool adopt_key(Client& client);
  void remove_key(Client& client);
  // A CancelRequest came. `requester` stays open until its cancel_done() is called.
  void request(const wire::CancelKey& key, Client& requester);

  // Sends a cancel to the query `server` runs now, unless that has ended by then.
  // False when there are too many already.
  bool start(Server& server, Requester requester);
  // The link goes away.
  void forget(Server& server);

  // The request is on its way to whoever runs the query.
  void tell_sent(Requester requester);
  // It was handled, or with a `reason` for the log given up.
  void tell_done(Requester requester, std::string_view reason = "");
  // When a request that came now has to be over.
  SteadyTime deadline() const;

  size_t in_flight() const { return links_.size(); }
  std::unordered_map<const Pool*, CancelCounts> counts() const;

 private:
  class Link;
  static constexpr size_t kInFlightMax = 1000;

  // Null when it is nobody's. Cost: O(clients with the same pid), whichever secret is shown.
  Client* holder_of(const wire::CancelKey& key) const;
  // The worker of the key looks whose it is.
  void take(const OwnedKey& key, Requester requester);
  // No client of this process has it.
  void pass_on(const OwnedKey& key, Requester requester);
  void tell(Requester requester, const std::function<void(Client&)>& what);
  void finish(Link& link);

  Worker& worker_;
  // By pid, which is no secret: what the time of a look-up tells is known anyway.
  std::unordered_multimap<int32_t, Client*> keys_;
  std::unordered_map<uint64_t, std::unique_ptr<Link>> links_;
  uint64_t next_link_ = 1;
};

}  // namespace pgtend::pool
