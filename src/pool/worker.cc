#include "pool/worker.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "pool/bag.h"
#include "pool/logging.h"
#include "pool/takeover.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

constexpr milliseconds kTick{500};

Status protect(const std::string& path, const ListenSettings& listen) {
  if (!listen.unix_group.empty()) {
    // Before threads start.
    const group* found = getgrnam(listen.unix_group.c_str());
    if (found == nullptr) {
      return Error{ErrorCode::Invalid, cat("unix_socket_group: there is no group \"",
                                           printable(listen.unix_group), '"')};
    }
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
      return Error{ErrorCode::Denied, cat("unix_socket_group: the account may not give ", path,
                                          " to group ", printable(listen.unix_group))};
    }
  }
  ::chmod(path.c_str(), static_cast<mode_t>(listen.unix_mode));
  return ok();
}

// Visits those that are there now and not closed; `visit` may remove any.
template <class Map, class Visit>
void each_present(Map& map, Visit visit) {
  std::vector<uint64_t> ids;
  for (const auto& [id, each] : map) ids.push_back(id);
  for (const uint64_t id : ids) {
    const auto found = map.find(id);
    if (found != map.end() && !found->second->is_over()) visit(*found->second);
  }
}

}  // namespace

Worker::Worker(Workers& workers, size_t index, net::Loop& loop, const Clock& clock,
               std::shared_ptr<const Config> config)
    : workers_(workers),
      index_(index),
      loop_(loop),
      clock_(clock),
      config_(std::move(config)),
      tracked_(config_->settings.session.tracked_parameters),
      receiver_(static_cast<size_t>(config_->settings.limit.read_bytes)),
      pools_(*this),
      cancels_(*this),
      auth_queries_(*this),
      tick_(loop.timers(), [this] { on_tick(); }) {
  tick_.arm(clock_.steady() + kTick);
}

// Clients and links know the pools, so they go first.
Worker::~Worker() {
  acceptors_.clear();
  clients_.clear();
  servers_.clear();
  gone_.clear();
}

void Worker::inherit_listener(net::Address address, int descriptor) {
  inherited_.emplace_back(std::move(address), descriptor);
}

// Port 0 is content with any.
Result<std::unique_ptr<net::Acceptor>> Worker::open_listener(const net::Address& address) {
  const ListenSettings& listen = config_->settings.listen;
  auto take = [this](net::Accepted accepted) { deal(std::move(accepted)); };
  const auto fits = [&](const auto& socket) {
    const bool any_port = !address.is_unix() && address.port() == 0;
    return any_port ? socket.first.host() == address.host() : socket.first.text() == address.text();
  };
  const auto found = std::ranges::find_if(inherited_, fits);
  if (found == inherited_.end()) {
    return net::Acceptor::open(loop_, address, listen.backlog, take, listen.port_shared);
  }
  const int descriptor = found->second;
  inherited_.erase(found);
  return net::Acceptor::adopt(loop_, address, descriptor, take);
}

Status Worker::listen() {
  const ListenSettings& listen = config_->settings.listen;
  if (listen.addresses.empty() && listen.unix_dir.empty()) {
    return Error{ErrorCode::Invalid, "neither listen_addr nor unix_socket_dir is set"};
  }
  const auto open = [&](const net::Address& address) -> Status {
    add_listener(TRY(open_listener(address)));
    return ok();
  };
  for (const std::string& host : listen.addresses) {
    if (host == "*") {
      const auto v4 = TRY(net::Address::ip("0.0.0.0", listen.port));
      TRY(open(v4));
      // A machine without IPv6 is served by IPv4 alone.
      const auto v6 = TRY(net::Address::ip("::", listen.port));
      auto opened = open(v6);
      if (!opened) log::warn("no IPv6", {log::kv("cause", opened.error().message)});
      continue;
    }
    for (const net::Address& address : TRY(net::resolve(host, listen.port))) TRY(open(address));
  }
  if (!listen.unix_dir.empty()) {
    const std::string path = listen.unix_socket();
    const auto address = TRY(net::Address::unix_path(path));
    TRY(open(address));
    if (path[0] != '@') TRY(protect(path, listen));
  }
  return ok();
}

Status Worker::listen_with(const std::vector<HandedSocket>& sockets) {
  log::info("sockets passed from service manager, listen_addr and unix_socket_dir open none");
  for (const HandedSocket& socket : sockets) {
    auto acceptor =
        TRY(net::Acceptor::adopt(loop_, socket.address, socket.descriptor,
                                 [this](net::Accepted accepted) { deal(std::move(accepted)); }));
    acceptor->leave_file();
    add_listener(std::move(acceptor));
  }
  return ok();
}

void Worker::add_listener(std::unique_ptr<net::Acceptor> acceptor) {
  acceptor->defer_accept(config_->settings.listen.defer_accept);
  log::info(cat("listening on ", listener_text(acceptor->address())));
  acceptors_.push_back(std::move(acceptor));
}

