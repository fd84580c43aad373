// The work of a compaction between begin and end: sweeps, VACUUMs, truncation, REINDEX.
#pragma once

#include "care/rounds.h"
#include "vacuum/compact.h"
#include "vacuum/compact_fit.h"

namespace pgtend::vacuum {

// The statements that the pick runs, as a dry run shows them.
std::vector<care::Step> compact_steps(const CompactSetup& setup, const CompactFacts& facts,
                                      const CompactPlan& plan, const CompactFit& fit);

// Thread: one at a time.
class CompactWork {
 public:
  CompactWork(const CompactSetup& setup, CompactFit fit, CompactReport& report)
      : setup_(setup), fit_(std::move(fit)), report_(report) {}

  // Does all of it. Errors: as compact().
  Status operator()(care::Rounds& rounds);

 private:
  Status lock_out_others(care::Rounds& rounds);
  Status move(care::Rounds& rounds);
  bool patience_over(care::Rounds& rounds);
  bool far_from_dense() const;
  Result<std::string> holder(care::Rounds& rounds) const;
  Status sweeps(care::Rounds& rounds, Mover& mover, int64_t floor);
  void note_stragglers(const Mover& mover, int64_t used);
  Status truncate(care::Rounds& rounds, Mover& mover);
  Status reindex(care::Rounds& rounds);
  Status quiet(care::Rounds& rounds);
  Status reindex_one(care::Rounds& rounds, const std::string& index);
  Status drop_leftovers(care::Rounds& rounds);
  Result<int64_t> pages(care::Rounds& rounds) const;
  Result<int64_t> occupied(care::Rounds& rounds, Mover& mover) const;
  Status still_fit(care::Rounds& rounds) const;
  care::Step vacuum(bool at_end) const;

  const CompactSetup& setup_;
  CompactFit fit_;
  CompactReport& report_;
  std::optional<SteadyTime> waiting_since_ = {};
};

}  // namespace pgtend::vacuum
