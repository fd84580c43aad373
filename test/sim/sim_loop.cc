// SimLoop and SimScheduler.
#include <algorithm>

#include "base/check.h"
#include "sim/sim_net.h"

namespace pgtend::sim {

SimLoop::Watch& SimLoop::entry(int descriptor) {
  const auto index = static_cast<size_t>(descriptor - SimNetwork::kFirstDescriptor);
  if (watches_.size() <= index) watches_.resize(index + 1);
  return watches_[index];
}

void SimLoop::mark(int descriptor) {
  Watch& watch = entry(descriptor);
  if (watch.handler == nullptr || watch.marked) return;
  watch.marked = true;
  ready_.push_back({descriptor, watch.generation});
}

// --- net::Loop

Result<int> SimLoop::connect(const net::Address& address, const net::SocketOptions&) {
  return network_.connect(*this, address);
}

Result<int> SimLoop::listen(const net::Address& address, int, bool) {
  return network_.listen(*this, address);
}

Result<std::optional<net::Accepted>> SimLoop::accept(int listener) {
  network_.meanwhile();
  return network_.accept(*this, listener);
}

net::Io SimLoop::receive(int descriptor, std::span<char> into) {
  network_.meanwhile();
  return network_.receive(descriptor, into);
}

net::Io SimLoop::send(int descriptor, std::span<const iovec> pieces) {
  network_.meanwhile();
  return network_.send(descriptor, pieces);
}

// As with epoll, what is possible already makes the first edge.
Status SimLoop::watch(int descriptor, net::Handler& handler) {
  Watch& watched = entry(descriptor);
  CHECK(watched.handler == nullptr);
  watched.handler = &handler;
  network_.moved_to(*this, descriptor);
  mark(descriptor);
  return ok();
}

void SimLoop::unwatch(int descriptor) {
  Watch& watched = entry(descriptor);
  watched = {nullptr, watched.generation + 1, false, false};
}

void SimLoop::close(int descriptor) {
  unwatch(descriptor);
  network_.close(descriptor);
}

void SimLoop::resume_later(int descriptor) {
  Watch& watched = entry(descriptor);
  CHECK(watched.handler != nullptr);
  if (watched.resuming) return;
  watched.resuming = true;
  resumed_.push_back({descriptor, watched.generation});
}

void SimLoop::post(Task task) {
  if (!mailbox_.put(std::move(task))) return;
  mail_at_ = clock_.steady() + microseconds(dice_.skewed(200));
}

void SimLoop::run() {
  stopped_ = false;
  while (!stopped_ && step_()) {
  }
}

// --- turns

std::optional<SteadyTime> SimLoop::next() const {
  auto next = const_cast<SimLoop*>(this)->timers().next();
  if (mail_at_ && (!next || *mail_at_ < *next)) next = mail_at_;
  return next;
}

bool SimLoop::has_work() const {
  if (!ready_.empty() || !resumed_.empty() || !deferred_.empty()) return true;
  const auto at = next();
  return at && *at <= clock_.steady();
}

// What epoll_wait() would return now, in any order, at times only a part of it.
std::vector<SimLoop::Told> SimLoop::harvest() {
  std::vector<Told> told;
  std::vector<Ticket> marked = std::exchange(ready_, {});
  for (size_t i = marked.size(); i > 1; --i) std::swap(marked[i - 1], marked[dice_.below(i)]);
  const size_t count = dice_.chance(100) ? dice_.below(marked.size() + 1) : marked.size();
  for (size_t i = 0; i < marked.size(); ++i) {
    Watch& watched = entry(marked[i].descriptor);
    if (watched.handler == nullptr || watched.generation != marked[i].generation) continue;
    if (i >= count) {
      ready_.push_back(marked[i]);
      continue;
    }
    watched.marked = false;
    const net::Ready ready = network_.poll(marked[i].descriptor);
    if (ready.readable || ready.writable || ready.peer_closed || ready.broken) {
      told.push_back({marked[i], ready});
    }
  }
  return told;
}

void SimLoop::read_mail() {
  if (!mail_at_ || *mail_at_ > clock_.steady()) return;
  mail_at_.reset();
  mailbox_.run_all();
}

void SimLoop::turn() {
  now_ = clock_.steady();
  const auto told = harvest();
  const size_t mail_turn = dice_.below(told.size() + 1);
  for (size_t i = 0; i < told.size(); ++i) {
    if (i == mail_turn) read_mail();
    const Watch& watched = entry(told[i].ticket.descriptor);
    if (watched.handler == nullptr || watched.generation != told[i].ticket.generation) continue;
    watched.handler->on_ready(told[i].ready);
  }
  if (mail_turn == told.size()) read_mail();
  for (const Ticket& resume : std::exchange(resumed_, {})) {
    Watch& watched = entry(resume.descriptor);
    if (watched.handler == nullptr || watched.generation != resume.generation) continue;
    watched.resuming = false;
    watched.handler->on_ready({});
  }
  timers().fire(now_);
  for (const Task& task : std::exchange(deferred_, {})) task();
}

// --- who runs

SimLoop& SimScheduler::add_loop() {
  loops_.push_back(std::make_unique<SimLoop>(dice_, clock_, network_));
  loops_.back()->step_ = [this] { return step(); };
  return *loops_.back();
}

bool SimScheduler::step() {
  ran_ = nullptr;
  std::vector<SimLoop*> able;
  for (const auto& loop : loops_) {
    if (!loop->stopped() && loop->has_work()) able.push_back(loop.get());
  }
  const size_t wire = network_.due() ? 1 + able.size() : 0;
  if (wire + able.size() > 0) {
    const size_t chosen = dice_.below(wire + able.size());
    if (chosen < able.size()) {
      ran_ = able[chosen];
      ran_->turn();
    } else {
      network_.deliver_one();
    }
    return true;
  }
  auto next = network_.next();
  for (const auto& loop : loops_) {
    if (loop->stopped()) continue;
    const auto at = loop->next();
    if (at && (!next || *at < *next)) next = at;
  }
  if (!next) return false;
  clock_.advance(*next - clock_.steady());
  return true;
}

}  // namespace pgtend::sim