void Worker::close_inherited() {
  for (const auto& [address, descriptor] : std::exchange(inherited_, {})) {
    log::info(cat("no longer listening on ", address.text()));
    loop_.close(descriptor);
    if (address.is_unix()) ::unlink(address.host().c_str());
  }
}

void Worker::forsake_listeners() {
  for (auto& acceptor : acceptors_) loop_.close(acceptor->release());
  acceptors_.clear();
}

std::vector<net::Address> Worker::listening() const {
  std::vector<net::Address> addresses;
  for (const auto& acceptor : acceptors_) addresses.push_back(acceptor->address());
  return addresses;
}

void Worker::reconfigure(std::shared_ptr<const Config> config) {
  config_ = std::move(config);
  for (auto& acceptor : acceptors_) acceptor->defer_accept(config_->settings.listen.defer_accept);
  pools_.reconfigure();
  if (index_ == 0) workers_.peers().reconfigure();
}

void Worker::deal(net::Accepted accepted) {
  const size_t to = workers_.for_next_client();
  if (to == index_) return accept(std::move(accepted));
  workers_.post(to, [accepted](Worker& there) { there.accept(accepted); });
}

void Worker::accept(net::Accepted accepted) {
  net::apply_options(accepted.descriptor, accepted.peer, config_->settings.socket);
  add_client(workers_.next_id(), std::move(accepted)).start();
}

Client& Worker::add_client(uint64_t id, net::Accepted accepted) {
  auto client = std::make_unique<Client>(*this, id, std::move(accepted));
  return *clients_.emplace(id, std::move(client)).first->second;
}

void Worker::add_inside(int descriptor, const std::string& database, const std::string& user) {
  workers_.client_came(index_);
  add_client(workers_.next_id(), {descriptor, {}}).start_inside(database, user);
}

Server& Worker::add_server(Pool& pool) { return add_server(pool, workers_.next_id()); }

Server& Worker::add_server(Pool& pool, uint64_t id) {
  auto server = std::make_unique<Server>(*this, pool, id);
  return *servers_.emplace(id, std::move(server)).first->second;
}

Server& Worker::add_server(Pool& pool, Luggage luggage) {
  const uint64_t id = luggage.identity.id;
  auto server = std::make_unique<Server>(*this, pool, std::move(luggage));
  return *servers_.emplace(id, std::move(server)).first->second;
}

