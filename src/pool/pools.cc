#include "pool/pools.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "pool/texts.h"
#include "pool/worker.h"

namespace pgtend::pool {
namespace {

// Logins to one server at the same time, at most.
constexpr size_t kLoginsMax = 8;
constexpr std::string_view kStartingUp = "57P03";
// Between attempts to reach a server that cannot be reached, at least.
constexpr milliseconds kRetryMin{100};

uint64_t micros(SteadyTime from, SteadyTime to) {
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<microseconds>(to - from).count()));
}

}  // namespace

bool Slots::take(int limit) {
  int used = used_.load(std::memory_order_relaxed);
  do {
    if (limit > 0 && used >= limit) return false;
  } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
  return true;
}

Pool::Pool(Worker& worker, std::shared_ptr<const DatabaseConfig> database, std::string user,
           SlotSet* slots)
    : worker_(worker),
      database_(std::move(database)),
      user_(std::move(user)),
      slots_(slots),
      timer_(worker.loop().timers(), [this] { on_timer(); }) {}

PoolMode Pool::mode() const { return worker_.config().mode(*database_, user_); }
int Pool::size_max() const { return worker_.config().pool_size(*database_, user_); }

microseconds Pool::query_wait() const {
  return database_->query_wait.value_or(worker_.config().settings.time.query_wait);
}

microseconds Pool::lifetime() const {
  return database_->server_lifetime.value_or(worker_.config().settings.time.server_lifetime);
}

microseconds Pool::longest_wait(SteadyTime now) const {
  const Client* first = waiting_.front() != nullptr ? waiting_.front() : greeting_.front();
  if (first == nullptr) return {};
  return std::chrono::duration_cast<microseconds>(now - first->identity().request_at);
}

// --- clients

Server* Pool::acquire(Client& client) {
  if (waiting_.empty() && !idle_.empty()) {
    Server& server = *idle_.front();
    busy.push_back(server);
    server.lease_to(client);
    clients.push_back(client);
    return &server;
  }
  waiting_.push_back(client);
  arm_timer();
  launch();
  return nullptr;
}

void Pool::join(Client& client) {
  if (welcomed_) return client.greet();
  if (failure_ && failure_->is_login && worker_.now() < failure_->retry_at) {
    const std::string text = cat("server login has been failing, cached error: ", failure_->text,
                                 " (server_login_retry)");
    return client.fail(text, failure_->sqlstate);
  }
  greeting_.push_back(client);
  arm_timer();
  launch();
}

void Pool::leave(Client& client) {
  client.pool_hook.leave();
  arm_timer();
}

void Pool::assign(Server& server, Client& client) {
  counters_.wait_time += micros(client.identity().request_at, worker_.now());
  clients.push_back(client);
  busy.push_back(server);
  server.lease_to(client);
  // Lost in this moment: the client was told.
  if (server.state() == Server::State::Active) client.on_server(server);
}

// --- servers

void Pool::give(Server& server) {
  if (server.close_wanted() || worker_.service() == Service::WaitForServers) {
    return server.close("server no longer wanted");
  }
  const auto age = worker_.now() - server.identity().connected_at;
  const bool used = server.lease().generation() > 0;
  if (used && (lifetime().count() == 0 || (age > lifetime() && !waiting_.empty()))) {
    return server.close("server lifetime over");
  }
  if (Client* first = waiting_.front()) return assign(server, *first);
  if (worker_.config().settings.session.round_robin) {
    idle_.push_back(server);
  } else {
    idle_.push_front(server);
  }
}

void Pool::server_ready(Server& server, Welcome welcome) {
  --logins_;
  failure_.reset();
  welcome_ = std::move(welcome);
  welcomed_ = true;
  // The link first, so that the greeted find it.
  give(server);
  while (Client* client = greeting_.front()) {
    clients.push_back(*client);
    client->greet();
  }
  launch();
}

void Pool::server_failed(Server&, Failure failure) {
  --logins_;
  const microseconds retry = worker_.config().settings.time.server_login_retry;
  failure.retry_at = worker_.now() + std::max<microseconds>(retry, kRetryMin);
  failure_ = std::make_unique<Failure>(std::move(failure));
  arm_timer();
  // A server that is starting up, or not reached at all, is tried again while clients wait.
  if (failure_->is_login && failure_->sqlstate != kStartingUp) refuse_greeting(*failure_);
}

void Pool::refuse_greeting(const Failure& failure) {
  const Failure copy = failure;
  while (Client* client = greeting_.front()) {
    client->pool_hook.leave();
    if (!copy.message.empty()) {
      client->fail_with(copy.message, copy.text);
    } else {
      client->fail(copy.text, copy.sqlstate);
    }
  }
}

void Pool::server_gone(Server&) {
  slots_->own.give();
  slots_->database->give();
  slots_->user->give();
  launch();
  worker_.pools().slot_freed();
}

