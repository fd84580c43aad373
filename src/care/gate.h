// The only door through which the program changes a database. Dry run is the default; a real run
// looks at rights and locks first, never queues long for a lock, verifies, undoes and records.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "care/finding.h"
#include "facts/activity.h"
#include "facts/progress.h"
#include "pg/connection.h"
#include "pg/options.h"
#include "store/audit.h"

namespace pgtend::care {

struct GatePolicy {
  bool apply = false;  // false: nothing is changed, the outcome shows what would run
  // For steps whose lock makes readers or writers wait: whoever comes after us in the lock's queue
  // waits at most this long, once a try.
  milliseconds lock_timeout{200};
  // For steps whose waiting disturbs nobody (ShareUpdateExclusive and weaker).
  milliseconds lock_timeout_patient{60'000};
  int tries = 8;               // for each transaction or lone step
  milliseconds back_off{250};  // before the second try, doubling, times a random 0.5 to 1.5
  milliseconds back_off_max{5'000};
  milliseconds statement_timeout{3'600'000};
  // Of work in rounds (care/rounds.h): a wait for a lock, and a whole statement. Others may wait
  // for what a round holds while it waits itself.
  milliseconds round_lock_timeout{50};
  milliseconds round_timeout{5'000};
  milliseconds round_wanted{20};       // what longer ones are counted by; they are not ended
  milliseconds verify_timeout{5'000};  // how long verify_sql may take to become true
  // For steps that yield: how often a statement gives way to others before it is given up, and how
  // long it stays away at least, so that work that is never finished costs little.
  int yields_max = 100;
  milliseconds yield_pause{1'000};
  uint64_t seed = 0;  // of the back-off and the action id; 0: a random one
};

// Something worth showing while an action runs.
struct Moment {
  size_t step = 0;  // counted from 0, of Action::steps
  size_t steps = 0;
  // "running", "waiting for a lock", "trying again in 0.4 s", "gave way to pid 4711 …", "undoing"
  std::string what = {};
  std::vector<facts::Session> blockers = {};
  std::optional<facts::Progress> progress = {};
  facts::Pace::Estimate pace = {};
};

struct Outcome;

struct GateSetup {
  pg::Options options = {};  // connections are opened from these: one works, one watches
  GatePolicy policy = {};
  store::Audit* audit = nullptr;                      // borrowed; without it a real run is refused
  const Clock* clock = nullptr;                       // borrowed, never null
  const std::atomic<bool>* cancel = nullptr;          // borrowed; true asks to stop and undo
  std::function<void(const Moment&)> on_moment = {};  // about ten times a second
  std::function<void(milliseconds)> sleep = {};       // between tries; empty: really sleeps
  // Why a step that yields must not go on, "" while it may. Asked at every look, about twenty times
  // a second; the statement is cancelled and the run ends as Cancelled with that reason.
  std::function<std::string()> stop_reason = {};
  // Adds to Outcome::after what the statements' notices tell, before it goes to the audit trail.
  std::function<void(Outcome&)> on_done = {};
};

struct StatementReport {
  std::string sql = {};
  std::vector<std::string> beside = {};  // run beside it, see Step::beside
  LockMode lock = LockMode::None;
  int tries = 0;  // 0 in a dry run
  milliseconds lock_wait = {};
  milliseconds duration = {};  // of the successful try
  int64_t rows = 0;            // affected
  int yields = 0;              // how often it was cancelled to make room for others
  milliseconds away = {};      // how long it stayed away because of that, cancelled work included
};

struct Outcome {
  std::string action_id = {};  // as in application_name and the audit trail
  bool applied = false;
  bool already = false;  // verify_sql was true before the first step: nothing was run
  std::vector<StatementReport> statements = {};
  // What stands in the way now: for a dry run the reason a real run would be refused ("" if none).
  std::string refusal = {};
  std::vector<facts::Session> holders = {};  // hold locks that conflict with the action's strongest
  std::vector<std::string> warnings = {};    // the server's, and ours
  std::vector<pg::Notice> notices = {};      // what the statements printed, in order
  json::object before = {};                  // of Action::measure_sql
  json::object after = {};
  std::vector<std::string> undo = {};  // statements that take the action back
};

// Work that is many short transactions, and statements between them; see care/rounds.h.
class Rounds;
using Work = std::function<Status(Rounds&)>;

// Runs actions, each on connections of its own named pgtend/<action id>.
// Thread: one at a time; the cancel flag may be set from anywhere (also a signal handler).
class Gate {
 public:
  explicit Gate(GateSetup setup);

  // Carries out `action`, or shows it. After an error nothing of the action is left, or the message
  // names what is left and the statement that removes it. Errors: Denied (a right is missing, or
  // there is no audit trail), Conflict (a lock was not obtained; the message names who holds it
  // since when), Cancelled, Timeout, NotFound, Invalid, Unavailable, Internal (not verified).
  Result<Outcome> run(const Action& action);
  // The same, but that in a real run `work` runs statements like those of the action's steps, which
  // are what a dry run shows. Each of its rounds is whole or rolled back; after an error, what was
  // done before stays, and verify_sql is not asked. Errors: also those of the work.
  Result<Outcome> run(const Action& action, const Work& work);

 private:
  GateSetup setup_;
};

// How long a statement took, for people: "under 1 ms", "217 ms".
std::string took_text(milliseconds duration);

json::object to_json(const Outcome& outcome);

}  // namespace pgtend::care