Client* Worker::client(uint64_t id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

Server* Worker::server(uint64_t id) {
  const auto found = servers_.find(id);
  return found == servers_.end() ? nullptr : found->second.get();
}

// Out of the map at once, because a link that moved may be back before the end of the turn. Not in
// the task: one that is never run must not outlive this worker with what it holds.
void Worker::remove(Server& server) {
  const auto found = servers_.find(server.identity().id);
  gone_.push_back(std::move(found->second));
  servers_.erase(found);
  loop_.defer([this] {
    gone_.clear();
    stop_if_done();
  });
}

void Worker::remove(Client& client) {
  loop_.defer([this, id = client.identity().id] {
    if (clients_.erase(id) > 0) workers_.client_left(index_);
    stop_if_done();
  });
}

bool Worker::admit() {
  const int limit = config_->settings.limit.client_connections;
  return limit > 0 && workers_.clients().take(limit);
}

void Worker::discharge() { workers_.clients().give(); }

void Worker::count_starving(int change) { workers_.count_starving(index_, change); }

void Worker::on_tick() {
  const SteadyTime now = loop_.now();
  if (is_held()) {
    tick_.arm(now + kTick);
    return;
  }
  if (index_ == 0) pools_.open_kept();
  if (index_ == 0) workers_.names().look_after();
  pools_.each([now](Pool& pool) { pool.keep_house(now); });
  pools_.forget_unused(now);
  const bool period_over = statistics_.sample(pools_, now, config_->settings.time.stats_period);
  if (period_over && index_ == 0 && config_->settings.log.stats) log_statistics();
  tick_.arm(now + kTick);
}

void Worker::log_statistics() {
  workers_.snapshot(index_, Part::Stats, [](Worker&, const Snapshot& snapshot) {
    Statistics::Sums sums;
    for (const auto& [database, part] : snapshot.stats) sums.add(part);
    log::info(Statistics::line_of(sums.average()));
  });
}

void Worker::later(microseconds pause, std::function<void()> task) {
  later_.emplace_front(loop_.timers(), [this, task = std::move(task)] {
    // The timer goes first: the task may ask for another one.
    const auto run = task;
    std::erase_if(later_, [](const net::Timer& each) { return !each.armed(); });
    run();
  });
  later_.front().arm(now() + pause);
}

// --- held, and given away

void Worker::hold(Hold hold) {
  // The next process knows nothing of them.
  if (hold != Hold::Nothing) end_holds(*this, [](const TableHold&) { return true; });
  hold_ = hold;
  for (auto& acceptor : acceptors_) acceptor->pause(is_held());
  if (is_held()) return;
  for (auto& [id, client] : clients_) client->resume();
  for (auto& [id, server] : servers_) server->resume();
  pools_.slot_freed();
}

bool Worker::is_settled() const {
  const auto client_is = [](const auto& entry) { return entry.second->is_settled(); };
  const auto server_is = [](const auto& entry) {
    return entry.second->state() != Server::State::Login;
  };
  bool promised = false;
  const_cast<Pools&>(pools_).each(
      [&](Pool& pool) { promised = promised || pool.group().seat(index_).promised.load() > 0; });
  return !promised && cancels_.in_flight() == 0 && std::ranges::all_of(clients_, client_is) &&
         std::ranges::all_of(servers_, server_is);
}

bool Worker::is_flushed() const {
  return std::ranges::all_of(clients_,
                             [](const auto& entry) { return entry.second->is_flushed(); }) &&
         std::ranges::all_of(servers_,
                             [](const auto& entry) { return entry.second->is_flushed(); });
}

void Worker::drop_unsettled() {
  each_present(clients_, [](Client& client) {
    if (client.state() == Client::State::Canceling) return client.close("suspend_timeout");
    if (!client.is_settled()) client.fail("suspend_timeout");
  });
}

void Worker::drop_unflushed() {
  each_present(clients_, [](Client& client) {
    if (!client.is_flushed()) client.close("suspend_timeout");
  });
  each_present(servers_, [](Server& server) {
    if (!server.is_flushed()) server.close("suspend_timeout");
  });
}

void Worker::give_away(std::vector<Parcel>& parcels, uint64_t but) {
  for (auto& acceptor : acceptors_) {
    Bag bag;
    net::Address address = acceptor->address();
    bag.field("address", address);
    parcels.push_back({"listener", bag.take(), acceptor->release()});
  }
  acceptors_.clear();
  give_away_pools(parcels);
  give_away_servers(parcels);
  give_away_clients(parcels, but);
}

// What is known of servers, and the texts of prepared statements.
void Worker::give_away_pools(std::vector<Parcel>& parcels) {
  pools_.each([&](Pool& pool) {
    if (pool.known_welcome() == nullptr) return;
    auto [database, user] = pool.group().key();
    Welcome welcome = *pool.known_welcome();
    Bag bag;
    bag.field("database", database);
    bag.field("user", user);
    bag.field("welcome", welcome);
    parcels.push_back({"pool", bag.take()});
  });
  statements_.each([&](Statement& statement) {
    Bag bag;
    bag.field("id", statement.id);
    bag.field("tail", statement.tail);
    parcels.push_back({"statement", bag.take()});
  });
}

void Worker::give_away_servers(std::vector<Parcel>& parcels) {
  // Clients of our own are not known to the next process: their links are cleaned first.
  each_present(clients_, [](Client& client) {
    if (client.is_inside()) client.close("");
  });
  each_present(servers_, [&](Server& server) {
    if (!server.is_settled()) server.close("the pooler is handed over");
    // One that was logging in counts until its backend is gone.
    if (!server.is_settled()) return;
    Bag bag;
    const int descriptor = server.give_away(bag);
    parcels.push_back({"server", bag.take(), descriptor});
  });
}

void Worker::give_away_clients(std::vector<Parcel>& parcels, uint64_t but) {
  each_present(clients_, [&](Client& client) {
    const auto state = client.state();
    if (client.identity().id == but || state == Client::State::Lingering) return;
    if (!client.is_settled() || state == Client::State::Console) {
      return client.fail("the pooler is handed over to another process");
    }
    Bag bag;
    const int descriptor = client.give_away(bag);
    parcels.push_back({"client", bag.take(), descriptor});
  });
}

void Worker::on_console_left(uint64_t client) {
  let_go_of(workers_, {index_, client});
  release_tables_of(*this, client);
}

// --- the end

void Worker::shut_down(Service how) {
  log::info("shutting down", {log::kv("worker", index_), log::kv("clients", clients_.size())});
  service_ = how;
  acceptors_.clear();
  if (how == Service::WaitForServers) {
    for (auto& [id, client] : clients_) {
      const bool finishing = client->state() == Client::State::Active &&
                             !(client->server() && client->server()->lease().is_free());
      if (!finishing) client->fail("pooler is shutting down");
    }
  }
  if (how == Service::WaitForClients) {
    for (auto& [id, client] : clients_) {
      if (!client->is_logged_in()) client->fail("pooler is shutting down");
    }
  }
  stop_if_done();
}

// Reports when the last client is gone and its links have been told.
void Worker::stop_if_done() {
  if (service_ == Service::Running || done_ || !clients_.empty()) return;
  pools_.each([](Pool& pool) {
    while (pool.evict()) {
    }
    pool.busy.each([](Server& server) { server.close_when_free(); });
  });
  if (!servers_.empty()) return;
  done_ = true;
  workers_.worker_done();
}

}  // namespace pgtend::pool
