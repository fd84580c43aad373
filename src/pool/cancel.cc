#include "pool/cancel.h"

#include <string>

#include "base/log.h"
#include "pool/cancel_link.h"
#include "pool/client.h"
#include "pool/peers.h"
#include "pool/server.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

constexpr seconds kLimitDefault{10};

}  // namespace

class Cancels::Link final : public CancelLink {
 public:
  Link(Cancels& owner, uint64_t id, Server& server, Requester requester)
      : CancelLink(owner.worker_, owner.deadline()),
        owner_(owner),
        id_(id),
        server_(&server),
        pool_(server.pool()),
        requester_(requester),
        generation_(server.lease().generation()) {}

  uint64_t id() const { return id_; }
  Server* server() const { return server_; }
  const Pool& pool() const { return pool_; }
  Requester requester() const { return requester_; }
  void forget_server() { server_ = nullptr; }

 private:
  // The query this was meant for may have ended while the link was made.
  std::string request() override {
    std::string out;
    const bool current = server_ != nullptr && server_->lease().generation() == generation_ &&
                         server_->lease().expect().outstanding() > 0;
    if (current) wire::append_cancel(out, {server_->identity().pid, server_->identity().secret});
    return out;
  }

  void on_sent() override { owner_.tell_sent(requester_); }

  // Late, nobody knows whether the request will still arrive: it must not meet another client's
  // query.
  void on_end(End end) override {
    if (end == End::Late && is_sent() && server_ != nullptr) server_->close_when_free();
    owner_.finish(*this);
  }

  Cancels& owner_;
  const uint64_t id_;
  Server* server_;
  const Pool& pool_;
  const Requester requester_;
  const uint64_t generation_;
};

Cancels::Cancels(Worker& worker) : worker_(worker) {}

Cancels::~Cancels() = default;

// --- keys

OwnedKey Cancels::add_key(Client& client, size_t secret_bytes) {
  while (true) {
    OwnedKey key = make_key(secret_bytes, worker_.index(), worker_.config().settings.peer_id);
    if (holder_of(key.view()) != nullptr) continue;
    keys_.emplace(key.pid, &client);
    return key;
  }
}

bool Cancels::adopt_key(Client& client) {
  if (holder_of(client.key()) != nullptr) return false;
  keys_.emplace(client.key().pid, &client);
  return true;
}

void Cancels::remove_key(Client& client) {
  const auto [begin, end] = keys_.equal_range(client.key().pid);
  for (auto it = begin; it != end; ++it) {
    if (it->second == &client) return static_cast<void>(keys_.erase(it));
  }
}

Client* Cancels::holder_of(const wire::CancelKey& key) const {
  Client* holder = nullptr;
  const auto [begin, end] = keys_.equal_range(key.pid);
  for (auto it = begin; it != end; ++it) {
    if (is_same_key(it->second->key(), key)) holder = it->second;
  }
  return holder;
}

void Cancels::request(const wire::CancelKey& key, Client& requester) {
  const size_t owner = worker_.workers().of_key(key);
  const Requester who{worker_.index(), requester.identity().id};
  OwnedKey own = OwnedKey::of(key);
  if (owner == worker_.index()) return take(own, who);
  worker_.workers().post(
      owner, [key = std::move(own), who](Worker& there) { there.cancels().take(key, who); });
}

void Cancels::take(const OwnedKey& key, Requester requester) {
  Client* client = holder_of(key.view());
  if (client == nullptr) return pass_on(key, requester);
  if (!client->cancel(requester)) tell_done(requester);
}

void Cancels::pass_on(const OwnedKey& key, Requester requester) {
  const int own = worker_.config().settings.peer_id;
  if (own == 0 || peer_of(key.view()) == own) return tell_done(requester);
  const auto forward = [key, requester](Worker& first) {
    first.workers().peers().forward(key, requester);
  };
  worker_.index() == 0 ? forward(worker_) : worker_.workers().post(0, forward);
}

// --- requesters

void Cancels::tell_sent(Requester requester) {
  tell(requester, [](Client& client) { client.cancel_sent(); });
}

void Cancels::tell_done(Requester requester, std::string_view reason) {
  tell(requester, [reason = std::string(reason)](Client& client) { client.cancel_done(reason); });
}

void Cancels::tell(Requester requester, const std::function<void(Client&)>& what) {
  if (requester.id == 0) return;
  const auto tell_there = [id = requester.id, what](Worker& there) {
    if (Client* client = there.client(id)) what(*client);
  };
  if (requester.worker == worker_.index()) return tell_there(worker_);
  worker_.workers().post(requester.worker, tell_there);
}

SteadyTime Cancels::deadline() const {
  const auto limit = worker_.config().settings.time.cancel_wait;
  return worker_.now() + (limit.count() > 0 ? limit : microseconds(kLimitDefault));
}

// --- links

bool Cancels::start(Server& server, Requester requester) {
  if (links_.size() >= kInFlightMax) {
    log::warn("too many cancel requests at once, one is dropped");
    return false;
  }
  const uint64_t id = next_link_++;
  const auto added = links_.emplace(id, std::make_unique<Link>(*this, id, server, requester));
  server.cancel_started();
  added.first->second->open({server.identity().address});
  return true;
}

void Cancels::finish(Link& link) {
  const auto found = links_.find(link.id());
  if (found == links_.end()) return;
  // The link is on the call stack: it goes at the end of the turn.
  const std::shared_ptr<Link> keep(std::move(found->second));
  links_.erase(found);
  worker_.loop().defer([keep] {});
  Server* server = keep->server();
  keep->forget_server();
  if (server != nullptr) server->cancel_ended();
  tell_done(keep->requester());
}

void Cancels::forget(Server& server) {
  for (auto& [id, link] : links_) {
    if (link->server() == &server) link->forget_server();
  }
}

std::unordered_map<const Pool*, CancelCounts> Cancels::counts() const {
  std::unordered_map<const Pool*, CancelCounts> all;
  for (const auto& [id, link] : links_) {
    CancelCounts& counts = all[&link->pool()];
    if (link->is_sent()) ++counts.sent;
    if (link->requester().id == 0) continue;
    ++(link->is_sent() ? counts.clients_sent : counts.clients_waiting);
  }
  return all;
}

}  // namespace pgtend::pool
