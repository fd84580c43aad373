// What --jobs, --io, --minutes, --window, --latency, --probe and --pool allow a run.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "care/throttle.h"
#include "cli/command.h"
#include "cli/latency.h"
#include "cli/output.h"
#include "vacuum/options.h"

namespace pgtend::cli {

// Rows for the parameter tables of commands that take them.
// clang-format off
#define PGTEND_LATENCY                                                                           \
    {"--latency", "MS", "make room while clients wait longer (100), by --probe or --pool"},      \
    {"--probe", "SQL", "a statement that only reads: how long it takes is the latency"}
#define PGTEND_LATENCY_LIMITS                                                                    \
    PGTEND_LATENCY,                                                                              \
    {"--pool", "DSN", "the console of pgtend-pool: p99 of the last second's queries is the "     \
     "latency"}
#define PGTEND_WRITE_LIMITS                                                                      \
    {"--minutes", "N", "stop after so many minutes; the next run does what is left"},            \
    {"--wal", "MB/S", "write at most so much WAL (0: without a limit)"},                         \
    {"--max-lag", "SECONDS",                                                                     \
     "rest while a standby has not replayed what is older (10; 0: do not look)"},                \
    {"--min-free", "GB",                                                                         \
     "stop before less is left on the server's disk, if it is this machine's (1; 0: do not look)"}
#define PGTEND_RUN_LIMITS                                                                        \
    {"--jobs", "N", "so many statements at the same time (1)"},                                  \
    {"--io", "MB/S", "read at most so much, by all jobs together (100; 0: without a limit)"},    \
    {"--minutes", "N", "stop after so many minutes; the next run does what is left"},            \
    {"--window", "HH:MM-HH:MM", "quiet times of each day by this machine's clock: wait for "     \
     "them, stop at their end, and use other cores and truncate meanwhile"},                     \
    PGTEND_LATENCY_LIMITS
// clang-format on

// Thread: any; the clock's. Copy it into callbacks.
struct RunLimits {
  vacuum::Means means = {};
  std::optional<care::Window> window = {};
  std::optional<SteadyTime> end = {};
  milliseconds latency_max{0};
  LatencyFn latency = {};

  // Why nothing may be run now, "" when it may.
  std::string closed() const;
  // Whether it is one of the quiet times now; also true when none were named.
  bool quiet() const;
  // Why the run has to end now although it is quiet, "" while it may go on: --minutes.
  std::string time_over() const;
};

// `by_pool`: --pool is there for the latency, else only when --latency asks for it. Errors: Invalid
// naming the parameter, those of the first connection of the latency's source.
Result<RunLimits> run_limits(const Args& args, bool by_pool = true);

// What holds work in rounds back. Errors: Invalid naming the parameter.
Result<care::ThrottleLimits> throttle_limits(const Args& args, const RunLimits& limits);

// Waits until the window opens. Errors: Cancelled.
Status wait_for_window(const Args& args, Output& output, const RunLimits& limits);

}  // namespace pgtend::cli
