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
  // The same for a step: with its statements beside it, and giving way to others if it yields.
  // Errors: also Conflict when it gave way, see gave_way(); Cancelled with GateSetup::stop_reason;
  // Unavailable when it yields and there is no second connection to see the others from.
  Result<Ran> run(const Step& step, milliseconds lock_timeout);
  // To whom the last step gave way; "" if it ended in another manner.
  const std::string& gave_way() const { return gave_way_; }
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
  // The second connection, opened when first asked for and again some seconds after a loss; null:
  // there is none at the moment.
  pg::Connection* watcher();

 private:
  Execution(const GateSetup& setup, pg::Connection conn, std::string application)
      : setup_(&setup), conn_(std::move(conn)), application_(std::move(application)) {}
  // Looks at the running statement from the second connection. True if it waits for a lock.
  bool watch();
  // Sends the statement and waits for its end, the lock timeout being set.
  Result<Ran> follow(const std::string& sql, bool yields);
  // What to end the running statement with now; nullopt while it may go on.
  std::optional<Error> reason_to_stop(bool yields);
  // Who waits for us and is to be let through, "" for nobody.
  std::string way_to_give();
  // A connection whose open transaction has run the statements beside the step.
  Result<pg::Connection> stand_beside(const Step& step, milliseconds lock_timeout);
  void lose_watcher();
  Status set_lock_timeout(milliseconds lock_timeout);

  const GateSetup* setup_;
  pg::Connection conn_;
  std::string application_;
  std::optional<pg::Connection> watcher_;
  std::optional<SteadyTime> watcher_lost_;
  bool undoing_ = false;
  int beside_pid_ = 0;  // of the connection beside the running step; 0: none
  std::string gave_way_;
  milliseconds lock_timeout_{-1};
  std::vector<facts::Session> blockers_;
  facts::Pace pace_;
  Moment moment_;
};

// Whether `error` means a lock was not obtained or was lost, so that trying again can help.
bool lock_failure(const Error& error);

}  // namespace pgtend::care
