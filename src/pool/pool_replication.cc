// Clients that replicate wait in line as others do, but each for a link that is opened for it. When
// no slot is free, a link that serves nobody goes for its sake.
#include <algorithm>

#include "pool/pools.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {

void Pool::claim(Client& client) {
  claims_.push_back(client);
  launch();
  arm_timer();
}

// The first whose link is not on its way.
Client* Pool::next_claim() const {
  Client* first = nullptr;
  claims_.each([&first](Client& client) {
    if (first == nullptr && client.replicating()->link == nullptr) first = &client;
  });
  return first;
}

// Opens links for those who came not later than `until`.
void Pool::launch_claims(SteadyTime until) {
  while (Client* client = next_claim()) {
    if (client->identity().request_at > until || room_wanted_) return;
    // A login that was refused says nothing about this one.
    const bool failing = failure_ && !failure_->is_refusal();
    if (failing && (logins() > 0 || worker_.now() < failure_->retry_at)) return;
    if (logins() >= kLoginsMax) return;
    const bool elsewhere = came_first(rival(), client->identity().request_at);
    if (elsewhere && logins_ > 0) return;
    const int size = size_limit(client);
    if (!take_slots_or_starve(size)) return make_room(size);
    note_reserve(size, client);
    // A link that any may have goes to whoever came first.
    if (elsewhere) return open_link();
    ++claim_logins_;
    Server& server = worker_.add_server(*this);
    busy.push_back(server);
    client->replicating()->link = &server;
    server.start_for(*client);
  }
}

// How many more slots must become free than will be soon.
size_t Pool::slots_missing() const {
  if (!room_wanted_) return 0;
  size_t leaving = static_cast<size_t>(claim_logins_);
  busy.each([&leaving](const Server& server) {
    if (server.state() == Server::State::Draining) ++leaving;
  });
  return claims_.size() > leaving ? claims_.size() - leaving : 0;
}

// The room comes when an evicted backend is gone: server_gone() or slot_freed() calls again.
void Pool::make_room(int size) {
  room_wanted_ = true;
  size_t missing = slots_missing();
  if (missing == 0) return;
  const size_t before = missing;
  // Not one that somebody else has waited for longer, perhaps about to move there.
  while (missing > 0 && goes_for_claim(rival()) && evict()) --missing;
  if (missing > 0 && group_.is_shared() && (asked_ > 0 || ask_for_link())) --missing;
  if (missing == before) evict_rival(size);
}

// Whether a link that is free now is closed for somebody who needs the slot.
bool Pool::goes_for_claim(const std::optional<Group::Rival>& rival) const {
  if (slots_missing() == 0) return false;
  const SteadyTime since = next_claim()->identity().request_at;
  const Client* first = waiting_.front();
  if (first != nullptr && first->identity().request_at < since) return false;
  return !came_first(rival, since);
}

void Pool::claim_ready(Server& server, const Welcome& welcome) {
  --claim_logins_;
  Client& client = *server.take_claimant();
  client.replicating()->link = nullptr;
  if (is_unwanted(server) || worker_.service() == Service::WaitForServers) {
    server.close("server no longer wanted");
    return launch();
  }
  note_wait(client);
  clients.push_back(client);
  publish_waiting();
  server.lease_to(client);
  client.begin_replication(server, welcome);
  launch();
}

// True when the failure was that of one client alone, which has been told if it is still there.
bool Pool::claim_failed(Server& server, const Failure& failure) {
  --claim_logins_;
  Client* client = server.take_claimant();
  if (client == nullptr) return true;
  client->replicating()->link = nullptr;
  if (!failure.is_refusal()) return false;
  refuse(*client, failure);
  return true;
}

}  // namespace pgtend::pool
