// The work of a compaction between begin and end: sweeps, VACUUMs, truncation, REINDEX.
#pragma once

#include "care/rounds.h"
#include "vacuum/compact.h"
#include "vacuum/compact_fit.h"
#include "vacuum/compact_toast.h"

namespace pgtend::vacuum {

// The statements that the pick runs, as a dry run shows them.
std::vector<care::Step> compact_steps(const CompactSetup& setup, const CompactFacts& facts,
                                      const CompactPlan& plan, const CompactFit& fit);

// The VACUUM that finds free space, and makes room of what a sweep has left; it must not cut the
// file, because VACUUM cuts nothing later that is a sixteenth of it or less.
care::Step vacuum_between(const std::string& table);
// What stores values anew, as shown; its statement is "" for a table of which none can be.
care::Step storing_step(const CompactTable& table);

// Thread: one at a time.
class CompactWork {
 public:
  CompactWork(const CompactSetup& setup, CompactFit fit, CompactReport& report)
      : setup_(setup), fit_(std::move(fit)), report_(report), throttle_(setup.throttle) {}

  // Does all of it. Errors: as compact().
  Status operator()(care::Rounds& rounds);
  // For GateSetup::stop_reason.
  std::string stopped();

 private:
  Status lock_out_others(care::Rounds& rounds);
  Status gently(care::Rounds& rounds, const care::Step& step);
  Status move(care::Rounds& rounds);
  bool patience_over(care::Rounds& rounds);
  bool far_from_dense() const;
  Result<std::string> holder(care::Rounds& rounds) const;
  Status sweeps(care::Rounds& rounds, Mover& mover, int64_t floor);
  void note_stragglers(const Mover& mover, int64_t used);
  Result<int64_t> toast_pages(care::Rounds& rounds) const;
  ToastTarget toast_target(int64_t pages, int64_t toast_pages) const;
  Status store_anew(care::Rounds& rounds);
  Status repack(care::Rounds& rounds);
  Status cut_toast(care::Rounds& rounds);
  Status cut(care::Rounds& rounds);
  bool window_closed() const;
  Status await_window(care::Rounds& rounds, Mover& mover, int64_t floor);
  Status truncate(care::Rounds& rounds, Mover& mover);
  Status reindex(care::Rounds& rounds);
  Status quiet(care::Rounds& rounds);
  Status reindex_one(care::Rounds& rounds, const std::string& index);
  Status drop_leftovers(care::Rounds& rounds);
  Result<int64_t> pages(care::Rounds& rounds) const;
  Result<int64_t> occupied(care::Rounds& rounds, Mover& mover) const;
  Status still_fit(care::Rounds& rounds) const;

  const CompactSetup& setup_;
  CompactFit fit_;
  CompactReport& report_;
  care::Throttle throttle_;
  std::string toast_unfinished_ = {};
  bool waits_for_window_ = false;
  bool cutting_ = false;  // the statement that runs may cut the file
  std::optional<SteadyTime> waiting_since_ = {};
};

}  // namespace pgtend::vacuum
