// The guided tour: all four jobs, one after the other, on a private PostgreSQL with metering data,
// each with its numbers before and after.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "demo/tour_report.h"

namespace pgtend::demo {

struct TourOptions {
  std::string size = "s";         // s, m or l
  std::string pool_program = {};  // path of pgtend-pool
  uint64_t seed = 1;
  int clients = 300;
  int connections_max = 60;  // of the server
  int pool_size = 20;
  seconds load_time{4};  // of each load run
  int runs = 5;          // of each measured query
  bool keep = false;     // leave the server's folder behind
  std::stop_token stop = {};
  const Clock* clock = &system_clock();
};

// Where the tour speaks. Called on the tour's thread.
struct TourVoice {
  std::function<void(const std::string& title)> step;
  std::function<void(const std::string& text)> line;
  std::function<void(const std::string& text)> progress;  // replaces the one before
  std::function<void(double seconds)> done;               // of the step
};

// Runs the whole tour. Blocks; about a minute for size s on two cores. Whatever the outcome, no
// process and, unless `keep`, no data remain. Errors: Cancelled after a stop; Limit when the disk
// is too small; whatever a step met, said with the step's name. Thread: any, the same throughout.
Result<TourReport> tour(const TourOptions& options, const TourVoice& voice);

}  // namespace pgtend::demo
