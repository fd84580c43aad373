#include "net/timers.h"

#include <utility>

#include "base/check.h"

namespace pgtend::net {

std::optional<SteadyTime> Timers::next() const {
  if (heap_.empty()) return {};
  return heap_[0]->deadline_;
}

void Timers::fire(SteadyTime now) {
  for (int fired = 0; fired < kPerTurn; ++fired) {
    if (heap_.empty() || heap_[0]->deadline_ > now) return;
    Timer& timer = *heap_[0];
    timer.cancel();
    // Held by the heap's side of the call, so that an action may destroy its own timer.
    const std::shared_ptr<const std::function<void()>> action = timer.action_;
    (*action)();
  }
}

void Timers::insert(Timer& timer) {
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  sift_up(timer.index_);
}

void Timers::erase(Timer& timer) {
  const size_t index = timer.index_;
  DCHECK(heap_[index] == &timer);
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(index, last);
  sift_up(index);
  sift_down(last->index_);
}

void Timers::place(size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void Timers::sift_up(size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ <= timer->deadline_) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, timer);
}

void Timers::sift_down(size_t index) {
  Timer* timer = heap_[index];
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_) ++child;
    if (timer->deadline_ <= heap_[child]->deadline_) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, timer);
}

Timer::Timer(Timers& timers, std::function<void()> action)
    : timers_(timers), action_(std::make_shared<const std::function<void()>>(std::move(action))) {}

void Timer::arm(SteadyTime deadline) {
  cancel();
  deadline_ = deadline;
  armed_ = true;
  timers_.insert(*this);
}

void Timer::cancel() {
  if (!armed_) return;
  armed_ = false;
  timers_.erase(*this);
}

}  // namespace pgtend::net
