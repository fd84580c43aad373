#include "sim/sim_net.h"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/text.h"

namespace pgtend::sim {
namespace {

using net::Io;

constexpr int64_t kFewBytes = 8;

net::Address peer_address(bool is_unix, uint64_t number) {
  if (is_unix) {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    return net::Address::from(storage, sizeof(sa_family_t));
  }
  const auto host = cat("10.1.", number / 250 % 250, '.', 1 + number % 250);
  return net::Address::ip(host, static_cast<int>(1024 + number % 60000)).take();
}

}  // namespace

SimNetwork::SimNetwork(Dice& dice, ManualClock& clock, Journal& journal, NetworkOptions options)
    : dice_(dice), clock_(clock), journal_(journal), options_(options) {}

// --- descriptors

SimNetwork::Slot& SimNetwork::slot(int descriptor) {
  const auto index = static_cast<size_t>(descriptor - kFirstDescriptor);
  CHECK(descriptor >= kFirstDescriptor && index < slots_.size() && slots_[index].used());
  return slots_[index];
}

int SimNetwork::add(Slot added) {
  const auto free = std::ranges::find_if(slots_, [](const Slot& s) { return !s.used(); });
  const auto index = free - slots_.begin();
  if (free == slots_.end()) slots_.emplace_back();
  slots_[static_cast<size_t>(index)] = std::move(added);
  ++open_;
  return kFirstDescriptor + static_cast<int>(index);
}

void SimNetwork::mark(const Side& side) {
  if (side.descriptor >= 0) side.loop->mark(side.descriptor);
}

void SimNetwork::moved_to(SimLoop& loop, int descriptor) {
  Slot& moved = slot(descriptor);
  (moved.link != nullptr ? moved.link->sides[moved.side].loop : moved.listener->loop) = &loop;
}

net::Ready SimNetwork::poll(int descriptor) {
  const Slot& polled = slot(descriptor);
  if (polled.listener != nullptr) return {.readable = !polled.listener->waiting.empty()};
  Side& side = polled.link->sides[polled.side];
  if (side.connecting) return {};
  const bool dead = side.reset || side.connect_error != 0;
  const bool ended = side.end_arrived || dead;
  const bool writable = has_room(side) || side.shut || dead;
  if (!writable) side.full = true;
  return {.readable = !side.incoming.empty() || ended,
          .writable = writable,
          .peer_closed = ended,
          .broken = dead || side.hung_up || (side.shut && side.end_arrived)};
}

// --- calls of the loops

Result<int> SimNetwork::connect(SimLoop& loop, const net::Address& address) {
  if (dice_.chance(options_.connect_failures)) {
    return Error{ErrorCode::Limit, cat("connect to ", address.text(), ": simulated"), {}};
  }
  auto link = std::make_shared<Link>();
  link->is_unix = address.is_unix();
  const auto listener = listeners_.find(address.text());
  if (listener != listeners_.end()) link->listener = listener->second;
  size_buffers(*link);
  Side& near = link->sides[0];
  near.loop = &loop;
  near.connecting = true;
  near.descriptor = add({nullptr, link, 0});
  schedule(What::Connected, link, 0);
  return near.descriptor;
}

void SimNetwork::size_buffers(Link& link) {
  for (Side& side : link.sides) {
    side.outgoing_max = static_cast<size_t>(
        options_.buffer_min + dice_.skewed(options_.buffer_max - options_.buffer_min));
    side.incoming_max = static_cast<size_t>(
        options_.buffer_min + dice_.skewed(options_.buffer_max - options_.buffer_min));
  }
}

std::pair<int, int> SimNetwork::pair(SimLoop& loop) {
  auto link = std::make_shared<Link>();
  link->is_unix = true;
  size_buffers(*link);
  for (int i = 0; i < 2; ++i) {
    link->sides[i].loop = &loop;
    link->sides[i].descriptor = add({nullptr, link, i});
  }
  return {link->sides[0].descriptor, link->sides[1].descriptor};
}

int SimNetwork::connect_result(int descriptor) {
  const Side& asked = side(descriptor);
  return asked.reset ? ECONNRESET : asked.connect_error;
}

Result<int> SimNetwork::listen(SimLoop& loop, const net::Address& address) {
  if (listeners_.contains(address.text())) {
    return Error{ErrorCode::Unavailable, cat("listen on ", address.text(), ": in use"), {}};
  }
  auto listener = std::make_shared<Listener>();
  listener->loop = &loop;
  listener->name = address.text();
  listener->descriptor = add({listener, nullptr, 0});
  listeners_[listener->name] = listener;
  return listener->descriptor;
}

std::optional<net::Accepted> SimNetwork::accept(SimLoop& loop, int descriptor) {
  auto& waiting = slot(descriptor).listener->waiting;
  if (waiting.empty()) return {};
  const std::shared_ptr<Link> link = std::move(waiting.front());
  waiting.pop_front();
  Side& side = link->sides[1];
  side.loop = &loop;
  side.descriptor = add({nullptr, link, 1});
  return net::Accepted{side.descriptor, peer_address(link->is_unix, ++peers_)};
}

Io SimNetwork::receive(int descriptor, std::span<char> into) {
  const Slot from = slot(descriptor);
  Side& near = from.link->sides[from.side];
  if (!near.incoming.empty()) {
    const size_t count = std::min(into.size(), near.incoming.size());
    near.incoming.copy(into.data(), count);
    near.incoming.erase(0, count);
    schedule_delivery(from.link, 1 - from.side);  // it may have waited for room
    return {Io::Kind::Done, count, 0};
  }
  if (near.reset && !std::exchange(near.reset_told, true)) return {Io::Kind::Failed, 0, ECONNRESET};
  if (near.reset || near.end_arrived) return {Io::Kind::Closed, 0, 0};
  return {Io::Kind::Again, 0, 0};
}

Io SimNetwork::send(int descriptor, std::span<const iovec> pieces) {
  const Slot to = slot(descriptor);
  Side& near = to.link->sides[to.side];
  if (near.reset) {
    const int error = std::exchange(near.reset_told, true) ? EPIPE : ECONNRESET;
    return {Io::Kind::Failed, 0, error};
  }
  const bool unix_gone = options_.resets && to.link->is_unix && to.link->sides[1 - to.side].closed;
  if (near.shut || near.connecting || near.connect_error != 0 || unix_gone) {
    return {Io::Kind::Failed, 0, EPIPE};
  }
  size_t sent = 0;
  for (const iovec& piece : pieces) {
    const size_t count = std::min(piece.iov_len, near.outgoing_max - near.outgoing.size());
    near.outgoing.append(static_cast<const char*>(piece.iov_base), count);
    sent += count;
    if (count < piece.iov_len) near.full = true;
  }
  schedule_delivery(to.link, to.side);
  return sent > 0 ? Io{Io::Kind::Done, sent, 0} : Io{Io::Kind::Again, 0, 0};
}

void SimNetwork::shutdown_send(int descriptor) {
  const Slot ended = slot(descriptor);
  ended.link->sides[ended.side].shut = true;
  schedule_delivery(ended.link, ended.side);
  // A shutdown wakes its own side too, but not on a unix socket.
  if (!ended.link->is_unix) mark(ended.link->sides[ended.side]);
}

void SimNetwork::close(int descriptor) {
  const Slot closed = std::exchange(slot(descriptor), Slot{});
  --open_;
  if (closed.link != nullptr) return close_side(closed.link, closed.side);
  listeners_.erase(closed.listener->name);
  closed.listener->descriptor = -1;
  for (const auto& link : closed.listener->waiting) close_side(link, 1);
}

void SimNetwork::close_side(const std::shared_ptr<Link>& link, int index) {
  Side& near = link->sides[index];
  near.descriptor = -1;
  near.closed = true;
  near.shut = true;
  if (near.connecting || near.reset) return;
  const bool unread = options_.resets && !near.incoming.empty();
  if (unread || near.reset_on_close) return schedule(What::Reset, link, index);
  schedule_delivery(link, index);
}

// --- the wire

std::optional<SteadyTime> SimNetwork::next() const {
  if (events_.empty()) return {};
  return events_.top().at;
}

bool SimNetwork::due() const { return !events_.empty() && events_.top().at <= clock_.steady(); }

void SimNetwork::meanwhile() {
  if (due() && dice_.chance(200)) deliver_one();
}

void SimNetwork::deliver_one() {
  const Event event = events_.top();
  events_.pop();
  switch (event.what) {
    case What::Connected:
      return on_connected(event.link);
    case What::Delivery:
      return on_delivery(event.link, event.side);
    case What::Reset:
      return on_reset(event.link, event.side);
  }
}

void SimNetwork::schedule(What what, const std::shared_ptr<Link>& link, int side) {
  const auto delay = microseconds(1 + dice_.skewed(options_.delay_max.count()));
  events_.push({clock_.steady() + delay, order_++, what, link, side});
}

// One delivery of a direction at a time, which keeps its bytes in order.
void SimNetwork::schedule_delivery(const std::shared_ptr<Link>& link, int side) {
  Side& from = link->sides[side];
  const Side& to = link->sides[1 - side];
  if (from.delivering || from.reset || from.connecting) return;
  const bool room = to.closed || to.incoming.size() < to.incoming_max;
  const bool end = from.shut && (!to.end_arrived ||
                                 (link->is_unix && from.closed && !to.hung_up && options_.resets));
  if (from.outgoing.empty() ? !end : !room) return;
  from.delivering = true;
  schedule(What::Delivery, link, side);
}

void SimNetwork::on_connected(const std::shared_ptr<Link>& link) {
  ++progress_;
  Side& near = link->sides[0];
  near.connecting = false;
  if (link->listener == nullptr || link->listener->descriptor < 0) {
    near.connect_error = ECONNREFUSED;
    return mark(near);
  }
  link->listener->waiting.push_back(link);
  link->listener->loop->mark(link->listener->descriptor);
  link->listener = nullptr;
  mark(near);
  if (near.closed) schedule_delivery(link, 0);
}

void SimNetwork::on_delivery(const std::shared_ptr<Link>& link, int side) {
  Side& from = link->sides[side];
  Side& to = link->sides[1 - side];
  from.delivering = false;
  if (from.reset || to.reset) return;
  ++progress_;
  if (from.outgoing.empty()) {
    if (!from.shut) return;
    to.end_arrived = true;
    to.hung_up = options_.resets && link->is_unix && from.closed;
    return mark(to);
  }
  if (to.closed) {
    from.outgoing.clear();
    if (options_.resets) schedule(What::Reset, link, 1 - side);
    return;
  }
  size_t count = std::min(to.incoming_max - to.incoming.size(), from.outgoing.size());
  if (dice_.chance(options_.split)) {
    count = std::min(count, static_cast<size_t>(dice_.between(1, kFewBytes)));
  }
  if (count == 0) return;
  to.incoming.append(from.outgoing, 0, count);
  from.outgoing.erase(0, count);
  mark(to);
  if (from.full && has_room(from)) {
    from.full = false;
    mark(from);
  }
  schedule_delivery(link, side);
}

void SimNetwork::on_reset(const std::shared_ptr<Link>& link, int side) {
  Side& from = link->sides[side];
  Side& to = link->sides[1 - side];
  ++progress_;
  from.outgoing.clear();
  to.outgoing.clear();
  to.reset = true;
  mark(to);
}

}  // namespace pgtend::sim
