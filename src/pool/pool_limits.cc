// What ends with time in a pool: links that are idle or old, clients that take too long.
#include <algorithm>

#include "pool/pools.h"
#include "pool/worker.h"

namespace pgtend::pool {
namespace {

bool exceeded(SteadyTime since, SteadyTime now, microseconds limit) {
  return limit.count() > 0 && now - since > limit;
}

// Why the client of `lease` must go, if it must.
std::string_view excess(const Lease& lease, const ActivityLimits& limits, SteadyTime now) {
  if (lease.in_query()) {
    if (exceeded(lease.query_start(), now, limits.query)) return "query timeout";
  } else if (lease.status() != Lease::Status::Idle) {
    if (exceeded(lease.ready_at(), now, limits.idle_transaction)) return "idle transaction timeout";
  }
  if (lease.in_transaction() && exceeded(lease.transaction_start(), now, limits.transaction)) {
    return "transaction timeout";
  }
  return {};
}

}  // namespace

void Pool::keep_house(SteadyTime now) {
  expire_links(now);
  enforce(worker_.config().activity(user_), now);
}

// Only the first in line can have waited longest; links and clients have no such order. A client
// that fails leaves its list, and may make others move, so the lists are not walked meanwhile.
void Pool::enforce(const ActivityLimits& limits, SteadyTime now) {
  while (Client* first = waiting_.front()) {
    if (!exceeded(first->identity().request_at, now, limits.query)) break;
    first->fail("query_timeout");
  }
  std::vector<std::pair<uint64_t, std::string_view>> over;
  busy.each([&](Server& server) {
    const Client* client = server.lease().client();
    if (client == nullptr) return;
    const std::string_view reason = excess(server.lease(), limits, now);
    if (!reason.empty()) over.emplace_back(client->identity().id, reason);
  });
  if (limits.client_idle.count() > 0) {
    clients.each([&](Client& client) {
      const bool idle = client.state() == Client::State::Idle;
      if (idle && exceeded(client.identity().idle_since, now, limits.client_idle)) {
        over.emplace_back(client.identity().id, "client_idle_timeout");
      }
    });
  }
  for (const auto& [id, reason] : over) {
    if (Client* client = worker_.client(id)) client->fail(reason);
  }
}

void Pool::expire_links(SteadyTime now) {
  const auto idle_max = worker_.config().settings.time.server_idle;
  while (Server* server = idle_.back()) {
    if (idle_max.count() == 0 || now - server->identity().used_at < idle_max) break;
    server->close("server idle timeout");
  }
  // Spread over the pool: links opened together must not all be closed together.
  const auto pause = lifetime() / std::max<int64_t>(1, group_.slots().own.used());
  if (lifetime().count() == 0 || now - last_expiry_ < pause) return;
  Server* expired = nullptr;
  idle_.each([&](Server& server) {
    if (now - server.identity().connected_at > lifetime()) expired = &server;
  });
  if (expired == nullptr) return;
  last_expiry_ = now;
  expired->close("server lifetime over");
}

}  // namespace pgtend::pool
