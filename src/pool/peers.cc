#include "pool/peers.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "pool/cancel_link.h"
#include "pool/logging.h"
#include "pool/worker.h"
#include "pool/workers.h"

namespace pgtend::pool {

class Peers::Link final : public CancelLink {
 public:
  Link(Peers& owner, uint64_t id, int peer, const PeerConfig& config, Waiting request)
      : CancelLink(owner.worker(), request.deadline),
        owner_(owner),
        id_(id),
        peer_(peer),
        port_(config.port),
        made_at_(owner.worker().now()),
        request_(std::move(request)) {}

  uint64_t id() const { return id_; }
  int peer() const { return peer_; }
  Requester requester() const { return request_.requester; }

  void on_addresses(const Names::Addresses& found) {
    if (!found) {
      log_close(cat("server DNS lookup failed: ", found.error().message));
      return owner_.finish(*this);
    }
    std::vector<net::Address> addresses;
    for (const net::Address& address : *found) addresses.push_back(address.with_port(port_));
    open(std::move(addresses));
  }

 private:
  std::string request() override {
    std::string out;
    wire::append_cancel(out, request_.key.view());
    return out;
  }

  void on_sent() override { worker().cancels().tell_sent(request_.requester); }

  void on_end(End end) override {
    if (end == End::Unreached) log_close(cat("connect failed: ", cause()));
    if (end == End::Late) log_close("cancel_wait_timeout");
    owner_.finish(*this);
  }

  // A request that was handled is no news.
  void log_close(std::string_view reason) {
    if (!worker().config().settings.log.disconnections) return;
    const auto age = std::chrono::duration_cast<seconds>(worker().now() - made_at_).count();
    const std::string name =
        text_of({.kind = 'S', .id = id_, .peer = address(), .port = port_, .peer_id = peer_});
    log::warn(cat(name, "closing because: ", reason, " (age=", age, "s)"));
  }

  Peers& owner_;
  const uint64_t id_;
  const int peer_;
  const int port_;
  const SteadyTime made_at_;
  const Waiting request_;
};

Peers::Peers(Workers& workers, net::Loop& loop)
    : workers_(workers), timer_(loop.timers(), [this] { on_timer(); }) {}

Peers::~Peers() = default;

Worker& Peers::worker() const { return workers_.first(); }

// --- requests

void Peers::forward(const OwnedKey& key, Requester requester) {
  const int id = peer_of(key.view());
  if (worker().config().other_peer(id) == nullptr) {
    return refuse(requester, cat("its cancel key is of peer ", id, ", which is not in [peers]"));
  }
  if (hops_left(key.view()) == 0) {
    return refuse(requester, cat("its cancel request for peer ", id,
                                 " was passed on too often: another process stands under that id "
                                 "in [peers]"));
  }
  Line& line = lines_[id];
  if (line.waiting.size() >= kWaitingMax) {
    return refuse(requester, cat("too many cancel requests wait for peer ", id));
  }
  line.waiting.push_back({with_one_hop_less(key.view()), requester, worker().cancels().deadline()});
  launch(id);
  arm_timer();
}

void Peers::refuse(const Requester& requester, std::string_view reason) {
  worker().cancels().tell_done(requester, reason);
}

// In the order in which they came, as many as may be under way.
void Peers::launch(int id) {
  const PeerConfig* peer = worker().config().other_peer(id);
  if (peer == nullptr) return;
  Line& line = lines_[id];
  const int limit = worker().config().pool_size(*peer);
  while (!line.waiting.empty() && line.links < (limit > 0 ? limit : kLinksMax)) {
    Waiting first = std::move(line.waiting.front());
    line.waiting.pop_front();
    start(id, *peer, std::move(first));
  }
}

void Peers::start(int id, const PeerConfig& peer, Waiting request) {
  const uint64_t number = workers_.next_id();
  ++lines_[id].links;
  const auto added =
      links_.emplace(number, std::make_unique<Link>(*this, number, id, peer, std::move(request)));
  if (!peer.host.name.empty()) return look_up(number, peer);
  added.first->second->open({peer.host.address});
}

void Peers::look_up(uint64_t link, const PeerConfig& peer) {
  workers_.find_addresses(0, peer.host.name,
                          [this, link](Worker&, const Names::Addresses& addresses) {
                            const auto found = links_.find(link);
                            if (found != links_.end()) found->second->on_addresses(addresses);
                          });
}

void Peers::finish(Link& link) {
  const auto found = links_.find(link.id());
  if (found == links_.end()) return;
  // The link is on the call stack: it goes at the end of the turn.
  const std::shared_ptr<Link> keep(std::move(found->second));
  links_.erase(found);
  --lines_[keep->peer()].links;
  worker().cancels().tell_done(keep->requester());
  worker().loop().defer([this, keep] {
    launch(keep->peer());
    arm_timer();
  });
}

// --- the lines

void Peers::reconfigure() {
  for (auto& [id, line] : lines_) {
    if (worker().config().other_peer(id) != nullptr) {
      launch(id);
      continue;
    }
    for (const Waiting& request : std::exchange(line.waiting, {})) {
      refuse(request.requester, cat("peer ", id, " is not in [peers] any more"));
    }
  }
  std::erase_if(lines_, [](const auto& each) {
    return each.second.links == 0 && each.second.waiting.empty();
  });
  arm_timer();
}

void Peers::on_timer() {
  const SteadyTime now = worker().now();
  for (auto& [id, line] : lines_) {
    while (!line.waiting.empty() && line.waiting.front().deadline <= now) {
      const Requester requester = line.waiting.front().requester;
      line.waiting.pop_front();
      refuse(requester, cat("cancel_wait_timeout, in line for peer ", id));
    }
  }
  arm_timer();
}

void Peers::arm_timer() {
  std::optional<SteadyTime> next;
  for (const auto& [id, line] : lines_) {
    if (line.waiting.empty()) continue;
    const SteadyTime deadline = line.waiting.front().deadline;
    next = next ? std::min(*next, deadline) : deadline;
  }
  if (next) {
    timer_.arm(*next);
  } else {
    timer_.cancel();
  }
}

std::vector<PeerFigures> Peers::figures() const {
  const Config& config = worker().config();
  std::map<int, PeerFigures> all;
  for (const auto& [id, peer] : config.peers) {
    if (config.other_peer(id) != nullptr) all[id].id = id;
  }
  for (const auto& [id, line] : lines_) {
    if (all.contains(id)) all[id].clients_waiting = line.waiting.size();
  }
  for (const auto& [number, link] : links_) {
    const auto found = all.find(link->peer());
    if (found == all.end()) continue;
    PeerFigures& figures = found->second;
    ++(link->is_sent() ? figures.sent : figures.connecting);
    ++(link->is_sent() ? figures.clients_sent : figures.clients_waiting);
  }
  std::vector<PeerFigures> rows;
  for (const auto& [id, figures] : all) rows.push_back(figures);
  return rows;
}

}  // namespace pgtend::pool
