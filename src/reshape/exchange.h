// The moment in which two tables change places: asked for politely, tried again, and never while a
// snapshot is open that would miss rows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "care/rounds.h"
#include "reshape/report.h"

namespace pgtend::reshape {

// A transaction of its own, with an empty search path, whose commit waits for the disk.
struct Exchange {
  std::string what = {};                     // "changing places"
  uint32_t oid = 0;                          // of the table that others use now
  std::vector<std::string> lock_first = {};  // statements
  std::vector<std::string> locks = {};       // statements; the first locks that table
  bool snapshots = false;                    // whether older ones must have ended
  bool swaps = false;                        // what the setup's hold is for
  // A transaction of ours after which all but the last changes had been brought over. Whoever waits
  // for the table with a snapshot from before it would miss more than those.
  const std::string* mark = nullptr;
  std::function<Status(pg::Connection&)> then = {};
  std::function<Status()> between = {};  // after a try in vain; may be empty
};

// Waits for each lock no longer than others may wait behind it, then goes away for a while, and so
// on until the setup's patience is over; fills the report's swap fields. Errors: Conflict (who is
// in the way is named), Cancelled, and those of the statements; nothing has happened then.
Status exchange(care::Rounds& rounds, const Setup& setup, const Exchange& exchange, Report& report);

}  // namespace pgtend::reshape
