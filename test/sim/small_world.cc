#include "sim/small_world.h"

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/backend.h"
#include "wire/startup.h"

namespace pgtend::sim {

namespace be = wire::backend;

Peer::Peer(net::Loop& loop, int descriptor) : socket_(loop, descriptor) {
  socket_.watch(*this).take();
}

void Peer::send(std::string_view bytes) {
  out_ += bytes;
  flush();
}

void Peer::on_ready(net::Ready) {
  flush();
  char piece[4096];
  while (!ended_) {
    const net::Io io = socket_.receive(piece);
    if (io.kind == net::Io::Kind::Again) return;
    ended_ = io.kind != net::Io::Kind::Done;
    in_.append(piece, io.bytes);
  }
}

void Peer::flush() {
  const net::Io io = out_.empty() ? net::Io{} : socket_.send(out_);
  if (io.kind == net::Io::Kind::Done) out_.erase(0, io.bytes);
}

SmallWorld::SmallWorld(uint64_t seed, NetworkOptions options)
    : dice_(seed), network_(dice_, clock_, journal_, options) {
  log::set_level(log::Level::Off);
}

void SmallWorld::start(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<IniEntry> entries = {
      {"pgbouncer", "listen_addr", "127.0.0.1", "", 0},
      {"pgbouncer", "auth_type", "trust", "", 0},
      {"pgbouncer", "unix_socket_dir", "", "", 0},
      {"pgbouncer", "default_pool_size", "1", "", 0},
      {"pgbouncer", "pool_mode", "transaction", "", 0},
      {"databases", "db", cat("host=", server_address_.host()), "", 0}};
  for (const auto& [key, value] : more) entries.push_back({"pgbouncer", key, value, "", 0});
  auto config = std::make_shared<pool::Config>(pool::config_from(entries).take());
  acceptor_ = net::Acceptor::open(peers_, server_address_, 16, [this](net::Accepted accepted) {
                servers.push_back(std::make_unique<Peer>(peers_, accepted.descriptor));
              }).take();
  workers = std::make_unique<pool::Workers>(std::vector<net::Loop*>{&pool_loop_}, clock_, config);
  workers->listen().take();
}

size_t SmallWorld::settle() {
  size_t turns = 0;
  while (network_.next() || pool_loop_.has_work() || peers_.has_work()) {
    scheduler_.step();
    turns += scheduler_.ran() == &pool_loop_ ? 1 : 0;
  }
  return turns;
}

void SmallWorld::set(std::string_view key, std::string_view value) {
  pool::Worker& worker = workers->first();
  workers->adopt(worker.index(), *worker.config().with(key, value).take(),
                 [](const Status& status) { CHECK(status); });
  settle();
}

size_t SmallWorld::pass(milliseconds time) {
  const SteadyTime until = clock_.steady() + time;
  net::Timer alarm(peers_.timers(), [] {});
  alarm.arm(until);
  size_t steps = 0;
  while (clock_.steady() < until && steps < kStepsMax) {
    scheduler_.step();
    ++steps;
  }
  return steps;
}

size_t SmallWorld::say(Peer& peer, std::string_view bytes) {
  peer.send(bytes);
  return settle();
}

Peer& SmallWorld::stranger() {
  const auto descriptor = peers_.connect(net::Address::ip("127.0.0.1", 6432).take(), {}).take();
  clients.push_back(std::make_unique<Peer>(peers_, descriptor));
  settle();
  return *clients.back();
}

Peer& SmallWorld::client(const wire::StartupParameters& more) {
  Peer& added = stranger();
  wire::StartupParameters parameters = {{"user", "u"}, {"database", "db"}};
  parameters.insert(parameters.end(), more.begin(), more.end());
  std::string out;
  wire::append_startup(out, wire::kProtocol30, parameters);
  say(added, out);
  return added;
}

void SmallWorld::welcome(Peer& server) {
  server.take();
  std::string out;
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  be::append_backend_key_data(out, {7, "key!"});
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
  server.send(out);
  settle();
}

}  // namespace pgtend::sim
