// How a partition leaves: DETACH, then an archive, another tablespace, or DROP. A small ledger in
// the table's schema remembers who has left but has not come to the end, so that the next run goes
// on.
#pragma once

#include <optional>
#include <string>

#include "care/rounds.h"
#include "partition/upkeep.h"

namespace pgtend::partition {

// Fills the actions and refusals of plan.departures, and adds those that earlier runs have left
// detached. Errors: those of the connection.
Status plan_departures(pg::Connection& conn, SetPlan& plan);

// Detaches. With CONCURRENTLY it waits for older transactions; if they last longer than the setup's
// patience the partition stays half detached, and the next run finishes it. Errors: as Gate::run.
Result<care::Outcome> run_detach(const UpkeepSetup& setup, const Departure& departure);

}  // namespace pgtend::partition
