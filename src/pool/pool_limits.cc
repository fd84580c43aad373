// What ends with time in a pool: links that are idle or old, clients that take too long.
#include <algorithm>

#include "pool/pools.h"
#include "pool/worker.h"

namespace pgtend::pool {
namespace {

bool exceeded(SteadyTime since, SteadyTime now, microseconds limit) {
  return limit.count() > 0 && now - since > limit;
}

// Why the client of `lease` must go, if it must. One that streams does so as long as it likes.
std::string_view excess(const Lease& lease, bool streams, const ActivityLimits& limits,
                        SteadyTime now) {
  if (lease.in_query()) {
    if (!streams && exceeded(lease.query_start(), now, limits.query)) return "query timeout";
  } else if (lease.status() != Lease::Status::Idle) {
    if (exceeded(lease.ready_at(), now, limits.idle_transaction)) return "idle transaction timeout";
  }
  if (!streams && lease.in_transaction() &&
      exceeded(lease.transaction_start(), now, limits.transaction)) {
    return "transaction timeout";
  }
  return {};
}

}  // namespace

void Pool::keep_house(SteadyTime now) {
  expire_links(now);
  shrink();
  fill();
  enforce(now);
  notify_waiting(now);
}

// A client that fails leaves its list, and may make others move, so the lists are not walked
// meanwhile.
void Pool::enforce(SteadyTime now) {
  const Config& config = worker_.config();
  const auto limits_of = [&](const Client& client) {
    return config.users.empty() ? config.settings.time.activity
                                : config.activity(client.identity().user);
  };
  std::vector<std::pair<uint64_t, std::string_view>> over;
  const auto look_at_waiting = [&](Client& client) {
    const SteadyTime since = client.identity().request_at;
    if (config.users_wait_differently && exceeded(since, now, query_wait(client))) {
      over.emplace_back(client.identity().id, "query_wait_timeout");
    } else if (exceeded(since, now, limits_of(client).query)) {
      over.emplace_back(client.identity().id, "query_timeout");
    }
  };
  waiting_.each(look_at_waiting);
  if (config.users_wait_differently) greeting_.each(look_at_waiting);
  claims_.each([&](Client& client) {
    const SteadyTime since = client.identity().request_at;
    if (config.users_wait_differently && exceeded(since, now, query_wait(client))) {
      over.emplace_back(client.identity().id, "query_wait_timeout");
    }
  });
  busy.each([&](Server& server) {
    const Client* client = server.lease().client();
    if (client == nullptr) return;
    const std::string_view reason =
        excess(server.lease(), server.replicates(), limits_of(*client), now);
    if (!reason.empty()) over.emplace_back(client->identity().id, reason);
  });
  if (!config.users.empty() || config.settings.time.activity.client_idle.count() > 0) {
    clients.each([&](Client& client) {
      const bool idle = client.state() == Client::State::Idle;
      const microseconds limit = limits_of(client).client_idle;
      if (idle && exceeded(client.identity().idle_since, now, limit)) {
        over.emplace_back(client.identity().id, "client_idle_timeout");
      }
    });
  }
  for (const auto& [id, reason] : over) {
    if (Client* client = worker_.client(id)) client->fail(reason);
  }
}

// The first in line have waited longest.
void Pool::notify_waiting(SteadyTime now) {
  const microseconds wait = worker_.config().settings.time.query_wait_notice;
  bool waited_long = wait.count() > 0;
  waiting_.each([&](Client& client) {
    waited_long = waited_long && exceeded(client.identity().request_at, now, wait);
    if (waited_long) client.tell_of_wait();
  });
}

// After a reload with a smaller pool_size.
void Pool::shrink() {
  const int size = worker_.config().pool_size(*database_, user_);
  const int most = size + worker_.config().reserve_size(*database_, user_);
  while (size > 0 && spare(most, "too many servers in the pool")) {
  }
}

void Pool::expire_links(SteadyTime now) {
  const auto idle_max = worker_.config().settings.time.server_idle;
  while (Server* server = idle_.back()) {
    if (idle_max.count() == 0 || now - server->identity().used_at < idle_max) break;
    if (!spare(size_min(), "server idle timeout")) break;
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

bool Pool::is_unused() const {
  return clients.empty() && waiting() == 0 && group_.present().load() == 0;
}

// Zero: for ever.
microseconds Pool::kept_for() const {
  const TimeSettings& time = worker_.config().settings.time;
  const bool is_auto = !worker_.config().databases.contains(database_->name);
  if (!is_auto || time.autodb_idle.count() == 0) return time.pool_idle;
  return time.pool_idle.count() == 0 ? time.autodb_idle
                                     : std::min(time.pool_idle, time.autodb_idle);
}

bool Pool::fade(SteadyTime now) {
  if (!is_unused() || size_min() > 0) {
    used_at_ = now;
    return false;
  }
  const microseconds kept = kept_for();
  if (!removed_ && (kept.count() == 0 || now - used_at_ < kept)) return false;
  idle_.each([](Server& server) { server.close("pool idle"); });
  const bool is_asking = logins_ + asked_ + checking_ > 0;
  return busy.empty() && !is_asking && seat_.promised.load() == 0;
}

}  // namespace pgtend::pool
