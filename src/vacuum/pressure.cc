#include "vacuum/pressure.h"

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
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

bool Window::contains(int minute) const {
  if (from == to) return true;
  if (from < to) return minute >= from && minute < to;
  return minute >= from || minute < to;
}

}  // namespace pgtend::vacuum
