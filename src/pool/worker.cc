#include "pool/worker.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

constexpr milliseconds kTick{500};

std::string unix_socket_path(const ListenSettings& listen) {
  return cat(listen.unix_dir, "/.s.PGSQL.", listen.port);
}

}  // namespace

Worker::Worker(net::Loop& loop, const Clock& clock, std::shared_ptr<const Config> config)
    : loop_(loop),
      clock_(clock),
      config_(std::move(config)),
      tracked_(config_->settings.session.tracked_parameters),
      pools_(*this),
      cancels_(*this),
      tick_(loop.timers(), [this] { on_tick(); }) {
  tick_.arm(clock_.steady() + kTick);
}

// Clients and links know the pools, so they go first.
Worker::~Worker() {
  acceptors_.clear();
  clients_.clear();
  servers_.clear();
}

Status Worker::listen() {
  const ListenSettings& listen = config_->settings.listen;
  const auto open = [&](const net::Address& address) -> Status {
    auto take = [this](net::Accepted accepted) { accept(std::move(accepted)); };
    acceptors_.push_back(TRY(net::Acceptor::open(loop_, address, listen.backlog, take)));
    log::info("listening on", {log::kv("address", acceptors_.back()->address().text())});
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
    if (path[0] != '@') ::chmod(path.c_str(), static_cast<mode_t>(listen.unix_mode));
  }
  return ok();
}

std::vector<net::Address> Worker::listening() const {
  std::vector<net::Address> addresses;
  for (const auto& acceptor : acceptors_) addresses.push_back(acceptor->address());
  return addresses;
}

Status Worker::reload() {
  auto fresh = std::make_shared<Config>(*TRY(load_config(config_->path)));
  // What cannot change at run time keeps its value from the start.
  const Settings& before = config_->settings;
  fresh->settings.listen = before.listen;
  fresh->settings.session.tracked_parameters = before.session.tracked_parameters;
  fresh->settings.log.file = before.log.file;
  fresh->settings.log.pidfile = before.log.pidfile;
  fresh->settings.log.verbose = before.log.verbose;
  for (size_t i = 0; i < keys().size(); ++i) {
    if (keys()[i].reload == Reload::No) fresh->values[i] = config_->values[i];
  }
  config_ = std::move(fresh);
  pools_.reconfigure();
  for (const std::string& warning : config_->warnings) log::warn(warning);
  return ok();
}

void Worker::accept(net::Accepted accepted) {
  net::apply_options(accepted.descriptor, accepted.peer, config_->settings.socket);
  const uint64_t id = next_id_++;
  auto client = std::make_unique<Client>(*this, id, std::move(accepted));
  Client& started = *client;
  clients_.emplace(id, std::move(client));
  started.start();
}

Server& Worker::add_server(Pool& pool) {
  const uint64_t id = next_id_++;
  auto server = std::make_unique<Server>(*this, pool, id);
  Server& added = *server;
  servers_.emplace(id, std::move(server));
  return added;
}

Client* Worker::client(uint64_t id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

void Worker::remove(Server& server) {
  loop_.defer([this, id = server.identity().id] {
    servers_.erase(id);
    stop_if_done();
  });
}

void Worker::remove(Client& client) {
  loop_.defer([this, id = client.identity().id] {
    clients_.erase(id);
    stop_if_done();
  });
}

bool Worker::admit() {
  const int limit = config_->settings.limit.client_connections;
  if (admitted_ >= limit) return false;
  ++admitted_;
  return true;
}

void Worker::on_tick() {
  const SteadyTime now = loop_.now();
  pools_.each([now](Pool& pool) { pool.keep_house(now); });
  statistics_.sample(pools_, now, config_->settings.time.stats_period);
  tick_.arm(now + kTick);
}

// --- the end

void Worker::shut_down(Service how) {
  log::info("shutting down", {log::kv("clients", admitted_)});
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

// Ends the loop when the last client is gone and its links have been told.
void Worker::stop_if_done() {
  if (service_ == Service::Running || !clients_.empty()) return;
  pools_.each([](Pool& pool) {
    while (pool.evict()) {
    }
    pool.busy.each([](Server& server) { server.close_when_free(); });
  });
  if (servers_.empty()) loop_.stop();
}

}  // namespace pgtend::pool
