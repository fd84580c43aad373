// How far a long piece of work is, and the line that tells it. Pure: the caller decides whether
// there is a terminal to draw on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace pgtend {

struct Progress {
  std::string step = {};  // what is being done: "readings", "keys"
  std::string unit = {};  // what is counted: "rows"
  int64_t done = 0;
  int64_t total = 0;  // 0 when it is not known
  std::chrono::nanoseconds elapsed{0};

  // Units a second so far; 0 before anything is done.
  double rate() const;
  // Time left at that rate; nullopt while it cannot be told.
  std::optional<std::chrono::nanoseconds> left() const;
};

// Called now and then (at least once at the end of each step) by the thread that asked for the
// work.
using ProgressFn = std::function<void(const Progress&)>;

// "readings  [#########-----]  63 %  847 k of 1.34 M rows  412 k/s  1.20 s left" in at most
// `columns` columns; the bar takes what the text leaves and is dropped when that is too little. No
// line end.
std::string progress_line(const Progress& progress, size_t columns);

}  // namespace pgtend
