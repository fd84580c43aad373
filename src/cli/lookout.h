// Ctrl-C while a command only looks: whatever it waits for, it ends now.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "cli/command.h"
#include "cli/output.h"
#include "pg/connection.h"

namespace pgtend::cli {

// While it lives, a stop ends the process with exit code 130: the running statement is cancelled,
// then nothing is left to do, since a command that only looks has nothing half done. Reading from
// a terminal, connecting and waiting for a lock cannot be told to stop in another way. Never alive
// while the gate or the tour works: those clean up behind themselves.
// Thread: made and used by one; the stop may come from any.
class Lookout {
 public:
  // `args` and `output` are borrowed for the life of the lookout.
  Lookout(const Args& args, Output& output);

  // Opens the connection that `args` describes and cancels its statement on a stop.
  // Errors: as pg::Connection::open().
  Result<pg::Connection> connect();

 private:
  void stop();

  const Args& args_;
  Output& output_;
  std::mutex mutex_;
  std::optional<pg::Canceller> canceller_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace pgtend::cli
