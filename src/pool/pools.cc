#include "pool/pools.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

// Between attempts to reach a server that cannot be reached, at least.
constexpr milliseconds kRetryMin{100};

uint64_t micros(SteadyTime from, SteadyTime to) {
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<microseconds>(to - from).count()));
}

}  // namespace

Pool::Pool(Worker& worker, std::shared_ptr<const DatabaseConfig> database, std::string user,
           Group& group)
    : worker_(worker),
      database_(std::move(database)),
      user_(std::move(user)),
      group_(group),
      seat_(group.seat(worker.index())),
      owner_(database_->name, user_),
      timer_(worker.loop().timers(), [this] { on_timer(); }) {
  const Group::Outcome outcome = group.last_outcome();
  welcome_ = outcome.welcome;
  welcome_epoch_ = group.epoch();
  failure_ = outcome.failure;
  used_at_ = worker.now();
}

PoolMode Pool::mode() const { return worker_.config().mode(*database_, user_); }

microseconds Pool::query_wait(const Client& client) const {
  return worker_.config().query_wait(*database_, client.identity().user);
}

microseconds Pool::lifetime() const {
  return database_->server_lifetime.value_or(worker_.config().settings.time.server_lifetime);
}

microseconds Pool::longest_wait(SteadyTime now) const {
  const Client* first = waiting_.front();
  for (const ClientList* list : {&greeting_, &claims_, &held_back_}) {
    if (first == nullptr) first = list->front();
  }
  if (first == nullptr) return {};
  return std::chrono::duration_cast<microseconds>(now - first->identity().request_at);
}

PoolTimes& Pool::times() {
  if (times_ == nullptr) times_ = std::make_unique<PoolTimes>();
  return *times_;
}

// --- clients

Server* Pool::acquire(Client& client) {
  const bool at_once =
      waiting_.empty() && !idle_.empty() && !group_.is_paused() && !worker_.is_suspended();
  if (at_once && !needs_check(*idle_.front())) {
    Server& server = *idle_.front();
    busy.push_back(server);
    publish_idle();
    times().wait.record(0);
    server.lease_to(client);
    clients.push_back(client);
    return &server;
  }
  waiting_.push_back(client);
  publish_waiting();
  arm_timer();
  launch();
  return nullptr;
}

void Pool::join(Client& client) {
  if (client.replicating() != nullptr) return claim(client);
  if (is_welcomed()) return client.greet(*welcome_);
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
  publish_waiting();
  arm_timer();
  Replicating* replicating = client.replicating();
  if (replicating == nullptr || replicating->link == nullptr) return;
  std::exchange(replicating->link, nullptr)->forsake();
}

void Pool::hold_back(Client& client) {
  held_back_.push_back(client);
  publish_waiting();
  arm_timer();
}

// Any of them may be gone when another one goes on.
void Pool::look_at_held_back() {
  std::vector<uint64_t> ids;
  held_back_.each([&ids](Client& client) { ids.push_back(client.identity().id); });
  for (const uint64_t id : ids) {
    Client* client = worker_.client(id);
    if (client != nullptr && (client->is_held_back() || client->is_unsettled())) client->go_on();
  }
  arm_timer();
}

void Pool::note_wait(const Client& client) {
  const uint64_t waited = micros(client.identity().request_at, worker_.now());
  counters_.wait_time += waited;
  times().wait.record(static_cast<int64_t>(waited));
}

void Pool::assign(Server& server, Client& client) {
  note_wait(client);
  clients.push_back(client);
  busy.push_back(server);
  publish_waiting();
  server.lease_to(client);
  // Lost in this moment: the client was told.
  if (server.state() == Server::State::Active) client.on_server(server);
}

// --- servers

void Pool::give(Server& server) {
  const bool proven = server.end_check();
  if (proven) --checking_;
  hand_out(server, proven);
}

// Who has waited longest elsewhere.
std::optional<Group::Rival> Pool::rival() const {
  return group_.is_shared() ? group_.longest_waiting(worker_.index()) : std::nullopt;
}

