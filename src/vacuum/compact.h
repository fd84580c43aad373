// Giving a table's free space back while it is used: looked at, planned, carried out, reported.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "care/gate.h"
#include "care/throttle.h"
#include "vacuum/compact_move.h"
#include "vacuum/compact_plan.h"
#include "vacuum/compact_toast.h"

namespace pgtend::vacuum {

// When the file may be cut. Rows move at any time.
struct CutTime {
  std::function<bool()> quiet = {};  // whether it is one of the quiet times now; empty: none named
  std::string times = {};            // them, as the user wrote them
  bool always = false;               // wait for them also where no standby replays the lock
};

struct CompactSetup {
  care::GateSetup gate = {};  // its policy decides between dry run and real run
  std::string table = {};     // as the user wrote it
  std::optional<Way> way = {};
  bool published = false;  // move rows although logical replication carries each of them
  bool freeze = false;     // freeze at the end even if it is not known that the table was frozen
  CompactPolicy policy = {};
  care::ThrottleLimits throttle = {};
  CutTime cut = {};
  milliseconds repack_wait_max{1'000};  // pg_repack is ended when it holds anybody up for longer
  seconds repack_wait_timeout{60};      // it gives up then, when it does not get its locks
};

// What a run came to; also filled when it ends early.
struct CompactReport {
  std::string table = {};
  CompactFacts facts = {};
  CompactPlan plan = {};
  std::vector<std::string> schedule = {};  // what happens when, a line each
  care::Outcome outcome = {};
  std::vector<care::Step> steps = {};  // of the pick; statements between rounds may repeat
  MoveTotals moved = {};
  int sweeps = 0;
  care::RoundSums rounds = {};
  care::HeldBack held = {};
  StoreTotals stored = {};   // of values outside of the rows
  int64_t toast_before = 0;  // pages; 0: nothing was to be stored anew
  int64_t toast_after = 0;
  int64_t pages_before = 0;
  int64_t pages_after = 0;
  std::string unfinished = {};  // why space stays that could be given back, "" if none does
  milliseconds took{};
};

// Reads what planning needs, over `conn`. Errors: NotFound, Invalid, those of the connection.
Result<CompactFacts> load_compact_facts(pg::Connection& conn, const CompactSetup& setup);

// Whether the cut waits for the quiet times: while standbys replay its lock, or when asked for.
bool cut_waits(const CutTime& cut, size_t standbys);

// Fills facts, plan, schedule and steps of `report`. Errors: those of load_compact_facts,
// fit_to_move and plan_compaction.
Status plan_compact(const CompactSetup& setup, CompactReport& report);

// Plans, and with the gate's apply carries the pick out. `report` has what was done so far also
// after an error. Errors: those of Gate::run, fit_to_move and plan_compaction; Conflict when the
// space at the end could not be given back because others hold the table or old snapshots.
Status compact(const CompactSetup& setup, CompactReport& report);

json::object to_json(const CompactReport& report);
// What was done, as lines for people, without final newline.
std::string to_text(const CompactReport& report);

}  // namespace pgtend::vacuum
