// Runs many tables' tasks: several at once, within an I/O limit, only while they may.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "care/pressure.h"
#include "vacuum/worklist.h"

namespace pgtend::vacuum {

struct TablesSetup {
  care::GateSetup gate = {};  // its callbacks are called by one thread at a time
  Means means = {};
  bool force = false;  // also where nothing could be removed last time
  // The run begins and lasts only while this is "": else the reason, as "the quiet time is over".
  // Asked often, by any thread.
  std::function<std::string()> closed = {};
  // How long clients wait now, asked each `latency_every` by one thread; empty: nobody asks.
  // Without an answer the run goes on as before.
  std::function<std::optional<milliseconds>()> latency = {};
  milliseconds latency_max{0};
  milliseconds latency_every{1'000};
  // A line for people when a task begins, ends or is put off. Called by one thread at a time.
  std::function<void(const std::string&)> on_event = {};
};

struct TaskReport {
  Task task = {};
  std::optional<RunReport> report = {};  // absent when it failed or was not begun
  std::optional<Error> error = {};
};

struct TablesReport {
  std::vector<TaskReport> tasks = {};  // in the order of the worklist
  std::string stopped = {};            // why it ended before all was done; "" if it did not
  int64_t io_mb_s = 0;                 // at the end: halved each time that clients felt it
};

// Runs the tasks through the gate, `means.jobs` at a time. A table that is locked is put off to the
// end, once. While the latency is above its limit, what runs is cancelled and nothing begins; then
// it goes on with half the I/O limit (not below an eighth). A task that fails does not end the
// others. What a stopped run has not done is found again by the next worklist: there is nothing to
// resume from but the database itself.
TablesReport run_tables(const TablesSetup& setup, std::vector<Task> tasks);

json::object to_json(const TablesReport& report);

}  // namespace pgtend::vacuum