// Whether `rival` goes before one here that waits since `since`.
bool Pool::came_first(const std::optional<Group::Rival>& rival, SteadyTime since) {
  return rival && since - rival->oldest >= kSkew;
}

// `proven`: the server has just answered.
void Pool::hand_out(Server& server, bool proven) {
  if (server.close_wanted() || is_unwanted(server) ||
      worker_.service() == Service::WaitForServers) {
    return server.close("server no longer wanted");
  }
  const auto age = worker_.now() - server.identity().connected_at;
  const bool used = server.lease().generation() > 0;
  if (used && (lifetime().count() == 0 || (age > lifetime() && !waiting_.empty()))) {
    return server.close("server lifetime over");
  }
  Client* first = waiting_.front();
  const bool shares = group_.is_shared() && !worker_.is_held();
  const auto longest = shares ? rival() : std::nullopt;
  if (goes_for_claim(longest)) return server.close("its slot is needed for replication");
  if (shares && !proven && worker_.workers().links_keep_moving() && server.has_served()) {
    return send_on(server);
  }
  const bool serves = first != nullptr && !worker_.is_suspended();
  if (serves && !came_first(longest, first->identity().request_at)) {
    return proven || !needs_check(server) ? assign(server, *first) : check(server);
  }
  if (worker_.config().settings.session.round_robin) {
    idle_.push_back(server);
  } else {
    idle_.push_front(server);
  }
  publish_idle();
  if (shares) share();
}

// Gives idle links to whoever has waited longest, here or elsewhere.
void Pool::share() {
  while (Server* server = idle_.front()) {
    const auto rival = this->rival();
    Client* first = waiting_.front();
    if (!rival && first == nullptr) return;
    const bool ours = first != nullptr && !came_first(rival, first->identity().request_at);
    if (!ours && server->is_walking()) {
      // It has bytes in hand that must be looked at first.
      return worker_.loop().defer([this] { share(); });
    }
    if (!ours) {
      move(*server, rival->worker, false);
      continue;
    }
    if (needs_check(*server)) {
      check(*server);
    } else {
      assign(*server, *first);
      publish_idle();
    }
  }
}

void Pool::share_if_serving() {
  if (!worker_.is_held() && !group_.is_paused()) share();
}

bool Pool::needs_check(const Server& server) const {
  const Settings& settings = worker_.config().settings;
  return !settings.session.check_query.empty() &&
         worker_.now() - server.identity().used_at >= settings.time.server_check;
}

// The link comes back by give(), or it is closed.
void Pool::check(Server& server) {
  ++checking_;
  busy.push_back(server);
  publish_idle();
  server.check();
}

void Pool::move(Server& server, size_t to, bool asked) {
  group_.seat(to).promised.fetch_add(1);
  // A task must be copyable, the luggage is not.
  auto luggage = std::make_shared<Luggage>(server.pack());
  publish_idle();
  // The pool may be forgotten there meanwhile.
  worker_.workers().post(
      to, [&group = group_, database = database_, luggage, asked](Worker& there) {
        there.pools().find_or_add(group, database).arrive(std::move(*luggage), asked);
      });
}

// To the next worker, as soon as it has no bytes in hand.
void Pool::send_on(Server& server) {
  if (!server.is_walking()) {
    return move(server, (worker_.index() + 1) % worker_.workers().size(), false);
  }
  busy.push_back(server);
  worker_.loop().defer([&worker = worker_, id = server.identity().id] {
    Server* moving = worker.server(id);
    if (moving == nullptr || moving->state() != Server::State::Idle) return;
    moving->pool().hand_out(*moving, false);
  });
}

void Pool::arrive(Luggage luggage, bool asked) {
  seat_.promised.fetch_sub(1);
  if (asked) --asked_;
  Server& server = worker_.add_server(*this, std::move(luggage));
  busy.push_back(server);
  server.unpack();
}

void Pool::asked_by(size_t asker) {
  Server* server = idle_.front();
  if (server != nullptr && !worker_.is_held()) return move(*server, asker, true);
  publish_idle();
  worker_.workers().post(asker, [&group = group_](Worker& there) { answer_nothing(there, group); });
}

