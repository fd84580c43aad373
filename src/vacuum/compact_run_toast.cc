// Of the work of a compaction: the values outside of the rows.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "care/locks.h"
#include "facts/horizon.h"
#include "vacuum/compact_run.h"

namespace pgtend::vacuum {
namespace {

constexpr int64_t kBatches = 10;  // of a pass: more VACUUMs, and the end lies closer to dense
constexpr int64_t kBatchPagesMin = 128;
constexpr int64_t kGrowthShare = 20;  // of its pages that TOAST may grow by meanwhile
constexpr double kToastFar = 1.2;     // of what a rewrite would need at most
constexpr int64_t kToastFarPages = 64;
constexpr int kCutsMin = 2;  // VACUUM gives up when somebody uses it just then

}  // namespace

Result<int64_t> CompactWork::toast_pages(care::Rounds& rounds) const {
  const pg::Rows rows = TRY(rounds.connection().query(
      "select coalesce(pg_relation_size($1::oid), 0) / current_setting('block_size')::int",
      {std::to_string(report_.facts.table.toast_oid)}));
  return rows[0].get<int64_t>(0);
}

ToastTarget CompactWork::toast_target(int64_t pages, int64_t toast_pages) const {
  const CompactTable& table = report_.facts.table;
  const auto needed = static_cast<int64_t>(report_.facts.toast.needed.best);
  const int64_t free = std::max<int64_t>(toast_pages - needed, 0);
  const int64_t batch = std::max(kBatchPagesMin, std::min(needed / kBatches, free / 2));
  const auto fit = fit_to_store(table);
  return {.oid = table.oid,
          .table = table.table,
          .fit = fit ? *fit : ToastFit{},
          .version = table.version,
          .block_size = table.block_size,
          .pages = pages,
          .batch_bytes = batch * table.block_size};
}

Status CompactWork::store_anew(care::Rounds& rounds) {
  if (!report_.plan.toast) return ok();
  report_.toast_before = report_.toast_after = TRY(toast_pages(rounds));
  // An earlier run may have done all but the cut.
  if (!window_closed()) TRY(cut(rounds));
  const int64_t before = TRY(toast_pages(rounds));
  const double needed = report_.facts.toast.needed.best;
  if (1 - needed / static_cast<double>(std::max<int64_t>(before, 1)) < setup_.policy.share_min) {
    return ok();
  }
  const ToastTarget target = toast_target(TRY(pages(rounds)), before);
  const int64_t most =
      before + std::max(before / kGrowthShare, 2 * target.batch_bytes / target.block_size);
  const auto make_room = [&]() -> Result<bool> {
    TRY(still_fit(rounds));
    TRY(gently(rounds, vacuum_between(report_.table)));
    const int64_t now = TRY(toast_pages(rounds));
    if (now <= most) return true;
    const std::string who = TRY(holder(rounds));
    toast_unfinished_ = cat("the TOAST of ", report_.table, " grew from ", grouped(before), " to ",
                            grouped(now), " pages, because what was stored before is not removed",
                            who.empty() ? "" : cat(": ", who));
    return false;
  };
  ToastMover mover(rounds, throttle_, target, make_room);
  const Status status =
      rounds.series(storing_step(report_.facts.table), [&] { return mover.pass(); });
  report_.stored = mover.totals();
  return status;
}

// Readers of the values hold a lock on the TOAST, too.
Status CompactWork::cut_toast(care::Rounds& rounds) {
  if (!report_.plan.toast) return ok();
  milliseconds wait = rounds.policy().back_off;
  for (int cuts = 1;; ++cuts) {
    const int64_t now = report_.toast_after = TRY(toast_pages(rounds));
    const double needed = report_.facts.toast.needed.high;
    if (static_cast<double>(now) <= needed * kToastFar + kToastFarPages) return ok();
    const auto holders = TRY(facts::load_lock_holders(
        rounds.connection(), report_.facts.table.toast_oid,
        care::conflicting(care::LockMode::AccessExclusive), rounds.connection().backend_pid()));
    std::string who = TRY(holder(rounds));
    if (who.empty() && !holders.empty()) who = cat("used by ", holders.front().describe());
    if (toast_unfinished_.empty()) {
      toast_unfinished_ =
          cat("the TOAST of ", report_.table, " has ", grouped(now), " pages where about ",
              grouped(std::llround(needed)), " would do", who.empty() ? "" : cat(": ", who));
    }
    if (window_closed() || (who.empty() && cuts >= kCutsMin) || patience_over(rounds)) return ok();
    rounds.tell(cat("waiting to give back TOAST: ", who));
    TRY(rounds.pause(wait));
    wait = std::min(wait * 2, rounds.policy().back_off_max);
    TRY(cut(rounds));
    toast_unfinished_.clear();
  }
}

}  // namespace pgtend::vacuum
