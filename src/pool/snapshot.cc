#include "pool/snapshot.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "pool/client.h"
#include "pool/pools.h"
#include "pool/server.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/frame.h"

namespace pgtend::pool {
namespace {

// In TrackedNames.
constexpr size_t kEncodingAt = 0;
constexpr size_t kDateStyleAt = 1;
constexpr size_t kTimeZoneAt = 2;
constexpr size_t kConformingAt = 3;
constexpr size_t kApplicationNameAt = 4;

PoolFigures figures_of(Pool& pool, SteadyTime now) {
  PoolFigures figures{.database = pool.database().name,
                      .user = pool.user(),
                      .server_user = pool.server_user(),
                      .mode = pool.mode(),
                      .clients = pool.clients.size(),
                      .waiting = pool.waiting() + pool.held_back(),
                      .idle = pool.idle().size(),
                      .longest_wait = pool.longest_wait(now)};
  pool.busy.each([&](Server& server) {
    switch (server.state()) {
      case Server::State::Connecting:
      case Server::State::Login:
        ++figures.login;
        break;
      case Server::State::Active:
        ++figures.active;
        break;
      case Server::State::Cleaning:
        ++figures.tested;
        break;
      case Server::State::BeingCanceled:
        ++figures.being_canceled;
        break;
      case Server::State::Idle:
      case Server::State::Settling:
      case Server::State::Draining:
      case Server::State::Gone:
        ++figures.used;
        break;
    }
  });
  return figures;
}

void add_pools(Snapshot& snapshot, Worker& worker, SteadyTime now) {
  const auto cancels = worker.cancels().counts();
  worker.pools().each([&](Pool& pool) {
    snapshot.pools.push_back(figures_of(pool, now));
    const auto found = cancels.find(&pool);
    if (found != cancels.end()) snapshot.pools.back().cancels = found->second;
  });
}

void note_buffers(SocketFigures& figures, const Inbound& inbound, const Channel& channel) {
  figures.kept = inbound.rest.size();
  figures.message_left = inbound.left;
  figures.unsent = channel.unsent();
}

SocketFigures figures_of(Client& client, SteadyTime now) {
  const auto& who = client.identity();
  const bool waits = client.state() == Client::State::Waiting || client.is_held_back();
  SocketFigures figures{
      .id = who.id,
      .user = who.user,
      .database = who.database,
      .replication = client.replication(),
      .state = std::string(client.state_name()),
      .peer = who.peer,
      .local = net::local_of(client.channel().socket().descriptor()),
      .connected_at = who.connected_at,
      .request_at = who.request_at,
      .application_name = client.parameters().get(kApplicationNameAt).value_or("")};
  note_buffers(figures, client.inbound(), client.channel());
  if (waits) figures.wait = std::chrono::duration_cast<microseconds>(now - who.request_at);
  if (client.statements() != nullptr) figures.prepared_statements = client.statements()->size();
  if (client.server() != nullptr) figures.link = client.server()->identity().id;
  return figures;
}

SocketFigures figures_of(Server& server) {
  const auto& who = server.identity();
  SocketFigures figures{
      .id = who.id,
      .user = server.pool().server_user(),
      .database = server.pool().database().name,
      .replication = server.replication(),
      .state = std::string(server.state_name()),
      .peer = who.address,
      .local = net::local_of(server.channel()->socket().descriptor()),
      .connected_at = who.connected_at,
      .request_at = who.used_at,
      .close_wanted = server.close_wanted() || who.epoch != server.pool().group().epoch(),
      .pid = who.pid,
      .application_name = server.parameters().get(kApplicationNameAt).value_or("")};
  figures.prepared_statements = server.statements().size();
  note_buffers(figures, server.inbound(), *server.channel());
  if (server.lease().client() != nullptr) figures.link = server.lease().client()->identity().id;
  return figures;
}

// As PgBouncer keeps it: the bytes on the wire as a number of this machine.
uint64_t cancel_number(int32_t pid, std::string_view secret) {
  std::string bytes;
  wire::put_i32(bytes, pid);
  bytes += secret.substr(0, sizeof(uint32_t));
  bytes.resize(sizeof(uint64_t));
  uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

std::vector<std::optional<std::string>> handed_parameters(const Parameters& parameters) {
  return {parameters.get(kEncodingAt), parameters.get(kConformingAt), parameters.get(kDateStyleAt),
          parameters.get(kTimeZoneAt)};
}

void add_descriptors(Snapshot& snapshot, Worker& worker) {
  auto& all = snapshot.descriptors;
  worker.each_listener([&](const net::Acceptor& acceptor) {
    all.push_back({acceptor.descriptor(), "pooler", "", "", acceptor.address()});
  });
  worker.each_client([&](Client& client) {
    if (!client.is_logged_in() || client.is_inside()) return;
    const auto& who = client.identity();
    const bool linked = client.server() != nullptr;
    all.push_back({.descriptor = client.channel().socket().descriptor(),
                   .task = "client",
                   .user = who.user,
                   .database = who.database,
                   .address = who.peer,
                   .cancel = cancel_number(who.pid, who.secret),
                   .link = linked ? client.server()->channel()->socket().descriptor() : 0,
                   .parameters = handed_parameters(client.parameters())});
  });
  worker.each_server([&](Server& server) {
    using State = Server::State;
    if (server.state() != State::Active && server.state() != State::Idle) return;
    const auto& who = server.identity();
    Client* client = server.lease().client();
    all.push_back({.descriptor = server.channel()->socket().descriptor(),
                   .task = "server",
                   .user = server.pool().server_user(),
                   .database = server.pool().database().name,
                   .address = who.address,
                   .cancel = cancel_number(who.pid, who.secret),
                   .link = client != nullptr ? client->channel().socket().descriptor() : 0,
                   .parameters = handed_parameters(server.parameters())});
  });
}

void add_query(Snapshot& snapshot, QueryFigures figures) {
  const auto key = std::tuple(figures.database, figures.user, figures.shape);
  const auto found = snapshot.queries.find(key);
  if (found == snapshot.queries.end()) {
    snapshot.queries.emplace(key, std::move(figures));
  } else {
    found->second.add(figures);
  }
}

void add_clients(Snapshot& snapshot, Worker& worker, SteadyTime now) {
  worker.each_client([&](Client& client) {
    if (client.state() != Client::State::Closed && !client.is_inside()) {
      snapshot.clients.push_back(figures_of(client, now));
    }
  });
}

void add_servers(Snapshot& snapshot, Worker& worker) {
  worker.each_server([&](Server& server) {
    if (server.state() == Server::State::Gone || server.channel() == nullptr) return;
    snapshot.servers.push_back(figures_of(server));
  });
}

// Under PgBouncer's names, as far as there is the like of it here.
std::vector<MemoryFigures> memory_of(Worker& worker) {
  uint64_t clients = 0;
  uint64_t servers = 0;
  worker.each_client([&](Client&) { ++clients; });
  worker.each_server([&](Server&) { ++servers; });
  const net::ChunkPool& chunks = worker.chunks();
  return {{"client_cache", sizeof(Client), clients, 0},
          {"iobuf_cache", net::kChunkBytes, chunks.used(), chunks.free()},
          {"pool_cache", sizeof(Pool), worker.pools().size(), 0},
          {"server_cache", sizeof(Server), servers, 0},
          {"server_prepared_statement_cache", sizeof(Statement), worker.statements().size(), 0}};
}

// One for all workers: the first one owns it.
void add_names(Snapshot& snapshot, Worker& worker) {
  if (worker.index() != 0) return;
  const Names& names = worker.workers().names();
  snapshot.names = names.names();
  snapshot.zones = names.zones();
  snapshot.name_questions = names.pending();
}

void add_holds(Snapshot& snapshot, Worker& worker) {
  for (const SharedHold& hold : worker.table_holds().all()) {
    snapshot.holds[hold->id] = {.id = hold->id,
                                .database = hold->database,
                                .tables = hold->text(),
                                .client = hold->client,
                                .since = hold->since,
                                .until = hold->until,
                                .open = open_before(worker, *hold)};
  }
  worker.pools().each([&](Pool& pool) {
    pool.those_held_back().each([&](Client& client) {
      const auto found = snapshot.holds.find(client.held_by());
      if (found != snapshot.holds.end()) ++found->second.waiting;
    });
  });
}

void append(std::vector<SocketFigures>& to, std::vector<SocketFigures> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  std::ranges::sort(to, {}, &SocketFigures::id);
}

}  // namespace

void PoolFigures::add(const PoolFigures& other) {
  clients += other.clients;
  waiting += other.waiting;
  active += other.active;
  being_canceled += other.being_canceled;
  idle += other.idle;
  used += other.used;
  tested += other.tested;
  login += other.login;
  cancels.sent += other.cancels.sent;
  cancels.clients_sent += other.cancels.clients_sent;
  cancels.clients_waiting += other.cancels.clients_waiting;
  longest_wait = std::max(longest_wait, other.longest_wait);
}

void Snapshot::merge(Snapshot other) {
  console_clients += other.console_clients;
  login_clients += other.login_clients;
  const auto key = [](const PoolFigures& figures) {
    return std::tie(figures.database, figures.user);
  };
  for (PoolFigures& pool : other.pools) {
    const auto at = std::ranges::lower_bound(pools, key(pool), {}, key);
    if (at != pools.end() && key(*at) == key(pool)) {
      at->add(pool);
    } else {
      pools.insert(at, std::move(pool));
    }
  }
  append(clients, std::move(other.clients));
  append(servers, std::move(other.servers));
  descriptors.insert(descriptors.end(), std::make_move_iterator(other.descriptors.begin()),
                     std::make_move_iterator(other.descriptors.end()));
  for (size_t i = 0; i < memory.size() && i < other.memory.size(); ++i) {
    memory[i].used += other.memory[i].used;
    memory[i].free += other.memory[i].free;
  }
  for (const auto& [id, hold] : other.holds) {
    const auto [at, is_new] = holds.emplace(id, hold);
    if (!is_new) at->second.add(hold);
  }
  for (const auto& [name, sums] : other.stats) stats[name].add(sums);
  for (auto& [id, figures] : other.queries) add_query(*this, std::move(figures));
  for (const auto& [owner, part] : other.times) times[owner].merge(part);
  events.insert(events.end(), std::make_move_iterator(other.events.begin()),
                std::make_move_iterator(other.events.end()));
  std::ranges::stable_sort(events, {}, &Event::at);
}

Snapshot take_snapshot(Worker& worker, Part part) {
  Snapshot snapshot;
  const SteadyTime now = worker.now();
  switch (part) {
    case Part::None:
      break;
    case Part::Pools:
      worker.each_client([&](Client& client) {
        const auto state = client.state();
        const bool logs_in = state == Client::State::Startup || state == Client::State::Lookup ||
                             state == Client::State::Auth || state == Client::State::Greeting;
        snapshot.console_clients += state == Client::State::Console ? 1 : 0;
        snapshot.login_clients += logs_in ? 1 : 0;
      });
      add_pools(snapshot, worker, now);
      add_names(snapshot, worker);
      break;
    case Part::Names:
      add_names(snapshot, worker);
      break;
    case Part::Peers:
      if (worker.index() == 0) snapshot.peers = worker.workers().peers().figures();
      break;
    case Part::Memory:
      snapshot.memory = memory_of(worker);
      break;
    case Part::Clients:
      add_clients(snapshot, worker, now);
      break;
    case Part::Servers:
      add_servers(snapshot, worker);
      break;
    case Part::Sockets:
      add_clients(snapshot, worker, now);
      add_servers(snapshot, worker);
      break;
    case Part::Descriptors:
      add_descriptors(snapshot, worker);
      break;
    case Part::Queries:
      for (QueryFigures& figures : worker.queries().figures()) {
        add_query(snapshot, std::move(figures));
      }
      break;
    case Part::Times:
      worker.pools().each([&](Pool& pool) {
        const auto key = std::pair(pool.database().name, pool.user());
        if (pool.times_so_far() != nullptr) snapshot.times[key].merge(*pool.times_so_far());
      });
      break;
    case Part::Events:
      snapshot.events.assign(worker.events().all().begin(), worker.events().all().end());
      break;
    case Part::Holds:
      add_holds(snapshot, worker);
      break;
    case Part::Stats:
      snapshot.stats = worker.statistics().by_database(worker.pools());
      break;
  }
  return snapshot;
}

}  // namespace pgtend::pool