void Pool::answer_nothing(Worker& asker, const Group& group) {
  asker.pools().find(group)->nothing_idle();
}

void Pool::nothing_idle() {
  --asked_;
  launch();
}

// True when a worker with an idle link was asked for it.
bool Pool::ask_for_link() {
  const auto owner = group_.idle_elsewhere(worker_.index());
  if (!owner) return false;
  ++asked_;
  worker_.workers().post(*owner, [&group = group_, asker = worker_.index()](Worker& there) {
    if (Pool* pool = there.pools().find(group)) return pool->asked_by(asker);
    there.workers().post(asker, [&group](Worker& home) { answer_nothing(home, group); });
  });
  return true;
}

void Pool::retire(Server& server) {
  if (server.end_check()) --checking_;
  // Perhaps it was to serve somebody: another one must.
  if (!waiting_.empty() || !claims_.empty()) {
    worker_.loop().defer([this] {
      share_if_serving();
      launch();
    });
  }
  busy.push_back(server);
  publish_idle();
  publish_waiting();
}

void Pool::publish_idle() {
  if (group_.is_shared()) seat_.idle.store(static_cast<int>(idle_.size()));
}

void Pool::publish_waiting() {
  if (!group_.is_shared()) return;
  const Client* first = first_in_line();
  if (first != nullptr) seat_.oldest.store(Group::stamp(first->identity().request_at));
  // A link that comes for a claim is closed here, for its slot.
  seat_.waiting.store(static_cast<int>(waiting_.size() + slots_missing()));
}

// Of those who wait for a link or its slot.
const Client* Pool::first_in_line() const {
  const Client* first = waiting_.front();
  const Client* claim = room_wanted_ ? next_claim() : nullptr;
  if (first == nullptr || claim == nullptr) return first == nullptr ? claim : first;
  return claim->identity().request_at < first->identity().request_at ? claim : first;
}

void Pool::server_ready(Server& server, Welcome welcome) {
  // What such a session is told depends on its client.
  if (server.replicates()) return claim_ready(server, welcome);
  --logins_;
  const uint32_t epoch = server.identity().epoch;
  // It says nothing of the server that is wanted now: give() closes it.
  if (epoch != group_.epoch()) {
    hand_out(server, true);
    return launch();
  }
  const bool news = failure_ != nullptr || !is_welcomed();
  auto shared = std::make_shared<const Welcome>(std::move(welcome));
  if (news && group_.is_shared()) {
    group_.publish({.welcome = shared}, epoch);
    worker_.workers().post_to_others(worker_.index(),
                                     [&group = group_, shared, epoch](Worker& there) {
                                       if (Pool* pool = there.pools().find(group))
                                         pool->on_welcome(shared, epoch);
                                     });
  }
  failure_.reset();
  welcome_ = std::move(shared);
  welcome_epoch_ = epoch;
  // The link first, so that the greeted find it.
  hand_out(server, true);
  on_welcome(welcome_, epoch);
}

void Pool::on_welcome(std::shared_ptr<const Welcome> welcome, uint32_t epoch) {
  if (epoch != group_.epoch()) return launch();
  failure_.reset();
  welcome_ = std::move(welcome);
  welcome_epoch_ = epoch;
  while (Client* client = greeting_.front()) {
    clients.push_back(*client);
    client->greet(*welcome_);
  }
  launch();
}

void Pool::server_failed(Server& server, Failure failure) {
  if (!server.replicates()) {
    --logins_;
  } else if (claim_failed(server, failure)) {
    return;
  }
  const microseconds retry = worker_.config().settings.time.server_login_retry;
  failure.retry_at = worker_.now() + std::max<microseconds>(retry, kRetryMin);
  auto shared = std::make_shared<const Failure>(std::move(failure));
  if (group_.is_shared()) {
    group_.publish({.welcome = is_welcomed() ? welcome_ : nullptr, .failure = shared},
                   server.identity().epoch);
    worker_.workers().post_to_others(worker_.index(), [&group = group_, shared](Worker& there) {
      if (Pool* pool = there.pools().find(group)) pool->on_failure(shared);
    });
  }
  on_failure(std::move(shared));
}

