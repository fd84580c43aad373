#include "care/pressure.h"

#include "base/text.h"
#include "base/units.h"

namespace pgtend::care {
namespace {

constexpr int kSamplesToHigh = 3;
constexpr int kSamplesToCalm = 5;

}  // namespace

void Pressure::add(milliseconds sample) {
  last_ = sample;
  const bool above = sample > limit_;
  run_ = above == high_ ? 0 : run_ + 1;
  if (run_ < (high_ ? kSamplesToCalm : kSamplesToHigh)) return;
  high_ = above;
  run_ = 0;
}

std::string Pressure::describe() const {
  return cat("latency ", human(last_), ", limit ", human(limit_));
}

PressureWatch::PressureWatch(Setup setup)
    : setup_(std::move(setup)),
      pressure_(setup_.limit),
      thread_([this](const std::stop_token& stop) { sample(stop); }) {}

bool PressureWatch::high() const {
  const std::lock_guard lock(mutex_);
  return pressure_.high();
}

std::string PressureWatch::describe() const {
  const std::lock_guard lock(mutex_);
  return pressure_.describe();
}

void PressureWatch::sample(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto latency = setup_.latency();
    std::unique_lock lock(mutex_);
    const bool before = pressure_.high();
    if (latency) pressure_.add(*latency);
    const bool now = pressure_.high();
    const std::string text = pressure_.describe();
    if (now != before && setup_.on_change) {
      lock.unlock();
      setup_.on_change(now, text);
      lock.lock();
    }
    wake_.wait_for(lock, stop, setup_.every, [] { return false; });
  }
}

bool Window::contains(int minute) const {
  if (from == to) return true;
  if (from < to) return minute >= from && minute < to;
  return minute >= from || minute < to;
}

}  // namespace pgtend::care