bool Pool::take_slots() {
  const auto& limit = worker_.config().settings.limit;
  const auto& users = worker_.config().users;
  const auto user = users.find(server_user());
  const int user_max = user != users.end()
                           ? user->second.connections_max.value_or(limit.user_connections)
                           : limit.user_connections;
  const int database_max = database_->connections_max.value_or(limit.database_connections);
  if (!slots_->own.take(size_max())) return false;
  if (!slots_->database->take(database_max)) {
    slots_->own.give();
    return false;
  }
  if (!slots_->user->take(user_max)) {
    slots_->database->give();
    slots_->own.give();
    return false;
  }
  return true;
}

void Pool::launch() {
  size_t wanted = std::min(waiting_.size() + (greeting_.empty() ? 0 : 1), kLoginsMax);
  if (failure_) {
    if (worker_.now() < failure_->retry_at) return;
    wanted = std::min<size_t>(wanted, 1);
  }
  while (static_cast<size_t>(logins_) < wanted) {
    if (!take_slots()) {
      const bool own_full = size_max() > 0 && slots_->own.used() >= size_max();
      // The room comes when the evicted backend is gone: slot_freed() calls again.
      if (!own_full) worker_.pools().evict_for(*this);
      return;
    }
    ++logins_;
    Server& server = worker_.add_server(*this);
    busy.push_back(server);
    server.start();
    if (failure_) return;
  }
}

bool Pool::evict() {
  Server* oldest = idle_.back();
  if (oldest == nullptr) return false;
  oldest->close("evicted");
  return true;
}

void Pool::keep_house(SteadyTime now) {
  const auto idle_max = worker_.config().settings.time.server_idle;
  while (Server* server = idle_.back()) {
    if (idle_max.count() == 0 || now - server->identity().used_at < idle_max) break;
    server->close("server idle timeout");
  }
  // Spread over the pool: links opened together must not all be closed together.
  const auto pause = lifetime() / std::max<int64_t>(1, slots_->own.used());
  if (lifetime().count() == 0 || now - last_expiry_ < pause) return;
  Server* expired = nullptr;
  idle_.each([&](Server& server) {
    if (now - server.identity().connected_at > lifetime()) expired = &server;
  });
  if (expired == nullptr) return;
  last_expiry_ = now;
  expired->close("server lifetime over");
}

// --- time

// One timer: for the first in line, and for the next attempt after a failure.
void Pool::arm_timer() {
  std::optional<SteadyTime> next;
  const auto consider = [&next](SteadyTime at) { next = next ? std::min(*next, at) : at; };
  const bool limited = query_wait().count() > 0;
  if (const Client* first = waiting_.front(); first != nullptr && limited) {
    consider(first->identity().request_at + query_wait());
  }
  if (const Client* first = greeting_.front(); first != nullptr && limited) {
    consider(first->identity().request_at + query_wait());
  }
  if (failure_ && waiting() > 0) consider(failure_->retry_at);
  if (!next) return timer_.cancel();
  if (!timer_.armed() || timer_.deadline() > *next) timer_.arm(*next);
}

void Pool::on_timer() {
  const SteadyTime now = worker_.now();
  const auto limit = query_wait();
  const auto expire = [&](const ClientList& list) {
    while (Client* first = list.front()) {
      if (limit.count() == 0 || now - first->identity().request_at < limit) return;
      first->pool_hook.leave();
      first->fail("query_wait_timeout");
    }
  };
  expire(waiting_);
  expire(greeting_);
  launch();
  arm_timer();
}

void Pool::reconfigure(std::shared_ptr<const DatabaseConfig> database) {
  const bool removed = database == nullptr;
  const bool changed = removed || !database->same_server(*database_);
  if (!removed) database_ = std::move(database);
  if (removed) {
    const auto drop = [](Client& client) { client.fail("database removed"); };
    waiting_.each(drop);
    greeting_.each(drop);
    clients.each(drop);
  }
  if (changed) {
    welcomed_ = false;
    idle_.each([](Server& server) { server.close_when_free(); });
    busy.each([](Server& server) { server.close_when_free(); });
  }
  launch();
}

// --- all pools

Pool& Pools::find_or_add(const std::shared_ptr<const DatabaseConfig>& database,
                         const std::string& user) {
  const auto key = std::make_pair(database->name, user);
  auto& pool = pools_[key];
  if (!pool) {
    auto& slots = slots_[key];
    slots = std::make_unique<SlotSet>();
    slots->database = &database_slots_[database->name];
    slots->user = &user_slots_[database->user.value_or(user)];
    pool = std::make_unique<Pool>(worker_, database, user, slots.get());
  }
  return *pool;
}

void Pools::slot_freed() {
  for (auto& [key, pool] : pools_) {
    if (pool->waiting() > 0) pool->launch();
  }
}

bool Pools::evict_for(const Pool& pool) {
  for (auto& [key, other] : pools_) {
    if (other.get() == &pool) continue;
    const bool shares_database = other->slots().database == pool.slots().database;
    const bool shares_user = other->slots().user == pool.slots().user;
    if ((shares_database || shares_user) && other->evict()) return true;
  }
  return false;
}

void Pools::reconfigure() {
  for (auto& [key, pool] : pools_) {
    auto database = worker_.config().database(key.first);
    if (!database) {
      log::warn("database removed", {log::kv("db", key.first), log::kv("user", key.second)});
    }
    pool->reconfigure(std::move(database));
  }
}

}  // namespace pgtend::pool