void Pool::on_failure(std::shared_ptr<const Failure> failure) {
  failure_ = std::move(failure);
  arm_timer();
  // A server that is starting up, or not reached at all, is tried again while clients wait.
  if (failure_->is_refusal()) refuse_greeting(*failure_);
}

void Pool::refuse_greeting(const Failure& failure) {
  const Failure copy = failure;
  while (Client* client = greeting_.front()) {
    client->pool_hook.leave();
    refuse(*client, copy);
  }
}

void Pool::refuse(Client& client, const Failure& failure) {
  if (!failure.message.empty()) {
    client.fail_with(failure.message, failure.text);
  } else {
    client.fail(failure.text, failure.sqlstate);
  }
}

void Pool::server_left(Server& server) {
  if (server.end_check()) --checking_;
  publish_idle();
  SlotSet& slots = group_.slots();
  slots.own.give();
  slots.database->give();
  slots.user->give();
  if (server.is_surplus()) slots.own.has_left();
}

// Beyond the limits if need be: the backend is there.
void Pool::receive(Server& server) {
  SlotSet& slots = group_.slots();
  slots.own.take(0);
  slots.database->take(0);
  slots.user->take(0);
  busy.push_back(server);
}

void Pool::receive(Client& client) {
  if (client.state() != Client::State::Waiting) return clients.push_back(client);
  waiting_.push_back(client);
  publish_waiting();
}

void Pool::server_gone(Server& server) {
  server_left(server);
  launch();
  fill();
  worker_.pools().slot_freed();
  worker_.workers().slot_freed(worker_.index());
}

// How many links the pool may have now; 0: no limit. The reserve is for a client that has waited
// long, one link a time.
int Pool::size_limit(const Client* first) const {
  const int size = worker_.config().pool_size(*database_, user_);
  return size > 0 && reserve_is_due(first) ? size + worker_.config().reserve_size(*database_, user_)
                                           : size;
}

bool Pool::reserve_is_due(const Client* first) const {
  const microseconds wait = worker_.config().settings.time.reserve_wait;
  return wait.count() > 0 && first != nullptr && logins() + checking_ == 0 &&
         worker_.now() - first->identity().request_at >= wait;
}

bool Pool::take_slots(int size) {
  const Config& config = worker_.config();
  SlotSet& slots = group_.slots();
  if (!slots.own.take(size)) return false;
  if (!slots.database->take(config.database_connections(*database_))) {
    slots.own.give();
    return false;
  }
  if (!slots.user->take(config.user_connections(server_user()))) {
    slots.database->give();
    slots.own.give();
    return false;
  }
  return true;
}

// True with the slots of one more link, else slot_freed() calls again.
bool Pool::take_slots_or_starve(int size) {
  if (take_slots(size)) return true;
  // Said first, tried again after: a slot freed in between is seen by one side or the other.
  set_starving(true);
  if (!take_slots(size)) return false;
  set_starving(false);
  return true;
}

// Makes room under a limit that other pools share.
void Pool::evict_rival(int size) {
  const bool own_full = size > 0 && group_.slots().own.used() >= size;
  // The room comes when the evicted backend is gone: slot_freed() calls again.
  if (!own_full && !worker_.pools().evict_for(group_)) {
    worker_.workers().evict_elsewhere(group_, worker_.index());
  }
}

void Pool::note_reserve(int size, const Client* client) const {
  if (size == 0 || group_.slots().own.used() <= worker_.config().pool_size(*database_, user_)) {
    return;
  }
  log::warn(
      cat(client == nullptr ? "" : client->name_in_log(), "taking connection from reserve_pool"));
}

void Pool::launch() {
  const bool room_wanted = std::exchange(room_wanted_, false);
  set_starving(false);
  if (!group_.is_paused() && !worker_.is_held()) {
    auto others_came = SteadyTime::max();
    for (const ClientList* list : {&waiting_, &greeting_}) {
      if (!list->empty()) {
        others_came = std::min(others_came, list->front()->identity().request_at);
      }
    }
    launch_claims(others_came);
    launch_shared();
    launch_claims(SteadyTime::max());
  }
  if (!room_wanted && !room_wanted_) return;
  publish_waiting();
  arm_timer();
}

