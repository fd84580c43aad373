#include "sim/journal.h"

#include <cstdio>
#include <cstdlib>

#include "base/text.h"

namespace pgtend::sim {

Journal::Journal(const Clock& clock)
    : clock_(clock), traced_(std::getenv("PGTEND_SIM_TRACE") != nullptr) {}

void Journal::note(const char* what, int64_t first, int64_t second) {
  if (failed()) return;
  Event& event = events_[next_++ % kKept];
  event = {clock_.steady(), what, first, second};
  if (traced_) std::fputs(line(event).c_str(), stderr);
}

void Journal::fail(std::string_view violation) {
  if (!failed()) violation_ = violation;
}

std::string Journal::line(const Event& event) const {
  const auto us = std::chrono::duration_cast<microseconds>(event.at.time_since_epoch()).count();
  return cat("  ", us, " us  ", event.what, ' ', event.first, ' ', event.second, '\n');
}

std::string Journal::text() const {
  std::string out;
  const size_t begin = next_ > kKept ? next_ - kKept : 0;
  for (size_t i = begin; i < next_; ++i) out += line(events_[i % kKept]);
  return out;
}

}  // namespace pgtend::sim
