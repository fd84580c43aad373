// Whether autovacuum comes to the tables that are due for it, and if not, what is in its way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "care/finding.h"
#include "facts/autovacuum.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "vacuum/options.h"
#include "vacuum/rules.h"

namespace pgtend::vacuum {

enum class Obstacle : uint8_t {
  Cancelled,      // a worker was there, again and again, and ended without having done it
  Locked,         // a lock is held that makes workers pass the table by
  OtherDatabase,  // all new workers go to a database whose ids are old
  WorkersBusy,    // on other tables
  Unseen,         // nothing was seen that would explain it
};
std::string_view name(Obstacle obstacle);  // "cancelled", "locked", …

// A table that autovacuum should have come to.
struct Neglected {
  facts::TableFacts table = {};
  Job job = Job::Vacuum;             // Vacuum or Analyze
  std::optional<double> due_s = {};  // for how long it has been seen due; nullopt: seen once
  Obstacle obstacle = Obstacle::Unseen;
  int tries = 0;                      // of Cancelled
  std::vector<std::string> who = {};  // workers, sessions or databases in the way; printable
};

// Finding `autovacuum-cancelled` or `autovacuum-starved`.
care::Finding to_finding(const Neglected& neglected, const facts::ServerSettings& settings);

// The rule of rules.h for a single look: only what that proves. A table that is at least
// `starved_factor` times over its limit, and
//  - a session whose transaction is older than `starved_naptimes` naptimes holds a lock in the way,
//  - or all workers are busy on other tables for that long,
//  - or another database is past its age and no worker is on a table of ours,
// and the table has had no visit for that long (since the last of the workers became busy).
std::optional<care::Finding> starved_now(const facts::TableFacts& table, const Context& context,
                                         const Policy& policy);

// The same over time. Fed with two kinds of looks: at what autovacuum does, often, so that a short
// visit is seen; and at the tables, each third of a naptime or so. Pure but for its memory, which
// is bounded by the number of tables that are due. Thread: one at a time.
class Attendance {
 public:
  explicit Attendance(Policy policy = {}) : policy_(policy) {}

  void look(const facts::AutovacuumNow& now, SteadyTime at);
  // `visits` as of the same moment or a little before.
  void tables(const std::vector<facts::TableFacts>& tables,
              const std::map<uint32_t, facts::Visits>& visits,
              const facts::ServerSettings& settings, SteadyTime at);

  // The tables that were due, without a visit, for more than `starved_naptimes` naptimes when
  // tables() was called last; those with most waiting first.
  std::vector<Neglected> neglected() const;

 private:
  struct Due {
    facts::TableFacts table = {};
    SteadyTime since{};
    int64_t visits = 0;
    std::set<int> working = {};  // workers that are there now
    int tries = 0;               // visits that have ended
    int looks = 0;
    int locked = 0;  // looks with a lock in the way, and so on
    int forced = 0;
    int busy = 0;
    std::vector<std::string> lockers = {};  // of the last look that had any
    std::vector<std::string> askers = {};   // who waited for a lock while a worker was there
    std::vector<std::string> databases = {};
    std::vector<std::string> workers = {};
  };
  using Key = std::pair<uint32_t, Job>;

  void look_at(const Key& key, Due& due, const facts::AutovacuumNow& now) const;
  Neglected to_neglected(Job job, const Due& due) const;

  Policy policy_;
  std::map<Key, Due> due_;
  SteadyTime now_{};
  double naptime_s_ = 60;
};

}  // namespace pgtend::vacuum
