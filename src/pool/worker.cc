#include "pool/worker.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "pool/workers.h"

namespace pgtend::pool {
namespace {

constexpr milliseconds kTick{500};

std::string unix_socket_path(const ListenSettings& listen) {
  return cat(listen.unix_dir, "/.s.PGSQL.", listen.port);
}

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

}  // namespace

Worker::Worker(Workers& workers, size_t index, net::Loop& loop, const Clock& clock,
               std::shared_ptr<const Config> config)
    : workers_(workers),
      index_(index),
      loop_(loop),
      clock_(clock),
      config_(std::move(config)),
      tracked_(config_->settings.session.tracked_parameters),
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

Status Worker::listen() {
  const ListenSettings& listen = config_->settings.listen;
  const auto open = [&](const net::Address& address) -> Status {
    auto take = [this](net::Accepted accepted) { deal(std::move(accepted)); };
    acceptors_.push_back(
        TRY(net::Acceptor::open(loop_, address, listen.backlog, take, listen.port_shared)));
    acceptors_.back()->defer_accept(listen.defer_accept);
    const net::Address& bound = acceptors_.back()->address();
    log::info(cat("listening on ", bound.is_unix() ? "unix:" : "", bound.text()));
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
    const std::string path = unix_socket_path(listen);
    const auto address = TRY(net::Address::unix_path(path));
    TRY(open(address));
    if (path[0] != '@') TRY(protect(path, listen));
  }
  return ok();
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
}

void Worker::deal(net::Accepted accepted) {
  const size_t to = workers_.for_next_client();
  if (to == index_) return accept(std::move(accepted));
  workers_.post(to, [accepted](Worker& there) { there.accept(accepted); });
}

void Worker::accept(net::Accepted accepted) {
  net::apply_options(accepted.descriptor, accepted.peer, config_->settings.socket);
  add_client(std::move(accepted)).start();
}

Client& Worker::add_client(net::Accepted accepted) {
  const uint64_t id = workers_.next_id();
  auto client = std::make_unique<Client>(*this, id, std::move(accepted));
  return *clients_.emplace(id, std::move(client)).first->second;
}

void Worker::add_inside(int descriptor, const std::string& database, const std::string& user) {
  workers_.client_came(index_);
  add_client({descriptor, {}}).start_inside(database, user);
}

Server& Worker::add_server(Pool& pool) {
  const uint64_t id = workers_.next_id();
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
  if (index_ == 0) pools_.open_kept();
  if (index_ == 0) workers_.names().look_after();
  pools_.each([now](Pool& pool) { pool.keep_house(now); });
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
