#include "pool/group.h"

namespace pgtend::pool {

bool Slots::take(int limit) {
  int used = used_.load();
  do {
    if (limit > 0 && used >= limit) return false;
  } while (!used_.compare_exchange_weak(used, used + 1));
  return true;
}

bool Slots::leave(int least) {
  int leaving = leaving_.load();
  do {
    if (used_.load() - leaving <= least) return false;
  } while (!leaving_.compare_exchange_weak(leaving, leaving + 1));
  return true;
}

Group::Group(Key key, const Common& common, size_t workers)
    : key_(std::move(key)),
      clients_(common.clients),
      switches_(common.switches),
      all_paused_(common.all_paused),
      count_(workers),
      seats_(std::make_unique<Seat[]>(workers)) {
  slots_.database = &common.database;
  slots_.user = &common.user;
}

std::optional<Group::Rival> Group::longest_waiting(size_t self) const {
  std::optional<Rival> longest;
  for (size_t i = 0; i < count_; ++i) {
    const Seat& seat = seats_[i];
    if (i == self || seat.waiting.load() <= seat.promised.load()) continue;
    const SteadyTime oldest{SteadyTime::duration(seat.oldest.load())};
    if (!longest || oldest < longest->oldest) longest = Rival{i, oldest};
  }
  return longest;
}

std::optional<size_t> Group::idle_elsewhere(size_t self) const {
  for (size_t i = 1; i < count_; ++i) {
    const size_t worker = (self + i) % count_;
    if (seats_[worker].idle.load() > 0) return worker;
  }
  return std::nullopt;
}

bool Group::is_moving() const {
  bool moving = false;
  for (size_t i = 0; i < count_; ++i) moving = moving || seats_[i].promised.load() > 0;
  return moving;
}

void Group::publish(Outcome outcome, uint32_t epoch) {
  const std::lock_guard lock(mutex_);
  outcome_ = std::move(outcome);
  outcome_epoch_ = epoch;
}

Group::Outcome Group::last_outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_epoch_ == epoch() ? outcome_ : Outcome{};
}

Group& Groups::find_or_add(const Group::Key& key) {
  const std::lock_guard lock(mutex_);
  auto& group = groups_[key];
  if (!group) {
    const Group::Common common{database_slots_[key.first], database_clients_[key.first],
                               user_slots_[key.second], switches_[key.first], all_paused_};
    group = std::make_unique<Group>(key, common, workers_);
  }
  return *group;
}

Group* Groups::find(const Group::Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(key);
  return found == groups_.end() ? nullptr : found->second.get();
}

Slots& Groups::user_clients(const std::string& user) {
  const std::lock_guard lock(mutex_);
  return user_clients_[user];
}

int Groups::database_clients(const std::string& database) {
  const std::lock_guard lock(mutex_);
  const auto found = database_clients_.find(database);
  return found == database_clients_.end() ? 0 : found->second.used();
}

bool Groups::is_any_paused() {
  bool paused = all_paused_;
  each_switches([&](auto&, Switches& each) { paused = paused || each.paused; });
  return paused;
}

Switches& Groups::switches(const std::string& database) {
  const std::lock_guard lock(mutex_);
  return switches_[database];
}

}  // namespace pgtend::pool
