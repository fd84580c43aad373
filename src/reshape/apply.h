// Brings rows that were changed in one table over into the other, and compares the two.
#pragma once

#include <cstdint>

#include "care/rounds.h"
#include "reshape/flow.h"

namespace pgtend::reshape {

// Makes ready what apply() needs, in the session of `conn`.
Status prepare_apply(pg::Connection& conn, const Flow& flow);

// Within a transaction of its own (REPEATABLE READ, so that what is read of the source is of one
// moment): takes at most `most` entries of the log (0: all), deletes their rows from the target and
// inserts what the source has of them now. Returns the entries. Errors: Conflict, and those of the
// server.
Result<int64_t> apply(pg::Connection& conn, const Flow& flow, int64_t most);
// The same under a lock that keeps writers away, in the transaction that is open; and compares the
// rows concerned. Errors: also Internal, when they differ.
Result<int64_t> apply_last(pg::Connection& conn, const Flow& flow);

// Compares all rows but those in the log. Runs as long as reading both tables takes and holds one
// snapshot meanwhile. Returns the rows compared. Errors: Internal, naming what differs.
Result<int64_t> compare(care::Rounds& rounds, pg::Connection& conn, const Flow& flow);

}  // namespace pgtend::reshape
