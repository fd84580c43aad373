// Writes a table anew while others use it, and puts the new one in its place: the steps in their
// order, each fit to be interrupted at any moment and gone on with later.
#pragma once

#include <string>
#include <vector>

#include "care/rounds.h"
#include "reshape/apply.h"
#include "reshape/report.h"

namespace pgtend::reshape {

// The statements of a job as a dry run shows them, in order.
std::vector<care::Step> shown_steps(const Job& job);
// What is locked, in this order, so that the tables change places, or change back. Both are in
// ACCESS EXCLUSIVE mode.
std::vector<std::string> swap_locks(const Job& job, bool back);
// What abort and finish run; `phase` is how far the job has come.
std::vector<std::string> abort_statements(const Job& job, Phase phase);
std::vector<std::string> finish_statements(const Job& job);

// One run of a job. Thread: one at a time. Errors of all calls: Cancelled, Conflict (a lock, or an
// older snapshot, named), Invalid (the table was changed; a difference was found: the swap has not
// happened), and those of the server. What was done before an error stays, and run() goes on there.
class Rewrite {
 public:
  // `report` is borrowed and filled as far as it came.
  Rewrite(Setup setup, Job job, Report& report)
      : setup_(std::move(setup)),
        job_(std::move(job)),
        report_(report),
        throttle_(setup_.throttle) {}

  // Begins, or goes on after an interruption, up to the swap and what follows it.
  Status run(care::Rounds& rounds);
  // Before the swap: takes all that the job has made away.
  Status abort(care::Rounds& rounds);
  // After the swap: brings what was written since into the old table and puts it back in its place.
  Status take_back(care::Rounds& rounds);
  // After the swap: drops the old table and all notes.
  Status finish(care::Rounds& rounds);

 private:
  Status begin(care::Rounds& rounds);
  Status begin_throttle(care::Rounds& rounds);
  Status make(care::Rounds& rounds);
  Status start_capture(care::Rounds& rounds);
  Status copy(care::Rounds& rounds);
  Status build(care::Rounds& rounds, const std::vector<Make>& list);
  Status catch_up(care::Rounds& rounds, const Flow& flow);
  Status verify(care::Rounds& rounds, const Flow& flow);
  Status prepare_back(care::Rounds& rounds);
  Status look_at_rights(care::Rounds& rounds);
  Status go_on(care::Rounds& rounds);
  Status release(care::Rounds& rounds, const std::vector<std::string>& statements);
  Status finish_return(care::Rounds& rounds);
  Status bring_last(pg::Connection& conn, const Flow& flow);
  Status bring_over(care::Rounds& rounds, const Flow& flow);
  Status swap(care::Rounds& rounds);
  Status settle(care::Rounds& rounds);
  Status tidy(care::Rounds& rounds, Phase then);
  Status change_places(pg::Connection& conn, const Flow& flow);
  Status swap_back(care::Rounds& rounds);
  Status return_places(pg::Connection& conn, const Flow& flow);
  Status note(pg::Connection& conn, Phase phase);
  Status unchanged(pg::Connection& conn) const;
  Status still_unchanged(care::Rounds& rounds) const;
  Status clear(care::Rounds& rounds, const std::vector<std::string>& statements);
  // Runs statements as one transaction that asks politely for its locks.
  Status together(care::Rounds& rounds, const std::string& what, const std::string& shown,
                  const std::vector<std::string>& statements);

  Setup setup_;
  Job job_;
  Report& report_;
  care::Throttle throttle_;
  Ledger ledger_ = {};
  bool known_ = false;      // whether ledger_ was read in this run
  std::string mark_ = "3";  // see Exchange
};

}  // namespace pgtend::reshape
