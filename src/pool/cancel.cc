#include "pool/cancel.h"

#include <optional>
#include <string>

#include "base/log.h"
#include "pool/client.h"
#include "pool/server.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/secret.h"

namespace pgtend::pool {

// One connection that carries one CancelRequest and then waits for the server to close it: the only
// sign that the request was handled.
class Cancels::Link final : private net::Handler {
 public:
  Link(Cancels& owner, uint64_t id, Server& server, Requester requester)
      : owner_(owner),
        id_(id),
        server_(&server),
        requester_(requester),
        generation_(server.lease().generation()),
        timer_(owner.worker_.loop().timers(), [this] { on_timer(); }) {}

  bool open() {
    auto descriptor = owner_.worker_.loop().connect(server_->identity().address,
                                                    owner_.worker_.config().settings.socket);
    if (!descriptor) return false;
    channel_.emplace(net::Socket(owner_.worker_.loop(), *descriptor), owner_.worker_.chunks());
    if (!channel_->socket().watch(*this)) return false;
    const auto limit = owner_.worker_.config().settings.time.cancel_wait;
    timer_.arm(owner_.worker_.now() + (limit.count() > 0 ? limit : microseconds(kLimitDefault)));
    return true;
  }

  uint64_t id() const { return id_; }
  Server* server() const { return server_; }
  Requester requester() const { return requester_; }
  void forget_server() { server_ = nullptr; }

 private:
  static constexpr seconds kLimitDefault{10};

  // Nobody knows whether the request will still arrive: it must not meet another client's query.
  void on_timer() {
    if (sent_ && server_ != nullptr) server_->close_when_free();
    owner_.finish(*this);
  }

  void on_ready(net::Ready ready) override {
    channel_->note(ready);
    if (!sent_ && (ready.writable || ready.broken)) {
      // The query this was meant for may have ended while the link was made.
      const bool current = server_ != nullptr && server_->lease().generation() == generation_ &&
                           server_->lease().expect().outstanding() > 0;
      if (ready.broken || !current) return owner_.finish(*this);
      std::string out;
      wire::append_cancel(out, {server_->identity().pid, server_->identity().secret});
      sent_ = true;
      if (!channel_->send(out)) return owner_.finish(*this);
    }
    while (channel_->readable()) {
      char nothing[64];
      const net::Io io = channel_->receive(nothing);
      if (io.kind == net::Io::Kind::Again) return;
      if (io.kind != net::Io::Kind::Done) return owner_.finish(*this);
    }
  }

  Cancels& owner_;
  const uint64_t id_;
  Server* server_;
  const Requester requester_;
  const uint64_t generation_;
  std::optional<Channel> channel_;
  net::Timer timer_;
  bool sent_ = false;
};

Cancels::Cancels(Worker& worker) : worker_(worker) {}

Cancels::~Cancels() = default;

int32_t Cancels::add_key(Client& client) {
  constexpr uint32_t kWorkerMask = kWorkersMax - 1;
  const auto index = static_cast<uint32_t>(worker_.index());
  while (true) {
    const auto random = static_cast<uint32_t>(wire::random_pid());
    const auto pid = static_cast<int32_t>((random & ~kWorkerMask) | index);
    if (pid != 0 && keys_.emplace(pid, &client).second) return pid;
  }
}

bool Cancels::adopt_key(Client& client) {
  return keys_.emplace(client.identity().pid, &client).second;
}

void Cancels::remove_key(int32_t pid) { keys_.erase(pid); }

void Cancels::request(const wire::CancelKey& key, Client& requester) {
  const size_t owner = worker_.workers().of_key(key.pid);
  const Requester who{worker_.index(), requester.identity().id};
  if (owner == worker_.index()) return take(key.pid, key.secret, who);
  worker_.workers().post(owner, [pid = key.pid, secret = std::string(key.secret),
                                 who](Worker& there) { there.cancels().take(pid, secret, who); });
}

void Cancels::take(int32_t pid, std::string_view secret, Requester requester) {
  const auto found = keys_.find(pid);
  const bool known = found != keys_.end() &&
                     wire::equal_in_constant_time(found->second->identity().secret, secret);
  if (!known || !found->second->cancel(requester)) tell(requester);
}

void Cancels::tell(Requester requester) {
  if (requester.id == 0) return;
  const auto tell_there = [id = requester.id](Worker& there) {
    if (Client* client = there.client(id)) client->cancel_done();
  };
  if (requester.worker == worker_.index()) return tell_there(worker_);
  worker_.workers().post(requester.worker, tell_there);
}

bool Cancels::start(Server& server, Requester requester) {
  if (links_.size() >= kInFlightMax) {
    log::warn("too many cancel requests at once, one is dropped");
    return false;
  }
  auto link = std::make_unique<Link>(*this, next_link_++, server, requester);
  if (!link->open()) return false;
  server.cancel_started();
  links_.emplace(link->id(), std::move(link));
  return true;
}

void Cancels::finish(Link& link) {
  const auto found = links_.find(link.id());
  if (found == links_.end()) return;
  // The link is on the call stack: it goes at the end of the turn.
  const std::shared_ptr<Link> keep(std::move(found->second));
  links_.erase(found);
  worker_.loop().defer([keep] {});
  Server* server = keep->server();
  keep->forget_server();
  if (server != nullptr) server->cancel_ended();
  tell(keep->requester());
}

void Cancels::forget(Server& server) {
  for (auto& [id, link] : links_) {
    if (link->server() == &server) link->forget_server();
  }
}

}  // namespace pgtend::pool
