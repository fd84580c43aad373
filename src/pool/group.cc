#include "pool/group.h"

namespace pgtend::pool {

bool Slots::take(int limit) {
  int used = used_.load();
  do {
    if (limit > 0 && used >= limit) return false;
  } while (!used_.compare_exchange_weak(used, used + 1));
  return true;
}

Group::Group(Key key, Slots& database, Slots& user, size_t workers)
    : key_(std::move(key)), count_(workers), seats_(std::make_unique<Seat[]>(workers)) {
  slots_.database = &database;
  slots_.user = &user;
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

void Group::publish(Outcome outcome, uint32_t epoch) {
  const std::lock_guard lock(mutex_);
  outcome_ = std::move(outcome);
  outcome_epoch_ = epoch;
}

Group::Outcome Group::last_outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_epoch_ == epoch() ? outcome_ : Outcome{};
}

Group& Groups::find_or_add(const Group::Key& key, const std::string& server_user) {
  const std::lock_guard lock(mutex_);
  auto& group = groups_[key];
  if (!group) {
    group = std::make_unique<Group>(key, database_slots_[key.first], user_slots_[server_user],
                                    workers_);
  }
  return *group;
}

}  // namespace pgtend::pool