// Links for whoever is served by any.
void Pool::launch_shared() {
  const auto logins_max = static_cast<size_t>(std::max(0, kLoginsMax - claim_logins_));
  const size_t wanted = std::min(waiting_.size() + (greeting_.empty() ? 0 : 1), logins_max);
  while (checking() < waiting_.size() && !idle_.empty()) {
    // Not handed out at once: the first in line may be calling.
    if (idle_.front()->is_walking() || !needs_check(*idle_.front())) {
      worker_.loop().defer([this] { share_if_serving(); });
      break;
    }
    check(*idle_.front());
  }
  while (static_cast<size_t>(logins_ + asked_ + checking_) < wanted) {
    if (waiting_.size() > static_cast<size_t>(asked_) && group_.is_shared() && ask_for_link()) {
      continue;
    }
    // After a failure one attempt at a time tells whether it lasts.
    if (failure_ && (logins() > 0 || worker_.now() < failure_->retry_at)) return;
    const int size = size_limit(waiting_.front());
    if (!take_slots_or_starve(size)) return evict_rival(size);
    note_reserve(size, waiting_.front());
    open_link();
  }
}

// How many links are kept open here.
int Pool::size_min() const {
  const bool wanted = !removed_ && (database_->user || !clients.empty() || waiting() > 0);
  return wanted ? worker_.config().pool_size_min(*database_, user_) : 0;
}

void Pool::fill() {
  const int least = size_min();
  const bool failing = failure_ && (logins_ > 0 || worker_.now() < failure_->retry_at);
  const bool closing =
      group_.is_paused() || worker_.is_held() || worker_.service() != Service::Running;
  if (least == 0 || failing || closing) return;
  while (logins_ < kLoginsMax && take_slots(least)) open_link();
}

void Pool::open_link() {
  ++logins_;
  Server& server = worker_.add_server(*this);
  busy.push_back(server);
  server.start();
}

void Pool::set_starving(bool starving) {
  if (starving_ == starving) return;
  starving_ = starving;
  worker_.count_starving(starving ? 1 : -1);
}

// Closes the longest idle link if at least `least` stay.
bool Pool::spare(int least, std::string_view reason) {
  Server* server = idle_.back();
  if (server == nullptr || !group_.slots().own.leave(least)) return false;
  server->mark_surplus();
  server->close(reason);
  return true;
}

bool Pool::evict() {
  Server* oldest = idle_.back();
  if (oldest == nullptr) return false;
  oldest->close("evicted");
  return true;
}

// --- time

// One timer: for the first in line, for the reserve, and for the next attempt after a failure.
// Limits that differ between users are house keeping.
void Pool::arm_timer() {
  std::optional<SteadyTime> next;
  const auto consider = [&next](SteadyTime at) { next = next ? std::min(*next, at) : at; };
  for (const ClientList* list : {&waiting_, &greeting_, &claims_, &held_back_}) {
    const Client* first = list->front();
    if (first == nullptr || worker_.config().users_wait_differently) continue;
    const microseconds limit = query_wait(*first);
    if (limit.count() > 0) consider(first->identity().request_at + limit);
  }
  if (const Client* first = first_in_line(); first != nullptr) {
    const microseconds wait = worker_.config().settings.time.reserve_wait;
    const SteadyTime due = first->identity().request_at + wait;
    const bool has_reserve = worker_.config().reserve_size(*database_, user_) > 0;
    if (has_reserve && wait.count() > 0 && due > worker_.now()) consider(due);
  }
  // Once that has passed, a slot that becomes free is what is waited for.
  const bool retries = failure_ && failure_->retry_at > worker_.now();
  if (retries && waiting() > 0) consider(failure_->retry_at);
  if (!next) return timer_.cancel();
  if (!timer_.armed() || timer_.deadline() > *next) timer_.arm(*next);
}

