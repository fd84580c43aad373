// Runs the statements of one action on a connection of its own, watched from a second one: progress
// and blockers are told while a statement runs, and a cancel request stops it.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "care/gate.h"
#include "facts/progress.h"

namespace pgtend::care {

struct Ran {
  pg::Rows rows;
  milliseconds lock_wait = {};  // as far as the watcher saw it, to about 50 ms
  milliseconds duration = {};
};

// What the audit trail and application_name call one action: twelve hexadecimal digits.
std::string new_action_id(std::mt19937_64& random);

// Thread: one at a time.
class Execution {
 public:
  // Opens the working connection, named `application`, with the policy's statement timeout. The
  // setup is borrowed.
  static Result<Execution> open(const GateSetup& setup, const std::string& application);

  // Runs one statement to its end. `lock_timeout` bounds each wait for a lock. Errors: those of the
  // connection, Cancelled when the cancel flag stopped it.
  Result<Ran> run(const std::string& sql, milliseconds lock_timeout);
  // Who was seen blocking the last statement that waited.
  const std::vector<facts::Session>& blockers() const { return blockers_; }
  // Makes sure of a living working connection, opening a new one after a loss; tries for as long as
  // the policy's tries and back-off last. Errors: Unavailable.
  Status revive();
  // Waits, unless cancelled first (Cancelled).
  Status pause(milliseconds duration);
  // Whether somebody asked to stop; never while the action is being undone.
  bool cancelled() const;
  // Between the two the cancel flag is ignored: what is left must be undone.
  void begin_undo() { undoing_ = true; }
  void end_undo() { undoing_ = false; }
  // Tells the callback about `what`; also used while nothing runs.
  void tell(const std::string& what);
  void at_step(size_t step, size_t steps);

  pg::Connection& connection() { return conn_; }

 private:
  Execution(const GateSetup& setup, pg::Connection conn, std::string application)
      : setup_(&setup), conn_(std::move(conn)), application_(std::move(application)) {}
  // Looks at the running statement from the second connection. True if it waits for a lock.
  bool watch();
  pg::Connection* watcher();

  const GateSetup* setup_;
  pg::Connection conn_;
  std::string application_;
  std::optional<pg::Connection> watcher_;
  bool watcher_failed_ = false;
  bool undoing_ = false;
  milliseconds lock_timeout_{-1};
  std::vector<facts::Session> blockers_;
  facts::Pace pace_;
  Moment moment_;
};

// Whether `error` means a lock was not obtained or was lost, so that trying again can help.
bool lock_failure(const Error& error);

}  // namespace pgtend::care
