// Keeping partitioned tables: partitions ahead of clock and data, old ones retired. Planned from
// one look at the table, carried out through the gate, each partition for itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "care/gate.h"
#include "facts/partitions.h"
#include "partition/partition.h"
#include "partition/upkeep_policy.h"

namespace pgtend::partition {

// A partition that is missing.
struct Birth {
  Slice slice = {};
  care::Action action = {};
  std::string refusal = {};  // why it cannot be made, with the next step; "" when it can
};

// A partition that is too old, or one on its way out whom an earlier run has left behind.
struct Departure {
  facts::Partition part = {};
  bool too_old = true;       // false: only its interrupted DETACH is finished
  bool detached = false;     // already, by an earlier run that ended there
  bool concurrently = true;  // DETACH CONCURRENTLY; false: where the server refuses that
  care::Action detach = {};  // no steps when detached
  care::Action after = {};   // of the table it is then; no steps when it stays
  std::string refusal = {};
};

struct SetPlan {
  UpkeepPolicy policy = {};
  facts::Layout layout = {};
  std::string width = {};      // "1 month"; "" if it could not be told
  std::string now = {};        // the clock's, a text of the key's type
  std::string newest = {};     // the newest row that counts; "" when unknown, or none is ahead
  std::string keep_from = {};  // partitions that end before are too old; "" without `keep`
  std::vector<Birth> births = {};
  std::vector<Departure> departures = {};
  std::vector<std::string> warnings = {};
  std::string refusal = {};  // why nothing ahead can be planned, with the next step
};

// Plans the upkeep of one table. `now` is a timestamptz text that stands for the server's clock, ""
// for the clock itself. Reads the newest row through indexes, or which partitions have rows at all.
// Errors: NotFound, Invalid (no ranges of one date or time column, unknown zone), those of the
// connection.
Result<SetPlan> plan_upkeep(pg::Connection& conn, const UpkeepPolicy& policy,
                            const std::string& now = "");

// One partition that was made or retired, or not.
struct Done {
  std::string partition = {};  // qualified
  std::string what = {};       // "made", "detached", "archived and dropped" …
  care::Outcome outcome = {};
  std::optional<Error> error = {};
  std::vector<std::string> notes = {};  // where the archive lies and how it comes back
};

struct SetReport {
  SetPlan plan = {};
  std::vector<Done> births = {};
  std::vector<Done> departures = {};
  std::optional<Error> error = {};  // of the planning

  bool failed() const;  // anything was refused or went wrong
};

struct UpkeepSetup {
  care::GateSetup gate = {};
  std::string now = {};  // as in plan_upkeep()
  // How long a DETACH may wait for older transactions before it is left for the next run.
  milliseconds detach_patience{60'000};
  std::function<void(const std::string&)> on_event = {};  // one line for people; may be empty
};

// Plans and runs the upkeep of each table, in order: what is ahead first, then what is old. What
// fails is reported and does not stop the others; only Cancelled ends the run.
Result<std::vector<SetReport>> run_upkeep(const UpkeepSetup& setup,
                                          const std::vector<UpkeepPolicy>& policies);

json::object to_json(const SetReport& report);

}  // namespace pgtend::partition
