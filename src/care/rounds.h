// Work of many short transactions as one action: a table is changed a little at a time, so that
// nobody waits long, and whatever ends the program leaves only whole rounds behind.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "care/gate.h"

namespace pgtend::care {

class Execution;
class Trail;

// What a round asks for when its statements have run.
enum class RoundEnd : uint8_t { Commit, Rollback };

// All rounds of an action so far.
struct RoundSums {
  int64_t rounds = 0;       // committed
  int64_t rolled_back = 0;  // because the round asked for it
  int64_t locked = 0;       // given up because a lock was not obtained, and tried again
  int64_t too_long = 0;     // took more than the policy's round_wanted
  microseconds busy{};      // inside transactions
  microseconds longest{};   // of one transaction, from before BEGIN to after COMMIT: the longest
                            // that anybody can have waited for a row of it
};

// What the work of an action may do. Made by Gate::run(). Thread: as the gate, one at a time.
class Rounds {
 public:
  // How the gate runs a statement that stands alone: with its manners for locks, and recorded.
  struct Hooks {
    std::function<Status(const Step&, const std::string& creates, const std::string& table,
                         Outcome&)>
        lone;
    std::function<Status(const std::string& sql)> undo;
  };
  using Body = std::function<Result<RoundEnd>(pg::Connection&)>;

  Rounds(const GateSetup& setup, const Action& action, Execution& execution, Trail& trail)
      : setup_(setup), action_(action), exec_(execution), trail_(trail) {}
  void use(Hooks hooks, Outcome& outcome, uint64_t seed);

  // Runs one of Action::steps, or another statement that stands alone (VACUUM, CONCURRENTLY forms),
  // as the gate runs steps: asks politely for its lock, tries again, records. Its notices and its
  // report are added to the outcome. `creates` as in Action. Errors: as Gate::run.
  // `table` is whose lock it asks for, qualified and quoted; "" Action::object.
  Status step(const Step& step, const std::string& creates = "", const std::string& table = "");
  // One line in the audit trail for all rounds that `work` runs: begin, and at the end their sums.
  // `shown` is what each of them runs, with its parameters' names.
  Status series(const Step& shown, const std::function<Status()>& work);
  // One transaction, READ COMMITTED, with the policy's round_lock_timeout and round_timeout. It is
  // committed if `body` says so, else rolled back. When a lock is not obtained it is rolled back
  // and, after a pause, run again, as often as the policy's tries. A commit does not wait for the
  // disk or a standby: a crash may take back the last rounds, whole. Errors: Cancelled before a
  // round, Conflict (who holds the lock is named), and those of the body; the round has then been
  // rolled back.
  Result<RoundEnd> round(const Body& body);
  // Runs `sql` to take something back, also after a cancel; recorded. Errors: those of the gate.
  Status undo(const std::string& sql) { return hooks_.undo(sql); }

  // Waits, unless cancelled first (Cancelled).
  Status pause(microseconds duration);
  // Shows what is going on; `what` as in Moment.
  void tell(const std::string& what);
  // Reads through another session of ours, also while the working one is busy; nullopt if there is
  // no such session, or it failed.
  std::optional<pg::Rows> look(const std::string& sql);
  // How long `sql`, a cheap query of one number, takes another session of ours, and the number;
  // nullopt if there is no such session.
  std::optional<microseconds> probe(const std::string& sql, int64_t& number);
  // The working session: for looking, between rounds.
  pg::Connection& connection();
  const RoundSums& sums() const { return sums_; }
  const Clock& clock() const { return *setup_.clock; }
  const GatePolicy& policy() const { return setup_.policy; }

 private:
  Result<RoundEnd> attempt(const Body& body);
  Error not_obtained(const Error& last);

  const GateSetup& setup_;
  const Action& action_;
  Execution& exec_;
  Trail& trail_;
  Hooks hooks_;
  Outcome* outcome_ = nullptr;
  std::mt19937_64 random_;
  RoundSums sums_;
};

}  // namespace pgtend::care
