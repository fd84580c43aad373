#include "sim/pool_sim.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "pool/takeover.h"

namespace pgtend::sim {
namespace {

constexpr std::string_view kServerAddress = "10.0.0.1";
constexpr std::string_view kPoolAddress = "127.0.0.1";
constexpr int kPoolPort = 6432;
// Nothing arrives anywhere for so long: somebody waits for ever.
constexpr seconds kStill{400};
// How long waiters may see free slots unused: a failed login is retried after less.
constexpr seconds kNeglect{2};
// How much longer somebody on another worker may have to wait than who is served.
constexpr milliseconds kSkew{5};
constexpr seconds kCloseLimit{300};
constexpr microseconds kBetweenReplacements{200'000};
// The console client of a process that takes over: none of the simulated ones.
constexpr pool::Holder kSuccessor{0, uint64_t{1} << 50};

NetworkOptions network_options(const Scenario& scenario, Dice& dice) {
  NetworkOptions options;
  options.delay_max = microseconds(dice.chance(200) ? 20'000 : 500);
  options.split = dice.below(500);
  options.buffer_min = dice.chance(500) ? 64 : 4096;
  options.buffer_max = dice.chance(500) ? 8192 : 131'072;
  options.resets = scenario.stormy;
  options.connect_failures = scenario.stormy && dice.chance(300) ? 5 : 0;
  return options;
}

BackendFaults backend_faults(const Scenario& scenario, Dice& dice) {
  if (!scenario.stormy) return {};
  BackendFaults faults;
  faults.crash = dice.below(6);
  faults.fatal = dice.below(6);
  faults.refuse = dice.chance(400) ? dice.below(60) : 0;
  faults.slow_login = dice.chance(400) ? dice.below(40) : 0;
  faults.idle_end = dice.below(6);
  faults.chatter = 50;
  return faults;
}

ClientHabits client_habits(const Scenario& scenario, Dice& dice) {
  ClientHabits habits;
  habits.slow_read = dice.below(20);
  habits.trickle = dice.below(100);
  if (scenario.replicating) habits.replicate = 100 + dice.below(400);
  if (!scenario.stormy) return habits;
  habits.sudden = dice.below(700);
  habits.cancel = scenario.cancelling ? 900 : dice.below(150);
  habits.errors_allowed = true;
  return habits;
}

bool is_opening(const pool::Server& server) {
  return server.state() == pool::Server::State::Connecting ||
         server.state() == pool::Server::State::Login;
}

}  // namespace

PoolSim::PoolSim(const Scenario& scenario)
    : scenario_(scenario),
      dice_(scenario.seed),
      journal_(clock_),
      network_(dice_, clock_, journal_, network_options(scenario, dice_)),
      scheduler_(dice_, clock_, network_),
      server_loop_(scheduler_.add_loop()),
      client_loop_(scheduler_.add_loop()),
      config_(client_loop_, dice_, journal_,
              {.mode = scenario.mode,
               .harsh = scenario.stormy,
               .server = std::string(kServerAddress),
               .listen = std::string(kPoolAddress),
               .port = kPoolPort}) {
  clock_.advance(seconds(1000));
  for (size_t i = 0; i < scenario.workers; ++i) pool_loops_.push_back(&scheduler_.add_loop());
  server_ = std::make_unique<FakeServer>(server_loop_, dice_, journal_,
                                         backend_faults(scenario, dice_), server_limits());
  server_->listen(net::Address::ip(kServerAddress, 5432).take()).take();
  workers_ = make_workers();
  workers_->listen().take();
  ClientWorld world{.pools = workers_->first().listening(),
                    .databases = {"alpha", "beta"},
                    .users = {"ann", "bob"},
                    .names = config_.now()->settings.session.statements_max > 0 ||
                             scenario.mode == pool::PoolMode::Session,
                    .blocks = scenario.mode != pool::PoolMode::Statement,
                    .held = scenario.holding ? &clock_ : nullptr,
                    .habits = client_habits(scenario, dice_)};
  world.pools.front() = net::Address::ip(kPoolAddress, kPoolPort).take();
  clients_ =
      std::make_unique<SimClients>(client_loop_, network_, dice_, journal_, std::move(world));
  admin_ =
      std::make_unique<SimAdmin>(client_loop_, dice_, journal_, workers_, *server_,
                                 std::vector<std::string>{"", "alpha", "beta"}, scenario.stormy);
}

PoolSim::~PoolSim() = default;

// The server's own judgement, where limits are the same all the time.
FakeServer::Limits PoolSim::server_limits() const {
  FakeServer::Limits limits;
  if (scenario_.reloading) return limits;
  limits.pool = config_.limits().pool;
  for (const char* name : {"alpha", "beta"}) limits.database[name] = config_.limits().database;
  for (const char* name : {"ann", "bob"}) limits.user[name] = config_.limits().user;
  return limits;
}

std::unique_ptr<pool::Workers> PoolSim::make_workers() {
  auto workers = std::make_unique<pool::Workers>(
      std::vector<net::Loop*>(pool_loops_.begin(), pool_loops_.end()), clock_, config_.now());
  if (scenario_.restless) workers->keep_links_moving();
  return workers;
}

seconds PoolSim::simulated() const {
  return std::chrono::duration_cast<seconds>(clock_.steady().time_since_epoch()) - seconds(1000);
}

// --- the run

std::string PoolSim::run() {
  clients_->begin(scenario_.clients, scenario_.operations);
  if (scenario_.administered) admin_->begin();
  if (scenario_.holding) admin_->begin_holds();
  if (scenario_.reloading) config_.begin_changes(workers_);
  step_until_clients_are_done();
  if (!journal_.failed()) step_until_links_are_closed();
  if (!journal_.failed()) check_end();
  return journal_.failed() ? describe() : "";
}

void PoolSim::step_until_clients_are_done() {
  uint64_t seen = 0;
  SteadyTime moved_at = clock_.steady();
  while (!journal_.failed() && !clients_->done()) {
    if (!step()) return;
    if (scenario_.replaced && clock_.steady() >= replace_at_) replace_pool();
    if (network_.progress() != seen) {
      seen = network_.progress();
      moved_at = clock_.steady();
    } else if (clock_.steady() - moved_at > kStill) {
      journal_.fail("nothing moves, but clients wait");
    }
  }
}

// The idle timeout ends every link, which brings every slot back.
void PoolSim::step_until_links_are_closed() {
  server_->calm();
  admin_->end();
  config_.end_changes();
  const SteadyTime limit = clock_.steady() + kCloseLimit;
  const auto links_left = [this] {
    size_t links = static_cast<size_t>(server_->alive());
    each_server([&](pool::Server&) { ++links; });
    each_client([&](pool::Client&) { ++links; });
    each_worker([&](pool::Worker& worker) { links += worker.cancels().in_flight(); });
    workers_->groups().each(
        [&](pool::Group& group) { links += static_cast<size_t>(group.slots().own.used()); });
    return links;
  };
  while (!journal_.failed() && links_left() > 0) {
    if (clock_.steady() > limit) return journal_.fail("links stay though all clients are gone");
    if (!step()) return;
  }
}

bool PoolSim::step() {
  if (!scheduler_.step()) journal_.fail("nothing will ever happen again");
  if (pool_ran()) check_pools();
  return !journal_.failed();
}

void PoolSim::replace_pool() {
  replace_at_ = clock_.steady() + microseconds(dice_.between(0, kBetweenReplacements.count()));
  std::optional<Status> outcome;
  journal_.note("the pool is to hand over");
  server_->allow();
  workers_->post(0, [&](pool::Worker&) {
    pool::hand_over({*workers_, 0, ""}, kSuccessor,
                    [&](const Status& status) { outcome = status; });
  });
  while (!outcome) {
    if (!step()) return;
  }
  if (!*outcome) return;
  if (dice_.chance(300)) {
    journal_.note("its successor is gone");
    return pool::let_go_of(*workers_, kSuccessor);
  }
  const auto is_idle = [](const SimLoop* loop) { return loop->is_idle(); };
  while (!std::ranges::all_of(pool_loops_, is_idle)) {
    if (!step()) return;
  }
  keep_counts();
  queues_.clear();
  neglected_since_.clear();
  ceilings_.clear();
  auto parcels = std::exchange(workers_->given_away(), {});
  workers_.reset();
  workers_ = make_workers();
  const Status received = pool::receive(*workers_, std::move(parcels));
  if (!received) return journal_.fail(cat("takeover: ", received.error().message));
  workers_->listen().take();
  pool::take_up(*workers_);
  journal_.note("the pool is another one", ++replacements_);
}

void PoolSim::keep_counts() {
  each_pool([&](pool::Pool& pool) { past_.add(pool.counters()); });
  each_worker([&](pool::Worker& worker) {
    for (const auto& figures : worker.queries().figures()) past_asked_.add(figures.counts);
  });
}

// --- what must be true

bool PoolSim::pool_ran() const {
  return std::ranges::find(pool_loops_, scheduler_.ran()) != pool_loops_.end();
}

void PoolSim::check_pools() {
  ++turns_;
  if (workers_->holder() != 0) {
    // Links go to nobody elsewhere, no new ones are opened, and some are given away already.
    queues_.clear();
    neglected_since_.clear();
    return;
  }
  int used = 0;
  workers_->groups().each([&](pool::Group& group) {
    check_group(group);
    used += group.slots().own.used();
  });
  const int alive = server_->alive();
  if (alive > used) journal_.fail(cat(alive, " backends with ", used, " slots"));
  check_queues();
}

void PoolSim::check_group(pool::Group& group) {
  const auto& [database, user] = group.key();
  const std::string name = cat("pool ", database, '/', user);
  int links = 0;
  int opening = 0;
  each_server([&](pool::Server& server) {
    if (&server.pool().group() != &group || server.state() == pool::Server::State::Gone) return;
    ++links;
    if (is_opening(server)) ++opening;
    check_motion(server);
  });
  // A link that is idle is not for them.
  size_t replicas = 0;
  each_client([&](pool::Client& client) {
    const bool in_line = client.state() == pool::Client::State::Greeting &&
                         client.replicating() != nullptr && &client.pool()->group() == &group;
    if (in_line) ++replicas;
  });
  size_t waiting = 0;
  size_t idle = 0;
  size_t checking = 0;
  for (size_t i = 0; i < workers_->size(); ++i) {
    pool::Pool* pool = workers_->worker(i).pools().find(group);
    links += group.seat(i).promised.load();
    if (pool == nullptr) continue;
    waiting += pool->waiting();
    idle += pool->idle().size();
    checking += pool->checking();
  }
  const auto& slots = group.slots();
  const int used = slots.own.used();
  if (used != links) journal_.fail(cat(name, " uses ", used, " slots for ", links, " links"));
  const int alive = server_->alive(group.key());
  // A reload may force another user on the links of a group.
  if (alive > used && !scenario_.reloading)
    journal_.fail(cat(name, ": ", alive, " backends with ", used, " slots"));
  // Between workers a link or the word of it may be under way.
  const bool paused = group.is_paused();
  if (waiting > checking + replicas && idle > 0 && workers_->size() == 1 && !paused) {
    journal_.fail(cat(name, ": ", waiting, " clients wait beside an idle link"));
  }
  const SimConfig::Limits most = config_.upper_limits();
  check_limit(name, slots.own, most.pool);
  check_limit(cat("database ", database), *slots.database, most.database);
  check_limit(cat("user ", user), *slots.user, most.user);
  const auto has_room = [](const pool::Slots& each, int limit) {
    return limit == 0 || each.used() < limit;
  };
  const SimConfig::Limits& limits = config_.limits();
  const bool room = has_room(slots.own, limits.size) &&
                    has_room(*slots.database, limits.database) &&
                    has_room(*slots.user, limits.user);
  const bool served = opening > 0 || checking > 0 || (!room && idle == 0);
  if (waiting == 0 || served || paused || config_.is_changing()) {
    neglected_since_.erase(&group);
  } else if (!neglected_since_.contains(&group)) {
    neglected_since_[&group] = clock_.steady();
  } else if (clock_.steady() - neglected_since_[&group] > kNeglect) {
    journal_.fail(cat(name, ": ", waiting, " clients wait beside free slots or idle links"));
  }
}

void PoolSim::check_motion(const pool::Server& server) {
  const bool rests = server.state() == pool::Server::State::Idle && server.has_served();
  if (!scenario_.restless || workers_->size() == 1 || !rests) return;
  journal_.fail(cat("link ", server.identity().id, " rests where it has served"));
}

// Links beyond a limit that was lowered may only become fewer.
void PoolSim::check_limit(const std::string& whose, const pool::Slots& slots, int limit) {
  constexpr int kNone = std::numeric_limits<int>::max();
  const int most = limit == 0 ? kNone : limit;
  int& ceiling = ceilings_.try_emplace(&slots, most).first->second;
  const int used = slots.used();
  ceiling = std::max(ceiling, most);
  if (used > ceiling) journal_.fail(cat(whose, " uses ", used, " slots, the limit is ", ceiling));
  ceiling = std::max(most, std::min(ceiling, used));
}

// Whoever has waited longer than one that was served must have been served, or be gone.
void PoolSim::check_queues() {
  std::map<const pool::Group*, Waiter> served;
  std::map<uint64_t, pool::Client*> clients;
  each_client([&](pool::Client& client) { clients[client.identity().id] = &client; });
  for (auto& [group, queue] : queues_) {
    std::erase_if(queue, [&](const Waiter& waiter) {
      const auto found = clients.find(waiter.id);
      if (found == clients.end()) return true;
      const auto& [id, client] = *found;
      if (client->state() == pool::Client::State::Active) {
        if (waiter.rank > served[group].rank) served[group] = waiter;
      }
      return client->state() != pool::Client::State::Waiting || client->is_held_back() ||
             client->identity().request_at != waiter.since;
    });
    const auto last = served.find(group);
    if (queue.empty() || last == served.end()) continue;
    Waiter& first = queue.front();
    const bool alone = workers_->size() == 1;
    // One that was cancelled in line and asked again within the same microsecond looks as if it had
    // never left.
    const bool later = first.since < last->second.since;
    const bool overtaken =
        alone ? later && first.rank < last->second.rank : first.since + kSkew < last->second.since;
    if (!overtaken) continue;
    const SteadyTime now = clock_.steady();
    if (!first.overtaken_at) first.overtaken_at = now;
    // A link may be on its way between workers.
    if (alone || now - *first.overtaken_at > kSkew) {
      journal_.fail(cat("client ", first.id, " of pool ", group->key().first, '/',
                        group->key().second, " was overtaken by ", last->second.id));
    }
  }
  for (auto& [id, client] : clients) {
    const bool in_line = client->state() == pool::Client::State::Waiting && !client->is_held_back();
    if (client->pool() == nullptr || !in_line) continue;
    auto& queue = queues_[&client->pool()->group()];
    const auto is_same = [id](const Waiter& waiter) { return waiter.id == id; };
    if (std::ranges::none_of(queue, is_same)) {
      queue.push_back({id, client->identity().request_at, turns_});
    }
  }
}

void PoolSim::check_end() {
  workers_->groups().each([&](pool::Group& group) {
    const auto& slots = group.slots();
    if (slots.own.used() != 0 || slots.database->used() != 0 || slots.user->used() != 0) {
      journal_.fail(cat("slots lost: ", slots.own.used(), ' ', slots.database->used(), ' ',
                        slots.user->used()));
    }
  });
  const int admitted = workers_->clients().used();
  if (admitted != 0) journal_.fail(cat(admitted, " clients still admitted"));
  if (network_.open_descriptors() != 3) {
    journal_.fail(cat(network_.open_descriptors(), " descriptors left open, 3 listen"));
  }
  check_counters();
}

void PoolSim::check_counters() {
  keep_counts();
  const auto compare = [this](const char* what, uint64_t pool, uint64_t server, uint64_t client) {
    const bool right = scenario_.stormy ? pool <= server : pool == server && pool == client;
    if (right) return;
    journal_.fail(
        cat(what, ": the pool counted ", pool, ", the server ", server, ", clients ", client));
  };
  const auto& server = server_->totals();
  const auto& client = clients_->totals();
  const pool::QueryCounts& asked = past_asked_;
  if (!scenario_.stormy && (asked.calls != server.calls || asked.rows != server.rows)) {
    journal_.fail(cat("the pool counted ", asked.calls, " calls with ", asked.rows,
                      " rows, the server ", server.calls, " with ", server.rows));
  }
  // A BEGIN that the pool has answered may never come to a server that dies, or for a client that
  // does.
  if (!scenario_.holding || !scenario_.stormy) {
    compare("queries", past_.query_count, server.queries, client.queries);
  }
  compare("transactions", past_.xact_count, server.transactions, client.transactions);
  if (!scenario_.stormy && server.cut_messages > 0) {
    journal_.fail(cat(server.cut_messages, " messages were cut"));
  }
}

std::string PoolSim::describe() {
  std::string out = cat(journal_.violation(), "\nafter ", clients_->totals().operations,
                        " operations and ", simulated().count(), " s\nlast events:\n",
                        journal_.text(), "clients:\n", clients_->state(), "links:\n");
  each_server([&](pool::Server& server) {
    out += cat("  link ", server.identity().id, " of ", server.pool().database().name, '/',
               server.pool().user(), ' ', server.state_name(), " pid ", server.identity().pid,
               ", outstanding ", server.lease().expect().outstanding(), '\n');
  });
  each_client([&](pool::Client& client) {
    out += cat("  pool's client ", client.identity().id, ' ', client.state_name(), '\n');
  });
  return out;
}

}  // namespace pgtend::sim