void Pool::on_timer() {
  const SteadyTime now = worker_.now();
  for (const ClientList* list : {&waiting_, &greeting_, &claims_, &held_back_}) {
    while (Client* first = list->front()) {
      const microseconds limit = query_wait(*first);
      if (limit.count() == 0 || now - first->identity().request_at < limit) break;
      leave(*first);
      first->fail("query_wait_timeout");
    }
  }
  launch();
  arm_timer();
}

void Pool::reconfigure(std::shared_ptr<const DatabaseConfig> database) {
  removed_ = database == nullptr;
  if (!removed_) database_ = std::move(database);
  if (removed_) {
    const auto drop = [](Client& client) { client.fail("database removed"); };
    waiting_.each(drop);
    greeting_.each(drop);
    claims_.each(drop);
    held_back_.each(drop);
    clients.each(drop);
  }
  launch();
  // How long who waits may wait is perhaps another time now.
  arm_timer();
}

void Pool::drop_unwanted() {
  idle_.each([this](Server& server) {
    if (is_unwanted(server)) server.close("server no longer wanted");
  });
  busy.each([](Server& server) { server.close_if_outdated(); });
  launch();
}

void Pool::drop_moved(const std::string& host, const std::vector<net::Address>& addresses) {
  const auto drop = [&](Server& server) { server.close_if_moved(host, addresses); };
  idle_.each(drop);
  busy.each(drop);
}

void Pool::kill() {
  const auto drop = [](Client& client) { client.fail("admin forced disconnect"); };
  waiting_.each(drop);
  greeting_.each(drop);
  claims_.each(drop);
  held_back_.each(drop);
  clients.each(drop);
  const auto close = [](Server& server) { server.close("admin forced disconnect"); };
  idle_.each(close);
  busy.each(close);
}

bool Pool::is_unwanted(const Server& server) const {
  return server.identity().epoch != group_.epoch() || group_.is_paused();
}

// --- all pools

Pool& Pools::find_or_add(const std::shared_ptr<const DatabaseConfig>& database,
                         const std::string& user) {
  const auto key = std::make_pair(database->name, database->user.value_or(user));
  if (const auto found = pools_.find(key); found != pools_.end()) return *found->second;
  Groups& groups = worker_.workers().groups();
  const bool is_new = groups.find(key) == nullptr;
  if (is_new && !worker_.config().databases.contains(database->name)) {
    log::info(cat("registered new auto-database: db=", printable(database->name)));
  }
  return find_or_add(groups.find_or_add(key), database);
}

Pool& Pools::find_or_add(Group& group, const std::shared_ptr<const DatabaseConfig>& otherwise) {
  auto& pool = pools_[group.key()];
  if (!pool) {
    auto database = worker_.config().database(group.key().first);
    if (!database) database = otherwise;
    pool = std::make_unique<Pool>(worker_, std::move(database), group.key().second, group);
  }
  return *pool;
}

Pool* Pools::find(const Group& group) {
  const auto found = pools_.find(group.key());
  return found == pools_.end() ? nullptr : found->second.get();
}

void Pools::forget_unused(SteadyTime now) {
  std::erase_if(pools_, [&](const auto& entry) {
    Pool& pool = *entry.second;
    if (!pool.fade(now)) return false;
    log::info(cat("cleaning up idle pool: ", printable(entry.first.first), '/',
                  printable(entry.first.second)));
    worker_.statistics().keep(pool);
    return true;
  });
}

void Pools::slot_freed() {
  for (auto& [key, pool] : pools_) pool->launch();
}

bool Pools::evict_for(const Group& group) {
  for (auto& [key, other] : pools_) {
    if (&other->group() == &group) continue;
    const bool shares_database = other->group().slots().database == group.slots().database;
    const bool shares_user = other->group().slots().user == group.slots().user;
    if ((shares_database || shares_user) && other->evict()) return true;
  }
  return false;
}

void Pools::open_kept() {
  const Config& config = worker_.config();
  for (const auto& [name, database] : config.databases) {
    const bool kept = database->user && name != "*";
    if (kept && config.pool_size_min(*database, *database->user) > 0) find_or_add(database, "");
  }
}

void Pools::drop_unwanted() {
  for (auto& [key, pool] : pools_) pool->drop_unwanted();
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
